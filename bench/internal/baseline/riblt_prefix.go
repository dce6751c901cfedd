package baseline

import (
	"encoding/binary"
	"math"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/filters"
)

// Cell is one coded symbol: the XOR of the symbols and of the checksums of all keys
// that map to it, and their number. The difference of two cells counts keys of the
// subtracted set as -1.
type Cell struct {
	Symbol, Check uint64
	Count         int64
}

// xor adds key to c, or takes it away, with count +1 or -1.
func (c *Cell) xor(key ribltKey, count int64) {
	c.Symbol ^= key.symbol
	c.Check ^= key.check
	c.Count += count
}

// Prefix is the first cells of the endless sequence that codes a set, kept up to date
// while the set changes. Not safe for concurrent use.
type Prefix struct{ cells []Cell }

// NewPrefix returns the first cells of the empty set.
func NewPrefix(cells int) *Prefix { return &Prefix{cells: make([]Cell, cells)} }

// Insert adds id, which the set must not hold: a key that is in twice cancels out and
// the set never decodes. It changes 1 + 2 ln(1 + len/2) cells on average.
func (p *Prefix) Insert(id summary.ID) { p.add(newRIBLTKey(id), 1) }

// Remove takes id away, which the set must hold. It costs what Insert costs.
func (p *Prefix) Remove(id summary.ID) { p.add(newRIBLTKey(id), -1) }

// Cells returns the cells. The slice is the prefix's own: read only, until the next
// change.
func (p *Prefix) Cells() []Cell { return p.cells }

func (p *Prefix) add(key ribltKey, count int64) {
	for m := key.mapping(); m.index < uint64(len(p.cells)); m.advance() {
		p.cells[m.index].xor(key, count)
	}
}

// extended returns a copy of p with cells many cells, for which it goes over all keys
// of the set once.
func (p *Prefix) extended(cells int, keys []ribltKey) *Prefix {
	longer, have := NewPrefix(max(cells, 1)), uint64(len(p.cells))
	copy(longer.cells, p.cells)
	for _, key := range keys {
		m := key.mapping()
		for m.index < have {
			m.advance()
		}
		for ; m.index < uint64(len(longer.cells)); m.advance() {
			longer.cells[m.index].xor(key, 1)
		}
	}
	return longer
}

// ribltKey is what stands for an ID in cells.
type ribltKey struct{ symbol, check uint64 }

func newRIBLTKey(id summary.ID) ribltKey {
	return keyOfSymbol(filters.Salt{'s', 'y', 'm', 'b', 'o', 'l'}.Key(id))
}

// keyOfSymbol returns the key whose symbol is known. A decoder that found a symbol
// must know its checksum, so that the checksum comes from the symbol, not from the ID.
func keyOfSymbol(symbol uint64) ribltKey {
	var padded [32]byte
	binary.LittleEndian.PutUint64(padded[:], symbol)
	return ribltKey{symbol, filters.Salt{'c', 'h', 'e', 'c', 'k'}.Key(padded)}
}

// mapping returns where the key's cells begin: every key is in cell 0.
func (k ribltKey) mapping() mapping { return mapping{state: k.check} }

// mapping walks over the cells of one key: cell i is one of them with probability
// 1/(1+i/2), independent of the others.
type mapping struct {
	state uint64 // of splitmix64, which starts at the checksum
	index uint64
}

// advance moves to the next cell of the key. The paper inverts the distribution
// of the distance to it: with u uniform, ceil((i+1.5)((1-u)^(-1/2)-1)). The 1-u here has
// 52 random bits and a half, so that it is never 0, and the next whole number stands
// for the ceiling, so that the distance is never 0 either.
func (m *mapping) advance() {
	rest := (float64(m.random()>>12) + 0.5) / (1 << 52)
	m.index += 1 + uint64(int64((float64(m.index)+1.5)*(1/math.Sqrt(rest)-1)))
}

// random returns the next number of splitmix64.
func (m *mapping) random() uint64 {
	m.state += 0x9e3779b97f4a7c15
	z := m.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
