package engine_test

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

// frozen is a set whose views say that root and summaries are what they were at first.
type frozen struct {
	*enginetest.Set
	first engine.View
}

type frozenView struct {
	engine.View
	first engine.View
}

func (f *frozen) View(ctx context.Context) (engine.View, error) {
	v, err := f.Set.View(ctx)
	if f.first == nil {
		f.first = v
	}
	return frozenView{v, f.first}, err
}

func (v frozenView) Root(ctx context.Context, secret engine.Secret) (engine.Root, bool, error) {
	return v.first.(engine.Summarised).Root(ctx, secret)
}

func (v frozenView) Summaries(ctx context.Context, secret engine.Secret) (engine.Summaries, bool, error) {
	return v.first.(engine.Linear).Summaries(ctx, secret)
}

// TestRestartsDistrust: summaries that never learn of what comes in make each round look as if
// the set had grown since. After the second restart the keys count.
func TestRestartsDistrust(t *testing.T) {
	for side := range 2 {
		for _, strategy := range []engine.Strategy{engine.StrategySketch, "ranges", engine.StrategyList} {
			a, b := lyingPair(t, "", 900, 40)
			sides := [2]engine.Replica{a, b}
			sides[side] = &frozen{Set: []*enginetest.Set{a, b}[side]}
			want := union(a, b)
			opt := engine.Options{Strategy: strategy, Random: chacha(1)}
			if strategy == "ranges" {
				opt.Strategy = engine.StrategySketch
				opt = opt.BeginWithRanges()
			}
			report, err := engine.Sync(t.Context(), sides[0], engine.Direct{Replica: sides[1]}, opt)
			t.Logf("side %d, %s: %d rounds, %d received, %d sent", side, strategy, report.Rounds, report.Received, report.Sent)
			if err != nil || a.Len() != len(want) || b.Len() != len(want) {
				t.Errorf("side %d, %s: %d rounds, %v", side, strategy, report.Rounds, err)
			}
		}
	}
}

// Items leaves out what is gone.
func (v frozenView) Items(ctx context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		for item, err := range v.View.Items(ctx, keys) {
			if (item.Payload != nil || err != nil) && !yield(item, err) {
				return
			}
		}
	}
}

// TestGoneItem: an item that only the summaries still have is to be pushed, and is not there. The
// keys then tell what is.
func TestGoneItem(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Push, engine.Both} {
		a, b := lyingPair(t, "scope", 300, 0)
		a.Add(enginetest.Payload(5, "gone"), enginetest.Payload(1<<40, "gone too"))
		old := &frozen{Set: a}
		if _, err := old.View(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.Remove(without(a.Keys(), b.Keys())...)
		a.Add(enginetest.Payload(6, "new"))
		report, err := engine.Sync(t.Context(), old, engine.Direct{Replica: b}, engine.Options{Strategy: engine.StrategySketch, Direction: direction, Random: chacha(1)})
		if err != nil || !slices.Equal(a.Keys(), b.Keys()) || report.Sent != 1 || report.Rounds > 4 {
			t.Errorf("%s: %v: %+v", direction, err, report)
		}
	}
}
