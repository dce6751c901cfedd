package summaries

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// kept is the summaries of one view under one secret.
//
// Who holds turn folds the log into set. It changes set under mu too, for moments,
// because Resolve reads the index without a turn: a catch-up may be long.
type kept struct {
	keeper *Keeper
	did    string
	rows   store.Tenant
	scope  dwn.Scope
	secret store.Secret // of the tenant
	key    [32]byte     // of the view

	turn   chan struct{} // one token
	torn   bool          // under turn: set is ahead of its position, in part; not to be saved
	broken bool          // under turn: set contradicts what is stored; to be made anew
	mu     sync.RWMutex
	set    *summary.Set // nil before the first use
	saving saving

	latest atomic.Pointer[View]

	// Of the lru.
	place   *list.Element
	counted int64
	dropped bool
}

func newKept(k *Keeper, did string, scope dwn.Scope, secret store.Secret) *kept {
	return &kept{
		keeper: k, did: did, rows: k.store.Tenant(did), scope: scope, secret: secret,
		key: summary.Derive(secret.Key, Label(scope)), turn: make(chan struct{}, 1),
	}
}

// take waits for the turn to fold.
func (v *kept) take(ctx context.Context) error {
	select {
	case v.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *kept) release() { <-v.turn }

// current returns the summaries of what the log has when it is called, or more.
func (v *kept) current(ctx context.Context) (*View, error) {
	last, err := v.rows.Last(ctx)
	if err != nil {
		return nil, err
	}
	if view := v.latest.Load(); view != nil && view.Position >= last {
		return view, nil
	}
	if err := v.take(ctx); err != nil {
		return nil, err
	}
	if v.cold(last) {
		return v.advanceCold(ctx)
	}
	defer v.release()
	return v.advance(ctx)
}

// advance catches up with the log, in its turn. Summaries that turn out not to be those
// of what is stored are made from the log, once.
func (v *kept) advance(ctx context.Context) (*View, error) {
	last, err := v.rows.Last(ctx)
	if err != nil {
		return nil, err
	}
	if view := v.latest.Load(); view != nil && view.Position >= last {
		return view, nil
	}
	err = v.advanceTo(ctx, last)
	if contradicts(err) {
		v.keeper.opt.Logger.Warn("summaries are made anew: they contradict what is stored", "error", err)
		v.broken = true
		err = v.rebuild(ctx, last)
	}
	if err != nil {
		return nil, err
	}
	view := v.publish()
	v.saveSoon()
	return view, nil
}

// contradicts reports that err comes of summaries that are not those of what is stored:
// keys that do not add up, or a position that the log does not have.
func contradicts(err error) bool {
	return errors.Is(err, summary.ErrMismatch) || errors.Is(err, store.ErrNotFound)
}

// advanceTo loads or makes what is not there, and catches up to a position or beyond.
func (v *kept) advanceTo(ctx context.Context, last uint64) error {
	switch {
	case v.broken:
		return v.rebuild(ctx, last)
	case v.set == nil:
		if err := v.open(ctx, last); err != nil {
			return err
		}
	}
	if err := v.catchUp(ctx, last); err != nil {
		return err
	}
	if err := v.refine(ctx); err != nil {
		return err
	}
	if v.outgrown(0) {
		return v.rebuild(ctx, v.set.Position())
	}
	return nil
}

// publish makes the summaries as they are now the latest, in its turn.
func (v *kept) publish() *View {
	snapshot := v.set.Snapshot()
	view := &View{Position: snapshot.Position(), Root: snapshot.Root(), Snapshot: snapshot, kept: v, params: v.set.Params()}
	v.latest.Store(view)
	return view
}

// open loads what is saved, or builds.
func (v *kept) open(ctx context.Context, last uint64) error {
	set, err := v.load(ctx, last)
	if err != nil {
		return err
	}
	if set == nil {
		return v.rebuild(ctx, last)
	}
	v.replace(set)
	v.loaded(set.Position())
	return nil
}

// rebuild makes the summaries from the log up to position to.
func (v *kept) rebuild(ctx context.Context, to uint64) error {
	items, err := v.gather(ctx, to)
	if err != nil {
		return err
	}
	set, err := v.build(items, to, v.paramsFor(uint64(len(items))))
	if err != nil {
		return err
	}
	v.replace(set)
	v.torn, v.broken = false, false
	v.remade()
	return nil
}

func (v *kept) replace(set *summary.Set) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set = set
}

// build returns the summaries of items, which ascend, at a position.
func (v *kept) build(items []summary.SetItem, position uint64, params summary.Params) (*summary.Set, error) {
	opt := v.keeper.opt.Set
	opt.Params = params
	set, err := summary.NewSet(v.key, opt)
	if err != nil {
		return nil, err
	}
	set.SetPosition(position)
	return set, set.Build(items)
}

func (v *kept) paramsFor(n uint64) summary.Params {
	if p := v.keeper.opt.Set.Params; p != (summary.Params{}) {
		return p
	}
	return summary.ParamsFor(n)
}

// outgrown reports that the view has more items than its short IDs are wide enough
// for, or would have with so many more. One that shrinks keeps the wide ones.
func (v *kept) outgrown(more uint64) bool {
	want := v.paramsFor(v.set.Root().Count + more)
	return v.set.Params().ShortBits < want.ShortBits
}

// size returns the memory of the summaries in bytes.
func (v *kept) size() int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	const fixed = 1 << 10
	if v.set == nil {
		return fixed
	}
	return fixed + int64(v.set.Size())
}
