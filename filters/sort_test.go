package filters

import (
	"slices"
	"testing"
)

// awkwardOrders are ways to make keys that a radix sort may trip over.
var awkwardOrders = map[string]func(key uint64) uint64{
	"uniform":      func(key uint64) uint64 { return key },
	"low bits":     func(key uint64) uint64 { return key >> 50 },
	"high bits":    func(key uint64) uint64 { return key << 58 },
	"middle bits":  func(key uint64) uint64 { return key & 0xffff_0000_0000 },
	"two heaps":    func(key uint64) uint64 { return key&1<<63 | key>>40 },
	"all the same": func(uint64) uint64 { return 7 },
}

func TestSortDistinct(t *testing.T) {
	var b Builder
	for _, n := range []int{0, 1, 2, radixFrom - 1, radixFrom, radixFrom + 1, 50_000, 3 * shareFrom} {
		for name, change := range awkwardOrders {
			keys := uniformKeys(uint64(n), n)
			for i := range keys {
				keys[i] = change(keys[i])
			}
			want := slices.Clone(keys)
			slices.Sort(want)
			for _, b.workers = range []int{1, 2, 3, 1000} {
				before := slices.Clone(keys)
				if got := b.sortDistinct(keys); !slices.Equal(got, slices.Compact(slices.Clone(want))) {
					t.Errorf("%d keys, %s, %d workers: not sorted or not distinct", n, name, b.workers)
				}
				if !slices.Equal(keys, before) {
					t.Errorf("%d keys, %s: the caller's slice has changed", n, name)
				}
			}
			if got := b.sortDistinct(want); !slices.Equal(got, slices.Compact(slices.Clone(want))) {
				t.Errorf("%d ascending keys, %s: not as they were", n, name)
			}
		}
	}
}

// TestRadixSortWidths sorts places of every width, and with bits above it that all share.
func TestRadixSortWidths(t *testing.T) {
	for width := range 65 {
		keys := uniformKeys(uint64(width), 3000)
		small := make([]uint32, len(keys))
		for i, key := range keys {
			low := uint64(1)<<width - 1
			keys[i] = key&low | 0xa5a5_a5a5_a5a5_a5a5&^low
			small[i] = uint32(key & low)
		}
		if got := radixSort(keys, make([]uint64, len(keys)), width, 1); !slices.IsSorted(got) {
			t.Errorf("%d bits of 64: not sorted", width)
		}
		if got := radixSort(small, make([]uint32, len(keys)), min(width, 32), 1); !slices.IsSorted(got) {
			t.Errorf("%d bits of 32: not sorted", width)
		}
	}
}

func TestExchangeGivesUp(t *testing.T) {
	places := uniformKeys(1, 1000)
	if exchange(places) {
		t.Error("a thousand uniform keys take at most a thousand moves")
	}
	want := uniformKeys(1, 1000)
	slices.Sort(want)
	if slices.Sort(places); !slices.Equal(places, want) {
		t.Error("a key is lost")
	}
}

func TestSortAllocations(t *testing.T) {
	var b Builder
	keys := uniformKeys(1, 20_000)
	if allocs := testing.AllocsPerRun(5, func() { b.sortDistinct(keys) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestShares: the shares of any number of goroutines follow each other up to the last place.
func TestShares(t *testing.T) {
	for _, n := range []int{0, 1, shareFrom, 1<<24 + 1, maxKeys} {
		for shares := 1; shares <= maxShares; shares++ {
			end := 0
			for i := range shares {
				from, to := shareStart(i, shares, n), shareStart(i+1, shares, n)
				if from != end || to < from || to-from > n/shares+1 {
					t.Fatalf("share %d of %d of %d places: from %d to %d, after %d", i, shares, n, from, to, end)
				}
				end = to
			}
			if end != n {
				t.Errorf("%d shares of %d places end at %d", shares, n, end)
			}
		}
	}
}
