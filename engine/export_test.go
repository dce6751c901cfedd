package engine

import (
	"context"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/filters"
)

// Sabotage makes an initiator map IDs to keys by hash, for tests outside the package.
func (o Options) Sabotage(hash func(filters.Salt, ID) uint64) Options {
	o.hash = hash
	return o
}

// Sabotage does the same for a responder.
func (o RespondOptions) Sabotage(hash func(filters.Salt, ID) uint64) RespondOptions {
	o.hash = hash
	return o
}

// BeginWithRanges makes an initiator leave out the steps of StrategySketch before the bisection.
func (o Options) BeginWithRanges() Options {
	o.begin = rangesKind
	return o
}

// SabotageSketch makes the sketches of an initiator have these widths.
func (o Options) SabotageSketch(p summary.Params) Options {
	o.params = p
	return o
}

// SabotageSketch lets a responder read sketches of these widths.
func (o RespondOptions) SabotageSketch(p summary.Params) RespondOptions {
	o.params = p
	return o
}

// CountHashed makes an initiator count in hashed the keys whose fingerprints it computes.
func (o Options) CountHashed(hashed *int) Options {
	o.hashed = hashed
	return o
}

// CountHashed does the same for a responder.
func (o RespondOptions) CountHashed(hashed *int) RespondOptions {
	o.hashed = hashed
	return o
}

// LadderLength is the number of steps that a strategy's ladder has, those not counted
// that a sync skips where a segmented filter leaves nothing in doubt.
func LadderLength(s Strategy) int {
	steps := len(ladder(s))
	if s == StrategySegmented {
		steps -= filterAttempts - 1
	}
	return steps
}

// SegmentKey is the key of an item in a segmented filter.
func SegmentKey(salt filters.Salt, k Key) uint64 { return segmentedBy(saltedKey, salt)(k) }

// Ranged is p with what a responder sees of where the items are, and what lies outside of the
// initiator's spine.
func (p Pair) Ranged(ctx context.Context, here, there View, secret Secret) Pair {
	sums := func(v View) Summaries {
		s, _, err := v.(Linear).Summaries(ctx, secret)
		if err != nil {
			panic(err)
		}
		return s
	}
	i := &Initiator{round: round{probed: &probed{sums: sums(here)}, view: &snapshot{View: here}}}
	probe := &summary.Probe{Params: summary.Params{}, Spine: []summary.Segment{}}
	if err := i.shape(ctx, probe); err != nil {
		panic(err)
	}
	m := newMatch(&probeAsked{Probe: probe}, sums(there), summary.Derive(secret.Key, there.Label()))
	if err := m.takeOutside(ctx); err != nil {
		panic(err)
	}
	p.Outside, p.ranges = float64(m.outside), m.ranges()
	return p
}

// Unhidden returns the cost of a sync by filters in whose only round nothing is hidden.
func (p Pair) Unhidden(s Strategy) (c Cost, ok bool) {
	w, ok := wholeOf(s)
	switch {
	case ok:
		c, _ = w.round(p)
	case s == StrategySegmented && p.OnlyHere <= 100:
		c, _ = p.segmentedRound(0)
	default:
		return Cost{}, false
	}
	if p.OnlyHere == 0 && p.OnlyThere > 0 && !p.Stranger {
		c.Down = ackBytes + throughBytes
	}
	return c.plus(p.pushed(p.OnlyHere)), true
}
