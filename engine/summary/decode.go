package summary

import (
	"slices"
	"sort"
)

// Difference is what two sets do not have in common, as short IDs in no order. No
// short ID occurs twice.
type Difference struct {
	Plus  []uint64 // inserted more often than removed: only in the minuend
	Minus []uint64 // removed more often than inserted: only in the subtrahend
}

// Len returns the number of items in both parts.
func (d Difference) Len() int { return len(d.Plus) + len(d.Minus) }

// Decode finds the items that s is the sum of. It does not change s. It returns a
// *DecodeError, which is ErrUndecodable, if there are too many for the cells or the
// cells are not those of a difference of two sets: whatever they hold, Decode takes at
// most Cells() items out of them, each once.
//
// What Decode returns without an error adds up to s in every cell. It can still be
// wrong: two items of one short ID on opposite sides cancel, and other sets can have
// the same sketch. So who acts on a Difference compares fingerprints afterwards.
func (s *Sketch) Decode() (Difference, error) {
	p := peeler{coder: &s.coder, grid: s.grid, cells: slices.Clone(s.cells)}
	p.run()
	left := 0
	for _, c := range p.cells {
		if c != (cell{}) {
			left++
		}
	}
	if left > 0 {
		return Difference{}, &DecodeError{Cells: len(p.cells), Left: left, Found: p.found.Len()}
	}
	return p.found, nil
}

// peeler takes apart a copy of a sketch's cells.
type peeler struct {
	coder   *Coder
	grid    grid
	cells   []cell
	pending []uint32 // cells that changed after they were visited
	found   Difference
}

// run peels until no cell holds a single item, or until the cells contradict
// themselves.
func (p *peeler) run() {
	for i := range p.cells {
		p.pending = append(p.pending[:0], uint32(i))
		for len(p.pending) > 0 {
			at := p.pending[len(p.pending)-1]
			p.pending = p.pending[:len(p.pending)-1]
			if !p.visit(at, uint32(i)) {
				return
			}
		}
	}
}

// visit peels the item that cell at holds alone, if it does, from all its cells. Of
// these, it leaves those after cell upto to the caller, who comes to them anyway. It
// returns false, and changes nothing, if a cell of the item is empty.
//
// An item of a difference is in all its cells, and a cell that some items are still
// in is not zero, but for one chance in 2^(ShortBits+CheckBits). So a zero cell says
// that the item was no item, or was peeled before: its first peel left the cell it was
// found in zero, and no later one may touch that cell. Each peel therefore leaves one
// more cell zero for good, which bounds their number whatever the cells hold.
func (p *peeler) visit(at, upto uint32) bool {
	c := p.cells[at]
	if c.sum&1 == 0 {
		return true
	}
	first := p.coder.first(c.id)
	check := p.coder.check(first)
	plus := c.sum == check
	if !plus && c.sum != -check&p.coder.checkMask {
		return true
	}
	places := p.coder.places(c.id, first)
	if p.grid.at(places[at%lanes]) != at {
		return true
	}
	for j, place := range places {
		places[j] = p.grid.at(place)
		if p.cells[places[j]] == (cell{}) {
			return false
		}
	}
	for _, i := range places {
		changed := &p.cells[i]
		changed.id ^= c.id
		changed.sum = (changed.sum - c.sum) & p.coder.checkMask
		if i < upto && changed.sum&1 != 0 {
			p.pending = append(p.pending, i)
		}
	}
	if plus {
		p.found.Plus = append(p.found.Plus, c.id)
	} else {
		p.found.Minus = append(p.found.Minus, c.id)
	}
	return true
}

// Smallest returns the smallest number of cells that s can be folded to and still
// decodes: what a stream of single cells would have cost. It returns the error of
// Decode if s itself does not decode. It decodes O(log Cells()) times and is meant for
// measurements.
func (s *Sketch) Smallest() (int, error) {
	if _, err := s.Decode(); err != nil {
		return 0, err
	}
	// More cells never take away a cell that an item is alone in, so from the smallest
	// number on, all decode.
	return MinCells + sort.Search(len(s.cells)-MinCells, func(more int) bool {
		folded, err := s.Fold(MinCells + more)
		if err == nil {
			_, err = folded.Decode()
		}
		return err == nil
	}), nil
}
