package badger

import (
	"context"
	"math"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Usage implements store.Quotas.
func (t *tenant) Usage(ctx context.Context) (usage store.Usage, err error) {
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		row, err := t.row(txn)
		usage = row.usage()
		return err
	})
	return usage, err
}

// Room implements store.Quotas.
func (t *tenant) Room(ctx context.Context, size int64, lent bool) error {
	if least := t.store.opt.MinFree; least > 0 {
		if err := t.store.room(least + min(max(size, 0), math.MaxInt64-least)); err != nil {
			return err
		}
	}
	have, err := t.Usage(ctx)
	if err == nil && !t.store.opt.Quota.Fits(have, store.Usage{Bytes: size}, lent) {
		err = store.ErrQuota
	}
	return err
}

// charge counts data that becomes visible in this transaction, or returns store.ErrQuota.
func (t *tenant) charge(txn *dgraph.Txn, size int64) error {
	row, err := t.row(txn)
	if err != nil {
		return err
	}
	if !t.store.opt.Quota.Fits(row.usage(), store.Usage{Bytes: size}, false) {
		return store.ErrQuota
	}
	row.bytes += size
	return txn.Set(t.keys.tenant(), row.append(nil))
}

// checkFits returns w.full or store.ErrQuota if there is no room for what the entry would add and
// it is not always taken. Known says that its message is stored.
func (w *writer) checkFits(entry store.Entry, known bool) error {
	if w.full == nil && w.quota == (store.Quota{}) {
		return nil // there is room for anything, so it need not be known what it adds
	}
	more, err := w.adds(entry, known)
	if err != nil {
		return err
	}
	var refusal error
	switch {
	case w.full != nil && more != (store.Usage{}):
		refusal = w.full
	case !w.quota.Fits(w.row.usage(), more, w.lent):
		refusal = store.ErrQuota
	default:
		return nil
	}
	if always, err := w.always(entry); err != nil || always {
		return err
	}
	return refusal
}

// adds returns what the entry would add to what is stored: where it is written because of
// grants, its data too if that is held.
func (w *writer) adds(entry store.Entry, known bool) (more store.Usage, err error) {
	if !known {
		more = store.Usage{Messages: 1, Bytes: int64(len(entry.Message.CBOR()))}
	}
	named, ok := entry.Message.Data()
	if !ok || entry.Data == nil {
		return more, nil
	}
	held := false
	if !w.lent {
		held, err = has(w.txn, w.keys.data(dataDigest(named.CID)))
	}
	if !held {
		more.Bytes += int64(len(entry.Data))
	}
	return more, err
}

// always reports whether the entry is taken although the quota is used up or the disk nearly
// full, see store.Quota.
func (w *writer) always(entry store.Entry) (bool, error) {
	m := entry.Message
	ends, is := store.Ends(m, w.row.did)
	if !is || w.lent || entry.Size() > store.MaxAlways {
		return false, nil
	}
	record := recordDigest(ends)
	row, err := readRecord(w.txn, w.keys, record)
	if err != nil || row.position == 0 {
		return false, err
	}
	grant, err := w.isGrant(row)
	switch {
	case err != nil:
		return false, err
	case !isDelete(m):
		revoked, err := has(w.txn, w.keys.revoked(record))
		return grant && !revoked, err
	case !grant && (w.full != nil || entry.Size() > store.MaxAlwaysDelete):
		return false, nil
	}
	if row.deletes == 0 {
		return true, nil
	}
	deleted, err := w.tenant.deletedByTenant(w.txn, record)
	return !deleted, err
}

// isGrant reports whether a record is a permission grant. Row g need not be there yet.
func (w *writer) isGrant(record recordRow) (bool, error) {
	r := w.tenant.reader(record.position)
	row, err := r.row(w.txn, record.position)
	if err != nil {
		return false, err
	}
	first, err := r.own(w.txn, row)
	return store.IsGrantPlace(first), err
}
