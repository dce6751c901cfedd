package summaries

import (
	"context"
	"errors"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Wrote tells that so many messages of a tenant were stored. It does no I/O. Where
// enough came since the last save, whoever stored them, it has the tenant's
// summaries caught up and saved in the background, so that opening stays quick for who
// writes and never syncs. Close ends a catch-up that is under way; the first Wrote of the
// next process begins it again.
func (k *Keeper) Wrote(did string, messages int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.followed.add(did, uint64(max(messages, 0))) >= k.opt.saveFrom() {
		k.lookAt(did)
	}
}

// Rotated tells that a tenant has another secret, or its first. It does no I/O: summaries
// under it are saved in the background, if there are enough of them. Before, they are
// not: what is saved is that of the secret in use.
func (k *Keeper) Rotated(did string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lookAt(did)
}

// lookAt has the worker look at a tenant, under the lock.
func (k *Keeper) lookAt(did string) {
	if k.closed || !k.followed.enqueue(did) || k.followed.working {
		return
	}
	k.followed.working = true
	k.work.Go(k.follow)
}

// follow is the worker: it looks at who waits, one after another, until nobody does.
func (k *Keeper) follow() {
	for did, before, ok := k.nextFollowed(); ok; did, before, ok = k.nextFollowed() {
		behind, err := k.keepUp(context.Background(), did)
		if err != nil {
			behind = k.opt.saveFrom() - k.opt.retryFrom()
		}
		if err != nil && !errors.Is(err, store.ErrClosed) {
			k.opt.Logger.Warn("summaries were not caught up, or not saved", "error", err)
		}
		k.mu.Lock()
		if k.followed.done(did, before, behind) >= k.opt.saveFrom() && err == nil {
			k.lookAt(did) // as much came meanwhile
		}
		k.mu.Unlock()
	}
}

// nextFollowed returns who is to be looked at, and what was counted of it.
func (k *Keeper) nextFollowed() (did string, behind uint64, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := &k.followed
	if k.closed || len(f.queue) == 0 {
		f.working = false
		return "", 0, false
	}
	did, f.queue = f.queue[0], f.queue[1:]
	return did, f.behind[did], true
}

// keepUp catches the summaries of a whole tenant under its secret up and saves them, if it
// has one and enough came since the last save. It returns how much is to count as unsaved.
func (k *Keeper) keepUp(ctx context.Context, did string) (behind uint64, err error) {
	rows := k.store.Tenant(did)
	secret, ok, err := rows.Secret(ctx, nil)
	if err != nil || !ok {
		return 0, err
	}
	last, err := rows.Last(ctx)
	if err != nil {
		return 0, err
	}
	saved, err := k.savedTo(ctx, rows, did, secret)
	if err != nil {
		return 0, err
	}
	if behind = after(last, saved); behind < k.opt.saveFrom() {
		return behind, nil
	}
	if _, err := k.View(ctx, did, dwn.Scope{}, secret); err != nil {
		return 0, err
	}
	v := k.find(did, dwn.Scope{}, secret)
	err = v.saveCopy(ctx)
	k.settle(v)
	return min(after(last, v.saving.at.Load()), k.opt.saveFrom()-k.opt.retryFrom()), err
}

// savedTo returns the position of what is saved of a whole tenant: of summaries in memory,
// if they are not newer than that because they were made anew, or in the store.
func (k *Keeper) savedTo(ctx context.Context, rows store.Tenant, did string, secret store.Secret) (uint64, error) {
	k.mu.Lock()
	var held *kept
	if t := k.tenants[did]; t != nil {
		held = t.view(dwn.Scope{}, secret)
	}
	k.mu.Unlock()
	if held != nil && held.latest.Load() != nil {
		return held.saving.at.Load(), nil
	}
	return notedPosition(ctx, rows, secret)
}
