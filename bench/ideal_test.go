package bench

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// idealSketch finds the smallest sketch in which a difference decodes, as if checks never
// misled: a cell knows how many items it holds. It begins with as many cells as items, for
// fewer cannot do, and adds one at a time, while what was peeled stays so. It hashes nothing:
// numbers that are drawn are what a keyed hash of short IDs gives. So it takes less than
// one decoding of a Sketch does, where Sketch.Smallest takes some seventeen.
type idealSketch struct {
	places [][4]uint32 // of each item and lane, what the cell at any size is computed from

	// All further are reused.
	cells   []idealCell
	peeled  []bool // by item
	left    int
	pending []uint32 // cells that have changed
	first   []uint32 // by place modulo the next power of two: an item's lane there, plus one
	next    []uint32 // by item's lane: another one there, plus one
}

// idealCell is the number of a cell's items, and the exclusive or of their indices.
type idealCell struct{ count, items uint32 }

// draw gives the sketch d new items.
func (s *idealSketch) draw(d int, seed uint64) {
	random := rand.New(rand.NewPCG(seed, uint64(d)))
	s.places = slices.Grow(s.places[:0], d)[:d]
	for i := range s.places {
		for lane := range s.places[i] {
			s.places[i][lane] = random.Uint32()&^3 | uint32(lane)
		}
	}
}

// smallest returns the smallest number of cells in which the items decode.
func (s *idealSketch) smallest() (int, error) {
	d := len(s.places)
	// In 380 cells one in 16 000 differences of 100 items has a pair in the same four.
	most := max(2*summary.CellsFor(d), 8192)
	s.begin(max(d, summary.MinCells))
	for s.peel(); s.left > 0; s.peel() {
		if len(s.cells) == most {
			return 0, fmt.Errorf("%w: %d items in %d cells", summary.ErrUndecodable, d, most)
		}
		s.grow()
	}
	return len(s.cells), nil
}

// begin puts all items into so many cells.
func (s *idealSketch) begin(size int) {
	s.left = len(s.places)
	s.peeled, s.cells = zeros(s.peeled, s.left), zeros(s.cells, size)
	for i := range s.places {
		for _, place := range s.places[i] {
			s.cells[s.at(place)].change(1, uint32(i))
		}
	}
	s.pending = s.pending[:0]
	for at := range s.cells {
		s.pending = append(s.pending, uint32(at))
	}
	s.sort()
}

// zeros returns n zeros, in the room of old if that has it.
func zeros[T any](old []T, n int) []T {
	old = slices.Grow(old[:0], n)[:n]
	clear(old)
	return old
}

func (c *idealCell) change(by, item uint32) {
	c.count += by
	c.items ^= item
}

// at returns the cell of a place: that modulo the next power of two, and half of this lower
// where there are not so many cells.
func (s *idealSketch) at(place uint32) uint32 {
	size := uint32(len(s.cells))
	power := uint32(1) << bits.Len32(size-1)
	if place &= power - 1; place >= size {
		place -= power / 2
	}
	return place
}

// sort finds out which items come to each cell up to the power of two above the size.
func (s *idealSketch) sort() {
	power := 1 << bits.Len(uint(len(s.cells)))
	s.first, s.next = zeros(s.first, power), zeros(s.next, 4*len(s.places))
	for i := range s.places {
		for lane, place := range s.places[i] {
			first := &s.first[place&uint32(power-1)]
			s.next[4*i+lane], *first = *first, uint32(4*i+lane+1)
		}
	}
}

// grow adds a cell, whose items lay in another one.
func (s *idealSketch) grow() {
	size := len(s.cells)
	if size == len(s.first) {
		s.sort()
	}
	from := size - len(s.first)/2
	s.cells = append(s.cells, idealCell{})
	for lane := s.first[size]; lane > 0; lane = s.next[lane-1] {
		if i := (lane - 1) / 4; !s.peeled[i] {
			s.cells[from].change(^uint32(0), i)
			s.cells[size].change(1, i)
		}
	}
	s.pending = append(s.pending, uint32(from), uint32(size))
}

