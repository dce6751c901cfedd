package engine

import (
	"context"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// readRanges reads the ranges of a request: at most summary.MaxRanges.
func (r *responder) readRanges(d digest) (err error) {
	if err := undivided(d.head); err != nil {
		return err
	}
	if r.ranges, err = summary.DecodeRanges(d.data); err != nil {
		return fmt.Errorf("%w: %w", wire.ErrMalformed, err)
	}
	r.bisect = true
	return nil
}

// openRanged returns the view by ranges.
func (r *responder) openRanged(ctx context.Context) (ranged, error) {
	sums, err := r.view.summaries(ctx, r.secret, summary.Params{}, [16]byte{})
	return ranged{sums: sums, hasher: r.hasher}, err
}

// planRanges compares the initiator's ranges with its own and answers with the parts of
// those that differ. It looks into the tree once for each range and each part, at most
// 2 * summary.MaxRanges times, and reads and hashes keys only where a range cuts a leaf: each
// key of such a leaf, of 64 keys at most, not more than twice.
func (r *responder) planRanges(ctx context.Context) error {
	_, equal, err := r.compareRoots(ctx)
	if err != nil || equal {
		return err
	}
	view, err := r.openRanged(ctx)
	if err != nil {
		return err
	}
	var differ []summary.Bucket
	for _, s := range r.ranges {
		mine, err := view.root(ctx, s.Bucket)
		if err != nil {
			return err
		}
		if mine != s.Root || r.theirRoot() == nil { // under another secret nothing is equal
			differ = append(differ, s.Bucket)
		}
	}
	var parts []summary.Segment
	for _, b := range differ {
		of, err := view.parts(ctx, b, min(rangeParts, summary.MaxRanges/len(differ)))
		if err != nil {
			return err
		}
		parts = append(parts, of...)
	}
	r.digest = newDigest(wire.Summary{Form: wire.FormRanges}, summary.AppendRanges(nil, parts))
	r.ack.Summary = &r.digest.head
	return nil
}

// planWithin answers the IDs of some buckets: everything outside of these counts as let
// through. It reads the keys in the buckets, looks each up in the list, and computes the
// fingerprints of what the initiator lacks in each bucket or of what it has, whichever are fewer.
func (r *responder) planWithin(ctx context.Context) error {
	root, equal, err := r.compareRoots(ctx)
	if err != nil || equal {
		return err
	}
	view, err := r.openRanged(ctx)
	if err != nil {
		return err
	}
	var lacked, passed []Key
	through := root
	for _, b := range r.sieve.buckets {
		keys, err := view.keys(ctx, b)
		if err != nil {
			return err
		}
		no, yes := r.sieve.divide(keys)
		lacked, passed = append(lacked, no...), append(passed, yes...)
		without, err := r.rootOf(ctx, view, b, no, yes)
		if err != nil {
			return err
		}
		through = through.Sub(without)
	}
	if r.letThrough(through, lacked) {
		return nil
	}
	r.digest = newDigest(wire.Summary{Form: wire.FormIDs, Within: r.init.Summary.Within}, idList(passed))
	r.ack.Summary = &r.digest.head
	return nil
}

// rootOf returns the root of keys, which are all in b but others.
func (r *responder) rootOf(ctx context.Context, view ranged, b summary.Bucket, keys, others []Key) (Root, error) {
	if len(keys) <= len(others) {
		return r.hasher.Root(keys), nil
	}
	all, err := view.root(ctx, b)
	return all.Sub(r.hasher.Root(others)), err
}
