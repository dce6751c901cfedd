package summaries

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// history returns n messages in an order that has nothing to do with time, among them
// deletes that several later messages move from one scope to another, and scopes that they
// move between.
func history(t *testing.T, rng *rand.Rand, n int) (entries []store.Entry, in []dwn.Scope) {
	t.Helper()
	writes, deletions := twins(t, 9)
	entries = slices.Concat(messages(rng, n-len(writes)-len(deletions)), writes, deletions)
	rng.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	in = append(scopes(t), dwn.Scope{}, contextOf(t, writes[0]), contextOf(t, writes[1]))
	return entries, in
}

// keysAt is the slow way: the keys of a view at a position, from the log's start.
func keysAt(t *testing.T, v *View, position uint64) (keys []dwn.Key) {
	t.Helper()
	items, err := v.kept.gather(t.Context(), position)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}

// someEnd returns an end of a range: about a key of the store, or anywhere.
func someEnd(rng *rand.Rand, entries []store.Entry) dwn.Key {
	key := entries[rng.IntN(len(entries))].Message.Key()
	switch rng.IntN(8) {
	case 0:
		key, _ = key.Next()
	case 1:
		key, _ = key.Previous()
	case 2:
		key = summary.Bucket{}.First()
	case 3:
		key = summary.Bucket{}.Last()
	case 4:
		key = summary.BucketOf(key, rng.IntN(summary.MaxBucketBits)).Last()
	}
	return key
}

// moments calls f with views of all scopes, of every moment of some histories, some of
// them after the store went on.
func moments(t *testing.T, f func(rng *rand.Rand, entries []store.Entry, view *View)) {
	t.Helper()
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 6))
		entries, in := history(t, rng, 200)
		s := openStore(t, t.TempDir())
		k := openKeeper(t, s, small())
		k.batch = 7
		var views []*View
		for rest := entries; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(50))
			put(t, s, alice, rest[:n])
			rest = rest[n:]
			for _, scope := range in {
				views = append(views, viewOf(t, k, alice, scope, secretA))
			}
			f(rng, entries, views[rng.IntN(len(views))])
		}
		for _, view := range views {
			f(rng, entries, view)
		}
	}
}

// TestKeysIn compares ranges of views with the slow way: of now and of before, with
// deletes that change their scope and change it again, by every reader.
func TestKeysIn(t *testing.T) {
	ranges, later := 0, 0
	moments(t, func(rng *rand.Rand, entries []store.Entry, view *View) {
		all := keysAt(t, view, view.Position)
		for range 2 {
			from, to := someEnd(rng, entries), someEnd(rng, entries)
			want := slices.DeleteFunc(slices.Clone(all), func(k dwn.Key) bool { return k.Compare(from) < 0 || to.Compare(k) < 0 })
			byRange := func(ctx context.Context, first, last dwn.Key) ([]dwn.Key, uint64, error) {
				return view.readRange(ctx, first, last, 1<<rng.IntN(8))
			}
			for i, read := range []reader{byRange, view.readMembers, view.readLog, nil} {
				got, err := view.keysIn(t.Context(), from, to, read)
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("reader %d: %d keys, want %d of %d (%v)", i, len(got), len(want), len(all), err)
				}
			}
			if last, err := view.kept.rows.Last(t.Context()); err == nil && last > view.Position && len(want) > 0 {
				later++
			}
			ranges++
		}
	})
	if later < ranges/5 {
		t.Errorf("of %d ranges %d were of something and later than the view: this test shows little", ranges, later)
	}
}

// TestKeysInSwapped: where one message left a scoped view and another entered it, there are
// as many as before, and not those of before.
func TestKeysInSwapped(t *testing.T) {
	writes, deletions := twins(t, 1)
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, small())
	put(t, s, alice, append(deletions, writes[0]))
	scope := contextOf(t, writes[0])
	view, want := viewOf(t, k, alice, scope, secretA), storedKeys(t, s, alice, scope)
	text := string(writes[0].Message.AppendJSON(nil))
	update, err := dwn.ParseJSON([]byte(strings.Replace(text, `"messageTimestamp":"2025-01-01`, `"messageTimestamp":"2025-01-03`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, alice, []store.Entry{writes[1], {Message: update}})
	if now := storedKeys(t, s, alice, scope); len(now) != len(want) || slices.Equal(now, want) {
		t.Fatalf("%d keys before and %d now: this test shows nothing", len(want), len(now))
	}
	byRange := func(ctx context.Context, first, last dwn.Key) ([]dwn.Key, uint64, error) {
		return view.readRange(ctx, first, last, pageKeys)
	}
	for i, read := range []reader{byRange, view.readMembers, view.readLog} {
		got, err := view.keysIn(t.Context(), summary.Bucket{}.First(), summary.Bucket{}.Last(), read)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("reader %d: %d keys, want %d (%v)", i, len(got), len(want), err)
		}
	}
}

