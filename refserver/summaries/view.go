package summaries

import (
	"context"
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// View is the summaries of one view at one position of the arrival log. It never
// changes and is safe for concurrent use, also after its Keeper dropped the view.
type View struct {
	Position uint64
	Root     summary.Root
	Snapshot *summary.Snapshot

	kept   *kept
	params summary.Params
}

// Keys returns the keys of the view at Position, ascending. It reads all of them
// from the store, as they are now, and takes out what came since. The caller owns the
// slice: 40 bytes per key. Keys that Root is not the count of are ErrDrift.
func (v *View) Keys(ctx context.Context) ([]dwn.Key, error) {
	keys, at, err := v.kept.rows.Keys(ctx, v.kept.scope)
	if err == nil && at != v.Position {
		keys, err = v.undo(ctx, keys, at)
	}
	if err != nil {
		return nil, err
	}
	if uint64(len(keys)) != v.Root.Count {
		return nil, &DriftError{Scope: v.kept.scope, Part: summary.PartRoot}
	}
	return keys, nil
}

// undo takes what the log brought after Position out of the keys at position at.
// Where that changed scopes of what was there before, the log is read from the start:
// it alone knows what they were.
func (v *View) undo(ctx context.Context, keys []dwn.Key, at uint64) ([]dwn.Key, error) {
	later, rescoped := make(map[dwn.Key]struct{}), false
	err := v.kept.entries(ctx, v.Position+1, at, func(batch []store.LogEntry) error {
		for _, e := range batch {
			if e.Event == store.EventAccepted {
				later[e.Key] = struct{}{}
			} else if e.Accepted <= v.Position && !v.kept.scope.All() {
				rescoped = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if rescoped {
		items, err := v.kept.gather(ctx, v.Position)
		keys = keys[:0]
		for _, item := range items {
			keys = append(keys, item.Key)
		}
		return keys, err
	}
	return slices.DeleteFunc(keys, func(k dwn.Key) bool { _, is := later[k]; return is }), nil
}

// Resolve returns the keys of all items of the view with one of these short IDs, each
// key once, and the short IDs that none has. Every key was read from the store and accepted at or
// before Position. An item that left a scoped view since is unknown; one that entered
// it since may be among the keys. Where the view's short IDs have got another width
// since, it is ErrStale.
func (v *View) Resolve(ctx context.Context, shorts []uint64) (keys []dwn.Key, unknown []uint64, err error) {
	positions, owners, err := v.positions(shorts)
	if err != nil {
		return nil, nil, err
	}
	expander := summary.NewExpander(v.kept.key, v.params)
	known := make(map[uint64]bool, len(shorts))
	i := 0
	for e, err := range v.kept.rows.At(ctx, positions) {
		if err != nil {
			return nil, nil, err
		}
		short := shorts[owners[i]]
		if have := expander.Key(e.Key).Short; have != short {
			return nil, nil, fmt.Errorf("position %d: %w", e.Position, &DriftError{Scope: v.kept.scope, Part: summary.PartIndex})
		}
		known[short] = true
		keys = append(keys, e.Key)
		i++
	}
	for _, short := range shorts {
		if !known[short] {
			unknown = append(unknown, short)
		}
	}
	return keys, unknown, nil
}

// positions looks up where items with these short IDs were accepted, and which of
// shorts each has.
func (v *View) positions(shorts []uint64) (positions []uint64, owners []int, err error) {
	v.kept.mu.RLock()
	defer v.kept.mu.RUnlock()
	set := v.kept.set
	if have := set.Params(); have != v.params {
		return nil, nil, fmt.Errorf("%w: they have %d bits now, the view's %d", ErrStale, have.ShortBits, v.params.ShortBits)
	}
	var found []uint32
	seen := make(map[uint64]bool, len(shorts))
	mask := ^uint64(0) >> (64 - v.params.ShortBits)
	for i, short := range shorts {
		if short&^mask != 0 || seen[short] {
			continue // no short ID of this view, or one asked for before
		}
		seen[short] = true
		found = set.Resolve(found[:0], short)
		for _, position := range found {
			if uint64(position) <= v.Position {
				positions, owners = append(positions, uint64(position)), append(owners, i)
			}
		}
	}
	return positions, owners, nil
}

// Params returns the widths of the view's short IDs and checks.
func (v *View) Params() summary.Params { return v.params }

// Passed takes note, in the log, that a caller goes on without summaries because of an
// error of View or of a View: whoever runs the node has to look into it, by Check.
func (k *Keeper) Passed(err error) {
	k.opt.Logger.Warn("going on without summaries, which costs time; dwnsync fsck tells more", "error", err)
}
