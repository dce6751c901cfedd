package summaries

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// foldBatch is how many entries are applied at a time, while Resolve has to wait:
// a millisecond, but when the table of a view grows (summary.Table.Grow).
const foldBatch = 512

// entries calls f with the log from position from up to position to, in batches
// that f may not keep.
func (v *kept) entries(ctx context.Context, from, to uint64, f func([]store.LogEntry) error) error {
	if to > math.MaxUint32 {
		return fmt.Errorf("%w: %d entries", ErrTooLong, to)
	}
	batch, seen := make([]store.LogEntry, 0, v.keeper.batch), from-1
	flush := func() error {
		if err := errors.Join(ctx.Err(), v.keeper.stopped()); err != nil {
			return err
		}
		err := f(batch)
		batch = batch[:0]
		return err
	}
	for e, err := range v.rows.Log(ctx, from) {
		if err != nil {
			return err
		}
		if e.Position > to {
			break
		}
		if len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return err
			}
		}
		batch, seen = append(batch, e), e.Position
	}
	if err := flush(); err != nil {
		return err
	}
	if seen != to {
		return fmt.Errorf("%w: the log ends at %d, want %d", store.ErrCorrupt, seen, to)
	}
	return nil
}

// catchUp folds the log up to position to into the summaries, in its turn. After an
// error they are ahead of their position, in part: torn, until the entries from there
// on have been applied again, which does no harm.
func (v *kept) catchUp(ctx context.Context, to uint64) error {
	from := v.set.Position()
	switch {
	case from >= to:
		return nil
	case to-from > to/2:
		return v.rebuild(ctx, to) // reading everything once is cheaper than splitting leaves
	}
	v.torn = true
	err := v.entries(ctx, from+1, to, func(batch []store.LogEntry) error { return v.apply(ctx, batch) })
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set.SetPosition(to)
	v.torn = false
	return nil
}

// unreadError tells the position of an item of which the key has to be read first.
type unreadError uint32

func (e unreadError) Error() string {
	return fmt.Sprintf("key at position %d is not read yet", uint32(e))
}

// apply folds some entries in. Keys are read while Resolve need not wait: one for each
// item that has the short ID of another message in the batch. Of 10^7 messages with 48 bits
// that is chance, once in five logs; who has the view's key and makes m messages of one
// short ID (SPEC.md §11.6) makes it cost m comparisons for each, and m reads a batch.
func (v *kept) apply(ctx context.Context, batch []store.LogEntry) error {
	keys := make(map[uint32]dwn.Key)
	for len(batch) > 0 {
		done, err := v.applyKnown(batch, keys)
		if at, ok := errors.AsType[unreadError](err); ok {
			keys[uint32(at)], err = keyAt(ctx, v.rows, uint64(at))
		}
		if err != nil {
			return err
		}
		batch = batch[done:]
	}
	return nil
}

// applyKnown is apply up to the first entry that needs a key which is not in keys: an
// unreadError. It returns how many it applied. More of the last position may follow,
// so that one is not done.
func (v *kept) applyKnown(batch []store.LogEntry, keys map[uint32]dwn.Key) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, e := range batch {
		if err := v.applyEntry(e, keys); err != nil {
			return i, err
		}
		v.set.SetPosition(e.Position - 1)
	}
	return len(batch), nil
}

// applyEntry makes the item of an entry a member of the view or not, as the entry
// says, whatever it was before. So no attributes of before are needed: an item that is
// rescoped is in the view if the index has its position. What the index has and the tree
// cannot have is summary.ErrMismatch.
func (v *kept) applyEntry(e store.LogEntry, keys map[uint32]dwn.Key) error {
	position := uint32(e.Accepted)
	same := func(at uint32) (bool, error) {
		if at == position {
			return true, nil
		}
		key, read := keys[at]
		if !read {
			return false, unreadError(at)
		}
		return key == e.Key, nil
	}
	var err error
	switch {
	case v.member(e):
		err = v.set.Insert(e.Key, position, same)
	case e.Event != store.EventAccepted:
		err = v.set.Remove(e.Key, same)
	}
	if errors.Is(err, summary.ErrDuplicate) || errors.Is(err, summary.ErrAbsent) {
		return nil
	}
	return err
}

func (v *kept) member(e store.LogEntry) bool {
	return e.State == store.StateMember && v.scope.Matches(e.Attributes)
}

// gather returns the members of the view at position to, by key, from the log
// alone: 48 bytes each. A store accepts a message once. Where a damaged log has it
// twice, that is one item, at the earlier position, as it is to applyEntry: fsck tells of
// it, and syncs go on meanwhile.
func (v *kept) gather(ctx context.Context, to uint64) ([]summary.SetItem, error) {
	var items []summary.SetItem
	changed := make(map[summary.SetItem]bool) // and whether they are members in the end
	err := v.entries(ctx, 1, to, func(batch []store.LogEntry) error {
		for _, e := range batch {
			item := summary.SetItem{Key: e.Key, Position: uint32(e.Accepted)}
			switch member := v.member(e); {
			case e.Event != store.EventAccepted:
				changed[item] = member
			case member:
				items = append(items, item)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(changed) > 0 {
		items = slices.DeleteFunc(items, func(i summary.SetItem) bool { _, is := changed[i]; return is })
		for item, member := range changed {
			if member {
				items = append(items, item)
			}
		}
	}
	slices.SortFunc(items, func(a, b summary.SetItem) int {
		if order := a.Key.Compare(b.Key); order != 0 {
			return order
		}
		return cmp.Compare(a.Position, b.Position)
	})
	return slices.CompactFunc(items, func(a, b summary.SetItem) bool { return a.Key == b.Key }), nil
}

// keyAt returns the key of the message that was accepted at a position.
func keyAt(ctx context.Context, rows store.Arrivals, position uint64) (dwn.Key, error) {
	var key dwn.Key
	for e, err := range rows.At(ctx, []uint64{position}) {
		if err != nil {
			return dwn.Key{}, err
		}
		key = e.Key
	}
	return key, nil
}
