package summaries

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestHistories: after writes in random batches, with views asked for or not, the
// Keeper and the store opened again, and crashes at any moment, every view is what its
// messages give. Invariant I5; cases A18, A19, B21, C32 to C34 and C42: generated
// messages come with times in no order.
func TestHistories(t *testing.T) {
	rng := rand.New(rand.NewPCG(20261123, 5))
	all := scopes(t)
	histories := 1
	if os.Getenv("DWNSYNC_LONG") != "" {
		histories = 20
	}
	for range histories {
		dir := t.TempDir()
		s := openStore(t, dir)
		k := openKeeper(t, s, small())
		for entries := messages(rng, 300); len(entries) > 0; {
			n := min(len(entries), 1+rng.IntN(60))
			put(t, s, alice, append(slices.Clone(entries[:n]), entries[0]))
			entries = entries[n:]
			k.Wrote(alice, n)
			switch rng.IntN(7) {
			case 0:
				closeAll(t, k, nil)
				k = openKeeper(t, s, small())
			case 1:
				closeAll(t, k, s)
				s = openStore(t, dir)
				k = openKeeper(t, s, small())
			case 2:
				k.work.Wait() // a copy while files change is of no moment
				dir = copyFolder(t, dir)
				s = openStore(t, dir)
				k = openKeeper(t, s, small())
			case 3, 4:
				continue
			}
			checkView(t, k, s, alice, dwn.Scope{}, secretA)
			checkView(t, k, s, alice, all[rng.IntN(len(all))], secretA)
		}
		for _, scope := range append(all, dwn.Scope{}) {
			checkView(t, k, s, alice, scope, secretA)
		}
	}
}

