package engine

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// caseOf is what a responder knows of two sets of that many items, all in one bucket.
func caseOf(mine, theirs, estimate float64) sketchCase {
	return sketchCase{
		estimate: estimate, mine: mine, theirs: theirs, cellSize: 9, maxCells: mostCells(uint64(theirs)),
		ranges: []rangeCase{{summary.Bucket{}, mine, theirs}},
	}
}

// TestPlanSketch: what is planned for what is known.
func TestPlanSketch(t *testing.T) {
	saturated := caseOf(1e6, 9.9e5, 512_000)
	saturated.saturated = true
	oneSided := caseOf(1e6, 4e5, 512_000)
	oneSided.saturated = true
	saturatedMore := caseOf(1e7, 1e7, 512_000)
	saturatedMore.saturated = true
	last := saturated
	last.level = summary.EstimatorLevels - 1
	for name, c := range map[string]struct {
		known sketchCase
		fits  func(p wire.Plan, bytes float64) bool
	}{
		"few": {caseOf(1e5, 1e5-200, 200), func(p wire.Plan, _ float64) bool {
			return p.Bits == 0 && p.Cells >= uint64(summary.CellsFor(200)) && p.Cells < uint64(summary.CellsFor(250)) // the counts explain it
		}},
		"few, two-sided": {caseOf(1e5, 1e5, 200), func(p wire.Plan, _ float64) bool {
			return p.Bits == 0 && p.Cells > uint64(summary.CellsFor(220)) && p.Cells < uint64(summary.CellsFor(280))
		}},
		"counts that do not explain it": {caseOf(1e5, 1e5-100, 200), func(p wire.Plan, _ float64) bool {
			return p.Bits == 0 && p.Cells > uint64(summary.CellsFor(220)) && p.Cells < uint64(summary.CellsFor(280))
		}},
		"a tenth": {caseOf(1e5, 9e4, 1e4), func(p wire.Plan, bytes float64) bool {
			return p.Bits >= 2 && p.Bits <= 4 && len(p.Dense) > 0 && bytes < 60_000
		}},
		"an estimate below the surplus": {caseOf(1e5, 9e4, 8e3), func(p wire.Plan, bytes float64) bool {
			return p.Estimate == 10_000 && p.Bits >= 2 && bytes < 60_000
		}},
		"disjoint": {caseOf(1e5, 1e5, 2e5), func(p wire.Plan, bytes float64) bool {
			return p.Cells == 0 && bytes < 300_000
		}},
		"no sketch that large is sent": {caseOf(1e5, 300, 1e5), func(p wire.Plan, bytes float64) bool {
			return p.Cells <= 1024 && bytes < 10_000
		}},
		"saturated": {saturated, func(p wire.Plan, _ float64) bool {
			return p.Level == 1 && p.Cells == summary.MinCells && p.Bits == 0
		}},
		"saturated, of ten million": {saturatedMore, func(p wire.Plan, _ float64) bool {
			return p.Level == 2 && p.Cells == summary.MinCells // level 1 might be saturated too
		}},
		"saturated by one side": {oneSided, func(p wire.Plan, bytes float64) bool {
			return p.Level == 1 && p.Bits > 3 && p.Estimate == 600_000 && bytes < 500_000 // no round is spent on the estimate
		}},
		"saturated at the last level": {last, func(p wire.Plan, _ float64) bool {
			return p.Level == summary.EstimatorLevels-1 && p.Cells != summary.MinCells
		}},
		"nothing is known to differ": {caseOf(1e5, 1e5, 0), func(p wire.Plan, _ float64) bool { return p.Cells == summary.MinCells && p.Bits == 0 }},
	} {
		if p, e := planSketch(c.known); !c.fits(p, e.bytes) {
			t.Errorf("%s: %+v of %.0f bytes, fails %.3f", name, p, e.bytes, e.fails)
		}
	}
}

// TestPlanIsUsable: whatever is known or claimed, an initiator can follow the plan.
func TestPlanIsUsable(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 1))
	number := func() float64 { return math.Floor(math.Exp2(random.Float64() * 34)) }
	for range 300 {
		c := caseOf(number(), number(), random.Float64()*number())
		c.level, c.saturated = random.IntN(summary.EstimatorLevels), random.IntN(4) == 0
		c.certain = random.Float64() * c.estimate
		p, e := planSketch(c)
		if _, ok := usable(p); !ok || int(p.Cells) > c.maxCells || e.fails < 0 || e.fails > 1 || e.bytes < 0 || math.IsNaN(e.bytes) {
			t.Fatalf("%+v: %+v, %+v", c, p, e)
		}
	}
}

// TestPlanMargin: of one hundred syncs whose estimates have the error that they have, a few sketches
// are too small: where that costs less than to make all larger.
func TestPlanMargin(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 2))
	for _, d := range []float64{300, 3000, 20_000} {
		for _, oneSided := range []bool{false, true} {
			short, cells := 0, 0.0
			const trials = 200
			for range trials {
				c := caseOf(1e6, 1e6, d+random.NormFloat64()*estimateError(0, d))
				if oneSided {
					c.theirs -= d
				}
				p, _ := planSketch(c)
				cells += float64(p.Cells) / trials
				if p.Bits == 0 && p.Cells < uint64(summary.CellsFor(int(d))) {
					short++
				}
			}
			over := cells / float64(summary.CellsFor(int(d)))
			t.Logf("d = %.0f, one-sided %t: %d of %d too small, %.2f of the cells needed", d, oneSided, short, trials, over)
			if short > trials/12 || over > 1.35 || oneSided && over > 1.2 {
				t.Errorf("d = %.0f, one-sided %t: %d of %d too small, %.2f of the cells needed", d, oneSided, short, trials, over)
			}
		}
	}
}

// TestFirst: what auto begins with costs at most a quarter of a round, or is a sketch.
func TestFirst(t *testing.T) {
	for _, c := range []struct {
		n        uint64
		stranger bool
		price    float64
		sketch   bool
	}{
		{0, false, DefaultRoundPrice, false},
		{12_000, false, DefaultRoundPrice, false},
		{13_000, false, DefaultRoundPrice, true},
		{40_000, true, DefaultRoundPrice, false},
		{60_000, true, DefaultRoundPrice, true},
		{700, false, 1, false},
		{1000, false, 1, true},
		{100_000, false, 2_000_000, false},
	} {
		if got := first(c.n, c.stranger, c.price); got == sketchKind != c.sketch {
			t.Errorf("%+v: kind %d", c, got)
		}
	}
}
