package engine

import (
	"context"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// Linear is what a View may implement besides: it keeps the summaries of its items up to
// date, so that a sync costs what differs. Where a View does not, the engine computes
// them from the keys, in every round that needs them.
//
// Where they contradict each other, the kept root or the keys that were read, nothing that the
// view keeps is used any more in that sync by an initiator, nor in that round by a responder. What
// is kept of another set than the view's, without a contradiction, goes unnoticed as a kept root
// does ([Summarised]): a sync may then be complete but for what the two sets differ by.
type Linear interface {
	// Summaries returns the summaries of the view's keys: under secret, derived for the
	// view's label ([summary.Derive]). It is false where none are kept under that secret.
	Summaries(ctx context.Context, secret Secret) (Summaries, bool, error)
}

// Summaries are the linear summaries of a view, all of the moment that the view was taken.
type Summaries interface {
	Snapshot() *summary.Snapshot
	// Resolve returns the keys of all items that have one of these short IDs, each once, and
	// the short IDs that none has.
	Resolve(ctx context.Context, shorts []uint64) (keys []Key, unknown []uint64, err error)
	// KeysIn returns the keys from from to to, both included, ascending. The engine never asks
	// for any with from above to.
	KeysIn(ctx context.Context, from, to Key) ([]Key, error)
}

// summaries returns the linear summaries that are kept, if they have those widths, any
// for the zero Params, and nothing speaks against them, or else those of the keys, computed
// once. A salt that is not zero asks for ones that are made for one exchange.
func (s *snapshot) summaries(ctx context.Context, secret Secret, p summary.Params, salt [16]byte) (Summaries, error) {
	if salt == [16]byte{} {
		kept, ok, err := s.keptSummaries(ctx, secret)
		if err != nil {
			return nil, err
		}
		if ok && (p == (summary.Params{}) || kept.Snapshot().Params() == p) {
			return checked{kept, s, summary.NewExpander(summariesKey(secret, s.Label(), salt), kept.Snapshot().Params())}, nil
		}
	}
	keys, err := s.Keys(ctx)
	if err != nil {
		return nil, err
	}
	key := summariesKey(secret, s.Label(), salt)
	if last := s.computed; last != nil && last.key == key && (p == (summary.Params{}) || p == last.set.Params()) {
		return *last, nil
	}
	computed, err := computeSummaries(key, p, keys)
	if err == nil {
		s.computed = &computed
	}
	return computed, err
}

// keptSummaries returns the linear summaries that are kept, if they are and nothing speaks
// against them.
func (s *snapshot) keptSummaries(ctx context.Context, secret Secret) (Summaries, bool, error) {
	keeper, ok := s.View.(Linear)
	if !ok || s.distrust {
		return nil, false, nil
	}
	kept, ok, err := keeper.Summaries(ctx, secret)
	if err != nil || !ok {
		return nil, false, err
	}
	root, known, err := s.kept(ctx, secret)
	told := kept.Snapshot().Root()
	switch {
	case err != nil || s.distrust || known && root != told:
		return nil, false, err // one of the two is not of this view
	case s.read && told.Count != uint64(len(s.keys)):
		s.distrust = true
		return nil, false, nil
	}
	return kept, true, nil
}

// checked are summaries that a view keeps, with what they say of keys compared with the rest of
// it. Where one contradicts the other nothing that the view keeps is used from then on.
type checked struct {
	Summaries
	view     *snapshot
	expander *summary.Expander
}

// Resolve leaves out what was not asked about, and tells itself what is unknown.
func (c checked) Resolve(ctx context.Context, shorts []uint64) (keys []Key, unknown []uint64, err error) {
	all, _, err := c.Summaries.Resolve(ctx, shorts)
	if err != nil {
		return nil, nil, err
	}
	known := make(map[uint64]bool, len(shorts))
	for _, short := range shorts {
		known[short] = false
	}
	for _, k := range all {
		short := c.expander.Key(k).Short
		if _, asked := known[short]; !asked {
			c.view.distrust = true
			continue
		}
		known[short] = true
		keys = append(keys, k)
	}
	slices.SortFunc(keys, Key.Compare)
	for _, short := range shorts {
		if !known[short] {
			unknown = append(unknown, short)
		}
	}
	return slices.Compact(keys), unknown, nil
}

// KeysIn reads all keys where those that are kept are out of order or of range, or not as many
// as the tree has.
func (c checked) KeysIn(ctx context.Context, from, to Key) ([]Key, error) {
	if from.Compare(to) > 0 {
		return nil, nil // a probe may name buckets beyond its last key
	}
	if !c.view.distrust {
		keys, err := c.Summaries.KeysIn(ctx, from, to)
		if err != nil || c.agrees(keys, from, to) {
			return keys, err
		}
		c.view.distrust = true
	}
	keys, err := c.view.Keys(ctx)
	return summary.KeysBetween(keys, from, to), err
}

// agrees reports whether keys can be those from from to to.
func (c checked) agrees(keys []Key, from, to Key) bool {
	for i, k := range keys {
		if i == 0 && k.Compare(from) < 0 || i > 0 && k.Compare(keys[i-1]) <= 0 {
			return false
		}
	}
	if n := len(keys); n > 0 && keys[n-1].Compare(to) > 0 {
		return false
	}
	root, known := c.Snapshot().Tree().Between(from, to)
	return !known || root.Count == uint64(len(keys))
}

// held returns which of keys the view holds. It reads all keys only where no summaries are kept.
func (s *snapshot) held(ctx context.Context, secret Secret, keys []Key) (map[Key]bool, error) {
	held := make(map[Key]bool, len(keys))
	if len(keys) == 0 {
		return held, nil
	}
	kept, ok, err := s.keptSummaries(ctx, secret)
	if err != nil {
		return nil, err
	}
	if ok && !s.read {
		expander := summary.NewExpander(summariesKey(secret, s.Label(), [16]byte{}), kept.Snapshot().Params())
		shorts := make([]uint64, len(keys))
		for i, k := range keys {
			shorts[i] = expander.Key(k).Short
		}
		found, _, err := kept.Resolve(ctx, shorts)
		for _, k := range found {
			held[k] = true // also some that were not asked about
		}
		return held, err
	}
	all, err := s.Keys(ctx)
	for _, k := range keys {
		_, held[k] = slices.BinarySearchFunc(all, k, Key.Compare)
	}
	return held, err
}

// sketchOf returns a sketch of the items of sums: the fold of the one that is kept or, where that
// has fewer cells, one of all keys.
func sketchOf(ctx context.Context, sums Summaries, e *summary.Expander, cells int) (*summary.Sketch, error) {
	snapshot := sums.Snapshot()
	if cells <= snapshot.Cells() {
		return snapshot.Sketch(cells)
	}
	sketch, err := summary.NewSketch(snapshot.Coder(), cells)
	if err != nil {
		return nil, err
	}
	all := summary.Bucket{}
	keys, err := sums.KeysIn(ctx, all.First(), all.Last())
	for _, k := range keys {
		sketch.Insert(e.Key(k).Short)
	}
	return sketch, err
}

// summariesKey returns what the summaries of a view are keyed with.
func summariesKey(secret Secret, label []byte, salt [16]byte) [32]byte {
	key := summary.Derive(secret.Key, label)
	if salt != [16]byte{} {
		key = summary.Salted(key, salt)
	}
	return key
}

// computed are the summaries of keys: the position of an item is its place among them.
type computed struct {
	key  [32]byte // that they are under
	keys []Key
	set  *summary.Set
}

func computeSummaries(key [32]byte, p summary.Params, keys []Key) (computed, error) {
	set, err := summary.NewSet(key, summary.SetOptions{Params: p})
	if err != nil {
		return computed{}, err
	}
	items := make([]summary.SetItem, len(keys))
	for i, k := range keys {
		items[i] = summary.SetItem{Key: k, Position: uint32(i)}
	}
	return computed{key, keys, set}, set.Build(items)
}

func (c computed) Snapshot() *summary.Snapshot { return c.set.Snapshot() }

func (c computed) Resolve(_ context.Context, shorts []uint64) (keys []Key, unknown []uint64, err error) {
	var positions []uint32
	for _, short := range shorts {
		before := len(positions)
		if positions = c.set.Resolve(positions, short); len(positions) == before {
			unknown = append(unknown, short)
		}
	}
	slices.Sort(positions)
	for _, p := range slices.Compact(positions) {
		keys = append(keys, c.keys[p])
	}
	return keys, unknown, nil
}

func (c computed) KeysIn(_ context.Context, from, to Key) ([]Key, error) {
	return summary.KeysBetween(c.keys, from, to), nil
}
