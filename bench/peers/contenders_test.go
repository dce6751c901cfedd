package peers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dwn-sync/dwnsync/filters"
)

// A contender builds filters for a false positive rate of 2^-bits.
type contender struct {
	impl, filter string
	bits         int

	// start returns a function that builds from n distinct keys in random order, as
	// often as it is called, with whatever memory it can keep between calls. What it
	// returned last may be gone with the next call. It does not change the keys.
	start func(n, bits int) func(keys []uint64) (built, error)
}

// built is a filter, as a benchmark sees it.
type built interface {
	// ask returns how many of keys are let through, asked for one by one.
	ask(keys []uint64) int
	// size returns the length of the encoding, or of the table if there is none, in
	// bytes.
	size() int
}

// batcher is a built that can be asked for many keys in one call.
type batcher interface {
	built
	// askBatch returns how many of keys are let through.
	askBatch(keys []uint64) int
}

func (c contender) String() string {
	return fmt.Sprintf("impl=%s/filter=%s/bits=%d", c.impl, c.filter, c.bits)
}

// buildOnly reports whether the filter differs from another only in how it is built.
func (c contender) buildOnly() bool { return strings.HasSuffix(c.filter, "-new") }

// lossy reports whether the filter may deny keys that were put in: a cuckoo
// filter that is too full drops keys.
func (c contender) lossy() bool { return c.filter == "cuckoo" }

// contenders returns all that compete at 2^-bits, each of the raw libraries
// right before what wraps it: the machine has no time to change in between.
func contenders(bits int) []contender {
	var all []contender
	for _, c := range raws() {
		if c.bits == bits {
			all = append(all, c)
		}
	}
	for _, kind := range filters.Kinds() {
		if !gives(kind, bits) {
			continue
		}
		our := contender{"ours", kind.String(), bits, startOurs(kind)}
		at := slices.IndexFunc(all, func(c contender) bool { return c.filter == our.filter })
		if at < 0 {
			at = len(all) - 1
		}
		all = slices.Insert(all, at+1, our)
	}
	return all
}

// rates are the bits at which contenders meet. The 8-bit fingerprints of a cuckoo
// filter, of which a query compares eight, give 2^-5.
func rates() []int { return []int{8, 16, 5} }

// gives reports whether kind is measured at 2^-bits: three of them have a rate
// of their own.
func gives(kind filters.Kind, bits int) bool {
	switch kind {
	case filters.Xor8, filters.Fuse8:
		return bits == 8
	case filters.Fuse16:
		return bits == 16
	}
	return true
}
