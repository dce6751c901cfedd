package engine_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// TestExplain: what Explain says of the strategy that auto takes is what auto then takes, and to say it
// moves nothing.
func TestExplain(t *testing.T) {
	const n = 16_000 // more than what auto takes a filter for
	for _, c := range []struct {
		name        string
		here, there func(int) bool
		own         int
		takes       engine.Strategy
		exact       bool
	}{
		{"equal", all, all, 0, engine.StrategySketch, true},
		{"few", lacking(n, 50), all, 30, engine.StrategySketch, true},
		{"newest gap", func(i int) bool { return i < n-500 }, all, 0, engine.StrategySketch, true},
		{"many", lacking(n, 1000), all, 0, engine.StrategySketch, false},
		{"many of ours", all, lacking(n, 1000), 0, engine.StrategySketch, false},
		{"many, and a newest gap", func(i int) bool { return i < n-2000 && i%20 > 0 }, all, 700, engine.StrategySketch, false},
		{"many on both sides", lacking(n, 1000), all, 1000, engine.StrategySketch, false},
		{"little here", func(i int) bool { return i%20 == 0 }, all, 0, engine.StrategyRibbon, false},
		{"nothing in common", func(i int) bool { return i >= n-1 }, func(i int) bool { return i < n-1 }, n, engine.StrategySketch, false},
		{"nothing here", func(int) bool { return false }, all, 0, engine.StrategyRibbon, true},
		{"nothing there", all, func(int) bool { return false }, 0, engine.StrategySketch, true},
	} {
		s := makeCostSets(t, c.name, n, c.here, c.there, c.own)
		generation := uint64(1)
		for _, direction := range []engine.Direction{engine.Both, engine.Pull, engine.Push} {
			t.Run(c.name+"/"+string(direction), func(t *testing.T) {
				s.direction = direction
				e, err := engine.Explain(t.Context(), s.a, engine.Direct{Replica: s.b}, engine.Options{Direction: direction})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(s.a.Keys(), s.beforeA) || !slices.Equal(s.b.Keys(), s.beforeB) || e.Requests != 1 {
					t.Errorf("after %d requests the sets are of %d and %d", e.Requests, s.a.Len(), s.b.Len())
				}
				if e.Takes != c.takes || e.Exact != c.exact || e.Why == "" || e.Cursor {
					t.Errorf("got %+v", e)
				}
				s.checkExplained(t, e, &generation)
			})
		}
	}
}

// checkExplained compares an explanation with the sets, and with a sync: within 15 % if it is exact.
// An estimate has an error of 9 %, so that its halves may be off by 25, and what follows by 30.
func (s *costSets) checkExplained(t *testing.T, e engine.Explanation, generation *uint64) {
	t.Helper()
	margin, fits := 0.25*float64(s.onlyHere+s.onlyThere), 0.3
	if e.Exact {
		margin, fits = 0, 0.15
	}
	if math.Abs(e.OnlyHere-float64(s.onlyHere)) > margin || math.Abs(e.OnlyThere-float64(s.onlyThere)) > margin ||
		e.Here.Count != uint64(len(s.beforeA)) || e.There.Count != uint64(len(s.beforeB)) || e.Equal() != (s.onlyHere+s.onlyThere == 0) {
		t.Errorf("%d here, %d there, of these %d and %d alone: got %+v", len(s.beforeA), len(s.beforeB), s.onlyHere, s.onlyThere, e)
	}
	got := s.measure(t, engine.StrategyAuto, 1, generation)
	want := e.Costs[slices.IndexFunc(e.Costs, func(c engine.StrategyCost) bool { return c.Strategy == engine.StrategyAuto })]
	unlucky := math.Abs(want.Rounds - got.Rounds) // the chance of one more round
	if math.Abs(want.Bytes()-got.Bytes()) > fits*got.Bytes() || unlucky > 0.1 {
		t.Errorf("auto took %+v, the explanation says %+v", got.Cost, want.Cost)
	}
}

