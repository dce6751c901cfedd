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

// checkRoom returns store.ErrFull if the disk is nearly full and the entry would write something
// that is not always taken. Known says that its message is stored.
func (w *writer) checkRoom(entry store.Entry, known bool) error {
	if w.full == nil {
		return nil
	}
	if known {
		named, ok := entry.Message.Data()
		if !ok || entry.Data == nil {
			return nil
		}
		if held, err := has(w.txn, w.keys.data(dataDigest(named.CID))); err != nil || held {
			return err
		}
		return w.full
	}
	always, err := w.always(entry)
	if err == nil && !always {
		err = w.full
	}
	return err
}

// checkQuota returns store.ErrQuota if the entry does not fit into what the tenant may have.
// Known says that its message is stored.
func (w *writer) checkQuota(entry store.Entry, known bool) error {
	if w.quota == (store.Quota{}) {
		return nil
	}
	more := store.Usage{Bytes: int64(len(entry.Data))}
	if named, ok := entry.Message.Data(); ok && entry.Data != nil && !w.lent {
		held, err := has(w.txn, w.keys.data(dataDigest(named.CID)))
		if err != nil {
			return err
		}
		if held {
			more.Bytes = 0
		}
	}
	if !known {
		more.Messages, more.Bytes = 1, more.Bytes+int64(len(entry.Message.CBOR()))
	}
	if w.quota.Fits(w.row.usage(), more, w.lent) {
		return nil
	}
	always, err := w.always(entry)
	if err == nil && !always {
		err = store.ErrQuota
	}
	return err
}

// always reports whether the entry is taken although the quota is used up or the disk nearly
// full, see store.Quota.
func (w *writer) always(entry store.Entry) (bool, error) {
	m := entry.Message
	if m.Author() != w.row.did || entry.Size() > store.MaxAlways {
		return false, nil
	}
	ends, revokes := store.Revokes(m, w.row.did)
	if !revokes {
		if !isDelete(m) {
			return false, nil
		}
		ends = m.RecordID()
	}
	record := recordDigest(ends)
	row, err := readRecord(w.txn, w.keys, record)
	if err != nil || row.position == 0 {
		return false, err
	}
	if revokes {
		revoked, err := has(w.txn, w.keys.revoked(record))
		return !revoked, err
	}
	if row.deletes == 0 {
		return true, nil
	}
	deleted, err := w.tenant.deletedByTenant(w.txn, record)
	return !deleted, err
}
