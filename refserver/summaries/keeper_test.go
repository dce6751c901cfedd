package summaries

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestConcurrent: two syncs of each view, among writes, see whole views: root, keys
// and what resolves belong together. Case G82.
func TestConcurrent(t *testing.T) {
	entries := messages(rand.New(rand.NewPCG(2, 1)), 1200)
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, small())
	all := append(scopes(t)[2:], dwn.Scope{})
	put(t, s, alice, entries[:200])
	done := make(chan struct{})
	var writing, syncing sync.WaitGroup
	writing.Go(func() {
		for batch := range slices.Chunk(entries[200:], 20) {
			put(t, s, alice, batch)
			k.Wrote(alice, len(batch))
		}
	})
	for range 2 {
		syncing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				checkWhileWritten(t, k, all[i%len(all)])
			}
		})
	}
	writing.Wait()
	close(done)
	syncing.Wait()
	for _, scope := range all {
		checkView(t, k, s, alice, scope, secretA)
	}
}

func checkWhileWritten(t *testing.T, k *Keeper, scope dwn.Scope) {
	view, err := k.View(t.Context(), alice, scope, secretA)
	if err != nil {
		t.Error(err)
		return
	}
	keys, err := view.Keys(t.Context())
	key := summary.Derive(secretA.Key, Label(scope))
	if err != nil || summary.NewHasher(key).Root(keys) != view.Root || view.Snapshot.Root() != view.Root {
		t.Errorf("root of %d items, %d keys (%v)", view.Root.Count, len(keys), err)
		return
	}
	if len(keys) == 0 {
		return
	}
	short := summary.NewExpander(key, view.Params()).Key(keys[0]).Short
	if _, _, err := view.Resolve(t.Context(), []uint64{short}); err != nil {
		t.Error(err)
	}
}

// TestEviction: scoped views stay within the bound, a tenant that asks for many loses its
// own, and one that has little loses nothing; what was dropped comes again, right.
func TestEviction(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, "did:example:few", generated()[:60])
	put(t, s, "did:example:many", generated()[:200])
	opt := small()
	opt.MaxBytes = 10 * 40 << 10
	k := openKeeper(t, s, opt)
	few := viewOf(t, k, "did:example:few", scopes(t)[0], secretA)
	for i := range 40 {
		viewOf(t, k, "did:example:many", manyScopes(t, i), secretA)
		if k.scoped.size > opt.MaxBytes {
			t.Fatalf("%d bytes are kept, at most %d", k.scoped.size, opt.MaxBytes)
		}
	}
	if again := viewOf(t, k, "did:example:few", scopes(t)[0], secretA); again != few {
		t.Error("the tenant with one view lost it to the other")
	}
	if n := k.scoped.byUse.Len(); n < 3 || n > 20 {
		t.Errorf("%d views are kept", n)
	}
	first, last := k.find("did:example:many", manyScopes(t, 0), secretA), k.find("did:example:many", manyScopes(t, 39), secretA)
	if first.set != nil || last.set == nil {
		t.Error("not the least recently used went")
	}
	checkView(t, k, s, "did:example:many", manyScopes(t, 1), secretA)
	if err := few.kept.keeper.Check(t.Context(), "did:example:few"); err != nil {
		t.Error(err)
	}

	// What was used last stays, though it was made before.
	older, newer := manyScopes(t, 36), manyScopes(t, 38)
	for i := range 40 {
		viewOf(t, k, "did:example:many", older, secretA)
		viewOf(t, k, "did:example:many", manyScopes(t, 100+i), secretA)
	}
	if k.find("did:example:many", older, secretA).set == nil || k.find("did:example:many", newer, secretA).set != nil {
		t.Error("not the least recently used went")
	}

	// One that keeps nothing works too; a view outlives its place among them.
	opt.MaxBytes = -1
	k = openKeeper(t, s, opt)
	view := viewOf(t, k, "did:example:few", scopes(t)[0], secretA)
	checkView(t, k, s, "did:example:few", scopes(t)[0], secretA)
	if keys, err := view.Keys(t.Context()); err != nil || k.scoped.size != 0 || len(keys) == 0 {
		t.Errorf("%d bytes kept, %d keys (%v)", k.scoped.size, len(keys), err)
	}
}

func manyScopes(tb testing.TB, i int) dwn.Scope {
	tb.Helper()
	scope, err := dwn.ParseScope(fmt.Appendf(nil, `{"messageTimestamp":{"from":"2024-01-01T00:00:00.%06dZ"}}`, i))
	if err != nil {
		tb.Fatal(err)
	}
	return scope
}

