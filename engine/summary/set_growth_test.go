package summary_test

import (
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// bulkItems returns n items of random IDs, a millisecond apart, by key.
func bulkItems(n int) []summary.SetItem {
	rng := rand.New(rand.NewPCG(3, 5))
	items := make([]summary.SetItem, n)
	for i := range items {
		items[i] = summary.SetItem{Key: summary.Key{Time: int64(i) * 1000}, Position: uint32(i) + 1}
		for j := range items[i].Key.ID {
			items[i].Key.ID[j] = byte(rng.Uint32())
		}
	}
	return items
}

// TestSetGrows: the table grows with the items, from their short IDs, to the size and the
// cells of one that is built at once.
func TestSetGrows(t *testing.T) {
	const from, to = 32_700, 32_900
	items := bulkItems(to)
	s, m := newSet(t, [32]byte{}, summary.SetOptions{}), &setModel{keys: make(map[uint32]summary.Key)}
	if err := s.Build(items[:from]); err != nil {
		t.Fatal(err)
	}
	before := s.Snapshot().Cells()
	for _, item := range items[from:] {
		if err := s.Insert(item.Key, item.Position, func(uint32) (bool, error) { return false, nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, item := range items {
		m.keys[item.Position] = item.Key
	}
	refineSet(t, s, m)
	built := newSet(t, [32]byte{}, summary.SetOptions{})
	if err := built.Build(items); err != nil {
		t.Fatal(err)
	}
	part, err := s.Differs(built)
	if have, want := s.Snapshot().Cells(), built.Snapshot().Cells(); part != "" || err != nil || have != want || have != 2*before {
		t.Errorf("%s differs (%v); %d cells, want %d, twice %d", part, err, have, want, before)
	}
}

// TestSetSize: at most 24 bytes of memory per item.
func TestSetSize(t *testing.T) {
	const n = 100_000
	s := newSet(t, [32]byte{}, summary.SetOptions{})
	if err := s.Build(bulkItems(n)); err != nil {
		t.Fatal(err)
	}
	if perItem := float64(s.Size()) / n; perItem > 24 || perItem < 8 {
		t.Errorf("%.1f bytes per item", perItem)
	}
	t.Logf("%.1f bytes per item in memory, %.1f encoded", float64(s.Size())/n, float64(len(s.AppendBinary(nil)))/n)
}
