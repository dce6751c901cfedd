package summaries

import (
	"context"
	"errors"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Check compares all summaries that are kept of a tenant, part by part, with those
// that a scan of everything makes, and the keys that are stored with the log. Where
// none are in memory, those under the tenant's secret are loaded first. Saved summaries
// that the store cannot give back whole count as drift too. The first difference is a
// *DriftError. It compares a copy, so syncs of the tenant go on meanwhile. It takes some
// seconds for 10^6 messages, and 48 bytes of memory each besides those of the summaries twice.
func (k *Keeper) Check(ctx context.Context, did string) error {
	if err := k.enter(); err != nil {
		return err
	}
	defer k.work.Done()
	if err := k.checkSaved(ctx, did); err != nil {
		return err
	}
	views, err := k.keptOf(ctx, did)
	if err != nil {
		return err
	}
	for _, v := range views {
		view, copied, err := v.copied(ctx)
		k.settle(v)
		if err == nil {
			err = v.check(ctx, view, copied)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copied returns a view of what the log has now, and a copy of the summaries that it is of.
func (v *kept) copied(ctx context.Context) (*View, *summary.Frozen, error) {
	if err := v.take(ctx); err != nil {
		return nil, nil, err
	}
	defer v.release()
	view, err := v.advance(ctx)
	if err != nil {
		return nil, nil, err
	}
	return view, v.set.Freeze(), nil
}

// checkSaved asks the store for everything that is saved of a tenant.
func (k *Keeper) checkSaved(ctx context.Context, did string) error {
	for _, name := range savedNames() {
		_, _, _, err := k.store.Tenant(did).Fold(ctx, name)
		if errors.Is(err, store.ErrFoldDamaged) {
			return &DriftError{Part: PartSaved}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Rebuild makes all summaries that are kept of a tenant again, from the log, and
// saves those of the whole tenant. What was saved before is removed first. Summaries in
// memory are made again also if nothing can be removed or saved, as on a disk that is
// full: the error says so.
func (k *Keeper) Rebuild(ctx context.Context, did string) error {
	if err := k.enter(); err != nil {
		return err
	}
	defer k.work.Done()
	k.mu.Lock()
	t := k.tenant(did)
	t.users++
	k.mu.Unlock()
	defer k.leave(t)
	errs := []error{k.forgetSaved(ctx, t)}
	err := k.each(ctx, did, func(v *kept) error {
		last, err := v.rows.Last(ctx)
		if err != nil {
			return err
		}
		if err := v.rebuild(ctx, last); err != nil {
			return err
		}
		v.publish()
		if v.scope.All() {
			errs = append(errs, v.saveNow(ctx))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// each calls f for everything that is kept of a tenant, in its turn.
func (k *Keeper) each(ctx context.Context, did string, f func(*kept) error) error {
	views, err := k.keptOf(ctx, did)
	if err != nil {
		return err
	}
	for _, v := range views {
		if err := v.take(ctx); err != nil {
			return err
		}
		err := f(v)
		v.release()
		k.settle(v)
		if err != nil {
			return err
		}
	}
	return nil
}

// keptOf returns what is kept of a tenant. What is not, is that under the tenant's
// secret, if it has one.
func (k *Keeper) keptOf(ctx context.Context, did string) ([]*kept, error) {
	secret, ok, err := k.store.Tenant(did).Secret(ctx, nil)
	if err != nil {
		return nil, err
	}
	if ok {
		k.find(did, dwn.Scope{}, secret)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var views []*kept
	if t := k.tenants[did]; t != nil {
		for _, e := range t.epochs {
			for _, v := range e.views {
				views = append(views, v)
			}
		}
	}
	return views, nil
}

// check compares what a view says, and the summaries that it is of, with a scan.
func (v *kept) check(ctx context.Context, view *View, copied *summary.Frozen) error {
	items, err := v.gather(ctx, view.Position)
	if err != nil {
		return err
	}
	if err := v.checkMessages(ctx, view, items); err != nil {
		return err
	}
	want, err := v.build(items, view.Position, view.params)
	if err != nil {
		return err
	}
	part := summary.PartRoot
	if view.Root == want.Root() {
		part, err = differs(v.key, copied, want)
	}
	if err == nil && part != "" {
		err = &DriftError{Scope: v.scope, Part: part}
	}
	return err
}

// differs is summary.Set.Differs of a copy. Where its parts have different numbers of
// items, it is the index that is wrong: the root is not.
func differs(key [32]byte, copied *summary.Frozen, want *summary.Set) (summary.Part, error) {
	have, err := summary.DecodeSet(key, copied.AppendBinary(nil))
	if errors.Is(err, summary.ErrEncoding) {
		return summary.PartIndex, nil
	}
	if err != nil {
		return "", err
	}
	return have.Differs(want)
}

// checkMessages compares the keys that are stored with those in the log.
func (v *kept) checkMessages(ctx context.Context, view *View, items []summary.SetItem) error {
	keys, err := view.Keys(ctx)
	if errors.Is(err, ErrDrift) {
		if uint64(len(items)) == view.Root.Count {
			err = &DriftError{Scope: v.scope, Part: PartMessages}
		}
		return err
	}
	if err != nil {
		return err
	}
	same := len(keys) == len(items)
	for i := 0; same && i < len(keys); i++ {
		same = keys[i] == items[i].Key
	}
	if !same {
		return &DriftError{Scope: v.scope, Part: PartMessages}
	}
	return nil
}
