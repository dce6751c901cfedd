package storetest

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// firstKey and lastKey are the ends of the order of keys.
var (
	firstKey = dwn.Key{Time: math.MinInt64}
	lastKey  = dwn.Key{Time: math.MaxInt64, ID: [32]byte(slices.Repeat([]byte{0xff}, 32))}
)

// checkRanges asks KeysIn for ranges around the keys in scope, which are want as
// of position last: with ends on a key and right after one.
func checkRanges(t *testing.T, have store.Messages, scope dwn.Scope, want []dwn.Key, last uint64) {
	t.Helper()
	type interval struct{ from, to dwn.Key }
	ranges := []interval{{lastKey, firstKey}, {firstKey, lastKey}}
	if n := len(want); n > 0 {
		rng := rand.New(rand.NewPCG(uint64(n), last))
		at, after := want[rng.IntN(n)], want[rng.IntN(n)]
		some := []interval{{firstKey, lastKey}, {at, at}, {at, after}, {firstKey, at}, {next(at), lastKey}}
		ranges = []interval{{at, after}, some[rng.IntN(len(some))]}
	}
	for _, r := range ranges {
		part := []dwn.Key{}
		for _, key := range want {
			if key.Compare(r.from) >= 0 && key.Compare(r.to) <= 0 {
				part = append(part, key)
			}
		}
		got, at, err := have.KeysIn(t.Context(), scope, r.from, r.to)
		if err != nil || at != last || !slices.Equal(got, part) {
			t.Fatalf("KeysIn of %s from %v to %v: %d keys at position %d (%v), want %d at %d",
				scope.AppendJSON(nil), r.from, r.to, len(got), at, err, len(part), last)
		}
	}
}

// next returns the key that follows a key immediately, unless its ID is the last.
func next(key dwn.Key) dwn.Key {
	for i := len(key.ID) - 1; i >= 0; i-- {
		if key.ID[i]++; key.ID[i] != 0 {
			break
		}
	}
	return key
}

// checkMoment compares what KeysIn tells of everything in scope with a fold over
// the log up to the position that comes with it, while others write.
func checkMoment(t *testing.T, have store.Tenant, scope dwn.Scope) {
	t.Helper()
	got, last, err := have.KeysIn(t.Context(), scope, firstKey, lastKey)
	if err != nil {
		t.Error(err)
		return
	}
	attributes := make(map[dwn.Key]dwn.Attributes)
	for _, e := range logOf(t, have, 0) {
		if e.Position <= last {
			attributes[e.Key] = e.Attributes
		}
	}
	want := []dwn.Key{}
	for key, a := range attributes {
		if scope.Matches(a) {
			want = append(want, key)
		}
	}
	if slices.SortFunc(want, dwn.Key.Compare); !slices.Equal(got, want) {
		t.Errorf("KeysIn at position %d: %d keys, the log has %d", last, len(got), len(want))
	}
}

// checkAt asks for the acceptances among entries, which are the whole log, out of
// order and some of them twice.
func checkAt(t *testing.T, have store.Arrivals, entries []store.LogEntry) {
	t.Helper()
	var want []store.LogEntry
	for _, e := range entries {
		if e.Event == store.EventAccepted {
			want = append(want, e)
		}
	}
	if last, err := have.Last(t.Context()); err != nil || last != uint64(len(want)) {
		t.Fatalf("Last: %d (%v), want %d", last, err, len(want))
	}
	want = append(want, want[:min(3, len(want))]...)
	slices.SortStableFunc(want, func(a, b store.LogEntry) int { return cmp.Compare(a.Key.ID[0], b.Key.ID[0]) })
	got, err := at(t, have, positionsOf(want))
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("At yields %d entries that differ from the %d asked for (%v)", len(got), len(want), err)
	}
}

func positionsOf(entries []store.LogEntry) (positions []uint64) {
	for _, e := range entries {
		positions = append(positions, e.Position)
	}
	return positions
}

// at returns what At yields, and the error that it ends with.
func at(t *testing.T, have store.Arrivals, positions []uint64) (entries []store.LogEntry, failed error) {
	t.Helper()
	for e, err := range have.At(t.Context(), positions) {
		if failed != nil {
			t.Fatal("the iteration goes on after an error")
		}
		if failed = err; err == nil {
			entries = append(entries, e)
		}
	}
	return entries, failed
}

// testPositions asks for more positions than a page has, and for some that are not
// there.
func testPositions(t *testing.T, b *bed) {
	have := b.Tenant(alice)
	if last, err := have.Last(t.Context()); err != nil || last != 0 {
		t.Fatalf("Last of nothing: %d (%v)", last, err)
	}
	checkRanges(t, have, dwn.Scope{}, nil, 0)
	const n = 600
	for batch := range slices.Chunk(notes(t, 0, n), store.MaxBatch) {
		if _, err := have.Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	b.reopen()
	have = b.Tenant(alice)
	log := logOf(t, have, 1)
	checkAt(t, have, log)
	positions := positionsOf(log)
	slices.Reverse(positions)
	for _, missing := range []uint64{0, n + 1, math.MaxUint64} {
		for _, i := range []int{0, 1, 255, 256, 257, 400, n} {
			got, err := at(t, have, slices.Insert(slices.Clone(positions), i, missing))
			var named *store.PositionError
			if !errors.As(err, &named) || named.Position != missing || !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("position %d: got %v", missing, err)
			}
			if !slices.Equal(positionsOf(got), positions[:i]) {
				t.Fatalf("%d entries before position %d, want %d", len(got), missing, i)
			}
		}
	}
}

// testTies stores messages of one time, and one each before and after: ranges cut
// between them.
func testTies(t *testing.T, b *bed) {
	m, have := newModel(alice), b.Tenant(alice)
	for n, count := range []int{1, 40, 1} {
		for i := range count {
			d := draft{n: n, method: "Write", author: authors[i%2], data: []byte{byte(i)}}
			m.putAll(t, have, store.Entry{Message: d.message(t)})
		}
	}
	all := m.keys(dwn.Scope{})
	for _, scope := range []dwn.Scope{{}, scopeOf(t, `{"author":"did:example:alice"}`)} {
		want := m.keys(scope)
		for i, from := range all {
			for _, to := range all[i:] {
				got, _, err := have.KeysIn(t.Context(), scope, from, to)
				first, _ := slices.BinarySearchFunc(want, from, dwn.Key.Compare)
				end, _ := slices.BinarySearchFunc(want, next(to), dwn.Key.Compare)
				if err != nil || !slices.Equal(got, want[first:end]) {
					t.Fatalf("from %v to %v: %d keys (%v), want %d", from, to, len(got), err, end-first)
				}
			}
		}
	}
}
