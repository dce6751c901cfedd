package enginetest

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// Fixture is what TestReplica tests an implementation of engine.Replica with.
type Fixture struct {
	// Open returns an empty replica.
	Open func(t *testing.T) engine.Replica
	// Payloads are of different items, all of which the replica must store: at least
	// 20, in any order.
	Payloads [][]byte
	// Bad is a payload that the replica must refuse.
	Bad []byte
	// KeepsRoot says that views keep their root under the replica's secret, as
	// engine.Summarised. Roots that views keep though it is false must be right too.
	KeepsRoot bool
}

// TestReplica holds an implementation to what engine.Replica and engine.View
// promise the engine.
func TestReplica(t *testing.T, f Fixture) {
	if len(f.Payloads) < 20 {
		t.Fatalf("%d payloads, want at least 20", len(f.Payloads))
	}
	t.Run("empty", f.testEmpty)
	t.Run("put and view", f.testPut)
	t.Run("snapshot", f.testSnapshot)
	t.Run("refusal", f.testRefusal)
	t.Run("secret", f.testSecret)
	t.Run("root", f.testRoot)
	t.Run("sync", f.testSync)
}

func (f Fixture) testEmpty(t *testing.T) {
	r := f.Open(t)
	view := viewOf(t, r)
	if keys := keysOf(t, view); len(keys) != 0 || len(itemsOf(t, view, nil)) != 0 {
		t.Errorf("%d keys", len(keys))
	}
	if _, ok, err := r.Secret(t.Context()); ok || err != nil {
		t.Errorf("Secret: %t, %v", ok, err)
	}
}

// put stores payloads and returns what it stored by key. The slices that Put is handed do
// not stay as they are.
func put(t *testing.T, r engine.Replica, payloads [][]byte) map[engine.Key][]byte {
	t.Helper()
	stored := map[engine.Key][]byte{}
	for batch := range slices.Chunk(payloads, engine.BatchItems) {
		handed := slices.Clone(batch)
		receipts, err := r.Put(t.Context(), handed)
		clear(handed)
		if err != nil || len(receipts) != len(batch) {
			t.Fatalf("%d receipts for %d payloads, %v", len(receipts), len(batch), err)
		}
		for i, receipt := range receipts {
			if receipt.Err != nil {
				t.Fatal(receipt.Err)
			}
			stored[receipt.Key] = batch[i]
		}
	}
	if len(stored) != len(payloads) {
		t.Fatalf("%d keys for %d payloads", len(stored), len(payloads))
	}
	return stored
}

func viewOf(t *testing.T, r engine.Replica) engine.View {
	t.Helper()
	view, err := r.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return view
}

func keysOf(t *testing.T, view engine.View) []engine.Key {
	t.Helper()
	keys, err := view.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func itemsOf(t *testing.T, view engine.View, keys []engine.Key) map[engine.Key][]byte {
	t.Helper()
	items := map[engine.Key][]byte{}
	for item, err := range view.Items(t.Context(), keys) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := items[item.Key]; twice {
			t.Fatalf("%v is yielded twice", item.Key)
		}
		items[item.Key] = bytes.Clone(item.Payload)
	}
	return items
}

func (f Fixture) testPut(t *testing.T) {
	r := f.Open(t)
	want := put(t, r, f.Payloads)
	if again := put(t, r, f.Payloads); !maps.EqualFunc(again, want, bytes.Equal) {
		t.Error("the second Put tells other keys than the first")
	}
	view := viewOf(t, r)
	keys := keysOf(t, view)
	if !slices.Equal(keys, slices.SortedFunc(maps.Keys(want), engine.Key.Compare)) {
		t.Fatalf("%d keys, want %d, sorted", len(keys), len(want))
	}
	// Payloads may change on the way (a node adds data that it holds), items do not.
	items := itemsOf(t, view, keys)
	moved := put(t, f.Open(t), slices.Collect(maps.Values(items)))
	if len(items) != len(want) || !maps.EqualFunc(moved, items, bytes.Equal) {
		t.Error("the items are not those that were put")
	}
	some := keys[3:7]
	got := itemsOf(t, view, some)
	if !slices.Equal(slices.SortedFunc(maps.Keys(got), engine.Key.Compare), some) {
		t.Errorf("asked for %d items, got %d", len(some), len(got))
	}
	if !bytes.Equal(view.Label(), viewOf(t, r).Label()) {
		t.Error("two views have different labels")
	}
}

func (f Fixture) testSnapshot(t *testing.T) {
	r := f.Open(t)
	put(t, r, f.Payloads[:10])
	view, late := viewOf(t, r), viewOf(t, r)
	before := slices.Clone(keysOf(t, view))
	put(t, r, f.Payloads[10:])
	if !slices.Equal(keysOf(t, view), before) || len(itemsOf(t, view, before)) != 10 {
		t.Error("a view changed after it was taken")
	}
	if !slices.Equal(keysOf(t, late), before) {
		t.Error("a view whose keys are asked for late has others than when it was taken")
	}
}

