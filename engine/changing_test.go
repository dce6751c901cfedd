package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

// busy is a replica whose set grows with every view.
type busy struct {
	*enginetest.Set
	views int
	limit int
}

func (b *busy) View(ctx context.Context) (engine.View, error) {
	if b.views++; b.views < b.limit {
		b.Add(enginetest.Payload(int64(b.views), "meanwhile"))
	}
	return b.Set.View(ctx)
}

// TestWritesMeanwhile: writes on both sides during a sync neither get lost nor
// make it report what is not so.
func TestWritesMeanwhile(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		p := newPair(23)
		p.a.Add(enginetest.Payload(1, "a needs to push"))
		a, b := &busy{Set: p.a, limit: 4}, &busy{Set: p.b, limit: 4}
		report, err := engine.Sync(t.Context(), a, engine.Direct{b, engine.RespondOptions{}}, engine.Options{Direction: direction})
		if err != nil || !report.Complete {
			t.Fatalf("%s: %v: %+v", direction, err, report)
		}
	}
	p := newPair(23)
	a, b := &busy{Set: p.a, limit: 1 << 30}, &busy{Set: p.b, limit: 1 << 30, views: 1 << 20}
	report, err := engine.Sync(t.Context(), a, engine.Direct{b, engine.RespondOptions{}}, engine.Options{Direction: engine.Push})
	if !errors.Is(err, engine.ErrIncomplete) || report.Complete {
		t.Fatalf("sets that never rest: %v: %+v", err, report)
	}
}

// restless brings another item into the view with every batch that arrives.
type restless struct {
	*enginetest.Set
	name string
}

func (r restless) Put(ctx context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	receipts, err := r.Set.Put(ctx, payloads)
	r.Add(enginetest.Payload(int64(r.Len()), r.name))
	return receipts, err
}

// answering gains an item some time after each push.
type answering struct {
	*enginetest.Set
	due int
}

func (a *answering) Put(ctx context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	a.due = 2
	return a.Set.Put(ctx, payloads)
}

func (a *answering) View(ctx context.Context) (engine.View, error) {
	if a.due--; a.due == 0 {
		a.Add(enginetest.Payload(int64(a.Len()), "an answer"))
	}
	return a.Set.View(ctx)
}

// TestNeverQuiet: where each arrival brings something else to push, the sync goes
// on until it gives up. A false positive at the right time can leave the last push
// unanswered; only then may it be complete, and then both sides hold the same.
func TestNeverQuiet(t *testing.T) {
	for name, there := range map[string]func(*enginetest.Set) engine.Replica{
		"both grow":       func(b *enginetest.Set) engine.Replica { return restless{b, "comes along there"} },
		"answers to each": func(b *enginetest.Set) engine.Replica { return &answering{Set: b} },
	} {
		t.Run(name, func(t *testing.T) {
			given := 0
			for seed := range uint64(40) {
				a, b := twenty(t)
				peer := engine.Direct{Replica: there(b), Options: engine.RespondOptions{Random: chacha(2 * seed)}}
				report, err := engine.Sync(t.Context(), restless{a, "comes along here"}, peer, engine.Options{Random: chacha(2*seed + 1)})
				switch {
				case errors.Is(err, engine.ErrIncomplete) && !report.Complete:
					given++
				case err == nil && report.Complete && slices.Equal(a.Keys(), b.Keys()):
				default:
					t.Fatalf("seed %d: %v: %+v", seed, err, report)
				}
			}
			if given < 32 {
				t.Errorf("%d of 40 syncs gave up", given)
			}
		})
	}
}
