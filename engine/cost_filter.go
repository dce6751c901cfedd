package engine

import (
	"math"

	"github.com/dwn-sync/dwnsync/filters"
)

// whole is a filter over all that a side has, at a rate of 2^-bits.
type whole struct {
	kind filters.Kind
	bits int
}

// wholeOf returns the filter of a strategy, if it has one over everything.
func wholeOf(s Strategy) (w whole, ok bool) {
	w, ok = map[Strategy]whole{
		StrategyBloom: {filters.Bloom, 8}, StrategyXor: {filters.Xor8, 8}, StrategyFuse: {filters.Fuse8, 8},
		StrategyRibbon: {filters.Ribbon, 8}, StrategyGolomb: {filters.Golomb, 8}, StrategyList: {filters.List, 40},
	}[s]
	return w, ok
}

// sync returns what a sync by filters over everything takes. In each round the initiator's
// filter hides OnlyThere/2^bits items on average, and the responder's second half
// OnlyHere/2^bits. If any is hidden, the next round is about these, and, where items do not move in
// that direction, about all of them again.
func (w whole) sync(p Pair) Cost {
	var total Cost
	reached := 1.0
	for attempt := 1; attempt <= filterAttempts && reached > 1e-6; attempt++ {
		c, hidden := w.round(p)
		clean := math.Exp(-hidden.OnlyHere - hidden.OnlyThere)
		total = total.plus(c.plus(p.pushed(p.OnlyHere).times(clean)).times(reached))
		reached *= 1 - clean
		if hidden.OnlyHere+hidden.OnlyThere == 0 {
			return total
		}
		p = p.after(hidden, 1-clean)
		if attempt > 1 && w.bits == 8 && p.staying() > hopeless {
			break
		}
	}
	if w.kind == filters.List {
		return total
	}
	return total.plus(whole{filters.List, 40}.sync(p).times(reached))
}

// round returns what one round takes, and how many items it hides on either side.
func (w whole) round(p Pair) (Cost, Pair) {
	c := Cost{initBytes + summaryHead + filterLen(w.kind, float64(p.Here), w.bits), ackBytes, 1}
	if p.equal() {
		return c, Pair{}
	}
	rate := math.Ldexp(1, -w.bits)
	hidden := Pair{OnlyThere: p.OnlyThere * rate, OnlyHere: p.OnlyHere * rate}
	if p.Here == 0 {
		hidden.OnlyThere = 0
	}
	bits := w.bits
	if w.kind == wholeKind {
		bits = bitsFor(int(p.OnlyHere))
		hidden.OnlyHere = math.Ldexp(p.OnlyHere, -bits)
	}
	through := float64(p.There) - p.OnlyThere + hidden.OnlyThere
	second := 1.0
	if p.OnlyHere < 1 {
		second = 1 - math.Exp(-p.OnlyHere-hidden.OnlyThere)
	}
	c.Down += throughBytes + second*(summaryHead+filterLen(w.kind, through, bits))
	if through == 0 {
		hidden.OnlyHere = 0
	}
	return c, hidden
}

// after returns what is left of p for another round, given that a round hid something,
// which had that chance.
func (p Pair) after(hidden Pair, chance float64) Pair {
	if p.Direction.Pulls() {
		p.Here += uint64(p.OnlyThere - hidden.OnlyThere)
		p.OnlyThere = hidden.OnlyThere / chance
	}
	if p.Direction.Pushes() {
		p.There += uint64(max(0, p.OnlyHere-hidden.OnlyHere))
		p.OnlyHere = hidden.OnlyHere / chance
	}
	return p
}

// staying returns how many items the sync does not move.
func (p Pair) staying() (items float64) {
	if !p.Direction.Pulls() {
		items += p.OnlyThere
	}
	if !p.Direction.Pushes() {
		items += p.OnlyHere
	}
	return items
}

// segmented returns what a sync by a segmented filter takes, of which the responder keeps
// none: its second half is about the segments whose count or sum tells a difference.
func (p Pair) segmented() Cost {
	length, segments := segmentedLen(float64(p.Here))
	c := Cost{initBytes + summaryHead + 2 + length, ackBytes, 1}
	if p.equal() {
		return c
	}
	c.Down += throughBytes
	if p.Here == 0 {
		return c
	}
	hidden := p.OnlyThere / 256
	doubtful := segments * (1 - math.Exp(-(p.OnlyHere+hidden)/segments))
	inside := (float64(p.There) - p.OnlyThere + hidden) * doubtful / segments
	bits := bitsFor(int(p.OnlyHere))
	second := min(1, p.OnlyHere+1-math.Exp(-hidden))
	c.Down += second * (summaryHead + 24 + 5*doubtful + filterLen(wholeKind, inside, bits))
	clean := math.Exp(-hidden - math.Ldexp(p.OnlyHere, -bits))
	again := Cost{initBytes + summaryHead + 24 + 5*doubtful + filterLen(wholeKind, inside+p.OnlyThere*doubtful/segments, 8), ackBytes + throughBytes, 1}
	return c.plus(again.times(1 - clean)).plus(p.pushed(p.OnlyHere))
}