// TestExplainFirstContact: secrets come to be shared as in a sync, and nothing else is stored.
func TestExplainFirstContact(t *testing.T) {
	for name, c := range map[string]struct {
		a, b     *engine.Secret
		requests int
	}{
		"none": {nil, nil, 2}, "here": {epoch(1), nil, 2}, "there": {nil, epoch(1), 2}, "two": {epoch(1), epoch(2), 2}, "one": {epoch(1), epoch(1), 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(3)
			keep(t, p.a, c.a)
			keep(t, p.b, c.b)
			a, b := p.a.Keys(), p.b.Keys()
			e, err := engine.Explain(t.Context(), p.a, engine.Direct{Replica: p.b}, engine.Options{Direction: engine.Pull})
			if err != nil || e.Requests != c.requests || !slices.Equal(p.a.Keys(), a) || !slices.Equal(p.b.Keys(), b) {
				t.Fatalf("%v: %d requests, want %d; %d and %d items", err, e.Requests, c.requests, p.a.Len(), p.b.Len())
			}
			if e.Here.Count != uint64(len(a)) || e.There.Count != uint64(len(b)) {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// TestExplainCursor: with a cursor of the last sync auto takes that.
func TestExplainCursor(t *testing.T) {
	s := makeCostSets(t, "cursor", 2000, all, all, 0)
	peer := engine.Direct{Replica: s.b, Options: engine.RespondOptions{Sealer: sealer("b")}}
	opt := engine.Options{Cursor: new(engine.CursorMemory)}
	if _, err := engine.Sync(t.Context(), s.a, peer, opt); err != nil {
		t.Fatal(err)
	}
	s.b.Add(costItem(5000, 'b'))
	e, err := engine.Explain(t.Context(), s.a, peer, opt)
	if err != nil || e.Takes != engine.StrategyCursor || !e.Cursor || !e.Exact || e.OnlyThere != 1 {
		t.Fatalf("%v: %+v", err, e)
	}
	report, err := engine.Sync(t.Context(), s.a, peer, opt)
	want := e.Costs[slices.IndexFunc(e.Costs, func(c engine.StrategyCost) bool { return c.Strategy == engine.StrategyCursor })]
	if got := float64(report.Up.Metadata + report.Down.Metadata); err != nil || math.Abs(want.Bytes()-got) > 0.15*got || report.Rounds != 1 {
		t.Errorf("%v: took %.0f bytes, the explanation says %+v", err, got, want)
	}
}

// TestExplainLied: a responder that sends items, or asks for secrets for ever, is an error.
func TestExplainLied(t *testing.T) {
	s := makeCostSets(t, "lied", 300, lacking(300, 3), all, 0)
	items := liar{engine.Direct{Replica: s.b}, func(f []wire.Frame) []wire.Frame {
		return slices.Insert(f, len(f)-1, wire.Frame{Type: wire.TypeItems, Body: []byte{1}})
	}}
	if _, err := engine.Explain(t.Context(), s.a, items, engine.Options{}); !errors.Is(err, engine.ErrProtocol) {
		t.Errorf("items that were not asked for: %v", err)
	}
	wants := wanting{}
	if _, err := engine.Explain(t.Context(), s.a, wants, engine.Options{}); !errors.Is(err, engine.ErrProtocol) {
		t.Errorf("a secret that is wanted again and again: %v", err)
	}
	if s.a.Len() != 297 {
		t.Errorf("%d items", s.a.Len())
	}
	if _, err := engine.Explain(t.Context(), new(enginetest.Set), wants, engine.Options{Direction: "up"}); !errors.Is(err, engine.ErrOptions) {
		t.Errorf("no direction: %v", err)
	}
}

// wanting always asks for the secret.
type wanting struct{}

func (wanting) Exchange(context.Context, []wire.Frame, iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	f, err := wire.EncodeBody(wire.TypeAck, wire.Ack{Version: wire.Version, WantSecret: true})
	return func(yield func(wire.Frame, error) bool) { yield(f, err) }, nil
}