// TestKeysInCosts: a leaf of everything is one page of keys; what a scope has little of is
// read one by one, and most of what it has much of from the log.
func TestKeysInCosts(t *testing.T) {
	writes, _ := twins(t, 0)
	watched := &spy{Store: openStore(t, t.TempDir())}
	k := openKeeper(t, watched, Options{})
	put(t, watched, alice, append(writes[:1:1], generated()[:1200]...))
	pages := 0
	watched.keysIn = func() { pages++ }
	for _, c := range []struct {
		name          string
		scope         dwn.Scope
		whole         bool
		pages, logged int
	}{
		{"leaf of everything", dwn.Scope{}, false, 1, 0},
		{"everything", dwn.Scope{}, true, 1, 0},
		{"leaf of most", scopes(t)[0], false, 1, 0},
		{"most", scopes(t)[0], true, 0, 1201},
		{"one message", contextOf(t, writes[0]), true, 0, 0},
	} {
		view := viewOf(t, k, alice, c.scope, secretA)
		in := summary.Bucket{}
		for b := range view.Snapshot.Tree().Segments() {
			if !c.whole {
				in = b
			}
		}
		pages = 0
		watched.logged.Store(0)
		keys, err := view.KeysIn(t.Context(), in.First(), in.Last())
		if root, _ := view.Snapshot.Tree().Sum(in); err != nil || len(keys) == 0 || uint64(len(keys)) != root.Count {
			t.Errorf("%s: %d keys, want %d (%v)", c.name, len(keys), root.Count, err)
		}
		// Store.Keys of a scope reads the log too, beside the spy.
		if logged := int(watched.logged.Load()) + 1201*int(watched.scanned.Swap(0)); pages != c.pages || logged != c.logged {
			t.Errorf("%s: %d pages and %d entries of the log were read, want %d and %d", c.name, pages, logged, c.pages, c.logged)
		}
	}
}

// TestPages: pages cover all members once, each as many as it may, about.
func TestPages(t *testing.T) {
	moments(t, func(_ *rand.Rand, _ []store.Entry, view *View) {
		all := keysAt(t, view, view.Position)
		for _, page := range []uint64{1, 10, 100, 1000} {
			var got []dwn.Key
			most := page*uint64(len(all))/max(1, view.Position) + uint64(view.Snapshot.Tree().LeafSize())
			for from, to := range view.pages(summary.Bucket{}.First(), summary.Bucket{}.Last(), page) {
				in := summary.KeysBetween(all, from, to)
				if len(in) == 0 || uint64(len(in)) > most || len(got) > 0 && got[len(got)-1].Compare(from) >= 0 {
					t.Fatalf("a page of %d members, at most %d wanted, or two that overlap", len(in), most)
				}
				got = append(got, in...)
			}
			if !slices.Equal(got, all) {
				t.Fatalf("pages cover %d of %d members", len(got), len(all))
			}
		}
	})
}

// TestSince compares what came since with the slow way: the keys at both positions.
func TestSince(t *testing.T) {
	lost, gained := 0, 0
	moments(t, func(rng *rand.Rand, _ []store.Entry, view *View) {
		now := keysAt(t, view, view.Position)
		for _, position := range []uint64{0, view.Position, rng.Uint64N(view.Position + 1), rng.Uint64N(view.Position + 1)} {
			before := keysAt(t, view, position)
			without := func(from, out []dwn.Key) []dwn.Key {
				return slices.DeleteFunc(slices.Clone(from), func(k dwn.Key) bool { return slices.Contains(out, k) })
			}
			added, removed, ok, err := view.Since(t.Context(), position)
			want, wantRemoved := without(now, before), len(without(before, now))
			if err != nil || !ok || !slices.Equal(added, want) || removed != wantRemoved {
				t.Fatalf("since %d of %d: %d added, %d removed, want %d and %d (%v)", position, view.Position, len(added), removed, len(want), wantRemoved, err)
			}
			lost, gained = lost+removed, gained+len(added)
		}
		for _, position := range []uint64{view.Position + 1, math.MaxUint64} {
			if _, _, ok, err := view.Since(t.Context(), position); ok || err != nil {
				t.Fatalf("since %d, which is later than %d: %t (%v)", position, view.Position, ok, err)
			}
		}
	})
	if lost < 10 || gained < 1000 {
		t.Errorf("%d lost, %d gained: this test shows little", lost, gained)
	}
}

