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

// everything returns what a sync takes that begins with a filter over everything, as StrategyAuto
// does: a sketch tells what that hid.
func (p Pair) everything() Cost {
	c, hidden := whole{wholeKind, wholeBits}.round(p)
	clean := math.Exp(-hidden.OnlyHere - hidden.OnlyThere)
	c = c.plus(p.pushed(p.OnlyHere).times(clean))
	if clean == 1 {
		return c
	}
	return c.plus(p.after(hidden, 1-clean).sketched().times(1 - clean))
}

// round returns what one round takes, and how many items it hides on either side.
func (w whole) round(p Pair) (Cost, Pair) {
	c := p.opening().plus(Cost{Up: summaryHead + filterLen(w.kind, float64(p.Here), w.bits)})
	if p.equal() && !p.Stranger {
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
	second := 1.0 // to a stranger always: nothing tells that it has just what was let through
	if p.OnlyHere < 1 && !p.Stranger {
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
	p.Stranger = false
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
// none.
func (p Pair) segmented() Cost {
	hidden := p.OnlyThere / 256
	if p.Here == 0 {
		hidden = 0
	}
	c, part := p.segmentedRound(hidden)
	clean := math.Exp(-hidden - math.Ldexp(p.OnlyHere, -bitsFor(int(p.OnlyHere))))
	again := Cost{initBytes + summaryHead + part, ackBytes + throughBytes, 1}
	return c.plus(again.times(1 - clean)).plus(p.pushed(p.OnlyHere))
}

// segmentedRound returns what the first round takes in which so many items are hidden, and what
// a filter of the part that it leaves in doubt takes. The second half is about the segments
// whose count or sum tells a difference.
func (p Pair) segmentedRound(hidden float64) (c Cost, part float64) {
	length, segments := segmentedLen(float64(p.Here))
	c = p.opening().plus(Cost{Up: summaryHead + 2 + length})
	if p.equal() && !p.Stranger {
		return c, 0
	}
	doubtful := segments * (1 - math.Exp(-(p.OnlyHere+hidden)/segments))
	inside := (float64(p.There) - p.OnlyThere + hidden) * doubtful / segments
	second := min(1, p.OnlyHere+1-math.Exp(-hidden))
	if p.Stranger {
		second = 1
	}
	told := doubtHead + 5*doubtful
	c.Down += throughBytes + second*(summaryHead+told+filterLen(wholeKind, inside, bitsFor(int(p.OnlyHere))))
	return c, told + filterLen(wholeKind, inside+p.OnlyThere*doubtful/segments, 8)
}
