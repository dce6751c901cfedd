package summaries

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// saved stores entries and returns what a Keeper saves of them when it is closed.
func saved(t *testing.T, s store.Store, entries []store.Entry) (at uint64, data []byte) {
	t.Helper()
	k := Open(s, small())
	for _, part := range [][]store.Entry{entries[:len(entries)-20], entries[len(entries)-20:]} {
		put(t, s, alice, part)
		viewOf(t, k, alice, dwn.Scope{}, secretA)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	at, data, ok, err := s.Tenant(alice).Fold(t.Context(), foldName(secretA.Generation))
	if !ok || err != nil || at != uint64(len(entries)) {
		t.Fatalf("saved at %d (%v, %v), want %d", at, ok, err, len(entries))
	}
	return at, data
}

// TestSavedOfEarlierSecret: what a rotation leaves in a slot is no damage, and is not told as such.
func TestSavedOfEarlierSecret(t *testing.T) {
	s := openStore(t, t.TempDir())
	at, _ := saved(t, s, generated()[:320])
	next := store.Secret{Generation: secretA.Generation + maxEpochs, ID: [16]byte{7}, Key: [32]byte{7}}
	log, opt := &record{}, small()
	opt.Logger = log.logger()
	k := openKeeper(t, s, opt)
	set, err := k.find(alice, dwn.Scope{}, next).load(t.Context(), at)
	if err != nil || set != nil || log.has("WARN") || !log.has("earlier secret") {
		t.Errorf("loaded %v (%v): %s", set != nil, err, log.text.String())
	}
	checkView(t, k, s, alice, dwn.Scope{}, next)
}

// TestSavedRefused: what is saved is loaded if it is whole, and of this log, secret and
// version; else it is thrown away and the summaries are right all the same. Cases G85,
// G86 and G90.
func TestSavedRefused(t *testing.T) {
	s := openStore(t, t.TempDir())
	at, data := saved(t, s, generated()[:320])
	rows := s.Tenant(alice)
	changed := func(i int) []byte {
		c := slices.Clone(data)
		c[i] ^= 1
		return c
	}
	before, err := keyAt(t.Context(), rows, at-1)
	if err != nil {
		t.Fatal(err)
	}
	moved := binary.BigEndian.AppendUint64([]byte{savedVersion}, uint64(before.Time))
	moved = append(append(moved, before.ID[:]...), data[savedHead:]...)
	other := secretA
	other.Key[0]++
	narrow := small()
	narrow.Set.Leaf++
	for name, c := range map[string]struct {
		data   []byte
		at     uint64
		secret store.Secret
		opt    Options
		use    bool
	}{
		"as it was":          {data, at, secretA, small(), true},
		"a byte of the tree": {changed(len(data) / 4), at, secretA, small(), false},
		"the last byte":      {changed(len(data) - 1), at, secretA, small(), false},
		"version":            {changed(0), at, secretA, small(), false},
		"version of the set": {changed(savedHead), at, secretA, small(), false},
		"key":                {changed(20), at, secretA, small(), false},
		"cut":                {data[:len(data)-1], at, secretA, small(), false},
		"head alone":         {data[:savedHead], at, secretA, small(), false},
		"empty":              {[]byte{}, at, secretA, small(), false},
		"ahead of the log":   {data, at + 1, secretA, small(), false},
		"far ahead":          {data, 1 << 40, secretA, small(), false},
		"another position":   {data, at - 1, secretA, small(), false},
		"one that it is not": {moved, at - 1, secretA, small(), false},
		"no position":        {data, 0, secretA, small(), false},
		"another secret":     {data, at, other, small(), false},
		"other options":      {data, at, secretA, narrow, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := rows.KeepFold(t.Context(), foldName(secretA.Generation), c.at, c.data); err != nil {
				t.Fatal(err)
			}
			log := &record{}
			c.opt.Logger = log.logger()
			k := openKeeper(t, s, c.opt)
			set, err := k.find(alice, dwn.Scope{}, c.secret).load(t.Context(), at)
			if err != nil || (set != nil) != c.use || log.has("thrown away") == c.use {
				t.Errorf("loaded %v, want %v (%v): %s", set != nil, c.use, err, log.text.String())
			}
			checkView(t, k, s, alice, dwn.Scope{}, c.secret)
		})
	}
}

// TestRolledBack: summaries saved for a log that another one of the same length has
// taken the place of are thrown away, by the last key.
func TestRolledBack(t *testing.T) {
	first, second := openStore(t, t.TempDir()), openStore(t, t.TempDir())
	entries := messages(rand.New(rand.NewPCG(3, 1)), 200)
	at, data := saved(t, first, entries[:100])
	put(t, second, alice, entries[100:])
	if err := second.Tenant(alice).KeepFold(t.Context(), foldName(secretA.Generation), at, data); err != nil {
		t.Fatal(err)
	}
	checkView(t, openKeeper(t, second, small()), second, alice, dwn.Scope{}, secretA)
}

