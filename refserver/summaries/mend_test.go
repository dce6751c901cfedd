package summaries

import (
	"context"
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// bent is a store that tells something else than it holds.
type bent struct {
	store.Store
	last  func(uint64) uint64
	edit  func(*store.LogEntry)
	begun func() func() // a reading of the log begins, and ends
}

func (b *bent) Tenant(did string) store.Tenant { return bentTenant{b.Store.Tenant(did), b} }

type bentTenant struct {
	store.Tenant
	bent *bent
}

func (t bentTenant) Last(ctx context.Context) (uint64, error) {
	last, err := t.Tenant.Last(ctx)
	if t.bent.last != nil {
		last = t.bent.last(last)
	}
	return last, err
}

func (t bentTenant) Log(ctx context.Context, from uint64) iter.Seq2[store.LogEntry, error] {
	return t.edited(t.Tenant.Log(ctx, from))
}

func (t bentTenant) At(ctx context.Context, positions []uint64) iter.Seq2[store.LogEntry, error] {
	return t.edited(t.Tenant.At(ctx, positions))
}

func (t bentTenant) edited(entries iter.Seq2[store.LogEntry, error]) iter.Seq2[store.LogEntry, error] {
	return func(yield func(store.LogEntry, error) bool) {
		if t.bent.begun != nil {
			defer t.bent.begun()()
		}
		for e, err := range entries {
			if t.bent.edit != nil {
				t.bent.edit(&e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestTwiceInTheLog: where a damaged log has a message twice, summaries made at once and
// those that were folded bit by bit are the same, of one item at the earlier position.
func TestTwiceInTheLog(t *testing.T) {
	b := &bent{Store: openStore(t, t.TempDir())}
	entries := messages(rand.New(rand.NewPCG(8, 1)), 120)
	put(t, b, alice, entries[:70])
	opt := small()
	opt.SaveEvery, opt.Set.Leaf = 10_000, 1000 // each Keeper makes its own, and reads no keys
	for _, c := range []struct{ first, second uint64 }{{3, 5}, {69, 70}, {10, 100}, {80, 119}} {
		var first store.LogEntry
		b.last, b.edit = func(last uint64) uint64 { return min(last, 70) }, func(e *store.LogEntry) {
			switch {
			case e.Accepted == c.first:
				first = *e
			case e.Accepted == c.second:
				e.Key, e.Attributes = first.Key, first.Attributes
			}
		}
		by := openKeeper(t, b, opt)
		folded, made := by.find(alice, dwn.Scope{}, secretA), openKeeper(t, b, opt).find(alice, dwn.Scope{}, secretA)
		viewOf(t, by, alice, dwn.Scope{}, secretA)
		put(t, b, alice, entries[70:])
		b.last = nil
		viewOf(t, by, alice, dwn.Scope{}, secretA)
		if _, err := made.current(t.Context()); err != nil {
			t.Fatalf("messages %v are one: %v", c, err)
		}
		if part, err := made.set.Differs(folded.set); part != "" || err != nil {
			t.Errorf("messages %v are one: made and folded differ in %s (%v)", c, part, err)
		}
		positions := made.set.Positions()
		if made.set.Root().Count != 119 || !slices.Contains(positions, uint32(c.first)) || slices.Contains(positions, uint32(c.second)) {
			t.Errorf("messages %v are one: %d items", c, made.set.Root().Count)
		}
	}
}

// strangers puts n items into the summaries of a view that are not stored, all in one
// bucket, and says that they were accepted at a position.
func strangers(t *testing.T, v *kept, n int, position uint32) {
	t.Helper()
	for i := range n {
		k := dwn.Key{Time: 1 << 60, ID: dwn.ID{byte(i)}}
		if err := v.set.Insert(k, position, func(uint32) (bool, error) { return false, nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMended: summaries that turn out to be those of other messages, where a bucket is
// split or an item leaves, are made again, and said to be.
func TestMended(t *testing.T) {
	writes, deletions := twins(t, 1)
	inContext, other := contextOf(t, writes[0]), scopes(t)[0]
	for name, c := range map[string]struct {
		scope    dwn.Scope
		sabotage func(t *testing.T, v *kept)
	}{
		"a bucket of all":             {dwn.Scope{}, func(t *testing.T, v *kept) { strangers(t, v, 3, 1) }},
		"a bucket of many":            {other, func(t *testing.T, v *kept) { strangers(t, v, 3, 1) }},
		"a bucket of few":             {inContext, func(t *testing.T, v *kept) { strangers(t, v, 3, 1) }},
		"positions the log lacks":     {inContext, func(t *testing.T, v *kept) { strangers(t, v, 3, 1<<20) }},
		"an item that is not in both": {inContext, func(t *testing.T, v *kept) { swap(t, v, deletions[0].Message.Key()) }},
	} {
		t.Run(name, func(t *testing.T) {
			s, log, opt := openStore(t, t.TempDir()), &record{}, small()
			opt.Set.Leaf, opt.Logger = 1, log.logger()
			k := openKeeper(t, s, opt)
			put(t, s, alice, slices.Concat(generated()[:100], deletions, writes[:1]))
			viewOf(t, k, alice, c.scope, secretA)
			k.work.Wait()
			c.sabotage(t, k.find(alice, c.scope, secretA))
			put(t, s, alice, writes[1:])
			checkView(t, k, s, alice, c.scope, secretA)
			if !log.has("made anew") {
				t.Error("nobody was told")
			}
			if k.find(alice, c.scope, secretA).broken {
				t.Error("what was mended counts as broken")
			}
		})
	}
}

// TestMendedGivenUp: where a request gives up while summaries are mended, they are not
// taken for good, and the next time it is the Keeper who makes them.
func TestMendedGivenUp(t *testing.T) {
	watched := &spy{Store: openStore(t, t.TempDir())}
	k := longOpen(t, watched, small())
	put(t, watched, alice, generated()[:100])
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	v := k.find(alice, dwn.Scope{}, secretA)
	strangers(t, v, 5, 1)
	put(t, watched, alice, generated()[100:101])
	ctx, cancel := context.WithCancel(t.Context())
	entries := 0
	watched.entry = func() {
		if entries++; entries == 50 {
			cancel()
		}
	}
	if _, err := k.View(ctx, alice, dwn.Scope{}, secretA); !errors.Is(err, context.Canceled) || !v.cold(101) {
		t.Errorf("got %v, want %v; a matter of the Keeper now: %t", err, context.Canceled, v.cold(101))
	}
	watched.entry = nil
	checkView(t, k, watched, alice, dwn.Scope{}, secretA)
}

// swap makes the tree of a view hold another item in the place of k, which the index goes
// on to have.
func swap(t *testing.T, v *kept, k dwn.Key) {
	t.Helper()
	items, err := v.gather(t.Context(), v.set.Position())
	if err != nil {
		t.Fatal(err)
	}
	expander := summary.NewExpander(v.key, v.set.Params())
	at := slices.IndexFunc(items, func(i summary.SetItem) bool { return i.Key == k })
	for items[at].Key = (dwn.Key{Time: 1 << 60}); expander.Key(items[at].Key).Short != expander.Key(k).Short; {
		items[at].Key.Time++
	}
	slices.SortFunc(items, func(a, b summary.SetItem) int { return a.Key.Compare(b.Key) })
	set, err := v.build(items, v.set.Position(), v.set.Params())
	if err != nil {
		t.Fatal(err)
	}
	v.replace(set)
}

// TestSparse: a view reads its own members where they are fewer than the keys of the
// buckets that are to be split, and those buckets where they are not.
func TestSparse(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, c := range []struct {
		members, buckets int
		position         uint64
		leaf             int
		want             bool
	}{
		{100, 1, 10_000, 2, true},
		{100, 1, 10_000, 1, false}, // 100 members; 1 or 2 of 10 000 in a bucket
		{100, 1, 5_001, 2, true},
		{100, 1, 5_000, 2, false},
		{100, 2, 5_000, 1, false},
		{100, 2, 5_001, 1, true},
		{80, 1, 100, 0, false},
		{80, 1, 101, 0, true}, // 64 to a leaf
	} {
		opt := Options{Set: summary.SetOptions{Leaf: c.leaf}}
		for _, scope := range []dwn.Scope{{}, scopes(t)[0]} {
			v := openKeeper(t, s, opt).find(alice, scope, secretA)
			var items []summary.SetItem
			for i := range c.members {
				items = append(items, summary.SetItem{Key: dwn.Key{Time: int64(i)}, Position: uint32(i + 1)})
			}
			set, err := v.build(items, c.position, summary.Params{})
			if err != nil {
				t.Fatal(err)
			}
			v.replace(set)
			want := c.want && !scope.All()
			if got := v.sparse(make([]summary.Bucket, c.buckets)); got != want {
				t.Errorf("%+v of all, %t: %t, want %t", c, scope.All(), got, want)
			}
		}
	}
}

// TestSparseReads: what sparse decides is what is read.
func TestSparseReads(t *testing.T) {
	writes, deletions := twins(t, 9)
	for _, c := range []struct {
		scope dwn.Scope
		want  bool
	}{{contextOf(t, writes[0]), false}, {scopes(t)[0], true}} {
		watched := &spy{Store: openStore(t, t.TempDir())}
		put(t, watched, alice, append(generated()[:300:300], writes[0]))
		k, ranges := openKeeper(t, watched, small()), 0
		viewOf(t, k, alice, c.scope, secretA)
		k.work.Wait()
		watched.keysIn = func() { ranges++ }
		put(t, watched, alice, append(deletions, generated()[300:400]...))
		checkView(t, k, watched, alice, c.scope, secretA)
		if (ranges > 0) != c.want {
			t.Errorf("%d buckets were read by their keys, some: want %t", ranges, c.want)
		}
	}
}

// TestUndo: a view of before has its keys where what it held last, at its very position,
// has changed scopes since.
func TestUndo(t *testing.T) {
	writes, deletions := twins(t, 1)
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, small())
	put(t, s, alice, append(generated()[:20:20], deletions[0]))
	scope := contextOf(t, writes[0])
	before := viewOf(t, k, alice, scope, secretA)
	put(t, s, alice, writes[:1])
	if keys, err := before.Keys(t.Context()); len(keys) != 0 || err != nil {
		t.Errorf("%d keys, want none (%v)", len(keys), err)
	}
	if got := viewOf(t, k, alice, scope, secretA).Root.Count; got != 2 {
		t.Fatalf("%d items now: this test shows nothing", got)
	}
}

// TestLogEnds: a log that is longer than positions go, or ends before it says.
func TestLogEnds(t *testing.T) {
	b := &bent{Store: openStore(t, t.TempDir())}
	put(t, b, alice, generated()[:50])
	opt := small()
	opt.SaveEvery = 10_000 // nothing goes on in the background
	for name, c := range map[string]struct {
		last uint64
		want error
	}{
		"one more than it has":    {51, store.ErrCorrupt},
		"as many as can be":       {math.MaxUint32, store.ErrCorrupt},
		"one more than can be":    {math.MaxUint32 + 1, ErrTooLong},
		"far more than can be":    {math.MaxUint64, ErrTooLong},
		"no more than it has":     {50, nil},
		"what came after a while": {30, nil},
	} {
		b.last = func(uint64) uint64 { return c.last }
		k := openKeeper(t, b, opt)
		view, err := k.View(t.Context(), alice, dwn.Scope{}, secretA)
		if !errors.Is(err, c.want) || err == nil && view.Root.Count != c.last {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		// Nor do entries that are missing at the end count as folded.
		b.last = func(uint64) uint64 { return 40 }
		k = openKeeper(t, b, opt)
		viewOf(t, k, alice, dwn.Scope{}, secretA)
		b.last = func(uint64) uint64 { return 51 }
		if _, err := k.View(t.Context(), alice, dwn.Scope{}, secretA); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("caught up with a log that is too short: %v", err)
		}
	}
}

// TestTorn: summaries that are ahead of their position are not saved, and those that
// were made whole again are.
func TestTorn(t *testing.T) {
	for _, c := range []struct {
		name string
		more int    // messages that came before the next request, -1 for no request
		want uint64 // where the saved summaries end
	}{{"torn", -1, 200}, {"caught up", 0, 260}, {"made again", 400, 660}} {
		watched := &spy{Store: openStore(t, t.TempDir())}
		opt := small()
		opt.SaveEvery = 1000
		put(t, watched, alice, generated()[:200])
		k := Open(watched, opt)
		viewOf(t, k, alice, dwn.Scope{}, secretA)
		closeAll(t, k, nil)
		k = Open(watched, opt)
		viewOf(t, k, alice, dwn.Scope{}, secretA)
		put(t, watched, alice, generated()[200:260])
		k.batch = 7
		ctx, cancel := context.WithCancel(t.Context())
		left := 30
		watched.entry = func() {
			if left--; left == 0 {
				cancel()
			}
		}
		if _, err := k.View(ctx, alice, dwn.Scope{}, secretA); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want %v", err, context.Canceled)
		}
		watched.entry = nil
		if c.more >= 0 {
			put(t, watched, alice, generated()[260:260+c.more])
			viewOf(t, k, alice, dwn.Scope{}, secretA)
		}
		closeAll(t, k, nil)
		at, _, ok, err := watched.Tenant(alice).Fold(t.Context(), foldName(secretA.Generation))
		if at != c.want || !ok || err != nil {
			t.Errorf("%s: saved to %d, want %d (%v)", c.name, at, c.want, err)
		}
	}
}
