package summaries

import (
	"context"
	"iter"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// pageKeys is how many stored keys one transaction of KeysIn reads, about: some
// milliseconds. The buckets of the tree tell where so many begin and end.
const pageKeys = 4096

// KeysIn returns the keys of the view at Position from the key from to the key to, both
// included, ascending. It reads those of the range from the store, as they are now, in
// short transactions, and takes out what came since. Of a scoped view it reads all members
// instead where that is quicker. Keys that are not as many as the summaries have are
// ErrDrift. The caller owns the slice.
func (v *View) KeysIn(ctx context.Context, from, to dwn.Key) ([]dwn.Key, error) {
	return v.keysIn(ctx, from, to, nil)
}

// keysIn is KeysIn by a reader, nil for the one that costs least.
func (v *View) keysIn(ctx context.Context, from, to dwn.Key, read reader) ([]dwn.Key, error) {
	if from.Compare(to) > 0 {
		return nil, nil
	}
	first, last := v.leafAt(from).First(), v.leafAt(to).Last()
	due, _ := v.Snapshot.Tree().Between(first, last) // it knows whole leaves
	if due.Count == 0 {
		return nil, nil
	}
	if read == nil {
		read = v.reader(due.Count)
	}
	keys, at, err := read(ctx, first, last)
	// Nothing leaves the view of everything, so there as many as before are those of before.
	if err == nil && at > v.Position && (!v.kept.scope.All() || uint64(len(keys)) != due.Count) {
		keys, err = v.rewind(ctx, keys, at, first, last)
	}
	if err != nil {
		return nil, err
	}
	if uint64(len(keys)) != due.Count {
		return nil, &DriftError{Scope: v.kept.scope, Part: summary.PartTree}
	}
	return slices.Clip(summary.KeysBetween(keys, from, to)), nil
}

// leafAt returns the leaf that a key belongs into, and of an empty one the key alone: there
// is no need to read more.
func (v *View) leafAt(k dwn.Key) summary.Bucket {
	leaf, root := v.Snapshot.Tree().Around(k)
	if root.Count == 0 {
		return summary.BucketOf(k, summary.MaxBucketBits)
	}
	return leaf
}

// reader reads the keys of a range that are in scope now, or were a moment ago, and a
// position of the log, not before the view's, that none of them is later than.
type reader func(ctx context.Context, first, last dwn.Key) (keys []dwn.Key, at uint64, err error)

// reader returns what costs least for so many members of a range. In a scoped view all
// that is stored in the range has to be looked up in the log, which takes three times as
// long as reading a part of the log itself: members one by one, or everything.
func (v *View) reader(count uint64) reader {
	members := v.Root.Count
	switch {
	case v.kept.scope.All() || 3*count*v.Position < members*members: // as if evenly spread
		return func(ctx context.Context, first, last dwn.Key) ([]dwn.Key, uint64, error) {
			return v.readRange(ctx, first, last, pageKeys)
		}
	case 2*members < v.Position:
		return v.readMembers
	default:
		return v.readLog
	}
}

func (v *View) readRange(ctx context.Context, first, last dwn.Key, page uint64) (keys []dwn.Key, at uint64, err error) {
	for from, to := range v.pages(first, last, page) {
		keysOfPage, position, err := v.kept.rows.KeysIn(ctx, v.kept.scope, from, to)
		if err != nil {
			return nil, 0, err
		}
		keys, at = append(keys, keysOfPage...), max(at, position)
	}
	return keys, at, nil
}

func (v *View) readLog(ctx context.Context, first, last dwn.Key) ([]dwn.Key, uint64, error) {
	keys, err := v.Keys(ctx)
	return summary.KeysBetween(keys, first, last), v.Position, err
}

// pages cuts a range along the leaves of the tree, into parts of about so many stored
// keys. What lies in none of them is empty.
func (v *View) pages(from, to dwn.Key, page uint64) iter.Seq2[dwn.Key, dwn.Key] {
	most := page * v.Root.Count / max(1, v.Position) // members of the view
	return func(yield func(from, to dwn.Key) bool) {
		count := uint64(0)
		for start, at, more := from, from, true; more; {
			leaf, root := v.Snapshot.Tree().Around(at)
			count += root.Count
			end := leaf.Last()
			if end.Compare(to) >= 0 {
				end, more = to, false
			} else {
				at, more = end.Next()
			}
			if more && 0 < count && count < most {
				continue
			}
			if count > 0 && !yield(start, end) {
				return
			}
			start, count = at, 0
		}
	}
}

// readMembers goes by the index of positions.
func (v *View) readMembers(ctx context.Context, first, last dwn.Key) (keys []dwn.Key, at uint64, err error) {
	positions := v.memberPositions()
	if at, err = v.kept.rows.Last(ctx); err != nil { // after the index, which may have entries of later
		return nil, 0, err
	}
	for e, err := range v.kept.rows.At(ctx, positions) {
		if err != nil {
			return nil, 0, err
		}
		if first.Compare(e.Key) <= 0 && e.Key.Compare(last) <= 0 {
			keys = append(keys, e.Key)
		}
	}
	slices.SortFunc(keys, dwn.Key.Compare)
	return keys, at, nil
}

// memberPositions returns where the members of now were accepted, up to Position.
func (v *View) memberPositions() (positions []uint64) {
	v.kept.mu.RLock()
	defer v.kept.mu.RUnlock()
	for _, position := range v.kept.set.Positions() {
		if uint64(position) > v.Position {
			break
		}
		positions = append(positions, uint64(position))
	}
	return positions
}

// rewind makes keys of a range, read at positions up to at, those of Position.
func (v *View) rewind(ctx context.Context, keys []dwn.Key, at uint64, first, last dwn.Key) ([]dwn.Key, error) {
	changed := make(map[dwn.Key]bool) // and whether they were members at Position
	rescoped := make(map[uint64]bool)
	err := v.kept.entries(ctx, v.Position+1, at, func(batch []store.LogEntry) error {
		for _, e := range batch {
			switch {
			case e.Key.Compare(first) < 0 || last.Compare(e.Key) < 0:
			case e.Accepted > v.Position:
				changed[e.Key] = false
			case !v.kept.scope.All():
				rescoped[e.Accepted] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	before, err := v.kept.before(ctx, rescoped, v.Position)
	if err != nil {
		return nil, err
	}
	for key, member := range before {
		changed[key] = member
	}
	keys = slices.DeleteFunc(keys, func(k dwn.Key) bool { _, is := changed[k]; return is })
	for key, member := range changed {
		if member {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, dwn.Key.Compare)
	return keys, nil
}
