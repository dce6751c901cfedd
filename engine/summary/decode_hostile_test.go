package summary_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestCopiesOfOneItem: edge case 59. Cells hold from -2 to +2 copies of one item, in
// all combinations. Only those that agree decode; the others peel in a cycle, or the
// item comes a second time.
func TestCopiesOfOneItem(t *testing.T) {
	c := coderOf(4, summary.Params{})
	const short = 0x123456789abc
	copies := make(map[int][]byte)
	for n := -2; n <= 2; n++ {
		copies[n] = wire(sketchOf(t, c, 16, map[uint64]int{short: n}))
	}
	one := newSketch(t, c, 16)
	one.Insert(short)
	for code := range 5 * 5 * 5 * 5 {
		data := make([]byte, len(copies[0]))
		var counts [4]int
		for lane := range counts {
			counts[lane] = code%5 - 2
			code /= 5
			for cell := lane; cell < 16; cell += 4 {
				copy(data[9*cell:9*cell+9], copies[counts[lane]][9*cell:])
			}
		}
		s, err := summary.DecodeSketch(c, data)
		if err != nil {
			t.Fatal(err)
		}
		want, agree := counts[0], counts == [4]int{counts[0], counts[0], counts[0], counts[0]}
		got, err := decodeChecked(t, c, s)
		if decodes := agree && want*want < 4; (err == nil) != decodes || decodes && got[short] != want {
			t.Errorf("copies %v: got %v, %v", counts, got, err)
		}
	}
}

// TestCopiesOfTwoItems: the same with two items that share one cell, from -1 to +1
// copies of either in each cell: 6561 tables, of which the nine of agreeing copies decode.
func TestCopiesOfTwoItems(t *testing.T) {
	p := summary.Params{ShortBits: 48, CheckBits: 24}
	c, slow := coderOf(4, p), newSlowCoder([32]byte{4}, p)
	x, y := uint64(1), uint64(2)
	for sharedCells(slow, x, y, 16) != 1 {
		y++
	}
	decoded := 0
	for code := range 6561 {
		items := [2]uint64{x, y}
		s, err := summary.DecodeSketch(c, cellsOfCopies(t, c, items, code))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeChecked(t, c, s); err == nil {
			decoded++
		}
	}
	if decoded != 9 {
		t.Errorf("%d tables decode, want 9", decoded)
	}
}

func sharedCells(slow *slowCoder, x, y uint64, size int) (n int) {
	for j, place := range slow.item(x).places {
		if slowAt(place, size) == slowAt(slow.item(y).places[j], size) {
			n++
		}
	}
	return n
}

// cellsOfCopies reads eight ternary digits of code: how often each item is in its cell
// of each lane.
func cellsOfCopies(t *testing.T, c summary.Coder, items [2]uint64, code int) []byte {
	var data []byte
	for range 8 {
		data = append(data, byte(code%3))
		code /= 3
	}
	whole := newSketch(t, c, 16)
	lane := make([]byte, 0, 16*9)
	out := make([]byte, 16*9)
	for j := range 4 {
		s := newSketch(t, c, 16)
		for i, short := range items {
			if n := int(data[4*i+j]) - 1; n > 0 {
				s.Insert(short)
			} else if n < 0 {
				s.Remove(short)
			}
		}
		lane = s.AppendCells(lane[:0], 0, whole.Cells())
		for cell := j; cell < 16; cell += 4 {
			copy(out[9*cell:9*cell+9], lane[9*cell:])
		}
	}
	return out
}

// TestComposite: edge case 58, a cell that looks like one item and holds three. Under
// checks of 4 bits they are easy to find. What comes out of it is refused, or adds up.
func TestComposite(t *testing.T) {
	p := summary.Params{ShortBits: 16, CheckBits: 4}
	c, slow := coderOf(5, p), newSlowCoder([32]byte{5}, p)
	random := rand.New(rand.NewPCG(6, 3))
	const size = 16
	refused := 0
	for tried := 0; refused < 100; tried++ {
		if tried > 1_000_000 {
			t.Fatalf("only %d composite cells in %d tries", refused, tried)
		}
		items := randomItems(random, p, 3, 0.5)
		if !looksSingle(slow, items, size) {
			continue
		}
		got, err := decodeChecked(t, c, sketchOf(t, c, size, items))
		if err == nil && !maps.Equal(got, items) {
			t.Logf("%v adds up to the same as %v", items, got)
		}
		if err != nil {
			refused++
		}
	}
}

