package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// fsck checks tenants one after another.
type fsck struct {
	node    folderNode
	rebuild bool
	bar     progress
	read    int // messages
}

// tenantCheck is the check of one tenant.
type tenantCheck struct {
	*fsck
	rows  store.Tenant
	found fsckTenant
	whole map[string]bool // by the CID of data that is not inline: whether its bytes are it
	// The records of grants that are among the messages, and of those that these revoke.
	granted, revoked map[string]bool
}

// tenant checks everything of a tenant. An error says why it could not go on.
func (c *fsck) tenant(ctx context.Context, did string) (fsckTenant, error) {
	t := &tenantCheck{
		fsck: c, rows: c.node.Store.Tenant(did), whole: make(map[string]bool),
		found:   fsckTenant{Tenant: did, Damaged: []fsckDamage{}, Errors: []string{}},
		granted: make(map[string]bool), revoked: make(map[string]bool),
	}
	present, err := c.node.Store.Has(ctx, did)
	if err != nil {
		return t.found, err
	}
	if !present { // its row has another DID than the one that all of its rows are found by
		t.wrong("the folder lists this tenant and has nothing under its DID")
	}
	keys, err := t.keys(ctx)
	if err != nil {
		return t.found, err
	}
	logged, err := t.logged(ctx)
	if err != nil {
		return t.found, err
	}
	if err := t.messages(ctx, t.compare(keys, logged)); err != nil {
		return t.found, err
	}
	if err := t.permissions(ctx); err != nil {
		return t.found, err
	}
	usage, err := t.rows.Usage(ctx)
	if err != nil && !damages(err) {
		return t.found, err
	}
	if err != nil {
		t.wrong("quota: %v", err)
	}
	t.found.Bytes = usage.Bytes
	return t.found, t.summaries(ctx)
}

// damages reports an error that is about what is stored: the check goes on after it.
func damages(err error) bool {
	return errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrNotFound)
}

func (t *tenantCheck) damaged(id dwn.ID, what string) {
	t.found.Damaged = append(t.found.Damaged, fsckDamage{dwn.CIDOf(id).String(), what})
}

func (t *tenantCheck) wrong(format string, args ...any) {
	t.found.Errors = append(t.found.Errors, fmt.Sprintf(format, args...))
}

// keys returns the keys that are stored, ascending, whether their number is right or not.
func (t *tenantCheck) keys(ctx context.Context) ([]dwn.Key, error) {
	keys, _, err := t.rows.Keys(ctx, dwn.Scope{})
	if err != nil && damages(err) {
		t.wrong("keys: %v", err)
		last := dwn.Key{Time: math.MaxInt64, ID: dwn.ID(bytes.Repeat([]byte{0xff}, len(dwn.ID{})))}
		keys, _, err = t.rows.KeysIn(ctx, dwn.Scope{}, dwn.Key{Time: math.MinInt64}, last)
	}
	if err != nil && damages(err) {
		return nil, nil // the log has them too
	}
	t.found.Messages = len(keys)
	return keys, err
}

// logged returns the keys in the arrival log, ascending.
func (t *tenantCheck) logged(ctx context.Context) (keys []dwn.Key, err error) {
	for e, err := range t.rows.Log(ctx, 1) {
		switch {
		case err != nil && damages(err):
			t.wrong("log: %v", err)
			keys, err = t.loggedByPosition(ctx)
			return t.sorted(keys), err
		case err != nil:
			return nil, err
		case e.Event == store.EventAccepted:
			keys = append(keys, e.Key)
		}
	}
	return t.sorted(keys), nil
}

func (t *tenantCheck) sorted(keys []dwn.Key) []dwn.Key {
	t.found.LogEntries = len(keys)
	slices.SortFunc(keys, dwn.Key.Compare)
	return keys
}

// loggedByPosition returns the keys in a log that cannot be read in one go.
func (t *tenantCheck) loggedByPosition(ctx context.Context) (keys []dwn.Key, err error) {
	const page = 256
	last, err := t.rows.Last(ctx)
	for next := uint64(1); err == nil && next <= last; {
		var positions []uint64
		for p := next; p <= last && len(positions) < page; p++ {
			positions = append(positions, p)
		}
		for e, err := range t.rows.At(ctx, positions) {
			next++
			if err != nil && !damages(err) {
				return nil, err
			}
			if err != nil {
				t.wrong("log entry %d: %v", next-1, err)
				break
			}
			keys = append(keys, e.Key)
		}
	}
	return keys, err
}

