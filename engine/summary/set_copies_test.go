package summary

import (
	"testing"
)

// TestCopiesOnce: after a snapshot, the first write copies what it writes, and later ones
// of the same do not.
func TestCopiesOnce(t *testing.T) {
	s := smallSet(t, [32]byte{5}, 50)
	s.Snapshot()
	k, f := Key{Time: 3}, Fingerprint{1}
	for name, write := range map[string]func() error{
		"tree": func() error {
			s.tree.Insert(k, f)
			return s.tree.Remove(k, f)
		},
		"table": func() error {
			s.table.Insert(9)
			s.table.Remove(9)
			return nil
		},
	} {
		allocated := testing.AllocsPerRun(20, func() { // its first run is not counted
			if err := write(); err != nil {
				t.Fatal(err)
			}
		})
		if allocated != 0 {
			t.Errorf("%s: %v allocations", name, allocated)
		}
	}
}

// TestIndexClone: an index and its copy share nothing: not the lists of pages that are
// longer than usual, whose room is used again, nor the upper bits of wide short IDs.
func TestIndexClone(t *testing.T) {
	for _, shortBits := range []int{1, 48, 64} {
		x := NewIndex(shortBits)
		const n = 2000
		change := func(x *Index, by uint64) {
			for i := range uint32(600) { // down to shorter lists, and up again
				x.Remove(uint64(i)<<(shortBits-1), i)
			}
			for i := range uint32(600) {
				x.Insert(uint64(i)<<(shortBits-1)+by, i+n)
			}
		}
		for i := range uint32(n) {
			x.Insert(uint64(i)<<(shortBits-1), i)
		}
		before := string(x.AppendBinary(nil))
		c := x.clone()
		change(x, 1)
		if string(c.AppendBinary(nil)) != before {
			t.Errorf("%d bits: the copy has changed with the index", shortBits)
		}
		checkPages(t, c)
		after := string(x.AppendBinary(nil))
		change(c, 0)
		if string(x.AppendBinary(nil)) != after || after == before {
			t.Errorf("%d bits: the index has changed with the copy, or not before", shortBits)
		}
		checkPages(t, x)
	}
}
