package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/bench/internal/baseline"
	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
)

// mixed is a divergence that is another one in each operation, of up to d keys.
const mixed datasets.Divergence = "mixed"

// strategyCase is who lacks how many of n keys: the initiator d of those that the responder
// has, or each side d/2 where they sync in both directions.
type strategyCase struct {
	divergence datasets.Divergence
	direction  engine.Direction
	n, d       int
}

func (c strategyCase) String() string {
	return fmt.Sprintf("divergence=%s/direction=%s/n=%d/d=%d", c.divergence, c.direction, c.n, c.d)
}

// strategyCases are those of n keys. Nothing and one key are missing nowhere in particular, and
// all of them are the cases fresh and disjoint.
func strategyCases(n int) []strategyCase {
	all := []strategyCase{{datasets.Scattered, engine.Pull, n, 0}}
	for d := 1; d <= min(n/10, 100_000); d *= 10 {
		all = append(all, strategyCase{datasets.Scattered, engine.Pull, n, d}, strategyCase{datasets.Newest, engine.Pull, n, d})
		if d > 1 {
			all = append(all, strategyCase{datasets.Recent, engine.Pull, n, d}, strategyCase{datasets.Scattered, engine.Both, n, d})
		}
	}
	return append(
		all,
		strategyCase{mixed, engine.Pull, n, min(n/10, 100_000)},
		strategyCase{datasets.Fresh, engine.Pull, n, n},
		strategyCase{datasets.Disjoint, engine.Both, n, n},
	)
}

func strategySizes() []int {
	sizes := []int{10_000, 100_000}
	if *large {
		sizes = append(sizes, 1_000_000)
	}
	if *huge {
		sizes = append(sizes, 10_000_000)
	}
	return sizes
}

// contender is a strategy of the engine, or a baseline.
type contender struct {
	name     string
	strategy engine.Strategy
	baseline baseline.System
	// remembers is whether the two synced when neither had what the other now lacks.
	remembers bool
}

// mostOverHTTP is the largest n of which each benchmark makes a sync through HTTP too. Beyond
// it a filter or a list of everything is only as much longer as n is larger.
const mostOverHTTP = 1_000_000

// keeps reports whether it uses summaries that are kept.
func (c contender) keeps() bool { return keepsSummaries(c.strategy) }

// keepsSummaries reports whether a strategy is for views that keep summaries.
func keepsSummaries(s engine.Strategy) bool {
	return slices.Contains([]engine.Strategy{engine.StrategySketch, engine.StrategyCursor, engine.StrategyAuto}, s)
}

// contenders are those of a case.
func (c strategyCase) contenders() []contender {
	all := []contender{
		{name: "sketch", strategy: engine.StrategySketch},
		{name: "cursor", strategy: engine.StrategyCursor, remembers: true},
		{name: "auto", strategy: engine.StrategyAuto},
		{name: "auto-again", strategy: engine.StrategyAuto, remembers: true},
		{name: "ribbon", strategy: engine.StrategyRibbon},
		{name: "segmented", strategy: engine.StrategySegmented},
		{name: "list", strategy: engine.StrategyList},
		{name: "riblt", baseline: baseline.RIBLT{}},
		{name: "negentropy", baseline: baseline.Negentropy{}},
	}
	return slices.DeleteFunc(all, func(one contender) bool {
		whole := c.divergence == datasets.Fresh || c.divergence == datasets.Disjoint
		return one.remembers && whole || !one.keeps() && one.baseline == nil && c.n > mostOverHTTP
	})
}

// stage is n keys, and two nodes that keep summaries of those that they do not lack.
type stage struct {
	keys        []engine.Key
	here, there *keeper
}

func newStage(tb testing.TB, n int) *stage {
	_, there := newSets(tb, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Newest, N: n})
	keys, secret := allOf(there), secretOf(*seed<<32)
	return &stage{keys: keys, here: newKeeper(keys, secret), there: newKeeper(keys, secret)}
}

// BenchmarkStrategies: one operation is one sync between nodes that share the secret and
// keep their summaries; each lacks other keys than in the operation before, but by those
// divergences that say which. Bytes are metadata, and rounds those until the difference is
// known. Up to a million keys the first sync between keepers is made again through HTTP on
// loopback, which fails where its bytes are others. here-ns and there-ns are CPU time of the sides, without what reads, moves and
// stores the items and keeps the summaries. bound-B is the information that tells one
// outcome of the divergence from the others. With cursor and auto-again the two synced before
// anything was missing. Baselines and filters keep what they can, as in BenchmarkReconcile.
func BenchmarkStrategies(b *testing.B) {
	for _, n := range strategySizes() {
		s := sync.OnceValue(func() *stage { return newStage(b, n) })
		for _, c := range strategyCases(n) {
			for _, one := range c.contenders() {
				b.Run(fmt.Sprintf("strategy=%s/%v", one.name, c), func(b *testing.B) { benchStrategy(b, s(), c, one) })
			}
		}
	}
}

