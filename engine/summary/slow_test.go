package summary_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/filters"
)

// slowCoder says what sketches are made of, from HMAC and SipHash alone.
type slowCoder struct {
	salts  [2]filters.Salt
	params summary.Params
	known  map[uint64]slowItem
}

type slowItem struct {
	check  uint64
	places [4]uint64
}

func newSlowCoder(secret [32]byte, p summary.Params) *slowCoder {
	salts := slowHMAC(secret[:], []byte("dwnsync cells v1\x00"))
	return &slowCoder{
		[2]filters.Salt{filters.Salt(salts[:16]), filters.Salt(salts[16:])}, p, make(map[uint64]slowItem),
	}
}

func slowHMAC(key, text []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return mac.Sum(nil)
}

// item reads both words as one number of 128 bits.
func (c *slowCoder) item(short uint64) slowItem {
	if item, ok := c.known[short]; ok {
		return item
	}
	number := new(big.Int).SetUint64(c.salts[1].Word(short))
	number.Lsh(number, 64).Add(number, new(big.Int).SetUint64(c.salts[0].Word(short)))
	cut := func(low, bits uint) uint64 {
		modulus := new(big.Int).Lsh(big.NewInt(1), bits)
		return new(big.Int).Mod(new(big.Int).Rsh(number, low), modulus).Uint64()
	}
	item := slowItem{check: cut(0, uint(c.params.CheckBits)) | 1}
	for j := range item.places {
		item.places[j] = 4*cut(32+24*uint(j), 24) + uint64(j)
	}
	c.known[short] = item
	return item
}

func slowAt(place uint64, size int) int {
	power := 1
	for power < size {
		power *= 2
	}
	at := int(place % uint64(power))
	if at >= size {
		at -= power / 2
	}
	return at
}

// cells returns the wire form of the sketch of a multiset.
func (c *slowCoder) cells(items map[uint64]int, size int) []byte {
	ids, sums := make([]uint64, size), make([]uint64, size)
	for short, n := range items {
		item := c.item(short)
		for _, place := range item.places {
			at := slowAt(place, size)
			if n%2 != 0 {
				ids[at] ^= short
			}
			sums[at] += uint64(n) * item.check
		}
	}
	var wire []byte
	for i := range size {
		short := binary.LittleEndian.AppendUint64(nil, ids[i])
		sum := binary.LittleEndian.AppendUint64(nil, sums[i]%(1<<c.params.CheckBits))
		wire = append(wire, short[:(c.params.ShortBits+7)/8]...)
		wire = append(wire, sum[:(c.params.CheckBits+7)/8]...)
	}
	return wire
}

// decodes tells whether items can be taken out one by one, each from a cell that no
// other is in.
func (c *slowCoder) decodes(items map[uint64]int, size int) bool {
	cells := make([]map[uint64]bool, size)
	for i := range cells {
		cells[i] = make(map[uint64]bool)
	}
	for short, n := range items {
		if n < -1 || n > 1 {
			return false
		}
		for _, place := range c.item(short).places {
			cells[slowAt(place, size)][short] = n != 0
		}
	}
	left := 0
	for _, n := range items {
		left += n * n
	}
	for again := true; again; {
		again = false
		for _, cell := range cells {
			if short, ok := only(cell); ok {
				for _, place := range c.item(short).places {
					delete(cells[slowAt(place, size)], short)
				}
				again, left = true, left-1
			}
		}
	}
	return left == 0
}

func only(cell map[uint64]bool) (uint64, bool) {
	var found uint64
	n := 0
	for short, in := range cell {
		if in {
			found, n = short, n+1
		}
	}
	return found, n == 1
}

// wire returns all cells of a sketch.
func wire(s *summary.Sketch) []byte { return s.AppendCells(nil, 0, s.Cells()) }

func newSketch(t testing.TB, c summary.Coder, cells int) *summary.Sketch {
	t.Helper()
	s, err := summary.NewSketch(c, cells)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sketchOf makes the sketch of a multiset.
func sketchOf(t testing.TB, c summary.Coder, cells int, items map[uint64]int) *summary.Sketch {
	t.Helper()
	s := newSketch(t, c, cells)
	for short, n := range items {
		for range n {
			s.Insert(short)
		}
		for range -n {
			s.Remove(short)
		}
	}
	return s
}

// multiset is what a difference stands for.
func multiset(d summary.Difference) map[uint64]int {
	items := make(map[uint64]int)
	for _, short := range d.Plus {
		items[short]++
	}
	for _, short := range d.Minus {
		items[short]--
	}
	return items
}

// randomItems returns n distinct short IDs, each on one of the sides with the given
// share of plus.
func randomItems(random *rand.Rand, p summary.Params, n int, plus float64) map[uint64]int {
	items := make(map[uint64]int)
	for len(items) < n {
		sign := -1
		if random.Float64() < plus {
			sign = 1
		}
		items[random.Uint64()>>(64-p.ShortBits)] = sign
	}
	return items
}

// decodeChecked decodes and holds the result to what Decode promises: no item twice,
// s as it was, and a sum that is s.
func decodeChecked(t testing.TB, c summary.Coder, s *summary.Sketch) (map[uint64]int, error) {
	t.Helper()
	before := s.Clone()
	d, err := s.Decode()
	if !s.Equal(before) {
		t.Fatal("Decode changes the sketch")
	}
	if err != nil {
		checkDecodeError(t, s, d, err)
		return nil, err
	}
	items := multiset(d)
	if len(items) != d.Len() {
		t.Fatalf("an item twice in %v", d)
	}
	if rebuilt := sketchOf(t, c, s.Cells(), items); !rebuilt.Equal(s) {
		t.Fatalf("%v adds up to %x, not to %x", d, wire(rebuilt), wire(s))
	}
	return items, nil
}

// someParams are widths of every kind: whole bytes or not, the smallest, the largest.
func someParams() []summary.Params {
	return []summary.Params{
		{ShortBits: 48, CheckBits: 24},
		summary.WideParams(),
		{ShortBits: 8, CheckBits: 4},
		{ShortBits: 1, CheckBits: 2},
		{ShortBits: 13, CheckBits: 11},
		{ShortBits: 57, CheckBits: 31},
	}
}

func coderOf(secret byte, p summary.Params) summary.Coder {
	return summary.NewExpander([32]byte{secret}, p).Cells()
}
