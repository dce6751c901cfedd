package filters

import (
	"slices"
	"testing"
)

func TestSortedDistinct(t *testing.T) {
	for _, n := range []int{0, 1, 2, radixFrom - 1, radixFrom, radixFrom + 1, 50_000} {
		for name, change := range map[string]func(key uint64) uint64{
			"uniform":      func(key uint64) uint64 { return key },
			"low bits":     func(key uint64) uint64 { return key >> 50 },
			"high bits":    func(key uint64) uint64 { return key << 58 },
			"middle bits":  func(key uint64) uint64 { return key & 0xffff_0000_0000 },
			"all the same": func(uint64) uint64 { return 7 },
		} {
			keys := uniformKeys(uint64(n), n)
			for i := range keys {
				keys[i] = change(keys[i])
			}
			want := slices.Clone(keys)
			slices.Sort(want)
			if got := sortedDistinct(keys); !slices.Equal(got, slices.Compact(want)) {
				t.Errorf("%d keys, %s: not sorted or not distinct", n, name)
			}
		}
	}
}
