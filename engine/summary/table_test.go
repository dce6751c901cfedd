package summary_test

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestTableGrowth: a table has 1/32 to 1/16 cells per item, a power of two, from 1024
// to 2^20. Among the numbers of items are those of edge cases 18 and 20: the smallest
// ones, and powers of two and one more or less.
func TestTableGrowth(t *testing.T) {
	c := coderOf(1, summary.Params{})
	ns := []uint64{0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1_000_000, 31_250_000, math.MaxUint64}
	for bit := range 30 {
		ns = append(ns, 1<<bit-1, 1<<bit, 1<<bit+1)
	}
	none := func(func(uint64) bool) {}
	for _, n := range ns {
		table := summary.NewTable(c)
		if got, want := table.NeedsGrowth(n), n > 32*1024; got != want {
			t.Errorf("%d items in %d cells: NeedsGrowth is %v", n, table.Cells(), got)
		}
		table.Grow(none, n)
		cells := uint64(table.Cells())
		if cells&(cells-1) != 0 || cells < 1<<10 || cells > 1<<20 || table.NeedsGrowth(n) {
			t.Errorf("%d items: %d cells", n, cells)
		}
		if cells < 1<<20 && n > cells*32 || cells > 1<<10 && n <= cells*16 {
			t.Errorf("%d items: %d cells", n, cells)
		}
	}
}

// TestTableHistory: after a random history of insertions, removals, growth and
// reopening, a table is the one that is made of its items at once (I5).
func TestTableHistory(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 1))
	for _, p := range []summary.Params{{}, summary.WideParams(), {ShortBits: 30, CheckBits: 13}} {
		c := coderOf(2, p)
		table := summary.NewTable(c)
		items := make(map[uint64]bool)
		for step := range 100_000 {
			short := random.Uint64() >> (64 - c.Params().ShortBits)
			if items[short] {
				continue
			}
			items[short] = true
			table.Insert(short)
			if step%3 == 0 {
				for short = range items {
					break
				}
				delete(items, short)
				table.Remove(short)
			}
			if n := uint64(len(items)); table.NeedsGrowth(n) {
				table.Grow(maps.Keys(items), n)
			}
			if step%9973 == 0 {
				table = reopened(t, c, table)
			}
		}
		built := newSketch(t, c, table.Cells())
		for short := range items {
			built.Insert(short)
		}
		if table.Cells() != 4096 || !wholeTable(t, table).Equal(built) {
			t.Errorf("%v: %d cells that differ from those of %d items", p, table.Cells(), len(items))
		}
	}
}

func reopened(t *testing.T, c summary.Coder, table *summary.Table) *summary.Table {
	t.Helper()
	again, err := summary.DecodeTable(c, table.AppendBinary(nil))
	if err != nil || !wholeTable(t, again).Equal(wholeTable(t, table)) {
		t.Fatalf("reopened: not the same (%v)", err)
	}
	return again
}

