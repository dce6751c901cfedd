package summary_test

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestSketchReference holds the cells of random multisets, in all sizes from 16 to 70
// and in some above, to the slow description.
func TestSketchReference(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 1))
	sizes := []int{127, 128, 129, 1000, 1023, 1024, 1025}
	for size := summary.MinCells; size <= 70; size++ {
		sizes = append(sizes, size)
	}
	for _, p := range someParams() {
		c, slow := coderOf(3, p), newSlowCoder([32]byte{3}, p)
		for _, size := range sizes {
			items := make(map[uint64]int)
			for range 40 {
				items[random.Uint64()>>(64-p.ShortBits)] += random.IntN(4) - 1
			}
			if got, want := wire(sketchOf(t, c, size, items)), slow.cells(items, size); !bytes.Equal(got, want) {
				t.Fatalf("%v, %d cells: got %x, want %x", p, size, got, want)
			}
		}
	}
}

// TestFoldEnumerated: every table of 16 to 70 cells folds to every smaller size and
// grows from it again; either way it is what was built at that size, and takes a
// further item like it.
func TestFoldEnumerated(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 2))
	c := coderOf(4, summary.Params{})
	items := randomItems(random, c.Params(), 200, 0.7)
	built, more := make(map[int]*summary.Sketch), make(map[int]*summary.Sketch)
	for size := summary.MinCells; size <= 70; size++ {
		built[size] = sketchOf(t, c, size, items)
		more[size] = built[size].Clone()
		more[size].Insert(7)
	}
	for large := summary.MinCells; large <= 70; large++ {
		for small := summary.MinCells; small <= large; small++ {
			folded, err := built[large].Fold(small)
			if err != nil || !folded.Equal(built[small]) {
				t.Fatalf("%d cells to %d: not what was built (%v)", large, small, err)
			}
			if err := folded.Extend(built[large].AppendCells(nil, small, large)); err != nil || !folded.Equal(built[large]) {
				t.Fatalf("%d cells from %d: not what was built (%v)", large, small, err)
			}
			if folded.Insert(7); !folded.Equal(more[large]) {
				t.Fatalf("%d cells from %d: an item goes elsewhere", large, small)
			}
		}
	}
}

// TestFoldLarge: the same between random sizes, in one step and in two.
func TestFoldLarge(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 3))
	c := coderOf(4, summary.WideParams())
	items := randomItems(random, c.Params(), 3000, 0.5)
	for range 60 {
		large := summary.MinCells + random.IntN(1<<(4+random.IntN(10)))
		small := summary.MinCells + random.IntN(large-summary.MinCells+1)
		between := small + random.IntN(large-small+1)
		whole := sketchOf(t, c, large, items)
		direct, err := whole.Fold(small)
		if err != nil {
			t.Fatal(err)
		}
		half, err := whole.Fold(between)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := half.Fold(small)
		if err != nil || !twice.Equal(direct) || !direct.Equal(sketchOf(t, c, small, items)) {
			t.Fatalf("%d to %d, by way of %d: not what was built (%v)", large, small, between, err)
		}
		if err := twice.Extend(half.AppendCells(nil, small, between)); err != nil || !twice.Equal(half) {
			t.Fatalf("%d from %d: not what was built (%v)", between, small, err)
		}
	}
}

// TestFoldRefuses: edge case 62, fold to 1, 2, 4 and 16 cells.
func TestFoldRefuses(t *testing.T) {
	s := sketchOf(t, coderOf(1, summary.Params{}), 40, map[uint64]int{1: 1})
	for _, cells := range []int{math.MinInt, -1, 0, 1, 2, 4, 15, 41, math.MaxInt} {
		if f, err := s.Fold(cells); f != nil || !errors.Is(err, summary.ErrParams) {
			t.Errorf("%d cells: got %v, want ErrParams", cells, err)
		}
	}
	for _, cells := range []int{16, 40} {
		if _, err := s.Fold(cells); err != nil {
			t.Errorf("%d cells: %v", cells, err)
		}
	}
}

func TestSketchRefuses(t *testing.T) {
	c := coderOf(1, summary.Params{})
	for _, cells := range []int{math.MinInt, -1, 0, 1, 15, summary.MaxCells + 1, math.MaxInt} {
		if s, err := summary.NewSketch(c, cells); s != nil || !errors.Is(err, summary.ErrParams) {
			t.Errorf("%d cells: got %v, want ErrParams", cells, err)
		}
	}
	if _, err := summary.NewSketch(summary.Coder{}, 16); !errors.Is(err, summary.ErrParams) {
		t.Errorf("no coder: got %v, want ErrParams", err)
	}
	if _, err := summary.DecodeSketch(summary.Coder{}, nil); !errors.Is(err, summary.ErrParams) {
		t.Errorf("no coder: got %v, want ErrParams", err)
	}
}

