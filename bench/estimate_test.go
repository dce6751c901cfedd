package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// estimateCases are levels of the estimator and differences, within its range and below.
func estimateCases() [][2]int {
	cases := [][2]int{{0, 1}, {0, 10}, {0, 100}, {0, 1000}, {0, 10_000}, {0, 100_000}, {1, 100}, {1, 10_000}, {1, 100_000}}
	if *large {
		cases = append(cases, [2]int{0, 320_000}, [2]int{1, 1_000_000}, [2]int{2, 1_000_000})
	}
	return cases
}

// estimateTrials is how many differences of d items are drawn.
func estimateTrials(d int) int {
	if *large {
		return min(20_000, max(1000, 200_000_000/d))
	}
	return min(1000, max(50, 5_000_000/d))
}

// BenchmarkSummaryEstimate: how far the estimates of a difference of d items are from d:
// their standard deviation about d and their mean, both in parts of d. Each side holds
// every second item, and both a hundred more; slices are drawn anew for each trial, by
// numbers that are fixed, as a keyed function would draw them.
func BenchmarkSummaryEstimate(b *testing.B) {
	for _, c := range estimateCases() {
		b.Run(fmt.Sprintf("level=%d/d=%d", c[0], c[1]), func(b *testing.B) {
			benchSummaryEstimate(b, c[0], c[1], estimateTrials(c[1]))
		})
	}
}

func benchSummaryEstimate(b *testing.B, level, d, trials int) {
	var squares, bias float64
	for b.Loop() {
		squares, bias = 0, 0
		for trial := range trials {
			estimate, saturated := estimateOf(level, d, uint64(trial))
			if saturated {
				b.Fatalf("level %d is saturated by %d", level, d)
			}
			off := estimate/float64(d) - 1
			squares += off * off
			bias += off
		}
	}
	b.ReportMetric(math.Sqrt(squares/float64(trials)), "error/d")
	b.ReportMetric(1+bias/float64(trials), "mean/d")
	b.ReportMetric(float64(trials), "trials")
}

// estimateOf draws two sets that differ in d items and returns their estimate.
func estimateOf(level, d int, seed uint64) (float64, bool) {
	random := rand.New(rand.NewPCG(seed, uint64(d)))
	var sides [2]summary.Estimators
	for range 100 { // what both hold does not count
		slice := random.Uint64()
		sides[0].Insert(slice)
		sides[1].Insert(slice)
	}
	for i := range d {
		sides[i%2].Insert(random.Uint64())
	}
	here, _ := sides[0].At(level)
	there, _ := sides[1].At(level)
	return summary.Estimate(level, here.Subtract(there))
}

// TestSummaryEstimate: within four standard errors of what theory says, and of a level
// that samples more.
func TestSummaryEstimate(t *testing.T) {
	const trials = 400
	for _, c := range []struct {
		level, d int
		low, up  float64
	}{{0, 1, 0, 0}, {0, 1000, 0.075, 0.102}, {1, 1000, 0.13, 0.175}} { // sqrt(1/128 + 16/1000) = 0.154
		name := fmt.Sprintf("level=%d/d=%d", c.level, c.d)
		m := once(t, name, func(b *testing.B) { benchSummaryEstimate(b, c.level, c.d, trials) })
		within(t, name, m, "error/d", c.low, c.up)
		within(t, name, m, "mean/d", 1-4*c.up/math.Sqrt(trials), 1+4*c.up/math.Sqrt(trials))
		within(t, name, m, "trials", trials, trials)
	}
}