// wholeTable returns the sketch of all cells.
func wholeTable(tb testing.TB, table *summary.Table) *summary.Sketch {
	tb.Helper()
	s, err := table.Fold(table.Cells())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestTableSnapshot: snapshots stay what they were while their table changes and grows,
// and while they are changed themselves, snapshots of them too.
func TestTableSnapshot(t *testing.T) {
	type kept struct {
		table *summary.Table
		want  *summary.Sketch
	}
	c := coderOf(3, summary.Params{})
	random := rand.New(rand.NewPCG(3, 9))
	tables := []kept{{summary.NewTable(c), newSketch(t, c, 1024)}}
	for step := range 600 {
		k, short := &tables[random.IntN(len(tables))], random.Uint64()
		if step%3 == 0 {
			k.table.Remove(short)
			k.want.Remove(short)
		} else {
			k.table.Insert(short)
			k.want.Insert(short)
		}
		if step%100 == 50 { // to the size that it has: of no items
			k.table.Grow(func(func(uint64) bool) {}, 0)
			k.want = newSketch(t, c, 1024)
		}
		if step%10 == 0 {
			tables = append(tables, kept{k.table.Snapshot(), k.want.Clone()})
		}
	}
	for i, k := range tables {
		if !wholeTable(t, k.table).Equal(k.want) {
			t.Errorf("table %d of %d is not that of its items", i, len(tables))
		}
	}
}

// TestTableFold: a table folds as a sketch of its cells does, to any size, also to less
// than a page.
func TestTableFold(t *testing.T) {
	for _, p := range []summary.Params{{}, summary.WideParams(), {ShortBits: 9, CheckBits: 5}} {
		c := coderOf(6, p)
		table, sketch := summary.NewTable(c), newSketch(t, c, 2048)
		table.Grow(func(yield func(uint64) bool) {
			for short := range uint64(40_000) {
				sketch.Insert(short * 0x9e3779b97f4a7c15)
				yield(short * 0x9e3779b97f4a7c15)
			}
		}, 40_000)
		for cells := 16; cells <= 2048; cells++ {
			got, err := table.Fold(cells)
			want, _ := sketch.Fold(cells)
			if err != nil || !got.Equal(want) {
				t.Fatalf("%v, %d cells: not the fold of a sketch (%v)", p, cells, err)
			}
		}
		for _, cells := range []int{-1, 0, 15, 2049} {
			if _, err := table.Fold(cells); !errors.Is(err, summary.ErrParams) {
				t.Errorf("%d cells: got %v, want ErrParams", cells, err)
			}
		}
	}
}

// TestTableMemory: a table takes what Size says, and a snapshot as much again at most,
// when all pages were written since.
func TestTableMemory(t *testing.T) {
	before := int64(summary.HeapBytes())
	table := summary.NewTable(coderOf(1, summary.Params{}))
	table.Grow(func(func(uint64) bool) {}, 1_000_000)
	alone := int64(summary.HeapBytes()) - before
	snapshot := table.Snapshot()
	for short := range uint64(50_000) {
		table.Insert(short * 0x9e3779b97f4a7c15)
	}
	both, size := int64(summary.HeapBytes())-before, int64(table.Size())
	if max(alone-size, size-alone) > size/20 || max(both-2*size, 2*size-both) > size/20 {
		t.Errorf("Size is %d; a table takes %d, with a snapshot %d", size, alone, both)
	}
	runtime.KeepAlive(snapshot)
}

func TestDecodeTableRefuses(t *testing.T) {
	c := coderOf(4, summary.Params{})
	good := summary.NewTable(c).AppendBinary(nil)
	change := func(i int, to byte) []byte {
		data := bytes.Clone(good)
		data[i] = to
		return data
	}
	for name, data := range map[string][]byte{
		"nothing":         nil,
		"half a header":   good[:2],
		"no cells":        good[:3],
		"another version": change(0, 2),
		"other short IDs": change(1, 64),
		"other checks":    change(2, 32),
		"cut in a cell":   good[:len(good)-1],
		"a cell less":     good[:len(good)-9],
		"a cell more":     append(bytes.Clone(good), make([]byte, 9)...),
		"half the cells":  good[:3+9*512],
		"trailing byte":   append(bytes.Clone(good), 0),
		"too many cells":  append(good[:3:3], make([]byte, 9*(1<<21))...),
	} {
		if table, err := summary.DecodeTable(c, data); table != nil || !errors.Is(err, summary.ErrEncoding) {
			t.Errorf("%s: got %v, want ErrEncoding", name, err)
		}
	}
	if table, err := summary.DecodeTable(c, append(good[:3:3], make([]byte, 9*2048)...)); err != nil || table.Cells() != 2048 {
		t.Errorf("2048 cells: %v", err)
	}
}

// FuzzDecodeTable: what is accepted encodes to the same bytes.
func FuzzDecodeTable(f *testing.F) {
	c := coderOf(5, summary.Params{ShortBits: 6, CheckBits: 7})
	table := summary.NewTable(c)
	f.Add(table.AppendBinary(nil))
	for short := range uint64(60) {
		table.Insert(short)
	}
	f.Add(table.AppendBinary(nil))
	f.Add([]byte{1, 6, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := summary.DecodeTable(c, data)
		if err != nil {
			if table != nil || !errors.Is(err, summary.ErrEncoding) {
				t.Fatalf("got %v, %v", table, err)
			}
			return
		}
		if got := table.AppendBinary(nil); !bytes.Equal(got, data) {
			t.Fatalf("%x encodes to %x", data, got)
		}
	})
}

// TestTableAllocates: an insert allocates nothing, but for the first of the same cells
// after a snapshot.
func TestTableAllocates(t *testing.T) {
	table, short := summary.NewTable(coderOf(1, summary.Params{})), uint64(0)
	if n := testing.AllocsPerRun(100, func() { table.Insert(short); table.Remove(short); short++ }); n != 0 {
		t.Errorf("%v allocations per item", n)
	}
	table.Snapshot()
	// AllocsPerRun does not count a first run.
	if n := testing.AllocsPerRun(10, func() { table.Insert(short) }); n != 0 {
		t.Errorf("%v allocations per item whose pages were copied", n)
	}
}
