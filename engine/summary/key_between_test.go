package summary_test

import (
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestKeysBetween: the part of sorted keys that lies in a range, ends included, is what
// looking at each of them says, for ranges that are empty or turned round too.
func TestKeysBetween(t *testing.T) {
	var keys []summary.Key
	for _, at := range []int64{-2, 0, 0, 3, 5} {
		keys = append(keys, summary.Key{Time: at, ID: summary.ID{byte(len(keys))}})
	}
	ends := append(slices.Clone(keys), summary.Key{Time: -9}, summary.Key{Time: 1}, summary.Key{Time: 9})
	for _, from := range ends {
		for _, to := range ends {
			var want []summary.Key
			for _, k := range keys {
				if from.Compare(k) <= 0 && k.Compare(to) <= 0 {
					want = append(want, k)
				}
			}
			if got := summary.KeysBetween(keys, from, to); !slices.Equal(got, want) {
				t.Errorf("from %v to %v: %v, want %v", from, to, got, want)
			}
		}
	}
}
