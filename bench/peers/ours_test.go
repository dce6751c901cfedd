package peers

import (
	"math/bits"

	"github.com/dwn-sync/dwnsync/filters"
)

// ours is a filter of dwnsync with room for the answers to a batch.
type ours struct {
	filters.Filter
	in [asked / 64]uint64
}

// startOurs builds as the fastest user does: with one builder for all filters, and
// the promise that no key repeats, which the raw libraries take for granted.
func startOurs(kind filters.Kind) func(n, bits int) func([]uint64) (built, error) {
	return func(_, bits int) func([]uint64) (built, error) {
		var b filters.Builder
		var our ours
		return func(keys []uint64) (_ built, err error) {
			our.Filter, err = b.Build(kind, keys, filters.Options{Bits: bits, Distinct: true})
			return &our, err
		}
	}
}

func (f *ours) ask(keys []uint64) (found int) {
	for _, key := range keys {
		if f.Contains(key) {
			found++
		}
	}
	return found
}

// askBatch asks for at most as many keys as a benchmark asks for in one operation.
func (f *ours) askBatch(keys []uint64) (found int) {
	f.ContainsBatch(keys, f.in[:])
	for _, word := range f.in[:(len(keys)+63)/64] {
		found += bits.OnesCount64(word)
	}
	return found
}

func (f *ours) size() int { return len(f.AppendTo(nil)) }
