package summary

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

// insertedSet returns a set of items that came one by one, each overfull leaf refined at
// once, as a store does it.
func insertedSet(tb testing.TB, opt SetOptions, items []SetItem) *Set {
	tb.Helper()
	s, err := NewSet([32]byte{5}, opt)
	if err != nil {
		tb.Fatal(err)
	}
	for i, item := range items {
		if err := s.Insert(item.Key, item.Position, func(uint32) (bool, error) { return false, nil }); err != nil {
			tb.Fatal(err)
		}
		for _, b := range s.Overfull(1) {
			var keys []Key
			for _, held := range items[:i+1] {
				if b.Contains(held.Key) {
					keys = append(keys, held.Key)
				}
			}
			if err := s.Refine(b, keys); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return s
}

// TestBuildWindow: a leaf that begins before a chunk of Build ends and becomes overfull
// after it is refined with all its items: of those before, there may be as many as a leaf
// holds.
func TestBuildWindow(t *testing.T) {
	for _, leaf := range []int{1, 4} {
		for _, before := range []int{max(1, leaf-1), leaf, leaf + 1} {
			for _, after := range []int{1, 2 * leaf} {
				items := make([]SetItem, buildChunk+after)
				for i := range items {
					items[i] = SetItem{Key: Key{Time: int64(i), ID: ID{byte(i >> 8), byte(i)}}, Position: uint32(i)}
					if i >= buildChunk-before {
						items[i].Key.Time = 1 << 50 // far from all others, so these are one leaf at first
					}
				}
				opt := SetOptions{Leaf: leaf}
				built, err := NewSet([32]byte{5}, opt)
				if err != nil {
					t.Fatal(err)
				}
				if err := built.Build(items); err != nil {
					t.Fatalf("leaves of %d, %d items before the end of a chunk, %d after: %v", leaf, before, after, err)
				}
				if part, err := built.Differs(insertedSet(t, opt, items)); part != "" || err != nil {
					t.Errorf("leaves of %d, %d items before the end of a chunk, %d after: %s differs (%v)", leaf, before, after, part, err)
				}
			}
		}
	}
}

// TestBuildEnds: the first and the last key that a leaf may hold are among its items.
func TestBuildEnds(t *testing.T) {
	var items []SetItem
	for _, time := range []int64{math.MinInt64, -1, 0, math.MaxInt64} {
		for _, id := range []ID{{}, {31: 1}, ID(bytes.Repeat([]byte{0xff}, 32))} {
			items = append(items, SetItem{Key: Key{Time: time, ID: id}, Position: uint32(len(items))})
		}
	}
	opt := SetOptions{Leaf: 1}
	built, err := NewSet([32]byte{5}, opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := built.Build(items); err != nil {
		t.Fatal(err)
	}
	if part, err := built.Differs(insertedSet(t, opt, items)); part != "" || err != nil {
		t.Errorf("%s differs (%v)", part, err)
	}
}

// TestSetGrowsAt: the table grows with the first item that is too many, and to what its
// items make of it.
func TestSetGrowsAt(t *testing.T) {
	s, err := NewSet([32]byte{5}, SetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const full = itemsPerCell * minTableCells
	for i := range uint32(full + 1) {
		if have := s.table.Cells(); have != minTableCells {
			t.Fatalf("%d items have %d cells, want %d", i, have, minTableCells)
		}
		// What Expander.Key makes of keys would do as well, in ten times the time.
		s.add(Key{Time: int64(i)}, Expansion{Short: uint64(i) * 0x9e3779b97f4b, Fingerprint: Fingerprint{1}}, i)
	}
	want := NewTable(s.expander.Cells())
	want.Grow(s.index.All(), full+1)
	if s.table.Cells() != 2*minTableCells || !bytes.Equal(s.table.AppendBinary(nil), want.AppendBinary(nil)) {
		t.Errorf("%d cells, want %d of the same items", s.table.Cells(), 2*minTableCells)
	}
}

// TestSetLimits: leaf sizes up to the largest, and Build of nothing but empty sets.
func TestSetLimits(t *testing.T) {
	for leaf, want := range map[int]error{-1: ErrParams, 0: nil, 1: nil, maxLeaf: nil, maxLeaf + 1: ErrParams} {
		if _, err := NewSet([32]byte{}, SetOptions{Leaf: leaf}); !errors.Is(err, want) {
			t.Errorf("leaves of %d items: %v, want %v", leaf, err, want)
		}
	}
	if err := smallSet(t, [32]byte{5}, 1).Build(nil); !errors.Is(err, ErrMismatch) {
		t.Errorf("Build over one item: %v, want %v", err, ErrMismatch)
	}
}