func closeAll(t *testing.T, k *Keeper, s store.Store) {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if s == nil {
		return
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRescoped: deletes that came before their record's initial write enter a scoped
// view when it comes and leave another; a view of before still has the keys of before.
func TestRescoped(t *testing.T) {
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, small())
	k.batch = 7
	deletes, writes := splitDeletes()
	put(t, s, alice, deletes)
	all, before := scopes(t), []*View{}
	var keysBefore [][]dwn.Key
	for _, scope := range all {
		before = append(before, viewOf(t, k, alice, scope, secretA))
		keysBefore = append(keysBefore, storedKeys(t, s, alice, scope))
	}
	for i := range all {
		put(t, s, alice, writes[i*100:(i+1)*100])
		for j, scope := range all {
			checkView(t, k, s, alice, scope, secretA)
			got, err := before[j].Keys(t.Context())
			if err != nil || !slices.Equal(got, keysBefore[j]) {
				t.Fatalf("the earlier view has %d keys, want %d (%v)", len(got), len(keysBefore[j]), err)
			}
		}
	}
	isDelete := func(k dwn.Key) bool {
		return slices.ContainsFunc(deletes, func(e store.Entry) bool { return e.Message.Key() == k })
	}
	if slices.ContainsFunc(keysBefore[2], isDelete) || !slices.ContainsFunc(storedKeys(t, s, alice, all[2]), isDelete) {
		t.Error("no delete was rescoped: this test shows nothing")
	}
}

// twins returns two initial writes of one record, in two contexts, the one with the lower
// ID second, and deletes of the record. Signatures are not valid: a store trusts its caller.
func twins(t *testing.T, deletes int) (writes, deletions []store.Entry) {
	t.Helper()
	parse := func(format string, args ...any) *dwn.Message {
		m, err := dwn.ParseJSON(fmt.Appendf(nil, format, args...))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	const write = `{"recordId":%q,"contextId":%q,"descriptor":{"interface":"Records","method":"Write","protocol":"https://example.org/p",
		"protocolPath":"note","dataCid":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku","dataSize":0,"dataFormat":"text/plain",
		"dateCreated":"2025-01-01T00:00:00.000000Z","messageTimestamp":"2025-01-01T00:00:00.000000Z"},"authorization":%s}`
	const deletion = `{"descriptor":{"interface":"Records","method":"Delete","prune":false,
		"messageTimestamp":"2025-01-02T00:00:00.%06dZ","recordId":%q},"authorization":%s}`
	const signed = `{"signature":{"payload":"eyJkZXNjcmlwdG9yQ2lkIjoieCJ9","signatures":[{"protected":
		"eyJraWQiOiJkaWQ6ZXhhbXBsZTphbGljZSMwIiwiYWxnIjoiRWREU0EifQ","signature":"AAAA"}]}}`
	entry, err := parse(write, "to be computed", "c", signed).EntryID()
	if err != nil {
		t.Fatal(err)
	}
	for _, context := range []string{"c", "d"} {
		writes = append(writes, store.Entry{Message: parse(write, entry.String(), context, signed)})
	}
	slices.SortFunc(writes, func(a, b store.Entry) int { return b.Message.Key().Compare(a.Message.Key()) })
	for i := range deletes {
		deletions = append(deletions, store.Entry{Message: parse(deletion, i, entry.String(), signed)})
	}
	return writes, deletions
}

func contextOf(t *testing.T, e store.Entry) dwn.Scope {
	t.Helper()
	scope, err := dwn.ParseScope(fmt.Appendf(nil, `{"contextId":%q}`, e.Message.ContextID()))
	if err != nil {
		t.Fatal(err)
	}
	return scope
}

// TestTwins: a delete that is in one scope leaves it for another when a second initial
// write of its record, of a lower ID and in another context, is stored.
func TestTwins(t *testing.T) {
	writes, deletions := twins(t, 1)
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, small())
	put(t, s, alice, generated()[:100])
	for i, e := range []store.Entry{deletions[0], writes[0], writes[1]} {
		put(t, s, alice, []store.Entry{e})
		for j, other := range writes {
			checkView(t, k, s, alice, contextOf(t, other), secretA)
			want := [][]uint64{{0, 0}, {2, 0}, {1, 2}}[i][j]
			if got := viewOf(t, k, alice, contextOf(t, other), secretA).Root.Count; got != want {
				t.Errorf("after message %d context %d has %d messages, want %d", i, j, got, want)
			}
		}
	}
}

// TestCanceledInside: a catch-up that ends between two deletes that one write has given a
// scope takes up the others later.
func TestCanceledInside(t *testing.T) {
	writes, deletions := twins(t, 6)
	watched := &spy{Store: openStore(t, t.TempDir())}
	put(t, watched, alice, append(deletions, generated()[:100]...))
	var keepers []*Keeper
	for range 8 {
		k := openKeeper(t, watched, small())
		k.batch = 2
		viewOf(t, k, alice, contextOf(t, writes[0]), secretA)
		keepers = append(keepers, k)
	}
	put(t, watched, alice, writes[:1])
	for i, k := range keepers {
		ctx, cancel := context.WithCancel(t.Context())
		left := i
		watched.entry = func() {
			if left--; left < 0 {
				cancel()
			}
		}
		_, err := k.View(ctx, alice, contextOf(t, writes[0]), secretA)
		if cancel(); i < 7 && !errors.Is(err, context.Canceled) {
			t.Errorf("after %d entries: %v, want %v", i, err, context.Canceled)
		}
		watched.entry = nil
		put(t, watched, alice, generated()[100+i:101+i])
		if got := viewOf(t, k, alice, contextOf(t, writes[0]), secretA).Root.Count; got != 7 {
			t.Errorf("after %d entries the view has %d messages, want 7", i, got)
		}
		checkView(t, k, watched, alice, contextOf(t, writes[0]), secretA)
	}
}

func splitDeletes() (deletes, writes []store.Entry) {
	for _, e := range generated()[:800] {
		if e.Message.Method() == "Delete" {
			deletes = append(deletes, e)
		} else {
			writes = append(writes, e)
		}
	}
	return deletes, writes
}

// TestTail: a view costs what the log brought since the last one, and nothing where
// that is nothing; a Keeper that is opened costs the tail of what was saved.
func TestTail(t *testing.T) {
	entries := messages(rand.New(rand.NewPCG(1, 1)), 1000)
	watched := &spy{Store: openStore(t, t.TempDir())}
	opt := Options{SaveEvery: 100}
	k := openKeeper(t, watched, opt)
	put(t, watched, alice, entries[:900])
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	for _, step := range []struct{ from, to int }{{900, 900}, {900, 907}, {907, 950}} {
		put(t, watched, alice, entries[step.from:step.to])
		watched.logged.Store(0)
		first := viewOf(t, k, alice, dwn.Scope{}, secretA)
		// A batch that ends inside of a position's entries reads no position twice;
		// the entry that rescopes deletes has them with it.
		if got, most := watched.logged.Load(), int64(2*(step.to-step.from)); got > most {
			t.Errorf("%d entries of the log read for %d new", got, step.to-step.from)
		}
		if again := viewOf(t, k, alice, dwn.Scope{}, secretA); again != first {
			t.Error("a view of an unchanged log is made again")
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	watched.logged.Store(0)
	k = openKeeper(t, watched, opt)
	before := viewOf(t, k, alice, dwn.Scope{}, secretA)
	put(t, watched, alice, entries[950:960])
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	if got := watched.logged.Load(); got > 20 {
		t.Errorf("%d entries of the log read on opening, 10 are new", got)
	}
	newest := summary.NewExpander(summary.Derive(secretA.Key, nil), summary.Params{}).Key(entries[959].Message.Key()).Short
	for view, want := range map[*View]int{before: 0, viewOf(t, k, alice, dwn.Scope{}, secretA): 1} {
		keys, unknown, err := view.Resolve(t.Context(), []uint64{newest})
		if len(keys) != want || len(unknown) != 1-want || err != nil {
			t.Errorf("the newest item resolves to %d keys, want %d (%v)", len(keys), want, err)
		}
	}
	if watched.scanned.Load() != 0 {
		t.Error("the keys were scanned")
	}
	checkView(t, k, watched, alice, dwn.Scope{}, secretA)
}

// TestRefineWhileWritten: keys of a dense bucket that are newer than the fold are waited
// for, not taken for drift.
func TestRefineWhileWritten(t *testing.T) {
	entries := messages(rand.New(rand.NewPCG(1, 2)), 900)
	watched, log := &spy{Store: openStore(t, t.TempDir())}, &record{}
	opt := small()
	opt.Logger = log.logger()
	k := openKeeper(t, watched, opt)
	put(t, watched, alice, entries[:500])
	all := append(scopes(t), dwn.Scope{})
	for _, scope := range all {
		viewOf(t, k, alice, scope, secretA)
	}
	next, calls := 500, 0
	k.work.Wait()
	watched.keysIn = func() {
		if calls++; next < 800 {
			put(t, watched.Store, alice, entries[next:next+2])
			next += 2
		}
	}
	for _, scope := range all {
		put(t, watched.Store, alice, entries[next:next+15])
		next += 15
		viewOf(t, k, alice, scope, secretA)
	}
	for _, scope := range all {
		checkView(t, k, watched, alice, scope, secretA)
	}
	// A bucket of a scoped view may be gone by then: that is no drift, nor is it frequent.
	for line := range strings.Lines(log.text.String()) {
		if !strings.Contains(line, "is no leaf") {
			t.Error(line)
		}
	}
	if calls < 10 {
		t.Errorf("%d buckets were refined: this test shows nothing", calls)
	}
}

// TestCanceled: a catch-up that its caller gave up anywhere is taken up by the next.
// One of an ended context does nothing.
func TestCanceled(t *testing.T) {
	entries := messages(rand.New(rand.NewPCG(1, 3)), 1400)
	watched := &spy{Store: openStore(t, t.TempDir())}
	k := openKeeper(t, watched, small())
	k.batch = 7
	put(t, watched, alice, entries[:800])
	all := append(scopes(t), dwn.Scope{})
	for _, scope := range all {
		viewOf(t, k, alice, scope, secretA)
	}
	for round := range 4 {
		put(t, watched, alice, entries[800+150*round:950+150*round])
		for i, scope := range all {
			ctx, cancel := context.WithCancel(t.Context())
			left := 40*round + 7*i
			k.work.Wait()
			watched.entry = func() {
				if left--; left < 0 {
					cancel()
				}
			}
			if _, err := k.View(ctx, alice, scope, secretA); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want %v", err, context.Canceled)
			}
			cancel()
			watched.entry = nil
		}
		if round%2 == 1 {
			checkView(t, k, watched, alice, all[round], secretA)
		}
	}
	for _, scope := range all {
		checkView(t, k, watched, alice, scope, secretA)
	}
	held := k.find(alice, dwn.Scope{}, secretA)
	if err := held.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer held.release()
	put(t, watched, alice, generated()[1400:1401])
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := k.View(ctx, alice, dwn.Scope{}, secretA); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another folds: %v, want %v", err, context.DeadlineExceeded)
	}
}

// TestWidth: where a view outgrows its short IDs it gets wider ones, and who holds
// an older view is told to ask for another.
func TestWidth(t *testing.T) {
	entries := messages(rand.New(rand.NewPCG(1, 4)), 200)
	s := openStore(t, t.TempDir())
	k := openKeeper(t, s, small())
	put(t, s, alice, entries[:100])
	before := viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	k.opt.Set.Params = summary.Params{ShortBits: 40, CheckBits: 16}
	put(t, s, alice, entries[100:110])
	checkView(t, k, s, alice, dwn.Scope{}, secretA)
	if got := viewOf(t, k, alice, dwn.Scope{}, secretA).Params().ShortBits; got != 40 {
		t.Errorf("short IDs of %d bits, want 40", got)
	}
	if _, _, err := before.Resolve(t.Context(), []uint64{1}); !errors.Is(err, ErrStale) {
		t.Errorf("a view of the old width: %v, want %v", err, ErrStale)
	}
}
