package summary

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestIndexMemory compares Size with the heap, and both with 12 bytes an entry, at the
// sizes that matter and in between, where pages are split or not. Edge cases A20, I101.
func TestIndexMemory(t *testing.T) {
	last := 1_000_000
	if longForm() {
		last = 3_000_000
	}
	random := rand.New(rand.NewPCG(1, 7))
	before := HeapBytes()
	x := NewIndex(48)
	worst, where, next := 0.0, 0, 10_000
	for i := range last {
		x.Insert(random.Uint64(), uint32(i))
		n := i + 1
		if each := float64(x.Size()) / float64(n); n >= 10_000 && each > worst {
			worst, where = each, n
		}
		if n == next || n == last {
			next = n * 7 / 4
			got, size := HeapBytes()-before, x.Size()
			t.Logf("n = %d: %.2f bytes an entry in the heap, %.2f by Size", n, float64(got)/float64(n), float64(size)/float64(n))
			if got > 12*n || got > size*103/100 || got < size*97/100 {
				t.Errorf("n = %d: %d bytes in the heap, Size says %d", n, got, size)
			}
		}
	}
	t.Logf("most: %.2f bytes an entry at %d", worst, where)
	if worst > 12 {
		t.Errorf("%.2f bytes an entry at %d", worst, where)
	}
	if x.Len() != last {
		t.Errorf("%d entries", x.Len())
	}
}

// TestIndexWideMemory: short IDs of 64 bits take 14 bytes an entry, and 12 from where
// their upper bits follow from the page.
func TestIndexWideMemory(t *testing.T) {
	n := 200_000
	if longForm() {
		n = 10_000_000
	}
	random := rand.New(rand.NewPCG(1, 8))
	entries := make([]IndexEntry, n)
	for i := range entries {
		entries[i] = IndexEntry{random.Uint64(), uint32(i)}
	}
	before := HeapBytes()
	x := BuildIndex(64, entries)
	each := float64(HeapBytes()-before) / float64(n)
	t.Logf("n = %d: %.2f bytes an entry in the heap, %.2f by Size", n, each, float64(x.Size())/float64(n))
	if limit := map[bool]float64{true: 14, false: 12}[x.topped]; each > limit || x.topped != (n <= 1<<16*pageLoad-pageLoad) {
		t.Errorf("%.2f bytes an entry, topped is %t", each, x.topped)
	}
	for _, e := range entries[:1000] {
		if got := x.Lookup(nil, e.Short); !slices.Equal(got, []uint32{e.Position}) {
			t.Fatalf("%#x is at %v, want %d", e.Short, got, e.Position)
		}
	}
}

func TestIndexAllocates(t *testing.T) {
	x := BuildIndex(48, indexEntries(rand.New(rand.NewPCG(1, 9)), 10_000))
	dst := make([]uint32, 0, 1)
	if n := testing.AllocsPerRun(100, func() {
		x.Insert(7, 7)
		dst = x.Lookup(dst[:0], 7)
		x.Remove(7, 7)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(dst) != 1 {
		t.Errorf("found %v", dst)
	}
}
