package bench

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/bench/internal/baseline"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// differences are numbers of items that a sketch is of.
func differences() []int {
	return []int{1, 2, 5, 10, 32, 100, 320, 1000, 10_000, 100_000}
}

// BenchmarkSummaryDecode: one operation decodes a difference of d items, of which each
// side holds every second. Ours is a sketch of as many cells as 99 of 100 such differences
// need, because it is sent at once; the rateless IBLT decodes its cells one by one, as they
// come, and stops at the last one it needs. Neither looks anything up.
func BenchmarkSummaryDecode(b *testing.B) {
	for _, d := range differences() {
		for _, system := range summarySystems() {
			b.Run(fmt.Sprintf("system=%s/d=%d", system, d), func(b *testing.B) { benchSummaryDecode(b, system, d) })
		}
	}
}

func benchSummaryDecode(b *testing.B, system string, d int) {
	decode := decoders(b, d)[system]
	runtime.GC()
	found, cells := 0, 0
	for b.Loop() {
		var err error
		if found, cells, err = decode(); err != nil {
			b.Fatal(err)
		}
	}
	each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(each, "decode-ns/op")
	b.ReportMetric(each/float64(d), "ns/diff")
	b.ReportMetric(float64(found), "found")
	b.ReportMetric(float64(cells), "cells")
}

// decoders returns for each system what decodes one difference of d items, the same
// for both, and tells how many items it found in how many cells.
func decoders(tb testing.TB, d int) map[string]func() (found, cells int, err error) {
	tb.Helper()
	for attempt := range uint64(100) {
		ids := randomIDs(d, attempt)
		sketch := sketchOf(tb, ids, summary.CellsFor(d))
		if _, err := sketch.Decode(); err != nil {
			continue // one in a hundred needs more
		}
		cells := differenceOf(ids)
		return map[string]func() (int, int, error){
			"ours": func() (int, int, error) {
				found, err := sketch.Decode()
				return found.Len(), sketch.Cells(), err
			},
			"riblt": func() (int, int, error) { return baseline.DecodeCells(cells) },
		}
	}
	tb.Fatalf("no difference of %d decodes in %d cells", d, summary.CellsFor(d))
	return nil
}

func randomIDs(d int, seed uint64) []summary.ID {
	source := chacha(seed<<32 + uint64(d))
	ids := make([]summary.ID, d)
	for i := range ids {
		_, _ = source.Read(ids[i][:]) // never fails
	}
	return ids
}

// sketchOf returns the difference of two sets, every second ID in the one and the others
// in the other.
func sketchOf(tb testing.TB, ids []summary.ID, cells int) *summary.Sketch {
	tb.Helper()
	e := summary.NewExpander([32]byte{1}, summary.Params{})
	sketch, err := summary.NewSketch(e.Cells(), cells)
	if err != nil {
		tb.Fatal(err)
	}
	for i, id := range ids {
		short := e.Key(summary.Key{Time: int64(i), ID: id}).Short
		if i%2 == 0 {
			sketch.Insert(short)
		} else {
			sketch.Remove(short)
		}
	}
	return sketch
}

// differenceOf returns the cells of a rateless IBLT of the same difference, more than it
// takes.
func differenceOf(ids []summary.ID) []baseline.Cell {
	here, there := baseline.NewPrefix(2*len(ids)+100), baseline.NewPrefix(2*len(ids)+100)
	for i, id := range ids {
		if i%2 == 0 {
			here.Insert(id)
		} else {
			there.Insert(id)
		}
	}
	cells := slices.Clone(here.Cells())
	for i, other := range there.Cells() {
		cells[i].Symbol ^= other.Symbol
		cells[i].Check ^= other.Check
		cells[i].Count -= other.Count
	}
	return cells
}

// cellTrials is how many differences of d items are drawn.
func cellTrials(d int) int {
	if *large {
		return 10_000
	}
	return min(500, max(5, 100_000/d))
}