// TestSketchDecodeRefuses: bytes that are not 16 or more whole cells within their widths.
func TestSketchDecodeRefuses(t *testing.T) {
	for _, p := range someParams() {
		c, size := coderOf(1, p), p.CellSize()
		for n := range 17 * size {
			s, err := summary.DecodeSketch(c, make([]byte, n))
			if n == 16*size {
				if err != nil || s.Cells() != 16 {
					t.Errorf("%v, %d bytes: %v", p, n, err)
				}
			} else if s != nil || !errors.Is(err, summary.ErrEncoding) {
				t.Errorf("%v, %d bytes: got %v, want ErrEncoding", p, n, err)
			}
		}
		for i := range 8 * size {
			data := make([]byte, 16*size)
			data[3*size+i/8] = 1 << (i % 8)
			inside := i < p.ShortBits || i >= (p.ShortBits+7)/8*8 && i < (p.ShortBits+7)/8*8+p.CheckBits
			if _, err := summary.DecodeSketch(c, data); (err == nil) != inside || err != nil && !errors.Is(err, summary.ErrEncoding) {
				t.Errorf("%v, bit %d of a cell: %v", p, i, err)
			}
		}
	}
}

// TestSketchTooLarge: one cell beyond the limit, whole or as an extension.
func TestSketchTooLarge(t *testing.T) {
	c := coderOf(1, summary.Params{ShortBits: 1, CheckBits: 2})
	data := make([]byte, 2*(summary.MaxCells+1))
	if _, err := summary.DecodeSketch(c, data); !errors.Is(err, summary.ErrEncoding) {
		t.Errorf("whole: got %v, want ErrEncoding", err)
	}
	s := newSketch(t, c, 16)
	if err := s.Extend(data[2*15:]); !errors.Is(err, summary.ErrEncoding) || s.Cells() != 16 {
		t.Errorf("extension: got %v, want ErrEncoding; %d cells", err, s.Cells())
	}
}

// TestSketchesThatDoNotFit: edge case 63, different sizes on the two sides, and other
// secrets or widths. Nothing changes.
func TestSketchesThatDoNotFit(t *testing.T) {
	items := map[uint64]int{1: 1, 2: 1}
	s := sketchOf(t, coderOf(1, summary.Params{}), 40, items)
	before := s.Clone()
	for name, other := range map[string]*summary.Sketch{
		"size":   sketchOf(t, coderOf(1, summary.Params{}), 41, items),
		"secret": sketchOf(t, coderOf(2, summary.Params{}), 40, items),
		"widths": sketchOf(t, coderOf(1, summary.WideParams()), 40, items),
	} {
		if err := s.Subtract(other); !errors.Is(err, summary.ErrParams) {
			t.Errorf("another %s: Subtract returns %v", name, err)
		}
		if err := s.Merge(other); !errors.Is(err, summary.ErrParams) {
			t.Errorf("another %s: Merge returns %v", name, err)
		}
	}
	if !s.Equal(before) {
		t.Error("a refusal changed the sketch")
	}
	larger := sketchOf(t, coderOf(1, summary.Params{}), 1024, items)
	folded, err := larger.Fold(40)
	if err != nil || s.Subtract(folded) != nil || !s.Equal(newSketch(t, coderOf(1, summary.Params{}), 40)) {
		t.Errorf("folded to the same size, equal sets leave something (%v)", err)
	}
}

// TestExtendWrongly: edge case 61, the upper half of a table where the lower belongs,
// and an extension cut short. The first does not decode, the second is refused or
// decodes for what it is.
func TestExtendWrongly(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 4))
	c := coderOf(5, summary.Params{})
	for range 50 {
		items := randomItems(random, c.Params(), 30, 0.5)
		whole := sketchOf(t, c, 128, items)
		swapped, err := summary.DecodeSketch(c, whole.AppendCells(nil, 64, 128))
		if err != nil {
			t.Fatal(err)
		}
		if err := swapped.Extend(whole.AppendCells(nil, 0, 64)); err != nil {
			t.Fatal(err)
		}
		if got, err := decodeChecked(t, c, swapped); err == nil {
			t.Fatalf("swapped halves decode to %v", got)
		}
		short, err := whole.Fold(64)
		if err != nil {
			t.Fatal(err)
		}
		before := short.Clone()
		upper := whole.AppendCells(nil, 64, 128)
		if err := short.Extend(upper[:len(upper)-1]); !errors.Is(err, summary.ErrEncoding) || !short.Equal(before) {
			t.Fatalf("cut inside a cell: got %v, want ErrEncoding", err)
		}
		if err := short.Extend(upper[:9*40]); err != nil || !short.Equal(sketchOf(t, c, 104, items)) {
			t.Fatalf("cut after 40 cells: not a table of 104 (%v)", err)
		}
	}
}

