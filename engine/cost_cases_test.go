package engine_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// directedCases are what each direction is measured of.
func directedCases(t *testing.T, n int) []*costSets {
	few, none := n/500, func(int) bool { return false }
	return []*costSets{
		makeCostSets(t, "equal", n, all, all, 0),
		makeCostSets(t, "few", n, lacking(n, few), all, few),
		makeCostSets(t, "theirs/d=100", n, lacking(n, 100), all, 0),
		makeCostSets(t, "ours/d=100", n, all, lacking(n, 100), 0),
		makeCostSets(t, "both/d=300", n, lacking(n, 150), all, 150),
		makeCostSets(t, "theirs/d=900", n, lacking(n, 900), all, 0),
		makeCostSets(t, "ours/d=900", n, all, lacking(n, 900), 0),
		makeCostSets(t, "newest/d=500", n, func(i int) bool { return i < n-500 }, all, 0),
		makeCostSets(t, "disjoint", n, none, all, n),
		makeCostSets(t, "empty here", n, none, all, 0),
		makeCostSets(t, "empty there", n, all, none, 0),
	}
}

// TestCostDirections holds the table to syncs that only pull, or only push.
func TestCostDirections(t *testing.T) {
	for n, runs := range costRuns() {
		for _, direction := range []engine.Direction{engine.Pull, engine.Push} {
			t.Run(fmt.Sprintf("n=%d/%s", n, direction), func(t *testing.T) {
				generation := uint64(1)
				for _, s := range directedCases(t, n) {
					s.direction = direction
					p := s.pair(t)
					for _, strategy := range engine.Strategies() {
						if strategy != engine.StrategyCursor && strategy != engine.StrategyAuto {
							s.checkCost(t, p, strategy, s.measure(t, strategy, runs, &generation))
						}
					}
				}
			})
		}
	}
}

// TestCostStranger: what an initiator without a secret pays, which it then has.
func TestCostStranger(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		for _, s := range directedCases(t, 1000) {
			s.direction = direction
			p := s.pair(t)
			p.Stranger = true
			for _, strategy := range engine.Strategies() {
				if strategy == engine.StrategyCursor || strategy == engine.StrategyAuto {
					continue
				}
				// A set whose secret was never set, with the items of the other one.
				kept := s.a
				s.a = &enginetest.Set{KeepSummaries: true}
				s.a.Add(payloadsOf(t, kept)...)
				generation := uint64(1)
				s.checkCost(t, p, strategy, s.measure(t, strategy, 1, &generation))
				s.a = kept
			}
		}
	}
}

func payloadsOf(t *testing.T, set *enginetest.Set) (payloads [][]byte) {
	t.Helper()
	for item, err := range viewFor(t, set).Items(t.Context(), set.Keys()) {
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, item.Payload)
	}
	return payloads
}

// TestCostIDs holds the last step of every ladder to what it takes.
func TestCostIDs(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		for _, s := range directedCases(t, 1000) {
			s.direction = direction
			r, err := engine.SyncByIDs(t.Context(), s.a, engine.Direct{Replica: s.b}, engine.Options{Direction: direction})
			if err != nil || !r.Complete {
				t.Fatalf("%s: %v: %+v", s.name, err, r)
			}
			want, got := s.pair(t).IDs(), costOf(r)
			if math.Abs(want.Bytes()-got.Bytes()) > 0.15*got.Bytes() || want.Rounds != got.Rounds {
				t.Errorf("%s %s: took %+v, the table says %+v", s.name, direction, got, want)
			}
		}
	}
}

func costOf(r engine.Report) engine.Cost {
	return engine.Cost{Up: float64(r.Up.Metadata), Down: float64(r.Down.Metadata), Rounds: float64(r.Rounds)}
}

// cursorSealed is the length of the token that a reply to a sync with a cursor ends with.
type cursorSealed struct {
	engine.Direct
	length int
}

func (c *cursorSealed) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	reply, err := c.Direct.Exchange(ctx, head, items)
	return func(yield func(wire.Frame, error) bool) {
		for f, err := range reply {
			var ack wire.Ack
			if f.Type == wire.TypeAck && wire.DecodeBody(f, &ack) == nil {
				c.length = len(ack.Cursor)
			}
			if !yield(f, err) {
				return
			}
		}
	}, err
}

// TestCostCursor holds a sync by a cursor to the table: what came in since on one side, on the
// other, on both apart, and on both alike.
func TestCostCursor(t *testing.T) {
	const n = 1000
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		for _, c := range []struct{ here, there, both int }{
			{0, 0, 0}, {0, 1, 0}, {1, 0, 0}, {0, 700, 0}, {700, 0, 0}, {40, 60, 0}, {0, 0, 300}, {90, 0, 80}, {30, 400, 500},
		} {
			s := makeCostSets(t, "cursor", n, all, all, 0)
			peer := &cursorSealed{Direct: engine.Direct{Replica: s.b, Options: engine.RespondOptions{Sealer: sealer("b")}}}
			opt := engine.Options{Strategy: engine.StrategyCursor, Direction: direction, Cursor: new(engine.CursorMemory)}
			if _, err := engine.Sync(t.Context(), s.a, peer, opt); err != nil {
				t.Fatal(err)
			}
			for i := range c.here {
				s.a.Add(costItem(n+i, 'a'))
			}
			for i := range c.there {
				s.b.Add(costItem(n+i, 'b'))
			}
			for i := range c.both {
				s.a.Add(costItem(n+i, 's'))
				s.b.Add(costItem(n+i, 's'))
			}
			p := engine.Pair{
				Here: uint64(s.a.Len()), There: uint64(s.b.Len()), Direction: direction,
				OnlyHere: float64(c.here), OnlyThere: float64(c.there),
				Cursor: true, SinceBoth: float64(c.both), Token: peer.length,
			}
			want, _ := p.Cost(engine.StrategyCursor)
			r, err := engine.Sync(t.Context(), s.a, peer, opt)
			got := costOf(r)
			if err != nil || !r.Complete || math.Abs(want.Bytes()-got.Bytes()) > 0.15*got.Bytes() || want.Rounds != got.Rounds {
				t.Errorf("%+v %s: %v: took %+v, the table says %+v", c, direction, err, got, want)
			}
		}
	}
}
