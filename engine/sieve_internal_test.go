package engine

import (
	"encoding/binary"
	"slices"
	"testing"
)

// TestSieve: a sieve of some IDs divides keys in their order into those that are among them
// and the others. Where all are, no list of the others is made.
func TestSieve(t *testing.T) {
	var keys, want, wantPassed []Key
	var ids idsAsked
	for i := range uint32(300) {
		k := Key{Time: int64(i)}
		binary.BigEndian.PutUint32(k.ID[:], i)
		if keys = append(keys, k); i%3 == 0 {
			want = append(want, k)
			continue
		}
		wantPassed, ids = append(wantPassed, k), append(ids, k.ID[:]...)
	}
	s := sieve{asked: ids}
	if got, passed := s.divide(keys); !slices.Equal(got, want) || !slices.Equal(passed, wantPassed) {
		t.Errorf("divided into %d and %d of %d keys, want %d and %d", len(got), len(passed), len(keys), len(want), len(wantPassed))
	}
	if got := s.rejected(keys); !slices.Equal(got, want) {
		t.Errorf("rejected %d keys, want %d", len(got), len(want))
	}
	if got := s.rejected(wantPassed); got != nil {
		t.Errorf("rejected %d keys, want none", len(got))
	}
	if n := testing.AllocsPerRun(100, func() { s.rejected(wantPassed) }); n > 1 {
		t.Errorf("%.0f allocations, want one, of a bit a key", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.divide(wantPassed) }); n > 2 {
		t.Errorf("%.0f allocations, want two: a bit a key, and the keys that pass", n)
	}
}