func benchStrategy(b *testing.B, s *stage, c strategyCase, one contender) {
	var t tally
	var sizes, theirs []int
	var first outcome
	bound := 0.0
	for b.Loop() {
		b.StopTimer()
		i := *seed<<32 + uint64(len(sizes))
		l := c.draw(chacha(i))
		reconcile, err := s.prepare(b.Context(), c.direction, one, l, i)
		if err != nil {
			b.Fatal(err)
		}
		if len(sizes) == 0 {
			runtime.GC() // what was left behind is nobody's CPU time
		}
		b.StartTimer()
		o, err := reconcile(b.Context(), i)
		if err != nil {
			b.Fatal(err)
		}
		if t.add(o); len(sizes) == 0 {
			first = o
		}
		sizes, theirs = append(sizes, int(o.Up+o.Down)), append(theirs, int(o.There))
		bound += l.bound / 8
	}
	t.report(b)
	b.ReportMetric(float64(percentile(sizes, 99)), "p99-metadata-B")
	b.ReportMetric(float64(percentile(theirs, 99)), "p99-there-ns")
	b.ReportMetric(bound/float64(len(sizes)), "bound-B/op")
	if !one.keeps() || c.n > mostOverHTTP {
		return
	}
	if err := s.sameOverHTTP(b, c, one, *seed<<32, first); err != nil {
		b.Fatal(err)
	}
}

// prepare returns the reconciliation of two sides that lack that.
func (s *stage) prepare(ctx context.Context, direction engine.Direction, one contender, l lacked, i uint64) (reconcile, error) {
	if one.keeps() {
		return s.kept(ctx, direction, one, l, i)
	}
	p := pairOf(s.without(l.here), s.without(l.there))
	reconcile := p.byEngine(one.strategy, direction)
	if one.baseline != nil {
		reconcile = p.byBaseline(one.baseline)
	}
	return func(ctx context.Context, i uint64) (outcome, error) {
		o, err := reconcile(ctx, i)
		return o, errors.Join(err, p.check(o.Outcome, false))
	}, nil
}

// without returns all keys but those of some indices, which ascend.
func (s *stage) without(indices []uint32) keySet {
	keys := make(keySet, 0, len(s.keys)-len(indices))
	from := 0
	for _, at := range indices {
		keys = append(keys, s.keys[from:at]...)
		from = int(at) + 1
	}
	return append(keys, s.keys[from:]...)
}

// kept is the reconciliation of the two keepers. One that remembers has synced
// when neither had what the other now lacks.
func (s *stage) kept(ctx context.Context, direction engine.Direction, one contender, l lacked, i uint64) (reconcile, error) {
	sealer, err := newSealer()
	if err != nil {
		return nil, err
	}
	opt, err := s.begin(ctx, direction, one, l, i, sealer)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, i uint64) (outcome, error) {
		var m meter
		s.here.pause, s.there.pause = m.pause, m.pause
		r, err := m.run(ctx, s.here, engine.Direct{Replica: s.there, Options: engine.RespondOptions{Random: chacha(2*i + 1), Limits: wideLimits(), Sealer: sealer}}, opt)
		s.here.pause, s.there.pause = nil, nil
		sent := len(l.there)
		if !direction.Pushes() {
			sent = 0
		}
		if err == nil && (!r.Complete || r.RootsEqual != (sent == len(l.there)) || r.Received != len(l.here) || r.Sent != sent) {
			err = fmt.Errorf("the sync should have brought %d items and taken %d: %+v", len(l.here), sent, r)
		}
		return m.outcome(r), err
	}, nil
}

// begin makes the keepers lack that, and returns how the initiator syncs.
func (s *stage) begin(ctx context.Context, direction engine.Direction, one contender, l lacked, i uint64, sealer engine.Sealer) (engine.Options, error) {
	opt := engine.Options{Strategy: one.strategy, Direction: direction, Random: chacha(2 * i), Limits: wideLimits()}
	if !one.remembers {
		return opt, errors.Join(s.here.lack(l.here), s.there.lack(l.there))
	}
	var err error
	opt.Cursor, err = s.synced(ctx, opt, l, sealer)
	return opt, err
}

// wideLimits have room for all items in one reply.
func wideLimits() engine.Limits {
	return engine.Limits{ReplyBytes: 1 << 30, RequestBytes: 1 << 30}
}

// synced makes the two keepers sync when neither has what the other lacks, and then get it.
func (s *stage) synced(ctx context.Context, opt engine.Options, l lacked, sealer engine.Sealer) (*engine.CursorMemory, error) {
	both := slices.Concat(l.here, l.there)
	if err := errors.Join(s.here.lack(both), s.there.lack(both)); err != nil {
		return nil, err
	}
	opt.Cursor = new(engine.CursorMemory)
	r, err := engine.Sync(ctx, s.here, engine.Direct{Replica: s.there, Options: engine.RespondOptions{Sealer: sealer}}, opt)
	if err == nil && r.Rounds != 1 {
		err = fmt.Errorf("two equal sets took %d rounds", r.Rounds)
	}
	return opt.Cursor, errors.Join(err, s.here.arrive(l.there), s.there.arrive(l.here))
}

// TestStrategies runs every strategy once on every case of few keys.
func TestStrategies(t *testing.T) {
	const n = 1000
	s := newStage(t, n)
	for _, c := range strategyCases(n) {
		for _, one := range c.contenders() {
			name := fmt.Sprintf("strategy=%s/%v", one.name, c)
			m := once(t, name, func(b *testing.B) { benchStrategy(b, s, c, one) })
			within(t, name, m, "rounds/op", 1, 14)
			within(t, name, m, "p99-metadata-B", m["metadata-B/op"], m["metadata-B/op"]) // of a single operation
			within(t, name, m, "metadata-B/op", 1, 800*float64(c.d)+8*n)
			within(t, name, m, "bound-B/op", 0, float64(c.d)*math.Log2(n)/8+n/4)
			if one.remembers {
				within(t, name, m, "rounds/op", 1, 1)
			}
			if one.baseline == nil && c.divergence != mixed {
				within(t, name, m, "transfer-ns/op", float64(min(c.d, 1)), math.Inf(1))
			}
		}
	}
}