// peel takes out all items that are alone in a cell.
func (s *idealSketch) peel() {
	for len(s.pending) > 0 {
		last := len(s.pending) - 1
		c := s.cells[s.pending[last]]
		s.pending = s.pending[:last]
		if c.count != 1 {
			continue
		}
		s.peeled[c.items] = true
		s.left--
		for _, place := range s.places[c.items] {
			at := s.at(place)
			s.cells[at].change(^uint32(0), c.items)
			if s.cells[at].count == 1 {
				s.pending = append(s.pending, at)
			}
		}
	}
}

// drawSketch returns a sketch of d random items, of which each side has every second, in
// so many cells, and their short IDs.
func drawSketch(tb testing.TB, random *rand.Rand, d, cells int) (*summary.Sketch, []uint64) {
	tb.Helper()
	s, err := summary.NewSketch(summary.NewExpander([32]byte{1}, summary.Params{}).Cells(), cells)
	if err != nil {
		tb.Fatal(err)
	}
	shorts := make([]uint64, d)
	for i := range shorts {
		if shorts[i] = random.Uint64(); i%2 == 0 {
			s.Insert(shorts[i])
		} else {
			s.Remove(shorts[i])
		}
	}
	return s, shorts
}

// placesOf reads from an empty sketch of a power of two of cells where it puts an item.
func placesOf(empty *summary.Sketch, short uint64) (places [4]uint32) {
	empty.Insert(short)
	text := empty.AppendCells(nil, 0, empty.Cells())
	empty.Remove(short)
	width := len(text) / empty.Cells()
	for at := range empty.Cells() {
		if slices.Max(text[at*width:(at+1)*width]) > 0 {
			places[at%4] = uint32(at)
		}
	}
	return places
}

// TestIdealSketch: for items of the same places, the smallest size is the one that the
// sketch itself says.
func TestIdealSketch(t *testing.T) {
	const cells = 4096
	random := rand.New(rand.NewPCG(3, 1))
	empty, _ := drawSketch(t, random, 0, cells)
	for _, d := range []int{1, 2, 3, 17, 100, 333} {
		var ideal idealSketch
		for range 4 {
			sketch, shorts := drawSketch(t, random, d, cells)
			ideal.places = ideal.places[:0]
			for _, short := range shorts {
				ideal.places = append(ideal.places, placesOf(empty, short))
			}
			want, err := sketch.Smallest()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := ideal.smallest(); err != nil || got != want {
				t.Fatalf("d = %d: %d cells, want %d: %v", d, got, want, err)
			}
		}
	}
	twice := idealSketch{places: make([][4]uint32, 2)}
	if _, err := twice.smallest(); err == nil {
		t.Error("the same item twice decodes")
	}
}

// TestIdealSketchDraws: what it draws needs as many cells as sketches of random items do:
// the two distributions are nowhere further apart than one pair of thousand of such samples
// (Kolmogorov and Smirnov).
func TestIdealSketchDraws(t *testing.T) {
	const trials = 1000
	random := rand.New(rand.NewPCG(3, 2))
	for _, d := range []int{3, 32} {
		var ideal idealSketch
		var drawn, made []int
		for trial := range uint64(trials) {
			ideal.draw(d, trial)
			needed, err := ideal.smallest()
			if err != nil {
				t.Fatal(err)
			}
			sketch, _ := drawSketch(t, random, d, 512)
			wanted, err := sketch.Smallest()
			if err != nil {
				t.Fatal(err)
			}
			drawn, made = append(drawn, needed), append(made, wanted)
		}
		if apart, limit := furthest(drawn, made), 1.95*math.Sqrt(2./trials); apart > limit {
			t.Errorf("d = %d: distributions are %.3f apart, at most %.3f by chance; means %.2f and %.2f", d, apart, limit, mean(drawn), mean(made))
		}
	}
}

// furthest returns how far the shares of two samples that do not exceed a number are apart,
// at the number where they are most so. It sorts them.
func furthest(a, b []int) float64 {
	slices.Sort(a)
	slices.Sort(b)
	apart := 0.0
	for _, of := range slices.Concat(a, b) {
		i, _ := slices.BinarySearch(a, of+1)
		j, _ := slices.BinarySearch(b, of+1)
		apart = max(apart, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return apart
}
