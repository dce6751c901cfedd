package engine

import (
	"cmp"
	"math"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// sketchCase is what a responder knows when a sketch turned out too small.
type sketchCase struct {
	estimate  float64 // items that one side lacks, what lies outside of its spine not counted
	certain   float64 // of these, what a filter told for certain
	saturated bool    // there are more, probably
	level     int     // of the estimate
	mine      float64 // items of the responder, what lies outside of its spine not counted
	theirs    float64 // items of the initiator
	ranges    []rangeCase
	cellSize  int // bytes
	maxCells  int // of a sketch that the initiator sends
}

// rangeCase is how many items each side has in a bucket.
type rangeCase struct {
	bucket       summary.Bucket
	mine, theirs float64
}

const (
	// maxPlanBits is where more bits of a filter save less than they cost for any density.
	maxPlanBits = 12
	// wholeBits are those of a filter over everything where nothing speaks for more.
	wholeBits = 20
	// undecided is how often a sketch of summary.CellsFor cells does not decode.
	undecided = 0.01
	// oneSidedOdds is what speaks for a difference of one side alone before anything is
	// known of it: as much as for one of both sides, whose size may then be anything within
	// a factor of e^7.
	oneSidedOdds = 7
)

// mostCells returns the cells of the largest sketch that an initiator of n items sends,
// whatever it is told: the fold of the one that is kept or, where it costs less than a filter
// of everything in both directions, one of all keys.
func mostCells(n uint64) int {
	return max(summary.TableCells(n), int(min(n/2, planCells)))
}

// expectation is what a plan costs.
type expectation struct {
	bytes float64 // of cells and filters
	fails float64 // chance that it takes another round
}

// priced is the cost with what a failure adds: a round, and at least as many bytes as a
// sketch of the expected size takes.
func (e expectation) priced(expected float64) float64 {
	return e.bytes + e.fails*(DefaultRoundPrice+max(expected, e.bytes))
}

// planSketch returns what to send after a sketch that did not decode: another sketch, with a
// low-bit filter over some buckets if that is cheaper, or no cells, which stands for a
// filter over everything in both directions.
//
// A filter of b bits over the initiator's items in a bucket takes all but 2^-b of the
// items that it lacks there out of the sketch. What only the initiator has stays in. Where
// a bucket has more of the responder's items than of the initiator's, these are
// missing at the least; the rest of the estimate is taken to be spread evenly.
//
// One number of bits is for all buckets that have a filter. A second one was rejected: where densities differ by
// enough to want it, the sparse buckets want no filter at all, and that they can have.
func planSketch(c sketchCase) (wire.Plan, expectation) {
	surplus := math.Abs(c.mine - c.theirs)
	level := c.level
	if c.saturated && c.level+1 < summary.EstimatorLevels {
		level = max(level+1, summary.LevelFor(uint64(c.mine+c.theirs)/2)) // it holds any difference of these
		if surplus < 0.75*c.estimate {
			// A larger sketch would be as blind. The next request tells more.
			return wire.Plan{Estimate: uint64(c.estimate), Level: uint64(level), Cells: summary.MinCells}, expectation{0, 1}
		}
		c.estimate = surplus // of one side alone, as likely as not: the estimate can tell no more
	}
	_, expected := c.sized(size{d: max(surplus, c.estimate)})
	plan, best := c.wholePlan(max(surplus, c.estimate))
	for _, s := range c.sizes(surplus) {
		p, e := c.sized(s)
		if e.priced(expected.bytes) < best.priced(expected.bytes) {
			plan, best = p, e
		}
	}
	plan.Estimate, plan.Level = uint64(math.Ceil(max(surplus, c.estimate))), uint64(level)
	return plan, best
}

// size is a number of differences to be ready for, and the chance that there are more.
type size struct{ d, more float64 }

// sizes returns the sizes that are worth a look: the surplus alone, if that is as likely as not,
// and the estimate with more or less of a margin for its error.
func (c sketchCase) sizes(surplus float64) (sizes []size) {
	deviation := estimateError(c.level, max(0, c.estimate-c.certain))
	if deviation == 0 {
		return []size{{max(surplus, c.estimate), 0}}
	}
	two := twoSided(c.estimate, deviation, surplus)
	if two > 0.5 {
		two = 1
	} else {
		sizes = append(sizes, size{surplus, two})
	}
	above := func(d float64) float64 { return 1 - normal((d-c.estimate)/deviation) }
	for margin := 0.; margin <= 3.5; margin += 0.25 {
		if d := c.estimate + margin*deviation; d > surplus {
			sizes = append(sizes, size{d, two * above(d) / above(surplus)})
		}
	}
	return sizes
}

// twoSided returns how likely it is that more differs than the surplus of one side's count. That
// it does not is as likely a priori as that it does, and then by any amount: how far the
// estimate is from the surplus decides.
func twoSided(estimate, deviation, surplus float64) float64 {
	if surplus == 0 {
		return 1
	}
	z := (estimate - surplus) / deviation
	one := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) / deviation * oneSidedOdds * estimate
	more := normal(z)
	return more / (more + one)
}

