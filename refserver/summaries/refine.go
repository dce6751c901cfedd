package summaries

import (
	"context"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// refineBatch is how many overfull buckets are looked at together.
const refineBatch = 256

// refine splits the buckets that have become dense, in its turn. Keys that do not add
// up to a bucket are not those of its summaries: summary.ErrMismatch. So is, rarely, a
// bucket of a scoped view that is gone since it was found to be dense.
func (v *kept) refine(ctx context.Context) error {
	for {
		overfull := v.set.Overfull(refineBatch)
		if len(overfull) == 0 {
			return nil
		}
		if err := v.refineAll(ctx, overfull); err != nil {
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

// defaultLeaf is what summary.SetOptions say a Leaf of 0 means.
const defaultLeaf = 64

// sparse reports that reading all members of the view costs less than reading all
// keys of these buckets, in scope or not: if the members are spread evenly, those
// are as many times more as the log is longer than the view. Where they are not, the
// guess can be wrong, either way: then it costs at most reading every member once, or
// every stored key once, for up to refineBatch buckets.
func (v *kept) sparse(overfull []summary.Bucket) bool {
	if v.scope.All() {
		return false
	}
	leaf := uint64(v.keeper.opt.Set.Leaf) // a bucket's items, at least
	if leaf == 0 {
		leaf = defaultLeaf
	}
	members := v.set.Root().Count
	return members*members < leaf*uint64(len(overfull))*v.set.Position()
}

// refineByPosition splits buckets, which ascend, with the keys that the index knows the
// positions of.
func (v *kept) refineByPosition(ctx context.Context, overfull []summary.Bucket) error {
	var positions []uint64
	for _, position := range v.set.Positions() {
		positions = append(positions, uint64(position))
	}
	keys := make([][]dwn.Key, len(overfull))
	for e, err := range v.rows.At(ctx, positions) {
		if err != nil {
			return err
		}
		if i, found := slices.BinarySearchFunc(overfull, e.Key, compareBucket); found {
			keys[i] = append(keys[i], e.Key)
		}
	}
	for i, b := range overfull {
		if err := v.refineBucket(b, keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// compareBucket orders a bucket before the keys above it and after those below it.
func compareBucket(b summary.Bucket, k dwn.Key) int {
	if b.Contains(k) {
		return 0
	}
	return b.First().Compare(k)
}