// TestCheck: drift of any part is found and named, and Rebuild mends it, in memory and
// on disk.
func TestCheck(t *testing.T) {
	s := &spy{Store: openStore(t, t.TempDir())}
	if _, err := s.Tenant(alice).KeepSecret(t.Context(), nil, secretA); err != nil {
		t.Fatal(err)
	}
	put(t, s, alice, generated()[:200])
	k := Open(s, small())
	scope := scopes(t)[0]
	for _, scope := range []dwn.Scope{{}, scope} {
		checkView(t, k, s, alice, scope, secretA)
		drift(t, k, scope)
		err := k.Check(t.Context(), alice)
		var found *DriftError
		if !errors.As(err, &found) || !errors.Is(err, ErrDrift) || found.Scope != scope || found.Part != summary.PartRoot {
			t.Errorf("got %v, want drift of the root", err)
		}
		if err := k.Rebuild(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		checkView(t, k, s, alice, scope, secretA)
	}
	v := k.find(alice, scope, secretA)
	short := move(t, v)
	if _, _, err := v.latest.Load().Resolve(t.Context(), []uint64{short}); !errors.Is(err, ErrDrift) {
		t.Errorf("a short ID at another's position: %v", err)
	}
	var found *DriftError
	if err := k.Check(t.Context(), alice); !errors.As(err, &found) || found.Part != summary.PartIndex {
		t.Errorf("an index entry at another position: %v", err)
	}
	if err := k.Rebuild(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	s.keys = func(keys []dwn.Key) []dwn.Key { return keys[1:] }
	if _, err := viewOf(t, k, alice, dwn.Scope{}, secretA).Keys(t.Context()); !errors.Is(err, ErrDrift) {
		t.Errorf("a key less than the view has: %v", err)
	}
	s.keys = func(keys []dwn.Key) []dwn.Key { return append(keys, dwn.Key{Time: 1 << 60}) }
	if _, err := viewOf(t, k, alice, dwn.Scope{}, secretA).Keys(t.Context()); !errors.Is(err, ErrDrift) {
		t.Errorf("a key more than the view has: %v", err)
	}
	s.keys = func(keys []dwn.Key) []dwn.Key { keys[10].ID[31]++; return keys }
	if err := k.Check(t.Context(), alice); !errors.As(err, &found) || found.Part != PartMessages {
		t.Errorf("a key that is not in the log: %v", err)
	}
	s.keys = nil
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

// TestCheckSaved: drift that was saved is found by who opens it, and mended on disk; what
// is saved under another secret is removed.
func TestCheckSaved(t *testing.T) {
	s := openStore(t, t.TempDir())
	if _, err := s.Tenant(alice).KeepSecret(t.Context(), nil, secretA); err != nil {
		t.Fatal(err)
	}
	put(t, s, alice, generated()[:200])
	k := openKeeper(t, s, small())
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	drift(t, k, dwn.Scope{})
	if err := k.find(alice, dwn.Scope{}, secretA).save(t.Context(), k.find(alice, dwn.Scope{}, secretA).set.Freeze()); err != nil {
		t.Fatal(err)
	}
	rows := s.Tenant(alice)
	if err := rows.KeepFold(t.Context(), foldName(secretB.Generation), 7, []byte("of an epoch that is over")); err != nil {
		t.Fatal(err)
	}
	again := openKeeper(t, s, small())
	if err := again.Check(t.Context(), alice); !errors.Is(err, ErrDrift) {
		t.Errorf("drift that was saved: %v", err)
	}
	if err := again.Rebuild(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	if _, _, ok, err := rows.Fold(t.Context(), foldName(secretB.Generation)); ok || err != nil {
		t.Errorf("what was saved under another secret is still there (%v)", err)
	}
	checkView(t, openKeeper(t, s, small()), s, alice, dwn.Scope{}, secretA)
}

// drift adds an item that is not stored to the summaries of a view.
func drift(t *testing.T, k *Keeper, scope dwn.Scope) {
	t.Helper()
	k.work.Wait()
	v := k.find(alice, scope, secretA)
	err := v.set.Insert(dwn.Key{Time: 1 << 60}, 1<<20, func(uint32) (bool, error) { return false, nil })
	if err != nil {
		t.Fatal(err)
	}
	v.publish()
}

// move makes the index of a view say that an item is at another's position, and changes
// nothing else. It returns the item's short ID.
func move(t *testing.T, v *kept) uint64 {
	t.Helper()
	expander := summary.NewExpander(v.key, v.set.Params())
	for _, position := range v.set.Positions() {
		key, err := keyAt(t.Context(), v.rows, uint64(position))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.set.Remove(key, func(p uint32) (bool, error) { return p == position, nil }); err != nil {
			t.Fatal(err)
		}
		if err := v.set.Insert(key, position%200+1, func(uint32) (bool, error) { return false, nil }); err != nil {
			t.Fatal(err)
		}
		if len(v.set.Overfull(1)) == 0 {
			return expander.Key(key).Short
		}
		if err := v.rebuild(t.Context(), v.set.Position()); err != nil { // the tree was changed too
			t.Fatal(err)
		}
	}
	t.Fatal("no item can be moved")
	return 0
}
