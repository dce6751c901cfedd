package summary

import (
	"fmt"
	"slices"
)

// Sketch is a foldable invertible table over short IDs: every item is added to four
// cells, one of each residue modulo four. Subtract the sketches of two sets, and what
// they have in common is gone; Decode finds the rest. Eppstein, Goodrich, Uyeda and
// Varghese, "What's the Difference?", 2011.
//
// A sketch has any number of cells from MinCells on. It folds to fewer without the
// keys, and whoever holds the smaller needs only the further cells to extend it.
//
// It is linear and remembers nothing: to insert an item twice, or to remove one that
// is absent, counts it twice or negatively until the opposite is done. Who keeps a
// sketch of a set asks the set first.
//
// A Sketch is not safe for concurrent use while it changes.
type Sketch struct {
	coder Coder
	grid  grid
	cells []cell
}

// NewSketch returns an empty sketch. It returns ErrParams unless cells is between
// MinCells and MaxCells and c came from an Expander.
func NewSketch(c Coder, cells int) (*Sketch, error) {
	if c.shortMask == 0 {
		return nil, fmt.Errorf("%w: a coder that no expander made", ErrParams)
	}
	if cells < MinCells || cells > MaxCells {
		return nil, fmt.Errorf("%w: %d cells, want %d to %d", ErrParams, cells, MinCells, MaxCells)
	}
	return newSketch(c, make([]cell, cells)), nil
}

func newSketch(c Coder, cells []cell) *Sketch {
	return &Sketch{coder: c, grid: gridOf(len(cells)), cells: cells}
}

// Cells returns the number of cells.
func (s *Sketch) Cells() int { return len(s.cells) }

// Clone returns a copy that shares nothing with s.
func (s *Sketch) Clone() *Sketch { return newSketch(s.coder, slices.Clone(s.cells)) }

// Equal tells whether both have the same cells under the same secret and widths.
func (s *Sketch) Equal(t *Sketch) bool {
	return s.coder == t.coder && slices.Equal(s.cells, t.cells)
}

// Insert adds an item by its short ID, of which only the low ShortBits bits count.
func (s *Sketch) Insert(short uint64) {
	short &= s.coder.shortMask
	first := s.coder.first(short)
	s.add(short, s.coder.check(first), first)
}

// Remove subtracts an item, wherever it was inserted: in s, or in a sketch that is
// yet to be merged.
func (s *Sketch) Remove(short uint64) {
	short &= s.coder.shortMask
	first := s.coder.first(short)
	s.add(short, -s.coder.check(first), first)
}

func (s *Sketch) add(short uint64, sum uint32, first uint64) {
	mask := s.coder.checkMask
	for _, place := range s.coder.places(short, first) {
		at := &s.cells[s.grid.at(place)]
		at.id ^= short
		at.sum = (at.sum + sum) & mask
	}
}

// Fold returns the sketch of the same items in fewer cells, or in as many. It takes
// O(Cells()) time and needs no keys. It returns ErrParams unless cells is between
// MinCells and Cells().
func (s *Sketch) Fold(cells int) (*Sketch, error) {
	if cells < MinCells || cells > len(s.cells) {
		return nil, fmt.Errorf("%w: %d cells out of %d, want at least %d", ErrParams, cells, len(s.cells), MinCells)
	}
	to := newSketch(s.coder, make([]cell, cells))
	// A run of as many cells as the next power of two lies over the smaller table in
	// order, its end over the half before.
	for left := s.cells; len(left) > 0; {
		run := left[:min(len(left), int(to.grid.mask)+1)]
		left = left[len(run):]
		sumCells(to.cells, run[:min(len(run), cells)])
		if len(run) > cells {
			sumCells(to.cells[cells-int(to.grid.half):], run[cells:])
		}
	}
	for i := range to.cells {
		to.cells[i].sum &= s.coder.checkMask
	}
	return to, nil
}

// sumCells adds cells to the first of dst, sums modulo 2^32.
func sumCells(dst, cells []cell) {
	dst = dst[:len(cells)]
	for i := range cells {
		dst[i].id ^= cells[i].id
		dst[i].sum += cells[i].sum
	}
}

// Extend makes a sketch of m cells, the fold of a larger one, larger itself: cells are
// those from m on of the larger one, as AppendCells wrote them. It returns ErrEncoding,
// and leaves s as it was, if they are not whole cells or if they make s larger than
// MaxCells. That they belong to the same items, only Decode can tell.
func (s *Sketch) Extend(cells []byte) error {
	more, err := s.coder.readCells(cells, MaxCells-len(s.cells))
	if err != nil {
		return err
	}
	size := uint32(len(s.cells))
	for i := range more {
		// In the smaller table, an item of this cell lies where the cell folds to.
		from := &s.cells[s.grid.at(size+uint32(i))]
		from.id ^= more[i].id
		from.sum = (from.sum - more[i].sum) & s.coder.checkMask
	}
	s.cells = append(s.cells, more...)
	s.grid = gridOf(len(s.cells))
	return nil
}

// Subtract takes t from s, so that Decode finds what s has and t lacks, and the other
// way round. It returns ErrParams, and leaves s as it was, unless both have the same
// number of cells, secret and widths.
func (s *Sketch) Subtract(t *Sketch) error {
	if err := s.fits(t); err != nil {
		return err
	}
	for i := range s.cells {
		s.cells[i].id ^= t.cells[i].id
		s.cells[i].sum = (s.cells[i].sum - t.cells[i].sum) & s.coder.checkMask
	}
	return nil
}

// Merge adds t to s: the sketch of two sets that have nothing in common. It returns
// the errors of Subtract.
func (s *Sketch) Merge(t *Sketch) error {
	if err := s.fits(t); err != nil {
		return err
	}
	for i := range s.cells {
		s.cells[i].id ^= t.cells[i].id
		s.cells[i].sum = (s.cells[i].sum + t.cells[i].sum) & s.coder.checkMask
	}
	return nil
}

func (s *Sketch) fits(t *Sketch) error {
	if len(s.cells) != len(t.cells) {
		return fmt.Errorf("%w: sketches of %d and %d cells", ErrParams, len(s.cells), len(t.cells))
	}
	if s.coder != t.coder {
		return fmt.Errorf("%w: sketches of %v and %v, or of two secrets", ErrParams, s.coder, t.coder)
	}
	return nil
}

// AppendCells appends the cells from (inclusive) to to (exclusive) in their wire form:
// Params.CellSize bytes each, the exclusive or of short IDs before the sum of checks,
// both little-endian. It panics unless 0 <= from <= to <= Cells().
func (s *Sketch) AppendCells(dst []byte, from, to int) []byte {
	return s.coder.appendCells(slices.Grow(dst, (to-from)*s.coder.params.CellSize()+8), s.cells[from:to])
}

// DecodeSketch reads a whole sketch from the wire form of its cells. It returns
// ErrEncoding unless they are between MinCells and MaxCells whole cells. It takes
// memory in proportion to len(cells) and keeps none of it.
func DecodeSketch(c Coder, cells []byte) (*Sketch, error) {
	if c.shortMask == 0 {
		return nil, fmt.Errorf("%w: a coder that no expander made", ErrParams)
	}
	read, err := c.readCells(cells, MaxCells)
	if err != nil {
		return nil, err
	}
	if len(read) < MinCells {
		return nil, fmt.Errorf("%w: %d cells, want at least %d", ErrEncoding, len(read), MinCells)
	}
	return newSketch(c, read), nil
}
