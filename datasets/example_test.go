package datasets_test

import (
	"fmt"

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
