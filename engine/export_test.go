package engine

import (
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
