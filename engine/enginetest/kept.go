package enginetest

import (
	"context"
	"slices"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// kept are the summaries of a set and the log of its changes, under the lock of the Set.
type kept struct {
	log []change
	set *summary.Set // up to some position of the log; nil where not known
}

// change is an item that came or went. The position of the first one is 1.
type change struct {
	key   engine.Key
	added bool
}

func (s *kept) change(k engine.Key, added bool) { s.log = append(s.log, change{k, added}) }

// keptView returns v with its summaries, caught up with the log, under the lock.
func (s *Set) keptView(v view) (engine.View, error) {
	k := &s.kept
	if k.set == nil {
		set, err := summary.NewSet(summary.Derive(s.secret.Key, v.Label()), summary.SetOptions{})
		if err != nil {
			return nil, err
		}
		k.set = set
	}
	for at := int(k.set.Position()); at < len(k.log); at++ {
		if err := k.apply(uint32(at + 1)); err != nil {
			return nil, err
		}
	}
	if err := k.refine(v.keys); err != nil {
		return nil, err
	}
	snapshot := k.set.Snapshot()
	return keptView{rootedView{v, snapshot.Root(), *s.secret}, s, k.set, snapshot, k.log}, nil
}

// apply folds the change at a position in.
func (s *kept) apply(position uint32) error {
	c := s.log[position-1]
	same := func(at uint32) (bool, error) { return s.log[at-1].key == c.key, nil }
	s.set.SetPosition(uint64(position))
	if c.added {
		return s.set.Insert(c.key, position, same)
	}
	return s.set.Remove(c.key, same)
}

func (s *kept) refine(keys []engine.Key) error {
	for {
		overfull := s.set.Overfull(1)
		if len(overfull) == 0 {
			return nil
		}
		b := overfull[0]
		if err := s.set.Refine(b, between(keys, b.First(), b.Last())); err != nil {
			return err
		}
	}
}

func between(keys []engine.Key, from, to engine.Key) []engine.Key {
	low, _ := slices.BinarySearchFunc(keys, from, engine.Key.Compare)
	high, found := slices.BinarySearchFunc(keys, to, engine.Key.Compare)
	if found {
		high++
	}
	return slices.Clone(keys[low:high])
}

// keptView is a view that keeps its summaries under one secret.
type keptView struct {
	rootedView
	from     *Set
	set      *summary.Set // of snapshot or later; under the lock
	snapshot *summary.Snapshot
	log      []change // up to the view's position
}

func (v keptView) Summaries(ctx context.Context, secret engine.Secret) (engine.Summaries, bool, error) {
	return v, secret == v.secret, ctx.Err()
}

func (v keptView) Snapshot() *summary.Snapshot { return v.snapshot }

func (v keptView) KeysIn(ctx context.Context, from, to engine.Key) ([]engine.Key, error) {
	return between(v.keys, from, to), ctx.Err()
}

// Resolve looks short IDs up in the set of now, takes what came since out, and puts what
// went since in.
func (v keptView) Resolve(ctx context.Context, shorts []uint64) (keys []engine.Key, unknown []uint64, err error) {
	v.from.mu.Lock()
	defer v.from.mu.Unlock()
	gone := v.gone()
	seen := map[engine.Key]bool{}
	for _, short := range shorts {
		found := gone[short]
		for _, position := range v.set.Resolve(nil, short) {
			found = append(found, v.from.kept.log[position-1].key)
		}
		known := false
		for _, key := range found {
			_, held := v.items[key]
			known = known || held
			if held && !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
		if !known {
			unknown = append(unknown, short)
		}
	}
	return keys, unknown, ctx.Err()
}

// gone returns what has left the set since the view was taken, by short ID.
func (v keptView) gone() map[uint64][]engine.Key {
	gone := map[uint64][]engine.Key{}
	var expander *summary.Expander
	for _, c := range v.from.kept.log[len(v.log):] {
		if c.added {
			continue
		}
		if expander == nil {
			expander = summary.NewExpander(summary.Derive(v.secret.Key, v.Label()), v.set.Params())
		}
		short := expander.Key(c.key).Short
		gone[short] = append(gone[short], c.key)
	}
	return gone
}

func (v keptView) Position() uint64 { return uint64(len(v.log)) }

func (v keptView) Since(ctx context.Context, position uint64) (added []engine.Key, removed int, ok bool, err error) {
	if position > uint64(len(v.log)) {
		return nil, 0, false, ctx.Err()
	}
	net := map[engine.Key]int{}
	for _, c := range v.log[position:] {
		if c.added {
			net[c.key]++
		} else {
			net[c.key]--
		}
	}
	for key, n := range net {
		switch n {
		case 1:
			added = append(added, key)
		case -1:
			removed++
		}
	}
	slices.SortFunc(added, engine.Key.Compare)
	return added, removed, true, ctx.Err()
}
