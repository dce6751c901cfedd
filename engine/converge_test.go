package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/filters"
)

// sabotage returns a hash function under which about half of all foreign keys
// are false positives of a set of n keys, whatever the filter.
func sabotage(n int) func(filters.Salt, engine.ID) uint64 {
	return func(salt filters.Salt, id engine.ID) uint64 {
		const spread = 0x9e3779b97f4a7c15 // odd, so that a list, which keeps the top bits, can tell them apart
		return salt.Key(id) % uint64(max(2, n+n*44/100)) * spread
	}
}

// pairs is how many random pairs a convergence test tries: 1000 pairs are spread
// over the combinations by default, 200 under the race detector, or all of them each by DWNSYNC_PAIRS=1000.
func pairs(t *testing.T, combinations int) int {
	if s := os.Getenv("DWNSYNC_PAIRS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := 1000
	if raceDetector { // ten times slower, and the engine starts no goroutines
		n = 200
	}
	return (n + combinations - 1) / combinations
}

// TestConverge: whatever the two sets are, after a sync each side holds what the
// direction promises, nothing is lost or invented (I1, I2), and a second sync
// moves nothing (I4); so also after both sides gained and lost items. What a peer
// remembers of one sync for the next makes no difference but in bytes.
func TestConverge(t *testing.T) {
	combinations := len(engine.Strategies()) * 3
	for _, strategy := range engine.Strategies() {
		for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			for _, sabotaged := range []bool{false, true} {
				t.Run(fmt.Sprintf("strategy=%s/direction=%s/sabotaged=%t", strategy, direction, sabotaged), func(t *testing.T) {
					t.Parallel()
					for n := range pairs(t, combinations) {
						p := newPair(uint64(n)*31 + uint64(strategy[0]))
						p.strategy, p.direction = strategy, direction
						if sabotaged {
							p.hash = sabotage(max(p.a.Len(), p.b.Len()))
						}
						if n%3 > 0 {
							p.memory, p.cursor = new(engine.SegmentMemory), new(engine.CursorMemory)
						}
						if n%3 > 1 {
							p.cache = engine.NewSegmentCache(1 << 20)
						}
						p.check(t)
						again := map[engine.Strategy]int{engine.StrategySegmented: 1, engine.StrategyCursor: 3}[strategy]
						if again == 0 && n%4 == 0 {
							again = 1
						}
						for range again {
							p.change()
							p.check(t)
						}
					}
				})
			}
		}
	}
}

// union returns the keys that a or b holds.
func union(a, b *enginetest.Set) []engine.Key {
	keys := slices.SortedFunc(slices.Values(append(a.Keys(), b.Keys()...)), engine.Key.Compare)
	return slices.Compact(keys)
}

// pair is two overlapping random sets, and what syncs between them are done with.
type pair struct {
	a, b      *enginetest.Set
	random    *rand.Rand
	seed      uint64
	strategy  engine.Strategy
	direction engine.Direction
	hash      func(filters.Salt, engine.ID) uint64 // nil for the honest one
	memory    *engine.SegmentMemory
	cache     *engine.SegmentCache
	cursor    *engine.CursorMemory
}

// newPair spreads the items of half of the pairs over a thousand time buckets. Half of
// the sets keep their roots, half all summaries.
func newPair(seed uint64) pair {
	keep := seed / 2
	p := pair{
		a:      &enginetest.Set{KeepRoot: keep%2 > 0, KeepSummaries: keep/4%2 > 0},
		b:      &enginetest.Set{KeepRoot: keep%4 > 1, KeepSummaries: keep/8%2 > 0},
		random: rand.New(rand.NewPCG(seed, 1)), seed: seed,
	}
	size := [...]int{1, 3, 30, 300, 3000}[p.random.IntN(5)]
	inA, inB := p.random.Float64(), p.random.Float64()
	unit := int64(1) << (28 * (seed % 2))
	for i := range p.random.IntN(size + 1) {
		item := enginetest.Payload(int64(p.random.IntN(1000))*unit, fmt.Sprintf("%d/%d", seed, i))
		if p.random.Float64() < inA {
			p.a.Add(item)
		}
		if p.random.Float64() < inB {
			p.b.Add(item)
		}
	}
	return p
}

// change adds some items to either side and removes some from one or both, few enough
// for most segments to stay as they are.
func (p pair) change() {
	at := int64(p.random.IntN(1000)) << (28 * (p.seed % 2))
	for i := range p.random.IntN(20) {
		item := enginetest.Payload(at+int64(i), fmt.Sprintf("%d/later/%d", p.seed, at))
		[]*enginetest.Set{p.a, p.b}[p.random.IntN(2)].Add(item)
	}
	all := union(p.a, p.b)
	for range min(p.random.IntN(3), len(all)) {
		k := all[p.random.IntN(len(all))]
		if p.random.IntN(2) == 0 {
			p.a.Remove(k)
		}
		if p.random.IntN(2) == 0 {
			p.b.Remove(k)
		}
	}
}

func (p pair) run(t *testing.T) (engine.Report, error) {
	opt := engine.Options{Strategy: p.strategy, Direction: p.direction, Random: chacha(p.seed), Segments: p.memory, Cursor: p.cursor}
	peer := engine.RespondOptions{Random: chacha(p.seed + 1), Segments: p.cache, Sealer: sealer("b")}
	if p.hash != nil {
		opt, peer = opt.Sabotage(p.hash), peer.Sabotage(p.hash)
	}
	return engine.Sync(t.Context(), p.a, engine.Direct{Replica: p.b, Options: peer}, opt)
}

// check syncs twice.
func (p pair) check(t *testing.T) {
	t.Helper()
	union := union(p.a, p.b)
	wantA, wantB := p.a.Keys(), p.b.Keys()
	received, sent := 0, 0
	if p.direction.Pulls() {
		received, wantA = len(union)-len(wantA), union
	}
	if p.direction.Pushes() {
		sent, wantB = len(union)-len(wantB), union
	}
	for second := range 2 {
		report, err := p.run(t)
		if err != nil {
			t.Fatalf("pair %d: %v\n%+v", p.seed, err, report)
		}
		p.checkReport(t, report, received*(1-second), sent*(1-second), slices.Equal(wantA, wantB))
		if !slices.Equal(p.a.Keys(), wantA) || !slices.Equal(p.b.Keys(), wantB) {
			t.Fatalf("pair %d: sets are not what %s promises\n%+v", p.seed, p.direction, report)
		}
	}
}

func (p pair) checkReport(t *testing.T, r engine.Report, received, sent int, equal bool) {
	t.Helper()
	if r.Received != received || r.Sent != sent || !r.Complete || r.RootsEqual != equal {
		t.Fatalf("pair %d: got %+v, want %d received, %d sent, equal %t", p.seed, r, received, sent, equal)
	}
	total := 0
	for _, n := range r.Delivered {
		total += n
	}
	if total != received+sent {
		t.Fatalf("pair %d: delivered %v, want %d in all", p.seed, r.Delivered, received+sent)
	}
	by := r.Delivered[p.strategy]
	if p.strategy == engine.StrategyCursor {
		by += r.Delivered[engine.StrategySketch] // without a cursor it is that
	}
	if p.strategy == engine.StrategyAuto {
		by = r.Delivered[engine.StrategyCursor] + r.Delivered[engine.StrategySketch] + r.Delivered[engine.StrategyRibbon]
	}
	if p.hash == nil && float64(by) < 0.99*float64(total) {
		t.Fatalf("pair %d: %s delivered %d of %d", p.seed, p.strategy, by, total)
	}
}