// looksSingle tells whether a cell that holds all three items passes for one.
func looksSingle(slow *slowCoder, items map[uint64]int, size int) bool {
	var id, sum uint64
	cells := make(map[int]int)
	for short, n := range items {
		id ^= short
		sum += uint64(n) * slow.item(short).check
		for _, place := range slow.item(short).places {
			cells[slowAt(place, size)]++
		}
	}
	single, modulus := slow.item(id), uint64(1)<<slow.params.CheckBits
	if (sum-single.check)%modulus != 0 && (sum+single.check)%modulus != 0 {
		return false
	}
	for _, place := range single.places {
		if cells[slowAt(place, size)] == 3 {
			return true
		}
	}
	return false
}

// TestFlippedBits: one wrong bit anywhere, in an ID or in a sum. No item is in one
// cell only, so every such sketch is refused.
func TestFlippedBits(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 4))
	c := coderOf(6, summary.Params{})
	for _, n := range []int{0, 1, 20} {
		data := wire(sketchOf(t, c, 60, randomItems(random, c.Params(), n, 0.5)))
		for i := range 8 * len(data) {
			data[i/8] ^= 1 << (i % 8)
			s, err := summary.DecodeSketch(c, data)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := decodeChecked(t, c, s); err == nil {
				t.Fatalf("%d items, bit %d flipped: decodes to %v", n, i, got)
			}
			data[i/8] ^= 1 << (i % 8)
		}
	}
}

// TestHostileCells: random cells of every kind: work is bounded by the cells there are.
func TestHostileCells(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	for _, p := range []summary.Params{{ShortBits: 48, CheckBits: 24}, {ShortBits: 8, CheckBits: 2}, {ShortBits: 8, CheckBits: 4}} {
		c := coderOf(7, p)
		for trial := range 300 {
			data := make([]byte, (16+random.IntN(500))*p.CellSize())
			for i := range data {
				data[i] = byte(random.Uint32()) & byte(1<<min(p.CheckBits, 8)-1)
				if trial%3 == 0 && random.IntN(4) > 0 {
					data[i] = 0
				}
			}
			s, err := summary.DecodeSketch(c, data)
			if err != nil {
				t.Fatal(err)
			}
			if items, err := decodeChecked(t, c, s); err == nil && len(items) > s.Cells() {
				t.Fatalf("%d items in %d cells", len(items), s.Cells())
			}
		}
	}
}

// FuzzDecodeSketch: whatever bytes hold, they are refused, or a sketch that encodes to
// them and decodes to what adds up to them, or not at all.
func FuzzDecodeSketch(f *testing.F) {
	random := rand.New(rand.NewPCG(6, 7))
	for i, p := range someParams() {
		for _, n := range []int{0, 1, 5, 40} {
			items := make(map[uint64]int)
			for range n {
				items[random.Uint64()>>(64-p.ShortBits)] = 1 - 2*random.IntN(2)
			}
			f.Add(wire(sketchOf(f, coderOf(9, p), 16+n, items)), uint8(i))
		}
		f.Add(make([]byte, 17), uint8(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, which uint8) {
		c := coderOf(9, someParams()[int(which)%len(someParams())])
		s, err := summary.DecodeSketch(c, data)
		if err != nil {
			if s != nil || !errors.Is(err, summary.ErrEncoding) {
				t.Fatalf("got %v, %v", s, err)
			}
			return
		}
		if got := wire(s); !bytes.Equal(got, data) {
			t.Fatalf("%x encodes to %x", data, got)
		}
		if _, err := decodeChecked(t, c, s); err == nil {
			if _, err := s.Smallest(); err != nil {
				t.Fatal(err)
			}
		}
		tail := data[:len(data)/2]
		if err := s.Clone().Extend(tail); (err == nil) != (len(tail)%c.Params().CellSize() == 0) {
			t.Fatalf("%d bytes more: %v", len(tail), err)
		}
	})
}
