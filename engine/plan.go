package engine

import (
	"cmp"
	"math"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// sketchCase is what a responder knows when a sketch turned out too small.
type sketchCase struct {
	estimate  float64 // items that one side lacks, what lies outside of its spine not counted
	saturated bool    // there are more, probably
	level     int     // of the estimate
	mine      uint64  // items of the responder, what lies outside of its spine not counted
	theirs    uint64  // items of the initiator
	ranges    []rangeCase
	cellSize  int // bytes
	maxCells  int // of the smaller table
}

// rangeCase is how many items each side has in a bucket.
type rangeCase struct {
	bucket       summary.Bucket
	mine, theirs uint64
}

const (
	// estimateMargin is 2.3 times the standard error of an estimate: one sketch in a
	// hundred that is sized by it is too small.
	estimateMargin = 1.2
	// maxPlanBits is where more bits of a filter save less than they cost for any density.
	maxPlanBits = 12
)

// planSketch returns the sketch, with a filter if that is cheaper, that costs the fewest
// bytes and is expected to decode. Zero cells mean that there is none.
//
// A filter of b bits over the initiator's items in a bucket takes all but 2^-b of the
// items that it lacks there out of the sketch. Where a bucket has more of the responder's items
// than of the initiator's, these are missing at the least; the rest of the estimate is taken
// to be spread evenly.
func planSketch(c sketchCase) (plan wire.Plan, bytes float64) {
	if c.saturated && c.level+1 < summary.EstimatorLevels {
		// A larger sketch would be as blind. The next request tells more.
		return wire.Plan{Estimate: uint64(c.estimate), Level: uint64(c.level + 1), Cells: summary.MinCells}, math.Inf(1)
	}
	surplus := math.Abs(float64(c.mine) - float64(c.theirs))
	d := max(surplus, c.estimate*estimateMargin)
	plan.Estimate = uint64(math.Ceil(max(surplus, c.estimate)))
	cost := func(left float64) (cells int, bytes float64) {
		if left > float64(summary.MaxCells) {
			return 0, math.Inf(1)
		}
		if cells = summary.CellsFor(int(math.Ceil(left))); cells > c.maxCells {
			return 0, math.Inf(1)
		}
		return cells, float64(cells * c.cellSize)
	}
	cells, bytes := cost(d)
	plan.Cells = uint64(cells)
	lacked := c.lacked(d)
	for bits := 1; bits <= maxPlanBits; bits++ {
		left, filter := d, 0.0
		for i, r := range lacked[:min(len(lacked), summary.MaxDense)] {
			left -= r.items * (1 - math.Ldexp(1, -bits))
			filter += float64(r.theirs) * float64(bits) / 8
			if cells, sketch := cost(max(0, left)); sketch+filter < bytes {
				bytes = sketch + filter
				plan.Cells, plan.Bits, plan.Dense = uint64(cells), uint64(bits), bucketsOf(lacked[:i+1])
			}
		}
	}
	return plan, bytes
}

// lackedRange is how many items of the responder the initiator is expected to lack in a range.
type lackedRange struct {
	rangeCase
	items float64
}

// lacked returns the ranges, those first where the initiator lacks most for each item it has.
func (c sketchCase) lacked(d float64) []lackedRange {
	certain, total := 0.0, 0.0
	for _, r := range c.ranges {
		certain += math.Abs(float64(r.mine) - float64(r.theirs))
		total += float64(r.mine) + float64(r.theirs)
	}
	spread := max(0, d-certain) / max(1, total)
	var all []lackedRange
	for _, r := range c.ranges {
		more := float64(r.mine) - float64(r.theirs)
		differ := math.Abs(more) + spread*(float64(r.mine)+float64(r.theirs))
		if items := min(float64(r.mine), (differ+more)/2); items > 0 {
			all = append(all, lackedRange{r, items})
		}
	}
	slices.SortFunc(all, func(a, b lackedRange) int {
		return cmp.Or(cmp.Compare(b.items*float64(a.theirs), a.items*float64(b.theirs)), a.bucket.Compare(b.bucket))
	})
	return all
}

// bucketsOf returns the encoding of the ranges' buckets.
func bucketsOf(ranges []lackedRange) []byte {
	buckets := make([]summary.Bucket, len(ranges))
	for i, r := range ranges {
		buckets[i] = r.bucket
	}
	slices.SortFunc(buckets, summary.Bucket.Compare)
	return summary.AppendBuckets(nil, buckets)
}