// BenchmarkSummaryCells: how many cells a difference of d items takes, in the mean and so
// that 99 of 100 decode. Ours: the smallest number to which a sketch folds and decodes, as
// an idealSketch finds it. The rateless IBLT: the number after which the stream stops.
// Items are drawn anew for each trial, by numbers that are fixed, so that a second run
// says the same.
func BenchmarkSummaryCells(b *testing.B) {
	for _, d := range differences() {
		for _, system := range summarySystems() {
			b.Run(fmt.Sprintf("system=%s/d=%d", system, d), func(b *testing.B) { benchSummaryCells(b, system, d, cellTrials(d)) })
		}
	}
}

func benchSummaryCells(b *testing.B, system string, d, trials int) {
	need := func(seed uint64) (int, error) { return baseline.CellsNeeded(d, seed) }
	if system == "ours" {
		sketches := sync.Pool{New: func() any { return new(idealSketch) }}
		need = func(seed uint64) (int, error) {
			s := sketches.Get().(*idealSketch)
			defer sketches.Put(s)
			s.draw(d, seed)
			return s.smallest()
		}
	}
	var cells []int
	for b.Loop() {
		var err error
		if cells, err = inParallel(trials, need); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(mean(cells)/float64(d), "cells/diff")
	b.ReportMetric(float64(percentile(cells, 99))/float64(d), "p99-cells/diff")
	b.ReportMetric(float64(trials), "trials")
}

// inParallel calls f for the numbers below n, on all processors, and returns its results.
func inParallel(n int, f func(uint64) (int, error)) ([]int, error) {
	results := make([]int, n)
	var group sync.WaitGroup
	var mu sync.Mutex
	var first error
	for worker := range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := worker; i < n; i += runtime.GOMAXPROCS(0) {
				var err error
				if results[i], err = f(uint64(i)); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
					return
				}
			}
		})
	}
	group.Wait()
	return results, first
}

// TestSummaryCells: both need what was measured of them before.
func TestSummaryCells(t *testing.T) {
	for _, want := range []struct {
		system   string
		d        int
		mean, up float64
	}{{"ours", 1, 16, 0}, {"ours", 100, 1.39, 1.7}, {"ours", 10_000, 1.3, 1.33}, {"riblt", 100, 1.456, 1.9}} {
		trials := min(200, 200_000/want.d)
		name := fmt.Sprintf("system=%s/d=%d", want.system, want.d)
		m := once(t, name, func(b *testing.B) { benchSummaryCells(b, want.system, want.d, trials) })
		within(t, name, m, "cells/diff", 0.96*want.mean, 1.04*want.mean)
		within(t, name, m, "p99-cells/diff", m["cells/diff"], max(want.up, m["cells/diff"]))
		within(t, name, m, "trials", float64(trials), float64(trials))
	}
	fail := func(i uint64) (int, error) { return int(i), map[bool]error{true: errFixture}[i == 7] }
	if _, err := inParallel(9, fail); err == nil {
		t.Error("a trial failed, and nobody was told")
	}
	if got, err := inParallel(5, func(i uint64) (int, error) { return int(i), nil }); err != nil || !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
		t.Errorf("results %v: %v", got, err)
	}
}

// TestSummaryDecode: both find all d, the one in the cells that were sent, the other in
// those it needs.
func TestSummaryDecode(t *testing.T) {
	for _, d := range []int{1, 100} {
		for _, system := range summarySystems() {
			name := fmt.Sprintf("system=%s/d=%d", system, d)
			m := once(t, name, func(b *testing.B) { benchSummaryDecode(b, system, d) })
			within(t, name, m, "found", float64(d), float64(d))
			within(t, name, m, "ns/diff", 10, 1e7)
			within(t, name, m, "decode-ns/op", 0.999*m["ns/diff"]*float64(d), 1.001*m["ns/diff"]*float64(d))
			if cells := float64(summary.CellsFor(d)); system == "ours" {
				within(t, name, m, "cells", cells, cells)
			} else {
				within(t, name, m, "cells", float64(d), float64(3*d))
			}
		}
	}
}
