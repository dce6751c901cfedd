package filters_test

import (
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// Where only bytes count, Build chooses the kind. Many keys are best asked for at
// once.
func Example_batch() {
	keys := filterstest.Keys(1, 3000)
	f, err := filters.Build(filters.Smallest, keys, filters.Options{Bits: 5, Distinct: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	asked := filterstest.Keys(1, 4000) // of which the first 3000 are in the set
	in := make([]uint64, (len(asked)+63)/64)
	f.ContainsBatch(asked, in)
	lacking := 0
	for i := range asked {
		if in[i/64]>>(i%64)&1 == 0 {
			lacking++
		}
	}
	fmt.Printf("%v of %.2f bits per key: %d of 1000 other keys are surely not in it\n",
		f.Kind(), filters.BitsPerKey(f), lacking)
	// Output: ribbon of 5.08 bits per key: 971 of 1000 other keys are surely not in it
}

// One node sends its filter once, and later only what changed. The other finds out
// which keys they have to compare more closely.
func ExampleSegments() {
	key := func(day uint32, message byte) uint64 {
		var salt filters.Salt // drawn once in earnest, and kept as long as the filter
		return filters.SegmentKey(day, salt.Key([32]byte{byte(day), message}))
	}
	var theirs []uint64
	for day := range uint32(200) {
		for message := range byte(20) {
			theirs = append(theirs, key(day, message))
		}
	}
	slices.Sort(theirs)

	segments, err := filters.NewSegments(filters.Options{Bits: 8})
	if err != nil {
		fmt.Println(err)
		return
	}
	segments.Add(theirs...)
	whole := segments.Filter()
	segments.Add(key(150, 20)) // they lack this one
	changed := segments.Filter()
	delta, _ := segments.AppendDelta(nil, whole.Generation())

	received, err := whole.Apply(delta, filters.Limits{}) // in earnest, what Decode gave them
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d keys in %d bytes, then %d bytes; equal now: %v\n", received.Len(), len(whole.AppendTo(nil)),
		len(delta), received.Generation() == changed.Generation())
	doubtful := received.Doubtful(theirs)
	fmt.Println("in doubt: day 150", doubtful.Contains(key(150, 0)), "- day 10", doubtful.Contains(key(10, 0)))
	// Output:
	// 4001 keys in 4111 bytes, then 680 bytes; equal now: true
	// in doubt: day 150 true - day 10 false
}
