package engine

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// miscounted is a view that keeps the root and the summaries of other keys than its own.
type miscounted struct {
	KeysView
	of computed
}

func (v miscounted) Root(context.Context, Secret) (Root, bool, error) {
	return v.of.Snapshot().Root(), true, nil
}

func (v miscounted) Summaries(context.Context, Secret) (Summaries, bool, error) {
	return v.of, true, nil
}

func miscountedBy(t *testing.T, have, keep int) (miscounted, []Key) {
	t.Helper()
	keys := make([]Key, max(have, keep))
	for i := range keys {
		keys[i] = Key{Time: int64(i) << 20, ID: ID{byte(i), byte(i >> 8), 1}}
	}
	of, err := computeSummaries(summariesKey(Secret{}, nil, [16]byte{}), summary.Params{}, keys[:keep])
	if err != nil {
		t.Fatal(err)
	}
	return miscounted{KeysView{Sorted: keys[:have]}, of}, keys
}

// linearOnly keeps no root besides.
type linearOnly struct {
	KeysView
	Linear
}

// TestMiscounted: summaries of another number of keys are not used once the keys were read,
// whether or not a root is kept besides.
func TestMiscounted(t *testing.T) {
	for _, n := range []int{99, 100, 101} {
		v, _ := miscountedBy(t, 100, n)
		for name, view := range map[string]View{"with a root": v, "without": linearOnly{v.KeysView, v}} {
			s := &snapshot{View: view}
			if _, ok, err := s.keptSummaries(t.Context(), Secret{}); !ok || err != nil {
				t.Errorf("%d, %s: before keys were read: %t, %v", n, name, ok, err)
			}
			if _, err := s.Keys(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, ok, err := s.keptSummaries(t.Context(), Secret{})
			if want := n == 100; ok != want || s.distrust == want || err != nil {
				t.Errorf("%d, %s: used %t, distrusted %t, %v", n, name, ok, s.distrust, err)
			}
		}
	}
}

// TestChecked: what is not as the tree has it comes from the keys.
func TestChecked(t *testing.T) {
	v, keys := miscountedBy(t, 100, 100)
	backwards := slices.Clone(keys)
	slices.Reverse(backwards)
	for name, c := range map[string]struct {
		of       []Key // all that KeysIn looks among
		from, to Key
		want     []Key
		agrees   bool
	}{
		"right":     {keys, keys[10], keys[90], keys[10:91], true},
		"nothing":   {keys, keys[90], keys[10], nil, true},
		"too few":   {keys[50:], summary.Bucket{}.First(), summary.Bucket{}.Last(), keys, false},
		"too many":  {append(slices.Clone(keys), Key{Time: 1 << 40}), summary.Bucket{}.First(), summary.Bucket{}.Last(), keys, false},
		"beyond":    {keys[11:22], keys[10], keys[20], keys[10:21], false},
		"before":    {keys[9:20], keys[10], keys[20], keys[10:21], false},
		"backwards": {backwards, summary.Bucket{}.First(), summary.Bucket{}.Last(), keys, false},
		"one twice": {append([]Key{keys[0]}, keys[:99]...), summary.Bucket{}.First(), summary.Bucket{}.Last(), keys, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &snapshot{View: v}
			kept, err := s.summaries(t.Context(), Secret{}, summary.Params{}, [16]byte{})
			if err != nil {
				t.Fatal(err)
			}
			sums := kept.(checked)
			of := v.of
			of.keys = c.of
			if c.agrees {
				sums.Summaries = of
			} else {
				sums.Summaries = allIn{of}
			}
			got, err := sums.KeysIn(t.Context(), c.from, c.to)
			if err != nil || !slices.Equal(got, c.want) || s.distrust == c.agrees {
				t.Errorf("%d keys, want %d; distrusted %t, %v", len(got), len(c.want), s.distrust, err)
			}
		})
	}
}

// allIn returns all keys whatever is asked for.
type allIn struct{ computed }

func (a allIn) KeysIn(context.Context, Key, Key) ([]Key, error) { return a.keys, nil }