func (f Fixture) testRefusal(t *testing.T) {
	r := f.Open(t)
	receipts, err := r.Put(t.Context(), [][]byte{f.Payloads[0], f.Bad, f.Payloads[1]})
	if err != nil || len(receipts) != 3 {
		t.Fatalf("%v, %v", receipts, err)
	}
	if receipts[0].Err != nil || receipts[1].Err == nil || receipts[2].Err != nil {
		t.Errorf("refused: %v, %v, %v; want the second alone", receipts[0].Err, receipts[1].Err, receipts[2].Err)
	}
	if n := len(keysOf(t, viewOf(t, r))); n != 2 {
		t.Errorf("%d items are stored, want 2", n)
	}
}

func (f Fixture) testSecret(t *testing.T) {
	r := f.Open(t)
	secret := func(generation uint64, id byte) engine.Secret {
		return engine.Secret{SecretName: wire.SecretName{Generation: generation, ID: [16]byte{id}}, Key: [32]byte{id}}
	}
	for i, c := range []struct{ offered, kept engine.Secret }{
		{secret(1, 5), secret(1, 5)},
		{secret(1, 6), secret(1, 5)},
		{secret(1, 4), secret(1, 4)},
		{secret(2, 9), secret(2, 9)},
		{secret(1, 1), secret(2, 9)},
	} {
		if kept, err := r.KeepSecret(t.Context(), c.offered); err != nil || kept != c.kept {
			t.Errorf("offer %d: kept %v, %v, want %v", i, kept.SecretName, err, c.kept.SecretName)
		}
		if held, ok, err := r.Secret(t.Context()); err != nil || !ok || held != c.kept {
			t.Errorf("offer %d: held %v, %t, %v, want %v", i, held.SecretName, ok, err, c.kept.SecretName)
		}
	}
}

// testRoot: a kept root is that of the keys, under the secret that is asked for, and
// stays so in a view that was taken before something changed.
func (f Fixture) testRoot(t *testing.T) {
	r := f.Open(t)
	first, second := engine.Secret{Key: [32]byte{1}}, engine.Secret{SecretName: wire.SecretName{Generation: 1}, Key: [32]byte{2}}
	f.checkRoot(t, viewOf(t, r), second, false)
	put(t, r, f.Payloads[:5])
	keepSecret(t, r, first)
	f.checkRoot(t, viewOf(t, r), first, true)
	put(t, r, f.Payloads[5:10])
	before := viewOf(t, r)
	put(t, r, f.Payloads[8:])
	f.checkRoot(t, viewOf(t, r), first, true)
	f.checkRoot(t, viewOf(t, r), second, false)
	keepSecret(t, r, second)
	f.checkRoot(t, viewOf(t, r), second, true)
	f.checkRoot(t, viewOf(t, r), first, false)
	f.checkRoot(t, before, first, true)
	if n := len(keysOf(t, before)); n != 10 {
		t.Errorf("a view of 10 items has %d keys", n)
	}
}

func keepSecret(t *testing.T, r engine.Replica, secret engine.Secret) {
	t.Helper()
	if kept, err := r.KeepSecret(t.Context(), secret); err != nil || kept != secret {
		t.Fatalf("kept %v, %v", kept.SecretName, err)
	}
}

// checkRoot compares the root that view keeps under secret, which it must where it is
// the current one and the fixture says so, with that of its keys.
func (f Fixture) checkRoot(t *testing.T, view engine.View, secret engine.Secret, current bool) {
	t.Helper()
	var root engine.Root
	kept := false
	if keeper, is := view.(engine.Summarised); is {
		var err error
		if root, kept, err = keeper.Root(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	if current && f.KeepsRoot && !kept {
		t.Error("no root is kept under the secret of the replica")
	}
	want := summary.NewHasher(summary.Derive(secret.Key, view.Label())).Root(keysOf(t, view))
	if kept && root != want {
		t.Errorf("the root that is kept counts %d and is not that of the %d keys", root.Count, want.Count)
	}
}

func (f Fixture) testSync(t *testing.T) {
	a, b := f.Open(t), f.Open(t)
	half := len(f.Payloads) / 2
	put(t, a, f.Payloads[:half+3])
	put(t, b, f.Payloads[half:])
	report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b}, engine.Options{})
	if err != nil || !report.Complete || !report.RootsEqual || len(keysOf(t, viewOf(t, a))) != len(f.Payloads) {
		t.Errorf("%v: %+v", err, report)
	}
}
