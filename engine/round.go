package engine

import (
	"context"
	"maps"
	"slices"
)

// round is what one request was made from, kept for reading its reply.
type round struct {
	secret *Secret // nil where this node had none
	view   *snapshot
	own    Root  // of view under secret
	root   Root  // of heldKeys under secret
	keys   []Key // heldKeys, once they were asked for
	asked  bool  // the request held a summary
	pushed []Key
	// Of a segmented filter: what it was made from, and the base of the delta.
	segments *SegmentMemory
	base     uint64
	probed   *probed      // of a sketch
	ranges   *rangesAsked // of a bisection
	since    *sinceLast   // of a cursor
	besides  []Key        // what was refused here and is not in the view
}

// open takes the snapshot that this round is about.
func (i *Initiator) open(ctx context.Context) error {
	if last := i.round.view; last != nil {
		i.distrust = i.distrust || last.distrust
	}
	i.round = round{}
	view, err := i.replica.View(ctx)
	if err != nil {
		return err
	}
	i.round.view = &snapshot{View: view, distrust: i.distrust}
	secret, ok, err := i.replica.Secret(ctx)
	if err != nil {
		return err
	}
	same, err := i.unchanged(ctx, secret)
	if err == nil && !same {
		err = i.dropVanished(ctx, secret)
	}
	if err != nil || !ok {
		return err
	}
	return i.useSecret(ctx, secret)
}

// unchanged reports whether this round needs no keys before it makes its request, because it
// only pushes, or needs none for a summary: the root that the view keeps tells that what is
// to be pushed is still there.
func (i *Initiator) unchanged(ctx context.Context, secret Secret) (bool, error) {
	switch {
	case !i.known && !i.steps[0].keyless():
		return false, nil
	case len(i.pending) == 0:
		return true, nil
	case secret != i.seenUnder:
		return false, nil
	}
	root, kept, err := i.round.view.kept(ctx, secret)
	return kept && root == i.seen, err
}

// dropVanished takes out of pending what has left the view since it was found.
// What is to be pushed is then no longer known for certain. It comes before the root is
// asked for: where keys are read, they are what a kept root is checked by.
func (i *Initiator) dropVanished(ctx context.Context, secret Secret) error {
	if !i.steps[0].keyless() {
		if _, err := i.round.view.Keys(ctx); err != nil {
			return err
		}
	}
	held, err := i.round.view.held(ctx, secret, i.pending)
	if err != nil {
		return err
	}
	before := len(i.pending)
	i.pending = slices.DeleteFunc(i.pending, func(k Key) bool { return !held[k] })
	i.known = i.known && len(i.pending) == before
	return nil
}

// useSecret makes the roots of the round those under secret.
func (i *Initiator) useSecret(ctx context.Context, secret Secret) error {
	if i.round.secret != nil && *i.round.secret == secret {
		return nil
	}
	i.round.secret = &secret
	var err error
	i.round.own, i.round.root, err = i.roots(ctx, i.round.view)
	return err
}

// roots returns the root of view, and that of its keys and those refused here, under
// the secret of the round.
func (i *Initiator) roots(ctx context.Context, view *snapshot) (own, all Root, err error) {
	hasher := i.hasher()
	own, err = view.root(ctx, *i.round.secret, hasher)
	i.distrust = i.distrust || view.distrust
	if err != nil || len(i.refused.here) == 0 {
		return own, own, err
	}
	held, err := view.held(ctx, *i.round.secret, slices.Collect(maps.Keys(i.refused.here)))
	i.round.besides = i.refused.besides(held)
	return own, own.Add(hasher.Root(i.round.besides)), err
}

// heldKeys returns the keys of the round's snapshot and, as they were when it was
// taken, of what was refused here.
func (i *Initiator) heldKeys(ctx context.Context) ([]Key, error) {
	if i.round.keys != nil {
		return i.round.keys, nil
	}
	keys, err := i.round.view.Keys(ctx)
	if err != nil {
		return nil, err
	}
	i.round.keys = i.refused.with(keys)
	return i.round.keys, nil
}

// comparedKeys returns the keys that the request's summary is of.
func (i *Initiator) comparedKeys(ctx context.Context) ([]Key, error) {
	switch {
	case i.round.since != nil:
		return i.round.since.keys, nil
	case i.round.ranges != nil:
		return i.round.ranges.keys, nil
	}
	return i.heldKeys(ctx)
}

func (i *Initiator) hasher() keyHasher {
	return newKeyHasher(*i.round.secret, i.round.view, i.opt.hashed)
}