// TestShapeContradicts: only where what was computed of the keys contradicts itself there is
// nothing left to go by.
func TestShapeContradicts(t *testing.T) {
	v, _ := miscountedBy(t, 100, 100)
	of := v.of
	of.keys = of.keys[:50]
	i := &Initiator{round: round{view: &snapshot{View: v}, probed: &probed{sums: of}}}
	if err := i.shape(t.Context(), &summary.Probe{}); !errors.Is(err, ErrReplica) {
		t.Errorf("got %v, want %v", err, ErrReplica)
	}
}

// resolving returns these keys, whatever is asked for.
type resolving struct {
	Summaries
	keys []Key
}

func (r resolving) Resolve(context.Context, []uint64) ([]Key, []uint64, error) {
	return r.keys, nil, nil
}

// TestCheckedResolve: what was not asked about is left out and speaks against what is kept.
func TestCheckedResolve(t *testing.T) {
	v, keys := miscountedBy(t, 100, 100)
	for name, c := range map[string]struct {
		of       []Key // what Resolve returns of the first two keys
		want     []Key
		unknown  int
		distrust bool
	}{
		"right":        {keys[:2], keys[:2], 0, false},
		"one twice":    {[]Key{keys[1], keys[0], keys[1]}, keys[:2], 0, false},
		"one missing":  {keys[:1], keys[:1], 1, false},
		"one too many": {keys[:3], keys[:2], 0, true},
	} {
		s := &snapshot{View: v}
		kept, err := s.summaries(t.Context(), Secret{}, summary.Params{}, [16]byte{})
		if err != nil {
			t.Fatal(err)
		}
		sums := kept.(checked)
		shorts := []uint64{sums.expander.Key(keys[0]).Short, sums.expander.Key(keys[1]).Short}
		sums.Summaries = resolving{sums.Summaries, c.of}
		got, unknown, err := sums.Resolve(t.Context(), shorts)
		if err != nil || !slices.Equal(got, c.want) || len(unknown) != c.unknown || s.distrust != c.distrust {
			t.Errorf("%s: %v, %d unknown, distrusted %t, %v", name, got, len(unknown), s.distrust, err)
		}
	}
}

// wrongCount keeps a root of one more item than it has, and right summaries.
type wrongCount struct{ miscounted }

func (v wrongCount) Root(context.Context, Secret) (Root, bool, error) {
	root := v.of.Snapshot().Root()
	root.Count++
	return root, true, nil
}

// TestWrongCount: where the count of a kept root is not that of the keys, nothing that is kept is used.
func TestWrongCount(t *testing.T) {
	v, _ := miscountedBy(t, 100, 100)
	s := &snapshot{View: wrongCount{v}}
	if _, err := s.Keys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.keptSummaries(t.Context(), Secret{}); ok || !s.distrust || err != nil {
		t.Errorf("used %t, distrusted %t, %v", ok, s.distrust, err)
	}
}

// viewed is a Replica that only gives views.
type viewed struct {
	Replica
	view View
}

func (v viewed) View(context.Context) (View, error)           { return v.view, nil }
func (v viewed) Secret(context.Context) (Secret, bool, error) { return Secret{}, true, nil }

// TestDistrustStays: what was found out about one round's view goes for those of the next rounds.
func TestDistrustStays(t *testing.T) {
	v, _ := miscountedBy(t, 100, 100)
	i := &Initiator{replica: viewed{view: v}, steps: ladder(StrategySketch), round: round{view: &snapshot{distrust: true}}}
	if err := i.open(t.Context()); err != nil || !i.distrust || !i.round.view.distrust {
		t.Errorf("%v; distrusted %t, the view %t", err, i.distrust, i.round.view.distrust)
	}
}

// failing keeps summaries that cannot be had.
type failing struct{ KeysView }

func (failing) Summaries(context.Context, Secret) (Summaries, bool, error) {
	return nil, false, ErrReplica
}

// TestDistrustedNotAsked: what is distrusted is not even asked for.
func TestDistrustedNotAsked(t *testing.T) {
	for _, distrust := range []bool{false, true} {
		s := &snapshot{View: failing{}, distrust: distrust}
		if _, ok, err := s.keptSummaries(t.Context(), Secret{}); ok || errors.Is(err, ErrReplica) == distrust {
			t.Errorf("distrusted %t: %t, %v", distrust, ok, err)
		}
	}
}
