package engine

import "github.com/dwn-sync/dwnsync/filters"

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

// LadderLength is the number of steps that a strategy's ladder has.
func LadderLength(s Strategy) int { return len(ladder(s)) }