// TestWholeEviction: of whole tenants the least recently used goes, is saved, and comes
// again from what was saved.
func TestWholeEviction(t *testing.T) {
	watched := &spy{Store: openStore(t, t.TempDir())}
	for i := range 4 {
		put(t, watched, fmt.Sprint("did:example:", i), generated()[:200])
		keep(t, watched, fmt.Sprint("did:example:", i), secretA)
	}
	opt := small()
	opt.MaxWholeBytes = 100 << 10
	k := openKeeper(t, watched, opt)
	for i := range 4 {
		viewOf(t, k, fmt.Sprint("did:example:", i), dwn.Scope{}, secretA)
	}
	// What is dropped with a tail that is too short to be saved by itself is saved.
	put(t, watched, "did:example:3", generated()[200:230])
	viewOf(t, k, "did:example:3", dwn.Scope{}, secretA)
	for i := range 3 {
		viewOf(t, k, fmt.Sprint("did:example:", i), dwn.Scope{}, secretA)
	}
	if k.wholes.size > opt.MaxWholeBytes || k.wholes.byUse.Len() == 0 {
		t.Errorf("%d bytes kept of %d tenants", k.wholes.size, k.wholes.byUse.Len())
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	watched.logged.Store(0)
	k = openKeeper(t, watched, opt)
	for i := range 4 {
		viewOf(t, k, fmt.Sprint("did:example:", i), dwn.Scope{}, secretA)
	}
	if got := watched.logged.Load(); got != 0 {
		t.Errorf("%d entries of the log were read", got)
	}
}

// TestRotation: summaries under the next secret are made while those under the old one
// serve; of three secrets the least recently used is forgotten. Case G89.
func TestRotation(t *testing.T) {
	watched := &spy{Store: openStore(t, t.TempDir())}
	put(t, watched, alice, generated()[:300])
	k := openKeeper(t, watched, small())
	scope := scopes(t)[0]
	checkView(t, k, watched, alice, dwn.Scope{}, secretA)
	viewOf(t, k, alice, scope, secretA)
	if err := k.Prepare(t.Context(), alice, secretB); err != nil {
		t.Fatal(err)
	}
	watched.logged.Store(0)
	old, next := viewOf(t, k, alice, dwn.Scope{}, secretA), viewOf(t, k, alice, dwn.Scope{}, secretB)
	if watched.logged.Load() != 0 || old.Root == next.Root || old.Root.Count != next.Root.Count {
		t.Errorf("%d entries read; roots %v and %v", watched.logged.Load(), old.Root, next.Root)
	}
	put(t, watched, alice, generated()[300:350])
	for _, secret := range []store.Secret{secretA, secretB, secretA} {
		checkView(t, k, watched, alice, dwn.Scope{}, secret)
		checkView(t, k, watched, alice, scope, secret)
	}
	if err := k.Prepare(t.Context(), alice, secretC); err != nil {
		t.Fatal(err)
	}
	if n := len(k.tenants[alice].epochs); n != maxEpochs || k.tenants[alice].epochs[0].secret != secretA {
		t.Errorf("%d secrets are kept, or not the least recently used went", n)
	}
	if n := k.wholes.byUse.Len() + k.scoped.byUse.Len(); n != 3 {
		t.Errorf("%d views are kept, want 3", n)
	}
	if v := k.find(alice, dwn.Scope{}, secretA); v.dropped || v.set == nil {
		t.Error("summaries under the secret that was used last are gone")
	}
	checkView(t, k, watched, alice, dwn.Scope{}, secretA)
}

// TestClosed: after Close there are no views, and a long fold ends.
func TestClosed(t *testing.T) {
	watched := &spy{Store: openStore(t, t.TempDir())}
	put(t, watched, alice, messages(rand.New(rand.NewPCG(2, 2)), 1200))
	k := Open(watched, small())
	started := make(chan struct{})
	var once sync.Once
	watched.entry = func() {
		once.Do(func() { close(started) })
		for k.stopped() == nil { // until Close
		}
	}
	failed := make(chan error)
	go func() {
		_, err := k.View(t.Context(), alice, dwn.Scope{}, secretA)
		failed <- err
	}()
	<-started
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, store.ErrClosed) {
		t.Errorf("a view under way: %v, want %v", err, store.ErrClosed)
	}
	_, err := k.View(t.Context(), alice, dwn.Scope{}, secretA)
	for name, err := range map[string]error{
		"View": err, "Prepare": k.Prepare(t.Context(), alice, secretA),
		"Check": k.Check(t.Context(), alice), "Rebuild": k.Rebuild(t.Context(), alice),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v, want %v", name, err, store.ErrClosed)
		}
	}
	k.Wrote(alice, 1000)
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

// TestEmpty: views of nothing. Case A1.
func TestEmpty(t *testing.T) {
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, Options{})
	checkView(t, k, s, alice, dwn.Scope{}, secretA)
	put(t, s, alice, generated()[:1])
	checkView(t, k, s, alice, dwn.Scope{}, secretA)
	if err := k.Check(t.Context(), "did:example:nobody"); err != nil {
		t.Error(err)
	}
	if _, err := k.View(context.Background(), "did:example:nobody", scopes(t)[0], secretA); err != nil {
		t.Error(err)
	}
}
