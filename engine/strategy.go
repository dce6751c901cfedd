package engine

import (
	"fmt"
	"slices"

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
)

// DefaultStrategy is used where none is named.
const DefaultStrategy = StrategyFuse

// Strategies returns the strategies that can be asked for.
func Strategies() []Strategy {
	return []Strategy{
		StrategyBloom, StrategyXor, StrategyFuse, StrategyRibbon, StrategyGolomb, StrategySegmented, StrategySketch, StrategyCursor, StrategyList,
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
}

// approximate reports whether m is a filter with a rate of about 2^-8.
func (m method) approximate() bool {
	return m.kind != plainIDs && m.kind != filters.List && !m.keyless()
}

// keyless reports whether m does without the keys of a view that keeps summaries.
func (m method) keyless() bool { return m.kind == sketchKind || m.kind == cursorKind }

const (
	// plainIDs is no filter: all IDs as they are.
	plainIDs filters.Kind = 0
	// sketchKind is no filter either: a sketch, with a filter in it perhaps.
	sketchKind filters.Kind = 255
	// cursorKind is what the responder said at the end of the last sync.
	cursorKind filters.Kind = 254
	// wholeKind is the kind of filter that settles what a segmented filter leaves in doubt.
	wholeKind = filters.Ribbon
)

// hopeless is how many items make it unlikely, at 2^-8, that a filter is wrong about none.
const hopeless = 128

// Attempts of one method before the next of the ladder takes its turn.
const (
	filterAttempts = 4
	listAttempts   = 2
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
	if s == StrategyCursor {
		steps = append(steps, method{s, cursorKind})
	}
	if s == StrategySketch || s == StrategyCursor {
		s = StrategySketch
		steps = append(steps, method{s, sketchKind}, method{s, sketchKind}, method{s, sketchKind})
		steps = append(steps, slices.Repeat([]method{{s, wholeKind}}, filterAttempts)...)
	}
	for _, kind := range kinds[s] {
		steps = append(steps, slices.Repeat([]method{{s, kind}}, filterAttempts)...)
	}
	list := slices.Repeat([]method{{StrategyList, filters.List}}, listAttempts)
	return append(append(steps, list...), method{strategy: StrategyList})
}
