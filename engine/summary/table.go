package summary

import (
	"fmt"
	"iter"
	"math/bits"
)

const (
	minTableCells = 1 << 10
	maxTableCells = 1 << 20

	// itemsPerCell is the most items per cell of a table below its largest size. A
	// table then decodes differences of up to n/42; beyond that, a filter is cheaper.
	itemsPerCell = 32

	tableVersion = 1
	tableHeader  = 3 // version, ShortBits, CheckBits
)

// Table is the sketch that a view keeps up to date: a power of two of cells, 1/32 to
// 1/16 of the number of items while that is between 2^15 and 2^25, 2^10 to 2^20 cells
// in all. It costs 16 bytes of memory per cell. It is a fold of the items' short IDs,
// so those are enough to grow it.
//
// Like a Sketch, it does not know its items: it must not be told twice of an
// insertion, nor of the removal of what is absent. It is not safe for concurrent use;
// a Snapshot is.
type Table struct{ sketch *Sketch }

// NewTable returns a table without items, of the smallest size. c comes from an Expander.
func NewTable(c Coder) *Table {
	return &Table{newSketch(c, make([]cell, minTableCells))}
}

// Insert adds an item by its short ID.
func (t *Table) Insert(short uint64) { t.sketch.Insert(short) }

// Remove subtracts an item by its short ID.
func (t *Table) Remove(short uint64) { t.sketch.Remove(short) }

// Cells returns the number of cells.
func (t *Table) Cells() int { return t.sketch.Cells() }

// Size returns the bytes of memory that the cells take.
func (t *Table) Size() int { return 16 * t.sketch.Cells() }

// NeedsGrowth tells whether n items are too many for the table's size. A table that
// is too large for its items stays: it folds to whatever is asked for.
func (t *Table) NeedsGrowth(n uint64) bool { return tableCells(n) > t.Cells() }

// Grow makes the table new, at the size for n items, from the short IDs of all its
// items in any order. An item of short ID x that is there twice is counted twice.
func (t *Table) Grow(shorts iter.Seq[uint64], n uint64) {
	grown := newSketch(t.sketch.coder, make([]cell, tableCells(n)))
	for short := range shorts {
		grown.Insert(short)
	}
	t.sketch = grown
}

// Fold returns the sketch of the table's items in fewer cells, or in as many. It
// returns ErrParams unless cells is between MinCells and Cells().
func (t *Table) Fold(cells int) (*Sketch, error) { return t.sketch.Fold(cells) }

// Snapshot returns a copy of the table as it is now.
func (t *Table) Snapshot() *Sketch { return t.sketch.Clone() }

// TableCells returns the cells of the table that is kept of n items: the largest sketch of
// them that is there without reading any key.
func TableCells(n uint64) int { return tableCells(n) }

// tableCells returns the size of a table of n items: the smallest power of two with at
// most itemsPerCell items per cell, within the limits.
func tableCells(n uint64) int {
	if n >= itemsPerCell*maxTableCells {
		return maxTableCells
	}
	return max(minTableCells, 1<<bits.Len64((max(n, 1)-1)/itemsPerCell))
}

// AppendBinary appends the table: a version, the widths of short IDs and checks, one
// byte each, then all cells as Sketch.AppendCells writes them.
func (t *Table) AppendBinary(dst []byte) []byte {
	p := t.sketch.coder.params
	dst = append(dst, tableVersion, byte(p.ShortBits), byte(p.CheckBits))
	return t.sketch.AppendCells(dst, 0, t.Cells())
}

// DecodeTable reads what AppendBinary wrote. It returns ErrEncoding for other bytes
// and for a table of other widths than c's. It cannot tell whether the secret is the
// same, nor whether the cells are those of the right items: who stores a table stores
// what says so next to it.
func DecodeTable(c Coder, data []byte) (*Table, error) {
	if len(data) < tableHeader {
		return nil, fmt.Errorf("%w: a table of %d bytes", ErrEncoding, len(data))
	}
	if data[0] != tableVersion {
		return nil, fmt.Errorf("%w: table of version %d, want %d", ErrEncoding, data[0], tableVersion)
	}
	if have := (Params{int(data[1]), int(data[2])}); have != c.params {
		return nil, fmt.Errorf("%w: table of widths %v, want %v", ErrEncoding, have, c.params)
	}
	sketch, err := DecodeSketch(c, data[tableHeader:])
	if err != nil {
		return nil, err
	}
	if n := sketch.Cells(); n < minTableCells || n > maxTableCells || n&(n-1) != 0 {
		return nil, fmt.Errorf("%w: table of %d cells", ErrEncoding, n)
	}
	return &Table{sketch}, nil
}
