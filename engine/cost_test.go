package engine_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// measured are some syncs of the same sets under several secrets.
type measured struct {
	engine.Cost // their mean
	each        []asked
	most        int // rounds of one of them until the difference was known
}

// asked is a sync, and how many of its requests had a summary.
type asked struct {
	engine.Cost
	summaries int
}

// asking counts requests that have a summary.
type asking struct {
	engine.Direct
	summaries int
}

func (a *asking) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	if slices.ContainsFunc(head, func(f wire.Frame) bool { return f.Type == wire.TypeSummary }) {
		a.summaries++
	}
	return a.Direct.Exchange(ctx, head, items)
}

// measure syncs the sets so many times by a strategy.
func (s *costSets) measure(t *testing.T, strategy engine.Strategy, runs int, generation *uint64) (m measured) {
	t.Helper()
	for run := range runs {
		peer := &asking{Direct: engine.Direct{Replica: s.b, Options: engine.RespondOptions{Random: chacha(uint64(run))}}}
		r, err := engine.Sync(t.Context(), s.a, peer, engine.Options{Strategy: strategy, Direction: s.direction, Random: chacha(uint64(run + 100))})
		if err != nil || !r.Complete || s.direction == engine.Both && !r.RootsEqual {
			t.Fatalf("%s by %s: %v: %+v", s.name, strategy, err, r)
		}
		c := engine.Cost{Up: float64(r.Up.Metadata), Down: float64(r.Down.Metadata), Rounds: float64(r.Rounds)}
		m.each = append(m.each, asked{c, peer.summaries})
		m.Up, m.Down, m.Rounds = m.Up+c.Up/float64(runs), m.Down+c.Down/float64(runs), m.Rounds+c.Rounds/float64(runs)
		m.most = max(m.most, r.Rounds-s.pushes())
		*generation++
		s.restore(t, *generation)
	}
	return m
}

// pushes returns how many rounds follow the one that tells the difference, to push.
func (s *costSets) pushes() int {
	if !s.direction.Pushes() {
		return 0
	}
	return (s.onlyHere + wire.MaxRequestItems - 1) / wire.MaxRequestItems
}

// costRuns returns how many syncs are measured of each case with n items: as many as a
// filter's chance of another round wants, and the time allows.
func costRuns() map[int]int {
	switch {
	case os.Getenv("DWNSYNC_LONG") == "1":
		return map[int]int{1000: 40, 10_000: 20, 100_000: 4}
	case raceDetector || testing.Short():
		return map[int]int{1000: 2}
	}
	return map[int]int{1000: 4, 10_000: 1}
}

// TestCostModel holds the table to what syncs take, and auto to what it promises: at most 1.25
// of the best strategy in bytes and rounds, and at most three rounds.
func TestCostModel(t *testing.T) {
	for n, runs := range costRuns() {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			generation := uint64(1)
			for _, s := range costCases(t, n) {
				p, best, by := s.pair(t), math.Inf(1), engine.Strategy("")
				var auto measured
				for _, strategy := range engine.Strategies() {
					if strategy == engine.StrategyCursor {
						continue // without one it is a sketch
					}
					got := s.measure(t, strategy, runs, &generation)
					if strategy == engine.StrategyAuto {
						auto = got
						continue
					}
					s.checkCost(t, p, strategy, got)
					if cost := got.Priced(0); cost < best {
						best, by = cost, strategy
					}
				}
				t.Logf("%-18s auto %5.0f up %6.0f down %.2f rounds: %.2f of %s", s.name, auto.Up, auto.Down, auto.Rounds, auto.Priced(0)/best, by)
				if auto.Priced(0) > 1.25*best || auto.most > 3 {
					t.Errorf("%s: auto takes %.0f, %s %.0f; %d rounds at most", s.name, auto.Priced(0), by, best, auto.most)
				}
			}
		})
	}
}

// checkCost compares the table with what was measured. Whether a filter hides something, which
// takes another round, is chance: where it hid nothing, each sync is compared, and otherwise
// a mean of many, which is off by three of its standard deviations at most.
func (s *costSets) checkCost(t *testing.T, p engine.Pair, strategy engine.Strategy, got measured) {
	t.Helper()
	want, ok := p.Cost(strategy)
	if !ok || s.unclaimed(strategy) {
		return
	}
	fits := func(got, want engine.Cost, slack float64) {
		certain := math.Abs(want.Rounds-math.Round(want.Rounds)) < 0.05
		if certain && math.Abs(want.Rounds-got.Rounds) > 0.1 || math.Abs(want.Bytes()-got.Bytes()) > 0.15*got.Bytes()+slack {
			t.Errorf("%s by %s: %.0f up, %.0f down, %.2f rounds; the table says %.0f, %.0f, %.2f (%.2f)",
				s.name, strategy, got.Up, got.Down, got.Rounds, want.Up, want.Down, want.Rounds, want.Bytes()/got.Bytes())
		}
	}
	unhidden, filter := p.Unhidden(strategy)
	for _, one := range got.each {
		if filter && one.summaries == 1 {
			fits(one.Cost, unhidden, 0)
		}
	}
	switch runs := float64(len(got.each)); {
	case strategy == engine.StrategySketch:
		fits(got.Cost, want, 0)
	case runs >= 20:
		again := 1 - math.Exp(-float64(s.onlyHere+s.onlyThere)/256)
		fits(got.Cost, want, 3*math.Sqrt(again*(1-again)/runs)*want.Bytes()/want.Rounds)
	}
}

// unclaimed reports where the table says nothing: what a filter hides lies in few segments where
// what is lacked does, and of a handful of keys, as disjoint sets leave for the second half, a
// filter is better or worse than its rate by chance.
func (s *costSets) unclaimed(strategy engine.Strategy) bool {
	switch strategy {
	case engine.StrategySegmented:
		return s.name[0] == 'n' || s.name[0] == 'r' || s.name == "disjoint"
	case engine.StrategySketch, engine.StrategyList:
		return false
	}
	return s.name == "disjoint"
}
