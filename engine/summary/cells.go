package summary

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/dwn-sync/dwnsync/filters"
)

const (
	// lanes is the number of cells of an item. Lane j owns the cells whose index is
	// j modulo lanes, so the cells of an item differ, and an index tells its lane.
	lanes = 4

	// laneBits is the width of a lane's hash.
	laneBits = 24

	// MinCells is the smallest size of a sketch: four cells a lane.
	MinCells = 16

	// MaxCells is the largest size of a sketch: 144 MiB on the wire at the default
	// widths, 256 MiB in memory.
	MaxCells = 1 << 24
)

// Coder maps a short ID to its check and its cells. It is a value, compared with
// ==, and safe for concurrent use. It holds salts that are as secret as the view's
// secret. An Expander makes it; the zero value serves nothing.
//
// Check and cells are functions of the short ID alone, because who decodes must
// compute them for items that it does not hold.
type Coder struct {
	salts     [2]filters.Salt
	params    Params
	shortMask uint64
	checkMask uint32
}

func newCoder(salts [2]filters.Salt, p Params) Coder {
	return Coder{
		salts: salts, params: p,
		shortMask: 1<<p.ShortBits - 1,
		checkMask: uint32(1<<p.CheckBits - 1),
	}
}

// Params returns the widths.
func (c Coder) Params() Params { return c.params }

// String names the widths and keeps the salts out of logs.
func (c Coder) String() string {
	return fmt.Sprintf("coder(%d/%d)", c.params.ShortBits, c.params.CheckBits)
}

// GoString is String.
func (c Coder) GoString() string { return c.String() }

// first returns the first word of a short ID: the check in its lower half, the first
// 32 bits of the lanes' hashes in its upper.
func (c *Coder) first(short uint64) uint64 { return c.salts[0].Word(short) }

// check returns the check that first holds. It is odd, so the lowest bit of a sum
// of checks is the parity of the number of items, and a check is not its own negative.
func (c *Coder) check(first uint64) uint32 { return (uint32(first) | 1) & c.checkMask }

// places returns the four numbers that the cells of a short ID are computed from
// at any size of table.
func (c *Coder) places(short, first uint64) [lanes]uint32 {
	return splitLanes(first, c.salts[1].Word(short))
}

// splitLanes cuts the upper 32 bits of first, followed by the 64 bits of second, into
// four hashes of 24 bits, the lowest bits first, and puts the lane below each.
func splitLanes(first, second uint64) [lanes]uint32 {
	const mask = 1<<laneBits - 1
	return [lanes]uint32{
		uint32(first>>32) & mask << 2,
		(uint32(first>>56)|uint32(second)<<8)&mask<<2 | 1,
		uint32(second>>16)&mask<<2 | 2,
		uint32(second>>40)<<2 | 3,
	}
}

// grid maps places to the cells of a table of one size. The size is any from
// MinCells on: a place goes modulo the next power of two, and half of that lower
// where it falls beyond the table. Halves are multiples of four, so the lane stays.
//
// An item's cell in a smaller table is a function of its cell in a larger one: at of
// that cell's index. That is why tables fold.
type grid struct{ size, mask, half uint32 }

func gridOf(size int) grid {
	power := uint32(1) << bits.Len(uint(size-1))
	return grid{size: uint32(size), mask: power - 1, half: power / 2}
}

func (g grid) at(place uint32) uint32 {
	p := place & g.mask
	if p >= g.size {
		p -= g.half
	}
	return p
}

// cell is the sum of some items: the exclusive or of their short IDs and the sum of
// their checks, modulo 2^CheckBits. It has no counter: the check's sign tells whose
// item it is, and its lowest bit whether their number is odd.
type cell struct {
	id  uint64
	sum uint32
}

// appendCells appends the wire form: of each cell the ID, then the sum, little-endian.
func (c *Coder) appendCells(dst []byte, cells []cell) []byte {
	short, check := c.params.shortBytes(), c.params.checkBytes()
	for i := range cells {
		end := len(dst) + short
		dst = binary.LittleEndian.AppendUint64(dst, cells[i].id)[:end]
		dst = binary.LittleEndian.AppendUint32(dst, cells[i].sum)[:end+check]
	}
	return dst
}

// readCells reads as many cells as data holds, at most so many. It returns
// ErrEncoding unless their number is whole and no bit is set beyond the widths.
func (c *Coder) readCells(data []byte, most int) ([]cell, error) {
	short, width := c.params.shortBytes(), c.params.CellSize()
	if len(data)%width != 0 || len(data)/width > most {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d cells of %d", ErrEncoding, len(data), most, width)
	}
	cells := make([]cell, len(data)/width)
	for i := range cells {
		id, sum := readLittle(data, short), readLittle(data[short:], width-short)
		if id&^c.shortMask != 0 || sum&^uint64(c.checkMask) != 0 {
			return nil, fmt.Errorf("%w: cell %d exceeds %v", ErrEncoding, i, c)
		}
		cells[i] = cell{id: id, sum: uint32(sum)}
		data = data[width:]
	}
	return cells, nil
}

// readLittle reads the first n bytes of data, at most eight, little-endian.
func readLittle(data []byte, n int) uint64 {
	if len(data) >= 8 {
		return binary.LittleEndian.Uint64(data) & (1<<(8*n) - 1)
	}
	var buf [8]byte
	copy(buf[:], data[:n])
	return binary.LittleEndian.Uint64(buf[:])
}
