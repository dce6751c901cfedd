package storetest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// similarDIDs are names of which one begins, ends or is encoded like another.
var similarDIDs = []string{
	"", "\x00", "did:key:abc", "did:key:abcd", "did:key:abc\x00", "did:key:abc/", "did:key:ab", "did:key:abc#k",
	"DID:key:abc", "did:key:abc ", "did:key:ABC", "did:key:äbc", "did:key:a\u0308bc", "did:key:\xff\xff", "did:key:\xff",
	"m", "k", strings.Repeat("did:key:abc", 10_000),
}

// testSimilarTenants gives every tenant its own part of one set of messages, and
// checks that none sees another's.
func testSimilarTenants(t *testing.T, b *bed) {
	all := notes(t, 0, 60)
	large := randomData(7, 100_000)
	models := make(map[string]*model)
	for i, did := range similarDIDs {
		models[did] = newModel(did)
		rng := rand.New(rand.NewPCG(uint64(i), 9))
		for _, entry := range all {
			if rng.IntN(2) == 0 {
				models[did].putAll(t, b.Tenant(did), entry)
			}
		}
		c := naming(t, b.Tenant(did), models[did], 1000, large)
		if i%2 == 0 {
			if err := b.Tenant(did).PutData(t.Context(), c, strings.NewReader(string(large))); err != nil {
				t.Fatal(err)
			}
			models[did].data[c] = large
		}
		if _, err := b.Tenant(did).KeepSecret(t.Context(), nil, store.Secret{Generation: uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	b.reopen()
	for i, did := range similarDIDs {
		models[did].check(t, b.Tenant(did), scopeOf(t, `{"author":"did:example:alice"}`))
		if got, _, err := b.Tenant(did).Secret(t.Context(), nil); err != nil || got.Generation != uint64(i) {
			t.Fatalf("secret of %.20q: generation %d (%v), want %d", did, got.Generation, err, i)
		}
		if wanted := wantedOf(t, b.Tenant(did)); len(wanted) != i%2 {
			t.Fatalf("%.20q wants %v", did, wanted)
		}
	}
	want := slices.Sorted(slices.Values(similarDIDs))
	if got := tenantsOf(t, b); !slices.Equal(got, want) {
		t.Fatalf("tenants %.200q", got)
	}
}

// testConcurrency lets eight writers put overlapping batches while readers check
// that what they see holds together.
func testConcurrency(t *testing.T, b *bed) {
	const writers = 8
	have, m, all := b.Tenant(alice), newModel(alice), universe(t, rand.New(rand.NewPCG(3, 4)), 150)
	accepted := make([]int, writers)
	done := make(chan struct{})
	var writing, reading sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 5))
			for range 12 {
				at := rng.IntN(len(all) - 20)
				outcomes, err := have.Put(t.Context(), all[at:at+20])
				if err != nil {
					t.Error(err)
				}
				for _, outcome := range outcomes {
					if outcome == store.Accepted {
						accepted[i]++
					}
				}
			}
			rest := all[i*len(all)/writers : (i+1)*len(all)/writers]
			outcomes, err := have.Put(t.Context(), rest)
			if err != nil {
				t.Error(err)
			}
			for _, outcome := range outcomes {
				if outcome == store.Accepted {
					accepted[i]++
				}
			}
			if _, err := have.KeepSecret(t.Context(), nil, store.Secret{Generation: uint64(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		reading.Go(func() { readWhile(t, have, done) })
	}
	writing.Wait()
	close(done)
	reading.Wait()
	sum := 0
	for i := range accepted {
		sum += accepted[i]
	}
	for _, entry := range all {
		m.put(entry)
	}
	if sum != len(m.messages) {
		t.Errorf("%d messages were accepted, want %d", sum, len(m.messages))
	}
	m.check(t, have, scopeOf(t, `{"schema":"https://example.org/one"}`), scopeOf(t, `{"contextId":"c/d"}`))
	if got, _, err := have.Secret(t.Context(), nil); err != nil || got.Generation != writers-1 {
		t.Errorf("secret of generation %d (%v)", got.Generation, err)
	}
}

// readWhile reads until done: keys are sorted and only grow, all of them can be
// read, and the log is dense and has at least the keys seen before.
func readWhile(t *testing.T, have store.Tenant, done <-chan struct{}) {
	before := 0
	for {
		select {
		case <-done:
			return
		default:
		}
		keys, last := keysOf(t, have, dwn.Scope{})
		if len(keys) < before || uint64(len(keys)) != last || !slices.IsSortedFunc(keys, dwn.Key.Compare) {
			t.Errorf("%d keys as of position %d after %d, or unsorted", len(keys), last, before)
			return
		}
		before = len(keys)
		all := make([]dwn.ID, len(keys))
		for i := range keys {
			all[i] = keys[i].ID
		}
		getAll(t, have, all)
		position := uint64(0)
		for _, e := range logOf(t, have, 0) {
			if e.Event == store.EventAccepted {
				position++
			}
			if e.Position != position {
				t.Errorf("position %d, want %d", e.Position, position)
				return
			}
		}
		if int(position) < before {
			t.Errorf("log of %d for %d keys", position, before)
			return
		}
		checkMoment(t, have, scopeOf(t, `{"contextId":"c/d"}`))
	}
}

func testCanceled(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	m.putAll(t, have, notes(t, 0, 5)...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range everyCall(ctx, b.Store, have, note(t, 9)) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", name, err, context.Canceled)
		}
	}
	m.check(t, have)
	// A context that ends during an upload ends it, and it leaves nothing.
	data := randomData(8, 3<<20)
	c := naming(t, have, m, 10, data)
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	r := io.MultiReader(strings.NewReader(string(data[:2<<20])), calls(cancel), strings.NewReader(string(data[2<<20:])))
	if err := have.PutData(ctx, c, r); !errors.Is(err, context.Canceled) {
		t.Errorf("PutData: %v", err)
	}
	m.check(t, have)
}

// calls is a Reader of nothing that calls a function.
type calls func()

func (f calls) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// everyCall makes every call there is and returns its error.
func everyCall(ctx context.Context, s store.Store, have store.Tenant, entry store.Entry) map[string]error {
	errs := make(map[string]error)
	named, _ := entry.Message.Data()
	_, errs["Put"] = have.Put(ctx, []store.Entry{entry})
	_, errs["PutUnder"] = have.PutUnder(ctx, []store.Entry{entry}, []string{"grant"})
	errs["PutDataUnder"] = have.PutDataUnder(ctx, named.CID, strings.NewReader(string(entry.Data)), []string{"grant"})
	errs["SentBy"] = have.SentBy(ctx, "did:example:bob", named.CID, []string{"grant"})
	_, _, errs["Grant"] = have.Grant(ctx, "grant")
	for _, errs["Grants"] = range have.Grants(ctx) {
	}
	_, _, errs["Keys"] = have.Keys(ctx, dwn.Scope{})
	_, _, errs["Keys of the zero tenant"] = s.Tenant("").Keys(ctx, dwn.Scope{})
	_, _, errs["KeysIn"] = have.KeysIn(ctx, dwn.Scope{}, firstKey, lastKey)
	_, errs["Last"] = have.Last(ctx)
	for _, errs["At"] = range have.At(ctx, []uint64{1}) {
	}
	for _, errs["Get"] = range have.Get(ctx, []dwn.ID{entry.Message.ID()}) {
	}
	for _, errs["Log"] = range have.Log(ctx, 0) {
	}
	for _, errs["Tenants"] = range s.Tenants(ctx) {
	}
	for _, errs["WantedData"] = range have.WantedData(ctx) {
	}
	_, errs["Has"] = s.Has(ctx, alice)
	_, errs["SealKey"] = s.SealKey(ctx)
	_, _, errs["Initial"] = have.Initial(ctx, entry.Message.RecordID())
	_, _, errs["OpenData"] = have.OpenData(ctx, named.CID)
	errs["PutData"] = have.PutData(ctx, named.CID, strings.NewReader(string(entry.Data)))
	_, errs["Usage"] = have.Usage(ctx)
	errs["Room"] = have.Room(ctx, 1, false)
	_, _, errs["Secret"] = have.Secret(ctx, nil)
	_, _, _, errs["Fold"] = have.Fold(ctx, "f")
	errs["KeepFold"] = have.KeepFold(ctx, "f", 1, make([]byte, 3<<20))
	errs["KeepFold of nil"] = have.KeepFold(ctx, "f", 1, nil)
	_, errs["KeepSecret"] = have.KeepSecret(ctx, nil, store.Secret{Generation: 1 << 60})
	_, errs["KeepSecret of a label"] = have.KeepSecret(ctx, []byte("label"), store.Secret{})
	return errs
}

// testClose closes the store in the middle of everything.
func testClose(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	for n := range 3 {
		m.putAll(t, have, notes(t, n*200, (n+1)*200)...)
	}
	data := randomData(9, 2<<20)
	c := naming(t, have, m, 5000, data)
	if err := have.PutData(t.Context(), c, strings.NewReader(string(data))); err != nil {
		t.Fatal(err)
	}
	m.data[c] = data
	reader, _, err := have.OpenData(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	added := make([]int, 4)
	for i := range added {
		wait.Go(func() {
			for n := range 1000 {
				if _, err := have.Put(t.Context(), []store.Entry{note(t, 10_000*(i+1)+n)}); errors.Is(err, store.ErrClosed) {
					return
				} else if err != nil {
					t.Error(err)
				}
				added[i]++
			}
		})
	}
	seen := 0
	for _, err := range have.Log(t.Context(), 0) {
		if seen++; seen == 100 {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil && !errors.Is(err, store.ErrClosed) {
			t.Fatal(err)
		}
	}
	wait.Wait()
	if _, err := io.ReadAll(reader); !errors.Is(err, store.ErrClosed) {
		t.Errorf("reading data: %v", err)
	}
	for name, err := range everyCall(t.Context(), b.Store, have, note(t, 9)) {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrClosed)
		}
	}
	b.reopen()
	for i, n := range added {
		for j := range n {
			message := note(t, 10_000*(i+1)+j)
			m.put(message)
		}
	}
	m.check(t, b.Tenant(alice))
}
