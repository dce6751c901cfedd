package datasets_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/dwn-sync/dwnsync/datasets"
)

func Example() {
	var writes, deletes, bytes int
	for m, err := range datasets.Generate(datasets.GenerateOptions{Seed: 1, N: 500}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		switch m.Message.Method() {
		case "Write":
			writes++
		case "Delete":
			deletes++
		}
		bytes += len(m.Data)
	}
	tenant, _ := datasets.GeneratedKey(1)
	fmt.Println(tenant)
	fmt.Println(writes, "writes,", deletes, "deletes,", bytes, "bytes of data")
	// Output:
	// did:key:z6MkkBgR7K2y8bgJfp6VhXvHZrk2fwynUzWFGZvpvxp8WUKR
	// 471 writes, 28 deletes, 215950 bytes of data
}

func ExampleWorkload() {
	// A phone that was off line for the newest 20 of 1000 messages.
	w := datasets.Workload{Shape: datasets.Bursty, Divergence: datasets.Newest, N: 1000, D: 20}
	keys, err := w.Keys()
	if err != nil {
		fmt.Println(err)
		return
	}
	var both, missing int
	for _, holders := range keys {
		if holders.Has(0) {
			both++
		} else {
			missing++
		}
	}
	fmt.Println(w)
	fmt.Println(both, "on both,", missing, "only there")
	// Output:
	// shape=bursty/divergence=newest/n=1000/d=20
	// 980 on both, 20 only there
}

func ExampleJSONLines() {
	lines := strings.NewReader(`{"at":"2024-02-29T12:00:00+01:00","text":"leap"}
{"at":1709204400500,"text":"half a second later"}
`)
	opt := datasets.JSONLinesOptions{Time: []string{"at"}, Unit: time.Millisecond}
	for item, err := range datasets.JSONLines(lines, opt) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d %x %s\n", item.Key.Time, item.Key.ID[:4], item.Body)
	}
	// Output:
	// 1709204400000000 efc8445c {"at":"2024-02-29T12:00:00+01:00","text":"leap"}
	// 1709204400500000 31d29cbc {"at":1709204400500,"text":"half a second later"}
}
