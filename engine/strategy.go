package engine

import (
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// Strategy names how an initiator summarises what it has.
type Strategy string

// The strategies. Each is exact: they differ in bytes and rounds.
const (
	StrategyBloom  Strategy = "bloom"  // a Bloom filter over the whole view
	StrategyXor    Strategy = "xor"    // a xor filter with 8-bit fingerprints
	StrategyFuse   Strategy = "fuse"   // a binary fuse filter with 8-bit fingerprints
	StrategyRibbon Strategy = "ribbon" // a ribbon filter of 8 bits
	StrategyGolomb Strategy = "golomb" // sorted hashes of 8 bits, delta-coded
	// StrategySegmented is a filter per interval of time, of which a peer that keeps
	// the last one is sent the changed ones only.
	StrategySegmented Strategy = "segmented"
	// StrategySketch is a table from which the difference is decoded: its size follows
	// from what differs.
	StrategySketch Strategy = "sketch"
	// StrategyCursor is what the responder said at the end of the last sync: its log then tells
	// what is new. Without one it is StrategySketch.
	StrategyCursor Strategy = "cursor"
	StrategyList   Strategy = "list" // short keyed IDs, sorted and delta-coded
	// StrategyAuto is what costs least by what this side knows: a cursor where there is one,
	// a filter of everything where there are few items, and a sketch for what that hides,
	// otherwise a sketch.
	StrategyAuto Strategy = "auto"
)

// DefaultStrategy is used where none is named.
const DefaultStrategy = StrategyAuto

// Strategies returns the strategies that can be asked for.
func Strategies() []Strategy {
	return []Strategy{
		StrategyBloom, StrategyXor, StrategyFuse, StrategyRibbon, StrategyGolomb, StrategySegmented,
		StrategySketch, StrategyCursor, StrategyList, StrategyAuto,
	}
}

// ParseStrategy returns the strategy of that name; the empty name is the default.
func ParseStrategy(name string) (Strategy, error) {
	if name == "" {
		return DefaultStrategy, nil
	}
	if s := Strategy(name); slices.Contains(Strategies(), s) {
		return s, nil
	}
	return "", fmt.Errorf("%w: strategy %q; there are %v", ErrOptions, name, Strategies())
}

// method is one way to summarise a set of IDs. kind is a filter's, and zero for
// the plain list of all IDs.
type method struct {
	strategy Strategy
	kind     filters.Kind
	bits     int // of a filter's rate, 0 for its kind's own
}

// approximate reports whether m is a filter with a rate of about 2^-8.
func (m method) approximate() bool {
	return m.kind != plainIDs && m.kind != filters.List && m.bits == 0 && !m.keyless()
}

// keyless reports whether m does without the keys of a view that keeps summaries.
func (m method) keyless() bool {
	return m.kind == sketchKind || m.kind == cursorKind || m.kind == rangesKind || m.kind == chooseKind
}

// nextMethod goes on to the next step of the ladder. After a sketch that is no filter of
// everything: these are for where a plan, or what the responder reads, asks for them.
func (i *Initiator) nextMethod() {
	left := i.steps[0].kind
	i.steps = i.steps[1:]
	if left == sketchKind && i.steps[0].kind == wholeKind {
		i.leave(wholeKind)
	}
	i.ranging = ranging{}
}

// widen gives the filters of everything, which a plan asks for, the bits that its estimate wants.
func (i *Initiator) widen(plan wire.Plan) {
	here, there := float64(i.round.root.Count), float64(i.report.Remote.Count)
	onlyThere := max(0, float64(plan.Estimate)+there-here) / 2
	for n := range i.steps {
		if i.steps[n].kind == wholeKind {
			i.steps[n].bits = everythingBits(min(there, onlyThere))
		}
	}
}

const (
	// plainIDs is no filter: all IDs as they are.
	plainIDs filters.Kind = 0
	// sketchKind is no filter either: a sketch, with a filter in it perhaps.
	sketchKind filters.Kind = 255
	// cursorKind is what the responder said at the end of the last sync.
	cursorKind filters.Kind = 254
	// rangesKind is a bisection: roots of ranges, then the IDs in those that differ.
	rangesKind filters.Kind = 253
	// chooseKind stands before sketchKind and wholeKind, of which one is to be chosen.
	chooseKind filters.Kind = 252
	// wholeKind is the kind of filter that settles what a segmented filter leaves in doubt.
	wholeKind = filters.Ribbon
)

// hopeless is how many items make it unlikely, at 2^-8, that a filter is wrong about none.
const hopeless = 128

// Attempts of one method before the next of the ladder takes its turn.
const (
	filterAttempts = 4
	listAttempts   = 2
	sketchAttempts = 2 // the second under a salt of its own
	rangesAttempts = 2 // a set that changes between the rounds of one makes it fail
)

// ladder returns what a sync tries one after the other while the identity of
// roots fails. The salt is fresh at each step, but for the first of StrategySegmented;
// the last step uses no hash function at all, so it cannot fail for want of luck.
func ladder(s Strategy) []method {
	kinds := map[Strategy][]filters.Kind{
		StrategyBloom: {filters.Bloom}, StrategyXor: {filters.Xor8}, StrategyFuse: {filters.Fuse8},
		StrategyRibbon: {filters.Ribbon}, StrategyGolomb: {filters.Golomb},
		StrategySegmented: {filters.Segmented, wholeKind},
	}
	var steps []method
	if s == StrategyCursor || s == StrategyAuto {
		steps = append(steps, method{strategy: StrategyCursor, kind: cursorKind})
	}
	filtered := StrategySketch
	if s == StrategyAuto {
		filtered = StrategyRibbon
		steps = append(steps, method{strategy: s, kind: chooseKind})
	}
	if s == StrategySketch || s == StrategyCursor || s == StrategyAuto {
		s = StrategySketch
		steps = append(steps, slices.Repeat([]method{{strategy: s, kind: sketchKind}}, sketchAttempts)...)
		// Filters of everything are only for where so much differs on both sides that no sketch
		// can tell it, or where the responder reads none; else they are left out.
		steps = append(steps, slices.Repeat([]method{{filtered, wholeKind, wholeBits}}, filterAttempts)...)
		steps = append(steps, slices.Repeat([]method{{strategy: s, kind: rangesKind}}, rangesAttempts)...)
	}
	for _, kind := range kinds[s] {
		steps = append(steps, slices.Repeat([]method{{strategy: s, kind: kind}}, filterAttempts)...)
	}
	list := slices.Repeat([]method{{strategy: StrategyList, kind: filters.List}}, listAttempts)
	return append(append(steps, list...), method{strategy: StrategyList})
}

// first returns what an initiator of n items begins with where it has no cursor and knows
// nothing of the other side: sketchKind, or wholeKind for a filter over everything.
//
// No strategy takes less than one round. So a filter that settles any difference in one, and
// costs at most a quarter of a round's price, is within 1.25 of the best where the responder
// lacks nothing. Where it lacks something, its filter of what was let through comes
// on top: at n = 10^4 and 5 or 50 items on each side, 25 kB and then 12 or 15. Without a secret, a
// sketch takes a second round for certain, and the filter may cost as much as that. It is
// also chosen where it is shorter than the first probe.
//
// What it may be off by, in bytes and rounds until the difference is known, over the cheapest
// strategy for the case, at worst over both directions and either, 0 to 10^4 differences
// of either side or both, and disjoint sets: 1.02 at n = 10^3, 1.08 at 3*10^3, 1.18 at 6*10^3,
// 1.31 at 10^4, 1.38 at 1.24*10^4, where the filter reaches its limit, and beyond it 2.1: a
// sketch that turns out too small takes a second round. A sketch for every n is off by 2.0
// at n <= 3*10^3 and 1.8 at 10^4; a filter of 12 bits by 2.9 at 6*10^3 and one of 16 bits by 1.5 at
// 10^4, because they hide something of 2*10^4 items there; a sketch together with a filter of 8 bits
// by 1.8 to 2.1, because that tells nothing of what only the initiator has.
// No choice between the two is off by less than the square root of 2 at every n: where a filter
// costs a share s of a round, one is off by 1+s at d = 0, the other by 2/(1+s) at large d.
func first(n uint64, stranger bool, roundPrice float64) filters.Kind {
	probe, limit := probeLen(n, firstCells), roundPrice/4
	if stranger {
		limit = roundPrice
	}
	if filterLen(wholeKind, float64(n), wholeBits) <= max(probe, limit) {
		return wholeKind
	}
	return sketchKind
}
