package engine

import (
	"math"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// sketched returns what a sync by sketches takes: the first probe, whatever the case, and,
// where that does not decode, what the responder plans.
func (p Pair) sketched() Cost {
	first := p.opening().plus(Cost{Up: summaryHead})
	if p.Here > 0 || !p.Stranger {
		first.Up += probeLen(p.Here, firstCells)
	}
	if p.equal() {
		return first
	}
	if p.There == 0 {
		return first.plus(Cost{Down: throughBytes + summaryHead}).plus(p.pushed(p.OnlyHere))
	}
	decodes := p.firstDecodes()
	total := first.plus(p.told().times(decodes))
	if decodes < 1-1e-6 {
		total = total.plus(p.planned().times(1 - decodes))
	}
	return total.plus(p.pushed(p.OnlyHere))
}

// firstDecodes returns how likely the first probe is enough.
func (p Pair) firstDecodes() float64 {
	switch {
	case p.decodes:
		return 1
	case p.plan != nil:
		return 0
	}
	return decodeChance(firstCells, p.inside())
}

// inside returns how many items have to be told by a sketch.
func (p Pair) inside() float64 { return p.OnlyHere + p.OnlyThere - p.Outside }

// told is what an ACK has besides where a sketch decodes.
func (p Pair) told() Cost {
	c := Cost{Down: throughBytes}
	if p.OnlyHere > 0 {
		c.Down += min(1, p.OnlyHere)*summaryHead + p.OnlyHere*6
	}
	return c
}

// planned returns what follows a first probe that did not decode: the mean over the
// estimates that the responder may come to, by three of them.
func (p Pair) planned() (mean Cost) {
	if plan := p.plan; plan != nil {
		bytes := float64(plan.Cells)*float64(summary.ParamsFor(p.There).CellSize()) + float64(len(plan.Dense))
		if plan.Bits > 0 {
			bytes += filterLen(wholeKind, p.filtered, int(plan.Bits))
		}
		return p.following(*plan, expectation{bytes, undecided})
	}
	const share = 1.0 / 6 // Gauss and Hermite
	deviation := estimateError(0, p.inside())
	for z, weight := range map[float64]float64{-math.Sqrt(3): share, 0: 1 - 2*share, math.Sqrt(3): share} {
		c := p.sketchCase()
		c.estimate += z * deviation
		mean = mean.plus(p.following(planSketch(c)).times(weight))
	}
	return mean
}

// following returns what it takes to follow a plan.
func (p Pair) following(plan wire.Plan, expected expectation) Cost {
	asked := Cost{Down: planBytes + float64(len(plan.Dense))}
	if plan.Cells == 0 {
		p.Direction = Pull // the push is counted by who asks
		return asked.plus(whole{wholeKind, everythingBits(p.OnlyThere)}.sync(p))
	}
	next := Cost{initBytes + summaryHead + probeLen(p.Here, 0) + expected.bytes, ackBytes, 1}.plus(p.told())
	return asked.plus(next).plus(next.plus(asked).times(expected.fails))
}

// sketchCase is what the responder knows then, if its estimate is right.
func (p Pair) sketchCase() sketchCase {
	c := sketchCase{
		estimate: p.inside(), mine: float64(p.There) - p.Outside, theirs: float64(p.Here),
		ranges: p.ranges, cellSize: summary.ParamsFor(max(p.Here, p.There)).CellSize(), maxCells: mostCells(p.Here),
	}
	if c.ranges == nil {
		c.ranges = []rangeCase{{summary.Bucket{}, c.mine, c.theirs}}
	}
	return c
}

// resumed returns what a sync by a cursor takes: a list of what the initiator's log took in since.
func (p Pair) resumed() Cost {
	c := Cost{initBytes + cursorHead + float64(p.Token), ackBytes + cursorHead + float64(p.Token), 1}
	if since := p.OnlyHere + p.SinceBoth; since > 0 {
		c.Up += summaryHead + filterLen(filters.List, since, 40)
	}
	if p.equal() {
		return c
	}
	c.Down += throughBytes
	if p.OnlyHere > 0 {
		c.Down += summaryHead + filterLen(filters.List, p.SinceBoth, 40)
		c.Down += cursorHead + float64(p.Token) // of the reply to what is pushed
	}
	return c.plus(p.pushed(p.OnlyHere))
}

// decodeChance returns how likely a sketch of so many cells tells d differences. The cells
// that are needed have a standard deviation of about the square root of d, and the 99th
// percentile that summary.CellsFor says.
func decodeChance(cells int, d float64) float64 {
	if d < 1 {
		return 1
	}
	return normal((float64(cells)-float64(summary.CellsFor(int(math.Ceil(d)))))/math.Sqrt(d) + 2.33)
}

// normal returns the chance that a normal variable is below z.
func normal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