// TestSinceCosts: what came since costs as many entries of the log, whatever came before; a
// message of long ago that changes its scope costs no more than that either.
func TestSinceCosts(t *testing.T) {
	writes, deletions := twins(t, 1)
	watched := &spy{Store: openStore(t, t.TempDir())}
	k := openKeeper(t, watched, Options{})
	put(t, watched, alice, slices.Concat(deletions, generated()[:1000]))
	before := viewOf(t, k, alice, dwn.Scope{}, secretA).Position
	put(t, watched, alice, append(writes[:1:1], generated()[1000:1040]...))
	whole, scoped := viewOf(t, k, alice, dwn.Scope{}, secretA), viewOf(t, k, alice, contextOf(t, writes[0]), secretA)
	watched.logged.Store(0)
	if added, _, ok, err := whole.Since(t.Context(), before); err != nil || !ok || len(added) != 41 {
		t.Fatalf("%d added, %t (%v)", len(added), ok, err)
	}
	if read := watched.logged.Load(); read > 50 {
		t.Errorf("%d entries of the log were read for 41", read)
	}
	if added, _, ok, err := scoped.Since(t.Context(), before); err != nil || !ok || len(added) != 2 {
		t.Errorf("%d added, %t (%v): the delete of the record is missing", len(added), ok, err)
	}
	put(t, watched, alice, writes[1:])
	scoped = viewOf(t, k, alice, contextOf(t, writes[0]), secretA)
	for _, c := range []struct {
		reach uint64
		ok    bool
	}{{scoped.Position - 3, false}, {scoped.Position - 2, true}} {
		_, removed, ok, err := scoped.since(t.Context(), scoped.Position-1, c.reach)
		if err != nil || ok != c.ok || ok && removed != 1 {
			t.Errorf("with a reach of %d: %t, %d removed (%v)", c.reach, ok, removed, err)
		}
	}
}

// TestKeysInWhileWriting reads ranges of one view while others write and fold.
func TestKeysInWhileWriting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	entries, in := history(t, rng, 600)
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, small())
	k.batch = 7
	put(t, s, alice, entries[:200])
	var views []*View
	var want [][]dwn.Key
	for _, scope := range in {
		view := viewOf(t, k, alice, scope, secretA)
		views, want = append(views, view), append(want, keysAt(t, view, view.Position))
	}
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		for batch := range slices.Chunk(entries[200:], 20) {
			put(t, s, alice, batch)
			for _, scope := range in {
				viewOf(t, k, alice, scope, secretA)
			}
		}
	})
	for round := range 21 {
		for i, view := range views {
			byRange := func(ctx context.Context, first, last dwn.Key) ([]dwn.Key, uint64, error) {
				return view.readRange(ctx, first, last, 64)
			}
			got, err := view.keysIn(t.Context(), summary.Bucket{}.First(), summary.Bucket{}.Last(), []reader{byRange, view.readMembers, nil}[round%3])
			if err != nil || !slices.Equal(got, want[i]) {
				t.Fatalf("scope %d: %d keys, want %d (%v)", i, len(got), len(want[i]), err)
			}
		}
	}
}

// lessKeys is a tenant whose key rows lack one.
type lessKeys struct {
	store.Tenant
	lost dwn.Key
}

func (l lessKeys) KeysIn(ctx context.Context, scope dwn.Scope, from, to dwn.Key) ([]dwn.Key, uint64, error) {
	keys, at, err := l.Tenant.KeysIn(ctx, scope, from, to)
	return slices.DeleteFunc(keys, func(k dwn.Key) bool { return k == l.lost }), at, err
}

// TestKeysInDamaged: keys that are not those of the tree are ErrDrift, not a part of them.
func TestKeysInDamaged(t *testing.T) {
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, small())
	put(t, s, alice, generated()[:200])
	view := viewOf(t, k, alice, dwn.Scope{}, secretA)
	key := storedKeys(t, s, alice, dwn.Scope{})[70]
	k.work.Wait() // a save reads what is changed next
	view.kept.rows = lessKeys{view.kept.rows, key}
	for name, bits := range map[string]int{"of all": 0, "of the leaf": summary.MaxBucketBits} {
		b := summary.BucketOf(key, bits)
		keys, err := view.KeysIn(t.Context(), b.First(), b.Last())
		if drift, ok := errors.AsType[*DriftError](err); !ok || drift.Part != summary.PartTree {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
}

// TestDrifted: summaries of everything that lack a message are found out by their count.
func TestDrifted(t *testing.T) {
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, small())
	put(t, s, alice, generated()[:50])
	for _, scope := range append(scopes(t), dwn.Scope{}) {
		view := viewOf(t, k, alice, scope, secretA)
		if err := view.Drifted(); err != nil {
			t.Errorf("%q: %v", Label(scope), err)
		}
		wrong := *view
		wrong.Root.Count--
		if err := wrong.Drifted(); errors.Is(err, ErrDrift) != scope.All() {
			t.Errorf("%q with an item less: %v", Label(scope), err)
		}
	}
}