// TestSketchRepeats: edge cases 21 (an item inserted twice), 22 (removal of an absent
// one) and 23 (inserted, removed, inserted). A sketch is linear and cannot refuse; what
// it must do is to come back, and never to decode to something that it is not.
func TestSketchRepeats(t *testing.T) {
	c := coderOf(6, summary.Params{})
	s := sketchOf(t, c, 64, map[uint64]int{1: 1, 2: 1})
	want := s.Clone()
	s.Insert(1)
	if items, err := decodeChecked(t, c, s); err == nil {
		t.Errorf("twice the same decodes to %v", items)
	}
	s.Remove(1)
	if !s.Equal(want) {
		t.Error("insert, insert, remove is not insert")
	}
	s.Remove(3)
	if items, err := decodeChecked(t, c, s); err != nil || !maps.Equal(items, map[uint64]int{1: 1, 2: 1, 3: -1}) {
		t.Errorf("a removed absent item decodes to %v, %v", items, err)
	}
	s.Insert(3)
	if !s.Equal(want) {
		t.Error("remove, insert is not nothing")
	}
	s.Remove(1)
	s.Insert(1)
	if !s.Equal(want) {
		t.Error("insert, remove, insert is not insert")
	}
	s.Insert(1<<48 | 5)
	s.Remove(1<<63 | 5)
	if !s.Equal(want) {
		t.Error("bits beyond the short ID count")
	}
}

// TestSketchWraps: edge case 30 as it concerns sums of a few bits: 16 times the same
// item under checks of 4 bits is nothing. A sketch is not a multiset.
func TestSketchWraps(t *testing.T) {
	c := coderOf(6, summary.Params{ShortBits: 8, CheckBits: 4})
	for n := range 33 {
		s := sketchOf(t, c, 16, map[uint64]int{77: n})
		items, err := decodeChecked(t, c, s)
		switch {
		case n%16 == 0:
			if err != nil || len(items) != 0 {
				t.Errorf("%d times: got %v, %v, want nothing", n, items, err)
			}
		case n%16 == 1 || n%16 == 15:
			if want := map[int]int{1: 1, 15: -1}[n%16]; err != nil || items[77] != want {
				t.Errorf("%d times: got %v, %v, want %d", n, items, err, want)
			}
		case err == nil:
			t.Errorf("%d times decodes to %v", n, items)
		}
	}
}

// TestSketchBothSides: both sides of a subtraction have items of their own, so sums of
// checks go below zero and have to wrap at their own width, whatever that is.
func TestSketchBothSides(t *testing.T) {
	for _, bits := range []int{4, 8, 24, 31, 32} {
		c := coderOf(7, summary.Params{ShortBits: 48, CheckBits: bits})
		for _, merge := range []bool{false, true} {
			here, there := sketchOf(t, c, 64, map[uint64]int{1: 1, 2: 1, 3: 1}), sketchOf(t, c, 64, map[uint64]int{3: 1, 4: 1, 5: 1})
			join, want := here.Subtract, map[uint64]int{1: 1, 2: 1, 4: -1, 5: -1}
			if merge {
				there = sketchOf(t, c, 64, map[uint64]int{1: -1, 2: -1, 9: -1})
				join, want = here.Merge, map[uint64]int{3: 1, 9: -1}
			}
			if err := join(there); err != nil {
				t.Fatal(err)
			}
			if got, err := decodeChecked(t, c, here); err != nil || !maps.Equal(got, want) {
				t.Errorf("checks of %d bits, merged %t: got %v, %v, want %v", bits, merge, got, err, want)
			}
		}
	}
}

// TestShortIDZero: edge cases 28 and 31, an item that changes no exclusive or. Its
// check is odd, so it shows.
func TestShortIDZero(t *testing.T) {
	for _, p := range someParams() {
		c := coderOf(7, p)
		for _, items := range []map[uint64]int{{0: 1}, {0: -1}} {
			got, err := decodeChecked(t, c, sketchOf(t, c, 16, items))
			if err != nil || !maps.Equal(got, items) {
				t.Errorf("%v: got %v, %v, want %v", p, got, err, items)
			}
		}
	}
}

func TestSketchAllocates(t *testing.T) {
	s, short := newSketch(t, coderOf(1, summary.Params{}), 1024), uint64(0)
	if n := testing.AllocsPerRun(100, func() { s.Insert(short); short += 1 << 20 }); n != 0 {
		t.Errorf("%v allocations per insertion", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.Remove(short) }); n != 0 {
		t.Errorf("%v allocations per removal", n)
	}
	buf := s.AppendCells(nil, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = s.AppendCells(buf[:0], 0, 1000) }); n != 0 {
		t.Errorf("%v allocations per encoding", n)
	}
}

// TestSketchGolden pins the wire form of one item.
func TestSketchGolden(t *testing.T) {
	e := summary.NewExpander([32]byte{0: 1, 31: 2}, summary.Params{})
	short := e.Key(summary.Key{Time: 1735689661000542, ID: summary.ID{1, 2, 3}}).Short
	want := make([]byte, 9*17)
	for _, at := range []int{1, 3, 4, 6} {
		copy(want[9*at:], "\xdc\x19\x15\xbf\xda\xef\xb3\x61\xf4")
	}
	if got := wire(sketchOf(t, e.Cells(), 17, map[uint64]int{short: 1})); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}
