package baseline

import (
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// ribltDecoder finds the difference of two sets from the differences of their cells,
// one after another. All work together is linear in cells and in the cells of the keys
// found: no cell is looked at again unless a key is taken out of it.
type ribltDecoder struct {
	keys  int    // of both sides together: no difference is larger
	limit int    // cells after which it gives up
	cells []Cell // what the keys found so far leave over
	found []foundKey
	// waiting[i] is 1 + the index in found of the first key whose next cell is i; the
	// others follow by foundKey.next.
	waiting []int32
	pure    []int // indices of cells that may hold one key
}

// foundKey is a key of the difference.
type foundKey struct {
	key   ribltKey
	count int64 // +1: only the responder holds it, -1: only the initiator
	at    mapping
	next  int32 // 1 + index of the next key waiting for the same cell
}

// newRIBLTDecoder returns a decoder for sets with keys many keys together. Differences
// take 1.76 cells a key in the mean, at most, and two keys fail to part in 1000 cells
// with a probability near 10^-12: beyond its limit something else is wrong.
func newRIBLTDecoder(keys int) *ribltDecoder {
	return &ribltDecoder{keys: keys, limit: 4*keys + 1000}
}

// done reports whether everything is found. All keys are in cell 0, so it is empty then
// and, but for a collision of 128 bits, only then.
func (d *ribltDecoder) done() bool { return len(d.cells) > 0 && d.cells[0] == Cell{} }

// read takes the responder's cells from wire until the difference is found, and
// returns how many bytes it needed.
func (d *ribltDecoder) read(wire []byte, own *cellSource) (int, error) {
	used := 0
	for used < len(wire) && !d.done() {
		cell, n := readCell(wire[used:])
		if n == 0 || len(d.cells) == d.limit {
			return 0, fmt.Errorf("%w: %d cells", errNoDecode, len(d.cells))
		}
		used += n
		mine := own.next()
		d.add(Cell{cell.Symbol ^ mine.Symbol, cell.Check ^ mine.Check, cell.Count - mine.Count})
		if len(d.found) > d.keys {
			return 0, fmt.Errorf("%w: more than %d keys", errNoDecode, d.keys)
		}
	}
	return used, nil
}

// add takes the difference of the next cell and peels as far as it goes.
func (d *ribltDecoder) add(cell Cell) {
	i := len(d.cells)
	if i >= len(d.waiting) {
		d.grow()
	}
	for at := d.waiting[i]; at != 0; {
		f := &d.found[at-1]
		following := f.next
		cell.xor(f.key, -f.count)
		f.at.advance()
		d.wait(at)
		at = following
	}
	d.cells = append(d.cells, cell)
	d.pure = append(d.pure, i)
	d.peel()
}

// peel takes the keys of all cells with one key out of their other cells. It stops at
// more keys than there are, as cells that no set gives can make it go round for ever.
func (d *ribltDecoder) peel() {
	for len(d.pure) > 0 && len(d.found) <= d.keys {
		i := d.pure[len(d.pure)-1]
		d.pure = d.pure[:len(d.pure)-1]
		cell := d.cells[i]
		if cell.Count != 1 && cell.Count != -1 {
			continue
		}
		key := keyOfSymbol(cell.Symbol)
		if key.check == cell.Check {
			d.take(key, cell.Count)
		}
	}
}

// take removes key from all cells read so far and has it wait for its next one.
func (d *ribltDecoder) take(key ribltKey, count int64) {
	m := key.mapping()
	for ; m.index < uint64(len(d.cells)); m.advance() {
		cell := &d.cells[m.index]
		cell.xor(key, -count)
		if cell.Count == 1 || cell.Count == -1 {
			d.pure = append(d.pure, int(m.index))
		}
	}
	d.found = append(d.found, foundKey{key: key, count: count, at: m})
	d.wait(int32(len(d.found)))
}

// wait puts key at-1 of found into the list of the cell that it maps to next. A cell
// beyond the lists is left to grow.
func (d *ribltDecoder) wait(at int32) {
	f := &d.found[at-1]
	if f.at.index < uint64(len(d.waiting)) {
		f.next, d.waiting[f.at.index] = d.waiting[f.at.index], at
	}
}

// grow doubles the lists and puts in the keys that had no place.
func (d *ribltDecoder) grow() {
	had := uint64(len(d.waiting))
	d.waiting = append(d.waiting, make([]int32, max(64, had))...)
	for i := range d.found {
		if d.found[i].at.index >= had {
			d.wait(int32(i + 1))
		}
	}
}

// resolve returns the IDs of what was found, which own and peer look up by symbol.
func (d *ribltDecoder) resolve(own, peer map[uint64]summary.ID) (have, need []summary.ID, err error) {
	for _, f := range d.found {
		ids, to := peer, &need
		if f.count < 0 {
			ids, to = own, &have
		}
		id, ok := ids[f.key.symbol]
		if !ok {
			return nil, nil, fmt.Errorf("%w: symbol of no key", errNoDecode)
		}
		*to = append(*to, id)
	}
	return have, need, nil
}

// CellsNeeded returns how many cells it takes to decode a difference of d IDs drawn by
// seed. The sets' common keys do not matter: they cancel out.
func CellsNeeded(d int, seed uint64) (int, error) {
	keys := make([]ribltKey, d)
	draw := mapping{state: seed}
	for i := range keys {
		keys[i] = keyOfSymbol(draw.random())
	}
	coded := &cellSource{keys: keys, have: (&Prefix{}).extended(d+d/2+16, keys)}
	decoder := newRIBLTDecoder(d)
	for !decoder.done() {
		if len(decoder.cells) == decoder.limit {
			return 0, fmt.Errorf("%w: %d cells", errNoDecode, decoder.limit)
		}
		decoder.add(coded.next())
	}
	return len(decoder.cells), nil
}