// estimateError returns the standard error of an estimate at a level, as package summary
// has measured it.
func estimateError(level int, estimate float64) float64 {
	sampled := 0.0
	if level > 0 {
		sampled = math.Ldexp(1, 4*level) / max(1, estimate)
	}
	return estimate * math.Sqrt(1./128+sampled)
}

// wholePlan is a filter over everything, and one over what it lets through.
func (c sketchCase) wholePlan(d float64) (wire.Plan, expectation) {
	onlyHere := min(c.theirs, max(0, (d+c.theirs-c.mine)/2))
	onlyThere := min(c.mine, max(0, (d+c.mine-c.theirs)/2))
	bits := everythingBits(onlyThere)
	e := expectation{filterLen(wholeKind, c.theirs, bits), math.Ldexp(onlyThere, -bits)}
	if onlyHere > 0 {
		e.bytes += filterLen(wholeKind, c.theirs-onlyHere, bitsFor(int(onlyHere)))
	}
	e.fails = min(1, e.fails+undecided)
	return wire.Plan{}, e
}

// everythingBits returns the bits of a filter over everything that is to reject so many items.
// That it hides none is worth more where more differs: the next one is then over
// the items of both sides.
func everythingBits(foreign float64) int {
	return max(wholeBits, bitsFor(int(min(foreign, 1<<40))))
}

// sized returns the cheapest sketch for a size, with or without a filter.
func (c sketchCase) sized(s size) (plan wire.Plan, best expectation) {
	best = expectation{math.Inf(1), 1}
	try := func(left, filter float64, bits int, dense []lackedRange) {
		cells := summary.CellsFor(int(math.Ceil(left)))
		if cells > c.maxCells {
			return
		}
		e := expectation{float64(cells*c.cellSize) + filter, min(1, s.more+undecided)}
		if e.bytes < best.bytes {
			best = e
			plan = wire.Plan{Cells: uint64(cells), Bits: uint64(bits)}
			if bits > 0 {
				plan.Dense = bucketsOf(dense)
			}
		}
	}
	try(s.d, 0, 0, nil)
	lacked := c.lacked(s.d)
	lacked = lacked[:min(len(lacked), summary.MaxDense)]
	for bits := 1; bits <= maxPlanBits; bits++ {
		passes := math.Ldexp(1, -bits)
		left, filtered, through := s.d, 0.0, 0.0
		for i, r := range lacked {
			left -= r.items * (1 - passes)
			filtered, through = filtered+r.theirs, through+r.items*passes
			// What passes by chance varies by its square root.
			try(max(0, left)+math.Sqrt(through), filterLen(filters.Ribbon, filtered, bits)+2*bucketBytes*float64(i+1), bits, lacked[:i+1])
		}
	}
	return plan, best
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
		certain += math.Abs(r.mine - r.theirs)
		total += r.mine + r.theirs
	}
	spread := max(0, d-certain) / max(1, total)
	var all []lackedRange
	for _, r := range c.ranges {
		more := r.mine - r.theirs
		differ := math.Abs(more) + spread*(r.mine+r.theirs)
		if items := min(r.mine, (differ+more)/2); items > 0 {
			all = append(all, lackedRange{r, items})
		}
	}
	slices.SortFunc(all, func(a, b lackedRange) int {
		return cmp.Or(cmp.Compare(b.items*a.theirs, a.items*b.theirs), a.bucket.Compare(b.bucket))
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
