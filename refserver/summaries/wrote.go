package summaries

import (
	"context"
	"errors"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Wrote tells that so many messages of a tenant were stored. It does no I/O. Where
// enough came since the last save, whoever stored them, it catches the tenant's
// summaries up and saves them in the background, so that opening stays quick for who
// writes and never syncs. Close ends a catch-up that is under way; the first Wrote of the
// next process begins it again.
func (k *Keeper) Wrote(did string, messages int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	t := k.tenant(did)
	t.behind += uint64(max(messages, 0))
	if t.following || t.written && t.behind < k.opt.saveFrom() {
		return
	}
	t.written, t.following = true, true
	k.background(t, func() { k.follow(t) })
}

// follow compares a tenant's log with what is saved and catches up if that is much.
func (k *Keeper) follow(t *tenant) {
	k.mu.Lock()
	before := t.behind
	k.mu.Unlock()
	behind, err := k.keepUp(context.Background(), t.did)
	if err != nil && !errors.Is(err, store.ErrClosed) {
		k.opt.Logger.Warn("summaries were not caught up", "error", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t.behind += behind - before // what came meanwhile stays, though behind may include it
	t.following = false
}

// keepUp catches the summaries of a whole tenant under its secret up, if it has one and
// enough came since the last save, and returns how much came otherwise.
func (k *Keeper) keepUp(ctx context.Context, did string) (behind uint64, err error) {
	rows := k.store.Tenant(did)
	secret, ok, err := rows.Secret(ctx)
	if err != nil || !ok {
		return 0, err
	}
	last, err := rows.Last(ctx)
	if err != nil {
		return 0, err
	}
	saved, err := notedPosition(ctx, rows, secret)
	if err != nil {
		return 0, err
	}
	if behind = after(last, saved); behind < k.opt.saveFrom() {
		return behind, nil
	}
	_, err = k.View(ctx, did, dwn.Scope{}, secret)
	return 0, err
}
