package summaries

import (
	"context"
	"errors"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// refineBatch is how many overfull buckets are looked at together.
const refineBatch = 256

// refine splits the buckets that have become dense, in its turn. Keys that do not add
// up to a bucket are no keys of its summaries: those are made anew.
func (v *kept) refine(ctx context.Context) error {
	for {
		overfull := v.set.Overfull(refineBatch)
		if len(overfull) == 0 {
			return nil
		}
		err := v.refineAll(ctx, overfull)
		if errors.Is(err, summary.ErrMismatch) || errors.Is(err, summary.ErrAbsent) {
			v.keeper.opt.Logger.Warn("summaries are made anew: a bucket does not add up", "error", err)
			return v.rebuild(ctx, v.set.Position())
		}
		if err != nil {
			return err
		}
	}
}

func (v *kept) refineAll(ctx context.Context, overfull []summary.Bucket) error {
	if v.sparse(overfull) {
		return v.refineByPosition(ctx, overfull)
	}
	for _, b := range overfull {
		keys, at, err := v.rows.KeysIn(ctx, v.scope, b.First(), b.Last())
		if err != nil {
			return err
		}
		if err := v.keeper.stopped(); err != nil {
			return err
		}
		if err := v.catchUp(ctx, at); err != nil { // exactly: keys are those of that moment
			return err
		}
		if err := v.refineBucket(b, keys); err != nil {
			return err
		}
	}
	return nil
}

func (v *kept) refineBucket(b summary.Bucket, keys []dwn.Key) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.set.Refine(b, keys)
}

// sparse reports that reading all members of the view costs less than reading all
// keys of these buckets, in scope or not: if the members are spread evenly, those
// are as many times more as the log is longer than the view.
func (v *kept) sparse(overfull []summary.Bucket) bool {
	if v.scope.All() {
		return false
	}
	const leaf = 64 // a bucket's items, at least
	members := v.set.Root().Count
	return members*members < leaf*uint64(len(overfull))*v.set.Position()
}

// refineByPosition splits buckets with the keys that the index knows the positions of.
func (v *kept) refineByPosition(ctx context.Context, overfull []summary.Bucket) error {
	var positions []uint64
	for _, position := range v.set.Positions() {
		positions = append(positions, uint64(position))
	}
	keys := make(map[summary.Bucket][]dwn.Key)
	for e, err := range v.rows.At(ctx, positions) {
		if err != nil {
			return err
		}
		for _, b := range overfull {
			if b.Contains(e.Key) {
				keys[b] = append(keys[b], e.Key)
				break
			}
		}
	}
	for _, b := range overfull {
		if err := v.refineBucket(b, keys[b]); err != nil {
			return err
		}
	}
	return nil
}
