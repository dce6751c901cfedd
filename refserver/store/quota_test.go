package store_test

import (
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

func TestQuotaFits(t *testing.T) {
	tests := []struct {
		name              string
		limit, have, more int64
		lent, want        bool
	}{
		{"no limit", 0, math.MaxInt64, math.MaxInt64, true, true},
		{"to the last", 100, 90, 10, false, true},
		{"one too many", 100, 91, 10, false, false},
		{"nothing, over the limit", 100, 200, 0, true, true},
		{"something, over the limit", 100, 200, 1, false, false},
		{"more than there can be", 100, 0, math.MaxInt64, true, false},
		{"near the end of numbers", math.MaxInt64, math.MaxInt64 - 1, 2, false, false},
		{"all there can be", math.MaxInt64, 0, math.MaxInt64, false, true},
		{"lent, all there can be", math.MaxInt64, 0, math.MaxInt64, true, false}, // which is no whole number of sixteenths
		{"lent, a part", 160, 150, 1, true, true},
		{"lent, the last part begun", 160, 151, 1, true, false},
		{"lent, a part and one", 160, 140, 11, true, true},
		{"lent, less than two parts", 160, 141, 11, true, false},
		{"lent, all", 160, 0, 160, true, true},
		{"lent, fewer than sixteen", 15, 14, 1, true, true},
	}
	for _, test := range tests {
		got := store.Quota{Bytes: test.limit}.Fits(store.Usage{Bytes: test.have}, store.Usage{Bytes: test.more}, test.lent)
		same := store.Quota{Messages: test.limit}.Fits(store.Usage{Messages: test.have}, store.Usage{Messages: test.more}, test.lent)
		if got != test.want || same != test.want {
			t.Errorf("%s: %v of bytes, %v of messages; want %v", test.name, got, same, test.want)
		}
	}
}
