package summary

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"unsafe"
)

const (
	minTableCells = 1 << 10
	maxTableCells = 1 << 20

	// itemsPerCell is the most items per cell of a table below its largest size. A
	// table then decodes differences of up to n/42; beyond that, a filter is cheaper.
	itemsPerCell = 32

	// pageCells is the number of cells of a page, 1 kB. A snapshot copies 9 bytes a page,
	// the first insert after it four pages. Measured at 10^6 items, a snapshot before every
	// insert: 32 to 128 cells differ by 4 %, 16 and 256 take a tenth more.
	pageCells = 64

	tableVersion = 1
	tableHeader  = 3 // version, ShortBits, CheckBits
)

// Table is the sketch that a view keeps up to date: a power of two of cells, 1/32 to
// 1/16 of the number of items while that is between 2^15 and 2^25, 2^10 to 2^20 cells
// in all. It costs 16.2 bytes of memory per cell. It is a fold of the items' short IDs,
// so those are enough to grow it.
//
// Like a Sketch, it does not know its items: it must not be told twice of an
// insertion, nor of the removal of what is absent.
//
// A Table that no one writes may be read by any number of goroutines; see Snapshot.
type Table struct {
	coder  Coder
	grid   grid
	pages  []*tablePage
	shared []bool // of a page: a snapshot may have it too, so it is copied to be written
}

type tablePage [pageCells]cell

// NewTable returns a table without items, of the smallest size. c comes from an Expander.
func NewTable(c Coder) *Table { return newTable(c, minTableCells) }

func newTable(c Coder, cells int) *Table {
	t := &Table{coder: c, grid: gridOf(cells), pages: make([]*tablePage, cells/pageCells)}
	for i := range t.pages {
		t.pages[i] = new(tablePage)
	}
	t.shared = make([]bool, len(t.pages))
	return t
}

// Insert adds an item by its short ID.
func (t *Table) Insert(short uint64) {
	short &= t.coder.shortMask
	first := t.coder.first(short)
	t.add(short, t.coder.check(first), first)
}

// Remove subtracts an item by its short ID.
func (t *Table) Remove(short uint64) {
	short &= t.coder.shortMask
	first := t.coder.first(short)
	t.add(short, -t.coder.check(first), first)
}

func (t *Table) add(short uint64, sum uint32, first uint64) {
	mask := t.coder.checkMask
	for _, place := range t.coder.places(short, first) {
		i := t.grid.at(place)
		at := &t.write(i / pageCells)[i%pageCells]
		at.id ^= short
		at.sum = (at.sum + sum) & mask
	}
}

// write returns a page that is t's alone.
func (t *Table) write(i uint32) *tablePage {
	if t.shared[i] {
		own := *t.pages[i]
		t.pages[i], t.shared[i] = &own, false
	}
	return t.pages[i]
}

// Cells returns the number of cells.
func (t *Table) Cells() int { return pageCells * len(t.pages) }

// Size returns the bytes of memory that t takes, pages that it shares with snapshots
// included. As long as a snapshot is kept, it keeps of every page that was written
// since what it was: at most what its own Size says, whatever happens to t.
func (t *Table) Size() int {
	const self = int(unsafe.Sizeof(Table{}))
	const page, pointer, flag = int(unsafe.Sizeof(tablePage{})), int(unsafe.Sizeof(new(tablePage))), 1
	return self + len(t.pages)*(page+pointer+flag)
}

// NeedsGrowth tells whether n items are too many for the table's size. A table that
// is too large for its items stays: it folds to whatever is asked for.
func (t *Table) NeedsGrowth(n uint64) bool { return tableCells(n) > t.Cells() }

// Grow makes the table new, at the size for n items, from the short IDs of all its
// items in any order. An item of short ID x that is there twice is counted twice.
//
// It takes some 0.09 s for 10^6 items, 0.2 us an insert by the time that they have
// doubled, and 2 s for 8 * 10^6, whose cells are in no cache. Who holds a lock meanwhile
// stops everybody for so long. Cells cannot be split: which of two new ones an item belongs
// to, its short ID says, and the old cell does not have that.
func (t *Table) Grow(shorts iter.Seq[uint64], n uint64) {
	grown := newTable(t.coder, tableCells(n))
	for short := range shorts {
		grown.Insert(short)
	}
	*t = *grown
}

// Fold returns the sketch of the table's items in fewer cells, or in as many. It
// returns ErrParams unless cells is between MinCells and Cells().
func (t *Table) Fold(cells int) (*Sketch, error) {
	if cells < MinCells || cells > t.Cells() {
		return nil, fmt.Errorf("%w: %d cells out of %d, want at least %d", ErrParams, cells, t.Cells(), MinCells)
	}
	// In a sketch of a power of two of whole pages, each page lies in order.
	power := max(int(gridOf(cells).mask)+1, pageCells)
	whole := make([]cell, power)
	for i, page := range t.pages {
		sumCells(whole[i*pageCells%power:], page[:])
	}
	return newSketch(t.coder, whole).Fold(cells)
}

// Snapshot returns a table of the same items. It copies 9 bytes of each page of 64
// cells. Either of the two may be written without the other noticing: a write copies
// the pages of its four cells, unless it did so since the last snapshot. Snapshot
// counts as a write.
func (t *Table) Snapshot() *Table {
	for i := range t.shared {
		t.shared[i] = true
	}
	s := *t
	s.pages, s.shared = slices.Clone(t.pages), slices.Clone(t.shared)
	return &s
}

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
	p := t.coder.params
	dst = slices.Grow(dst, tableHeader+t.Cells()*p.CellSize()+8) // appendCells writes 8 bytes too far
	dst = append(dst, tableVersion, byte(p.ShortBits), byte(p.CheckBits))
	for _, page := range t.pages {
		dst = t.coder.appendCells(dst, page[:])
	}
	return dst
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
	t := newTable(c, sketch.Cells())
	for i, page := range t.pages {
		copy(page[:], sketch.cells[i*pageCells:])
	}
	return t, nil
}
