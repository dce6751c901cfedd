package summary_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// setModel is a view kept in the plainest way: which key is at which position.
type setModel struct {
	keys map[uint32]summary.Key
	last uint32
}

func (m *setModel) same(k summary.Key) summary.Same {
	return func(position uint32) (bool, error) {
		held, ok := m.keys[position]
		if !ok {
			return false, fmt.Errorf("position %d is not in the view", position)
		}
		return held == k, nil
	}
}

func (m *setModel) items() []summary.SetItem {
	var items []summary.SetItem
	for position, k := range m.keys {
		items = append(items, summary.SetItem{Key: k, Position: position})
	}
	slices.SortFunc(items, func(a, b summary.SetItem) int { return a.Key.Compare(b.Key) })
	return items
}

func (m *setModel) held(k summary.Key) bool {
	for _, other := range m.keys {
		if other == k {
			return true
		}
	}
	return false
}

func newSet(tb testing.TB, secret [32]byte, opt summary.SetOptions) *summary.Set {
	tb.Helper()
	s, err := summary.NewSet(secret, opt)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// refineSet hands every overfull bucket the keys that the model has in it.
func refineSet(tb testing.TB, s *summary.Set, m *setModel) {
	tb.Helper()
	for overfull := s.Overfull(3); len(overfull) > 0; overfull = s.Overfull(3) {
		for _, b := range overfull {
			var keys []summary.Key
			for _, k := range m.keys {
				if b.Contains(k) {
					keys = append(keys, k)
				}
			}
			if err := s.Refine(b, keys); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// TestSetHistories: after random insertions and removals, repeated ones and ones of what
// is absent among them, and encodings from which the set goes on, it is in every part
// what a bulk build of the same items is, and what the parts are from their definitions.
// Cases A18, B21, B22, B23, B24 and B26: short IDs of 8 bits collide all the time.
func TestSetHistories(t *testing.T) {
	for name, opt := range map[string]summary.SetOptions{
		"default":  {},
		"narrow":   {Params: summary.Params{ShortBits: 8, CheckBits: 4}, Leaf: 4},
		"one bit":  {Params: summary.Params{ShortBits: 1, CheckBits: 2}, Leaf: 1},
		"wide":     {Params: summary.WideParams(), Leaf: 7},
		"odd bits": {Params: summary.Params{ShortBits: 51, CheckBits: 17}, Leaf: 2},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(20261123, uint64(len(name))))
			for range 4 {
				setHistory(t, rng, opt)
			}
		})
	}
}

func setHistory(t *testing.T, rng *rand.Rand, opt summary.SetOptions) {
	secret := [32]byte{byte(rng.Uint32()), byte(rng.Uint32())}
	s, m := newSet(t, secret, opt), &setModel{keys: make(map[uint32]summary.Key)}
	pool := setPool(rng, 20+rng.IntN(300))
	for step := range 900 {
		k := pool[rng.IntN(len(pool))]
		if rng.IntN(3) > 0 {
			setInsert(t, s, m, k)
		} else {
			setRemove(t, s, m, k)
		}
		if rng.IntN(100) == 0 {
			refineSet(t, s, m)
		}
		if rng.IntN(150) == 0 {
			s = reopenSet(t, s, secret)
		}
		if step%300 == 299 {
			refineSet(t, s, m)
			checkSet(t, s, m, secret, opt)
		}
	}
}

// setPool returns keys of which many have one time or one that is near, and some the
// same ID at two times.
func setPool(rng *rand.Rand, n int) []summary.Key {
	pool := make([]summary.Key, n)
	for i := range pool {
		k := summary.Key{Time: rng.Int64N(8) - 4}
		if rng.IntN(2) == 0 {
			k.Time = rng.Int64() - rng.Int64()
		}
		for j := range k.ID {
			k.ID[j] = byte(rng.Uint32())
		}
		if i > 0 && rng.IntN(5) == 0 {
			k.ID = pool[i-1].ID
		}
		pool[i] = k
	}
	return pool
}

func setInsert(t *testing.T, s *summary.Set, m *setModel, k summary.Key) {
	t.Helper()
	m.last++
	err := s.Insert(k, m.last, m.same(k))
	switch {
	case m.held(k):
		if !errors.Is(err, summary.ErrDuplicate) {
			t.Fatalf("a key again: %v, want %v", err, summary.ErrDuplicate)
		}
	case err != nil:
		t.Fatal(err)
	default:
		m.keys[m.last] = k
	}
	s.SetPosition(uint64(m.last))
}

func setRemove(t *testing.T, s *summary.Set, m *setModel, k summary.Key) {
	t.Helper()
	err := s.Remove(k, m.same(k))
	if !m.held(k) {
		if !errors.Is(err, summary.ErrAbsent) {
			t.Fatalf("an absent key: %v, want %v", err, summary.ErrAbsent)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for position, other := range m.keys {
		if other == k {
			delete(m.keys, position)
		}
	}
}

func reopenSet(t *testing.T, s *summary.Set, secret [32]byte) *summary.Set {
	t.Helper()
	opened, err := summary.DecodeSet(secret, s.AppendBinary(nil))
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// checkSet compares s, refined, with a set built from the model and with the
// definitions of the parts.
func checkSet(t *testing.T, s *summary.Set, m *setModel, secret [32]byte, opt summary.SetOptions) {
	t.Helper()
	built := newSet(t, secret, opt)
	built.SetPosition(s.Position())
	if err := built.Build(m.items()); err != nil {
		t.Fatal(err)
	}
	if n := len(built.Overfull(1)); n != 0 {
		t.Fatal("Build leaves a bucket overfull")
	}
	if part, err := s.Differs(built); part != "" || err != nil {
		t.Fatalf("%s differs from that of a set built at once (%v)", part, err)
	}
	have, want := s.Snapshot().Tree().AppendBinary(nil), built.Snapshot().Tree().AppendBinary(nil)
	if !bytes.Equal(have, want) {
		t.Fatal("trees differ in their encoding")
	}
	checkSetSlow(t, s, m, secret)
}

// checkSetSlow compares every part with what its definition gives.
func checkSetSlow(t *testing.T, s *summary.Set, m *setModel, secret [32]byte) {
	t.Helper()
	var root summary.Root
	var estimators summary.Estimators
	h, e := summary.NewHasher(secret), summary.NewExpander(secret, s.Params())
	snapshot := s.Snapshot()
	sketch, err := summary.NewSketch(snapshot.Coder(), 21)
	if err != nil {
		t.Fatal(err)
	}
	positions := make(map[uint64][]uint32)
	for position, k := range m.keys {
		expansion := e.Key(k)
		root = root.Add(h.Key(k))
		estimators.Insert(expansion.Slice)
		sketch.Insert(expansion.Short)
		positions[expansion.Short] = append(positions[expansion.Short], position)
	}
	if s.Root() != root || snapshot.Root() != root {
		t.Fatalf("root %v, want %v", s.Root(), root)
	}
	if folded, err := snapshot.Sketch(21); err != nil || !folded.Equal(sketch) {
		t.Fatalf("the table, folded, is not the sketch of the items (%v)", err)
	}
	if snapshot.Estimators() != estimators {
		t.Fatal("estimators are not those of the items")
	}
	for short, want := range positions {
		slices.Sort(want)
		if got := s.Resolve(nil, short); !slices.Equal(got, want) {
			t.Fatalf("short ID %x is at %v, want %v", short, got, want)
		}
	}
	if got := s.Positions(); len(got) != len(m.keys) {
		t.Fatalf("%d positions, want %d", len(got), len(m.keys))
	}
	checkSegments(t, snapshot.Tree(), m, h)
}

func checkSegments(t *testing.T, tree *summary.Tree, m *setModel, h *summary.Hasher) {
	t.Helper()
	covered := uint64(0)
	for b, have := range tree.Segments() {
		var want summary.Root
		for _, k := range m.keys {
			if b.Contains(k) {
				want = want.Add(h.Key(k))
			}
		}
		if have != want || have.Count > uint64(tree.LeafSize()) {
			t.Fatalf("segment %v: %v, want %v", b, have, want)
		}
		covered += have.Count
	}
	if covered != uint64(len(m.keys)) {
		t.Fatalf("segments have %d items, want %d", covered, len(m.keys))
	}
}

// TestSetUnchanged: what is refused, or could not be asked about, changes no byte.
func TestSetUnchanged(t *testing.T) {
	opt := summary.SetOptions{Params: summary.Params{ShortBits: 1, CheckBits: 2}, Leaf: 2}
	rng := rand.New(rand.NewPCG(1, 5))
	s, m := newSet(t, [32]byte{7}, opt), &setModel{keys: make(map[uint32]summary.Key)}
	pool := setPool(rng, 12)
	for _, k := range pool[:10] {
		setInsert(t, s, m, k)
	}
	before := s.AppendBinary(nil)
	short := summary.NewExpander([32]byte{7}, opt.Params).Key(pool[11]).Short
	failed := errors.New("disk")
	fails := func(uint32) (bool, error) { return false, failed }
	for name, call := range map[string]struct{ got, want error }{
		"insert again":         {s.Insert(pool[3], 99, m.same(pool[3])), summary.ErrDuplicate},
		"insert where one is":  {s.Insert(pool[11], s.Resolve(nil, short)[0], m.same(pool[11])), summary.ErrDuplicate},
		"remove absent":        {s.Remove(pool[11], m.same(pool[11])), summary.ErrAbsent},
		"insert, cannot ask":   {s.Insert(pool[11], 99, fails), failed},
		"remove, cannot ask":   {s.Remove(pool[3], fails), failed},
		"refine with nothing":  {s.Refine(s.Overfull(1)[0], nil), summary.ErrMismatch},
		"refine with too much": {s.Refine(s.Overfull(1)[0], pool), summary.ErrMismatch},
		"build over items":     {s.Build(nil), summary.ErrMismatch},
		"build out of order":   {newSet(t, [32]byte{}, opt).Build([]summary.SetItem{{Key: pool[0]}, {Key: pool[0]}}), summary.ErrDuplicate},
	} {
		if !errors.Is(call.got, call.want) {
			t.Errorf("%s: %v, want %v", name, call.got, call.want)
		}
	}
	if !bytes.Equal(s.AppendBinary(nil), before) {
		t.Error("the set has changed")
	}
	for _, opt := range []summary.SetOptions{{Params: summary.Params{ShortBits: 65}}, {Params: summary.Params{CheckBits: 1}}, {Leaf: -1}, {Leaf: 1 << 20}} {
		if _, err := summary.NewSet([32]byte{}, opt); !errors.Is(err, summary.ErrParams) {
			t.Errorf("%+v: %v, want %v", opt, err, summary.ErrParams)
		}
	}
}

// TestSetSnapshot: a snapshot and a frozen set stay what they were while the set
// changes. Case E64: what was taken together belongs together.
func TestSetSnapshot(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 5))
	opt := summary.SetOptions{Params: summary.Params{ShortBits: 16, CheckBits: 8}, Leaf: 3}
	s, m := newSet(t, [32]byte{8}, opt), &setModel{keys: make(map[uint32]summary.Key)}
	pool := setPool(rng, 400)
	for _, k := range pool[:200] {
		setInsert(t, s, m, k)
	}
	refineSet(t, s, m)
	snapshot, frozen, bytesThen := s.Snapshot(), s.Freeze(), s.AppendBinary(nil)
	then := []any{snapshot.Root(), snapshot.Position(), snapshot.Estimators(), string(snapshot.Tree().AppendBinary(nil))}
	sketch, err := snapshot.Sketch(64)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range pool[200:] {
		setInsert(t, s, m, k)
		setRemove(t, s, m, pool[i])
	}
	refineSet(t, s, m)
	now := []any{snapshot.Root(), snapshot.Position(), snapshot.Estimators(), string(snapshot.Tree().AppendBinary(nil))}
	if !slices.Equal(then, now) {
		t.Error("the snapshot has changed")
	}
	if again, err := snapshot.Sketch(64); err != nil || !again.Equal(sketch) {
		t.Error("the snapshot's sketch has changed")
	}
	if !bytes.Equal(frozen.AppendBinary(nil), bytesThen) {
		t.Error("the frozen set has changed")
	}
	if bytes.Equal(s.AppendBinary(nil), bytesThen) {
		t.Error("the set has not changed: this test shows nothing")
	}
}

// TestSetSnapshotRead: several goroutines read snapshots while the set goes on. The race
// detector looks on.
func TestSetSnapshotRead(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 5))
	s, m := newSet(t, [32]byte{9}, summary.SetOptions{Leaf: 3}), &setModel{keys: make(map[uint32]summary.Key)}
	var readers sync.WaitGroup
	defer readers.Wait()
	for i, k := range setPool(rng, 300) {
		setInsert(t, s, m, k)
		if i%20 != 0 {
			continue
		}
		snapshot, want := s.Snapshot(), wholeSketch(t, s)
		for range 2 {
			readers.Go(func() {
				for range 5 {
					if got, err := snapshot.Sketch(snapshot.Cells()); err != nil || !got.Equal(want) {
						t.Errorf("a snapshot has changed (%v)", err)
					}
				}
			})
		}
	}
}

func wholeSketch(t *testing.T, s *summary.Set) *summary.Sketch {
	t.Helper()
	snapshot := s.Snapshot()
	sketch, err := snapshot.Sketch(snapshot.Cells())
	if err != nil {
		t.Fatal(err)
	}
	return sketch
}