// compare reports what only one of keys and logged has, and returns the keys of both.
func (t *tenantCheck) compare(keys, logged []dwn.Key) []dwn.Key {
	all := make([]dwn.Key, 0, len(keys))
	for len(keys)+len(logged) > 0 {
		order := -1
		if len(keys) == 0 {
			order = 1
		} else if len(logged) > 0 {
			order = keys[0].Compare(logged[0])
		}
		switch {
		case order < 0:
			t.damaged(keys[0].ID, "has a key and no entry in the log")
			all, keys = append(all, keys[0]), keys[1:]
		case order == 0:
			all, keys, logged = append(all, keys[0]), keys[1:], logged[1:]
		case len(all) > 0 && all[len(all)-1] == logged[0]:
			t.damaged(logged[0].ID, "has more than one entry in the log")
			logged = logged[1:]
		default:
			t.damaged(logged[0].ID, "has an entry in the log and no key")
			all, logged = append(all, logged[0]), logged[1:]
		}
	}
	return all
}

// messages reads every message and its data.
func (t *tenantCheck) messages(ctx context.Context, keys []dwn.Key) error {
	ids := make([]dwn.ID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	for next := 0; next < len(ids); {
		for e, err := range t.rows.Get(ctx, ids[next:]) {
			next++
			t.read++
			t.bar.set(t.read)
			if err != nil && !damages(err) {
				return err
			}
			if err != nil {
				t.damaged(ids[next-1], err.Error())
				break
			}
			if err := t.message(ctx, keys[next-1], e); err != nil {
				return err
			}
		}
	}
	return nil
}

// message checks one message, whose bytes have its ID, and its data.
func (t *tenantCheck) message(ctx context.Context, key dwn.Key, e store.Entry) error {
	if have := e.Message.Key(); have != key {
		t.damaged(key.ID, fmt.Sprintf("is listed at time %d, its own is %d", key.Time, have.Time))
	}
	if err := e.Check(); err != nil {
		t.damaged(key.ID, err.Error())
		return nil
	}
	t.note(e.Message)
	if !e.DataHeld {
		return nil
	}
	if e.Data == nil {
		whole, err := t.large(ctx, e)
		if err != nil {
			return err
		}
		if !whole {
			t.damaged(key.ID, "its data is not the data that it names")
			return nil
		}
	}
	t.found.Data++
	return nil
}

// large reports whether the data of e, which is not inline, is what it names.
func (t *tenantCheck) large(ctx context.Context, e store.Entry) (bool, error) {
	named, _ := e.Message.Data()
	name := named.CID.KeyString()
	if whole, known := t.whole[name]; known {
		return whole, nil
	}
	whole := false
	r, _, err := t.rows.OpenData(ctx, named.CID)
	if err == nil {
		have, size, failed := datacid.Of(r)
		err = errors.Join(failed, r.Close())
		whole = err == nil && size == named.Size && have.Equals(named.CID)
	}
	if err != nil && !damages(err) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	t.whole[name] = whole
	return whole, nil
}

// summaries compares those that are kept with those of a scan of everything.
func (t *tenantCheck) summaries(ctx context.Context) error {
	_, ok, err := t.rows.Secret(ctx, nil)
	if err != nil {
		return t.uncompared(err)
	}
	if !ok {
		t.found.Summaries = summariesNone
		return nil
	}
	keeper, did := t.node.Keeper, t.found.Tenant
	if err := keeper.Check(ctx, did); err == nil || !errors.Is(err, summaries.ErrDrift) {
		t.found.Summaries = summariesFine
		return t.uncompared(err)
	} else if drift, ok := errors.AsType[*summaries.DriftError](err); !ok || drift.Part == summaries.PartMessages {
		return t.uncompared(fmt.Errorf("%w: %w", store.ErrCorrupt, err)) // the messages themselves have to be mended
	} else {
		t.found.Drift = string(drift.Part)
	}
	t.found.Summaries = summariesDrifted
	if !t.rebuild {
		return nil
	}
	if err := keeper.Rebuild(ctx, did); err != nil {
		return t.uncompared(err)
	}
	switch err := keeper.Check(ctx, did); {
	case err == nil:
		t.found.Summaries = summariesRebuilt
	case !errors.Is(err, summaries.ErrDrift):
		return t.uncompared(err)
	}
	return nil
}

// uncompared takes note that err kept the summaries from being compared. Without an
// error it does nothing.
func (t *tenantCheck) uncompared(err error) error {
	if err == nil || !damages(err) {
		return err
	}
	t.found.Summaries = summariesUnknown
	t.wrong("summaries: %v", err)
	return nil
}
