package summary_test

import (
	"bytes"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// FuzzSketch lets bytes choose operations on two sketches and holds both to the slow
// sketch of a map.
func FuzzSketch(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint8(20))
	f.Add([]byte{0, 9, 1, 9, 0, 9, 2, 0, 5, 0, 4, 0}, uint8(0))
	f.Add(bytes.Repeat([]byte{0, 200, 3, 5, 6, 17}, 10), uint8(70))
	p := summary.Params{ShortBits: 13, CheckBits: 32}
	c := coderOf(8, p)
	f.Fuzz(func(t *testing.T, program []byte, size uint8) {
		h := &sketchHistory{t: t, c: c, slow: newSlowCoder([32]byte{8}, p)}
		h.size = summary.MinCells + int(size)
		h.a, h.b = newSketch(t, c, h.size), newSketch(t, c, h.size)
		h.inA, h.inB = map[uint64]int{}, map[uint64]int{}
		for len(program) >= 2 && len(program) < 400 {
			h.step(program[0], program[1])
			program = program[2:]
		}
		h.check()
	})
}

type sketchHistory struct {
	t        *testing.T
	c        summary.Coder
	slow     *slowCoder
	size     int
	a, b     *summary.Sketch
	inA, inB map[uint64]int
}

func (h *sketchHistory) step(op, arg byte) {
	short := uint64(arg) * 31
	switch op % 8 {
	case 0, 1:
		h.a.Insert(short)
		h.inA[short]++
	case 2:
		h.a.Remove(short)
		h.inA[short]--
	case 3:
		h.b.Insert(short)
		h.inB[short]++
	case 4:
		h.fold(summary.MinCells + int(arg)%(h.size-summary.MinCells+1))
	case 5:
		h.must(h.a.Subtract(h.b))
		for short, n := range h.inB {
			h.inA[short] -= n
		}
	case 6:
		h.must(h.a.Merge(h.b))
		for short, n := range h.inB {
			h.inA[short] += n
		}
	case 7:
		h.extend(min(h.size+int(arg), 300))
	}
}

func (h *sketchHistory) fold(size int) {
	var err error
	h.a, err = h.a.Fold(size)
	h.must(err)
	h.b, err = h.b.Fold(size)
	h.must(err)
	h.size = size
}

// extend sends each of the two the cells that a larger table has beyond it.
func (h *sketchHistory) extend(size int) {
	cell := h.c.Params().CellSize()
	h.must(h.a.Extend(h.slow.cells(h.inA, size)[h.size*cell:]))
	h.must(h.b.Extend(h.slow.cells(h.inB, size)[h.size*cell:]))
	h.size = size
}

func (h *sketchHistory) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *sketchHistory) check() {
	for _, side := range []struct {
		s     *summary.Sketch
		items map[uint64]int
	}{{h.a, h.inA}, {h.b, h.inB}} {
		if got, want := wire(side.s), h.slow.cells(side.items, h.size); !bytes.Equal(got, want) {
			h.t.Fatalf("%d cells: got %x, want %x", h.size, got, want)
		}
		if _, err := decodeChecked(h.t, h.c, side.s); h.slow.decodes(side.items, h.size) != (err == nil) {
			h.t.Fatalf("%d cells of %v: %v", h.size, side.items, err)
		}
	}
}
