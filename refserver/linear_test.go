package refserver

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

func generatedSigner(t *testing.T, n int) (did string, signer *auth.Signer) {
	t.Helper()
	did, jwk := datasets.GeneratedKey(uint64(n))
	signer, err := auth.ParseSigner(jwk)
	if err != nil {
		t.Fatal(err)
	}
	return did, signer
}

// sketchHere syncs by a strategy and returns what it did.
func sketchHere(t *testing.T, here, there Node, did string, strategy engine.Strategy, memory *engine.CursorMemory) engine.Report {
	t.Helper()
	sealing, err := engine.NewSealer([32]byte{3}, did)
	if err != nil {
		t.Fatal(err)
	}
	direct := engine.Direct{Replica: there.Replica(did, dwn.Scope{}), Options: engine.RespondOptions{Sealer: sealing}}
	report, err := engine.Sync(t.Context(), here.Replica(did, dwn.Scope{}), direct, engine.Options{Strategy: strategy, Cursor: memory})
	if err != nil || !report.RootsEqual {
		t.Fatalf("%v: %+v", err, report)
	}
	return report
}

// TestLinearReadsNoKeys: between nodes that keep summaries a sync by sketch or by cursor
// reads the keys of neither side.
func TestLinearReadsNoKeys(t *testing.T) {
	did, entries := someMessages(t, 500)
	here, readHere := keptNode(t)
	there, readThere := keptNode(t)
	writeAll(t, here, did, entries[:400])
	writeAll(t, there, did, entries[40:420])
	memory := new(engine.CursorMemory)
	sketchHere(t, here, there, did, engine.StrategySketch, memory) // brings the secret
	readHere.Store(0)
	readThere.Store(0)
	for i, strategy := range []engine.Strategy{engine.StrategySketch, engine.StrategyCursor, engine.StrategyCursor} {
		writeAll(t, there, did, entries[420+20*i:430+20*i])
		writeAll(t, here, did, entries[430+20*i:440+20*i])
		report := sketchHere(t, here, there, did, strategy, memory)
		if report.Received != 10 || report.Sent != 10 || report.Delivered[strategy] != 20 || report.Rounds > 2 {
			t.Errorf("%s: %+v", strategy, report)
		}
	}
	if a, b := readHere.Load(), readThere.Load(); a+b != 0 {
		t.Errorf("all keys were read %d times here and %d times there", a, b)
	}
}

// linearOf returns the summaries of a node's view and its keys.
func linearOf(t *testing.T, n Node, did string) (*linear, []engine.Key) {
	t.Helper()
	view, err := n.Replica(did, dwn.Scope{}).View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := n.Replica(did, dwn.Scope{}).Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sums, ok, err := view.(engine.Linear).Summaries(t.Context(), secret)
	if err != nil || !ok {
		t.Fatalf("%t, %v", ok, err)
	}
	if _, ok, err := view.(engine.Linear).Summaries(t.Context(), engine.Secret{Key: [32]byte{9}}); ok || err != nil {
		t.Errorf("there are summaries under any secret (%v)", err)
	}
	keys, err := view.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sums.(*linear), keys
}

// checkLinear compares what l says of keys with keys.
func checkLinear(t *testing.T, l *linear, keys []engine.Key) {
	t.Helper()
	if root := l.Snapshot().Root(); root.Count != uint64(len(keys)) {
		t.Fatalf("%d keys, want %d", root.Count, len(keys))
	}
	expander := summary.NewExpander(summary.Derive(l.from.secret.Key, nil), l.Snapshot().Params())
	var shorts []uint64
	for _, k := range keys[:20] {
		shorts = append(shorts, expander.Key(k).Short)
	}
	absent := ^uint64(0) >> 20
	got, unknown, err := l.Resolve(t.Context(), append(shorts, absent, shorts[0]))
	if slices.SortFunc(got, engine.Key.Compare); err != nil || !slices.Equal(got, keys[:20]) || !slices.Equal(unknown, []uint64{absent}) {
		t.Errorf("%d keys, unknown %v (%v)", len(got), unknown, err)
	}
	for _, c := range []struct{ from, to int }{{0, len(keys) - 1}, {5, 5}, {7, 40}, {8, 7}} {
		got, err := l.KeysIn(t.Context(), keys[c.from], keys[c.to])
		if err != nil || !slices.Equal(got, keys[c.from:max(c.from, c.to+1)]) {
			t.Errorf("from %d to %d: %d keys (%v)", c.from, c.to, len(got), err)
		}
	}
}

// hidden is a store whose log or keys cannot be read, as if rows were lost.
type hidden struct {
	store.Store
	lost *bool
}

func (h hidden) Tenant(did string) store.Tenant { return hiddenTenant{h.Store.Tenant(did), h.lost} }

type hiddenTenant struct {
	store.Tenant
	lost *bool
}

func (h hiddenTenant) KeysIn(ctx context.Context, scope dwn.Scope, from, to dwn.Key) ([]dwn.Key, uint64, error) {
	keys, at, err := h.Tenant.KeysIn(ctx, scope, from, to)
	if *h.lost {
		keys = keys[1:]
	}
	return keys, at, err
}

// TestLinear: summaries tell the same whether they can be looked into or all keys have to be
// read instead, and a node that is closed is closed.
func TestLinear(t *testing.T) {
	did, entries := someMessages(t, 200)
	n, _ := keptNode(t)
	lost := false
	n.Store = hidden{n.Store, &lost}
	n.Keeper = summaries.Open(n.Store, summaries.Options{})
	writeAll(t, n, did, entries)
	sketchHere(t, emptyNode(t), n, did, engine.StrategySketch, nil)
	l, keys := linearOf(t, n, did)
	checkLinear(t, l, keys)
	lost = true
	checkLinear(t, l, keys)
	lost = false
	if err := l.readAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkLinear(t, l, keys)
	none := new(keptView)
	if _, _, ok, err := none.Since(t.Context(), 0); ok || err != nil || none.Position() != math.MaxUint64 {
		t.Errorf("a view without summaries has a position: %d, %t (%v)", none.Position(), ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.KeysIn(ctx, keys[0], keys[9]); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err := n.Keeper.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLinearDrift: a node whose saved summaries lack a message that it has syncs by every
// strategy all the same, in both roles: also by those that read no keys.
func TestLinearDrift(t *testing.T) {
	t.Parallel()
	did, entries := someMessages(t, 120)
	for _, strategy := range engine.Strategies() {
		wrong, right := emptyNode(t), emptyNode(t)
		writeAll(t, wrong, did, entries[:80])
		writeAll(t, right, did, entries[60:100])
		secret, err := wrong.Store.Tenant(did).KeepSecret(t.Context(), nil, store.Secret{Generation: 1})
		if err != nil {
			t.Fatal(err)
		}
		saveDrift(t, wrong, did, secret)
		log := loggingKeeper(t, &wrong)
		sketchHere(t, wrong, right, did, strategy, new(engine.CursorMemory))
		writeAll(t, right, did, entries[100:])
		sketchHere(t, right, wrong, did, strategy, new(engine.CursorMemory))
		if a, b := scopedKeys(t, wrong, did, dwn.Scope{}), scopedKeys(t, right, did, dwn.Scope{}); len(a) != 120 || len(b) != 120 {
			t.Errorf("%s: %d and %d messages, want 120", strategy, len(a), len(b))
		}
		if !strings.Contains(log.String(), "without summaries") {
			t.Errorf("%s: nobody was told", strategy)
		}
	}
}
