package baseline

import (
	"math/rand/v2"
	"testing"
)

// TestDecodeCells: all keys of a prefix are found, in as many cells as CellsNeeded says of
// like differences, and one cell less is too few.
func TestDecodeCells(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, d := range []int{1, 2, 30, 1000} {
		prefix := NewPrefix(3*d + 100)
		for range d {
			prefix.Insert(randomID(r))
		}
		found, used, err := DecodeCells(prefix.Cells())
		if err != nil || found != d || used < d || used > 3*d+100 {
			t.Fatalf("%d keys in %d cells, want %d: %v", found, used, d, err)
		}
		if found, again, err := DecodeCells(prefix.Cells()[:used]); err != nil || found != d || again != used {
			t.Errorf("a second time %d keys in %d cells: %v", found, again, err)
		}
		if _, _, err := DecodeCells(prefix.Cells()[:used-1]); err == nil {
			t.Errorf("%d keys decode in %d cells, and in one less", d, used)
		}
	}
}
