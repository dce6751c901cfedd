package badger

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"math"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Grant implements store.Grants.
func (t *tenant) Grant(ctx context.Context, recordID string) (store.Entry, bool, error) {
	if err := t.indexGrants(ctx, scanSize); err != nil {
		return store.Entry{}, false, err
	}
	var g store.Grant
	err := t.store.view(ctx, func(txn *dgraph.Txn) error {
		record := recordDigest(recordID)
		found, err := has(txn, t.keys.grant(record))
		if err == nil && !found {
			err = fmt.Errorf("grant %.80q: %w", recordID, store.ErrNotFound)
		}
		if err == nil {
			g, err = t.grant(txn, record)
		}
		return err
	})
	return g.Entry, g.Revoked, err
}

// grant reads a grant that row g says is there.
func (t *tenant) grant(txn *dgraph.Txn, record digest) (g store.Grant, err error) {
	row, err := readRecord(txn, t.keys, record)
	if err != nil {
		return g, err
	}
	if g.Entry, err = t.entry(txn, row.initial); err != nil {
		// What is missing is missing by damage: this must not read like a grant that nobody made.
		return store.Grant{}, corrupt("grant with the initial write at position %d: %v", row.position, err)
	}
	g.Revoked, err = t.ended(txn, record)
	return g, err
}

// Grants implements store.Grants.
func (t *tenant) Grants(ctx context.Context) iter.Seq2[store.Grant, error] {
	return func(yield func(store.Grant, error) bool) {
		err := t.indexGrants(ctx, scanSize)
		from := t.keys.prefix(kindGrant)
		for err == nil && from != nil {
			var page []store.Grant
			page, from, err = t.grantsFrom(ctx, from)
			for _, g := range page {
				if !yield(g, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(store.Grant{}, err)
		}
	}
}

// grantsFrom reads grants from the key from on in one transaction, and returns the key
// to go on from, nil after the last. What it read before an error comes with the error.
func (t *tenant) grantsFrom(ctx context.Context, from []byte) (page []store.Grant, next []byte, err error) {
	size := 0
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		prefix := t.keys.prefix(kindGrant)
		return scan(txn, prefix, from, func(item *dgraph.Item) error {
			if len(page) == pageSize || size >= pageBytes {
				next = item.KeyCopy(nil)
				return errStop
			}
			var record digest
			if key := item.Key()[len(prefix):]; copy(record[:], key) != len(key) || len(key) != len(record) {
				return corrupt("key of a grant with %d bytes", len(key))
			}
			g, err := t.grant(txn, record)
			if err != nil {
				return err
			}
			page = append(page, g)
			size += g.Size()
			return nil
		})
	})
	return page, next, err
}

// checkGrants returns store.ErrRevoked if one of grants is revoked. It reads the rows by
// their keys, those that are not there too, because such reads are what a revocation that is
// stored meanwhile conflicts with: a scan would not see that a row appears.
func (t *tenant) checkGrants(txn *dgraph.Txn, grants []string) error {
	for _, recordID := range grants {
		revoked, err := t.ended(txn, recordDigest(recordID))
		if err != nil {
			return err
		}
		if revoked {
			return fmt.Errorf("%w: %.80q", store.ErrRevoked, recordID)
		}
	}
	return nil
}

// ended reports whether a grant is revoked or the tenant has deleted its record. Every delete
// of the record writes row r, so that is what it conflicts with.
func (t *tenant) ended(txn *dgraph.Txn, record digest) (bool, error) {
	revoked, err := has(txn, t.keys.revoked(record))
	if err != nil || revoked {
		return revoked, err
	}
	row, err := readRecord(txn, t.keys, record)
	if err != nil || row.deletes == 0 {
		return false, err
	}
	return t.deletedByTenant(txn, record)
}

// deletedByTenant reports whether the tenant is the author of a delete of the record.
func (t *tenant) deletedByTenant(txn *dgraph.Txn, record digest) (bool, error) {
	var positions []uint64 // a transaction that writes has one scan at a time
	err := scan(txn, t.keys.deletes(record), nil, func(item *dgraph.Item) error {
		positions = append(positions, lastNumber(item.Key()))
		return nil
	})
	if err != nil {
		return false, err
	}
	r := t.reader(1)
	for _, position := range positions {
		row, err := r.row(txn, position)
		if err != nil {
			return false, err
		}
		own, err := r.own(txn, row)
		if err != nil || own.Author == t.did {
			return err == nil, err
		}
	}
	return false, nil
}

// indexFor is indexGrants for a write under grants, and nothing where there are none.
func (t *tenant) indexFor(ctx context.Context, grants []string) error {
	if len(grants) == 0 {
		return nil
	}
	return t.indexGrants(ctx, scanSize)
}

// Lend implements store.Grants.
func (t *tenant) Lend(ctx context.Context, grants []string) error {
	noted := true
	err := t.store.view(ctx, func(txn *dgraph.Txn) (err error) {
		for _, recordID := range grants {
			if noted, err = has(txn, t.keys.lent(recordDigest(recordID))); err != nil || !noted {
				return err
			}
		}
		return nil
	})
	if err != nil || noted {
		return err // nothing to write, so a full disk does not matter
	}
	return t.writeLittle(ctx, func(txn *dgraph.Txn) error { // reading depends on it
		if err := t.checkGrants(txn, grants); err != nil {
			return err
		}
		for _, recordID := range grants {
			if err := txn.Set(t.keys.lent(recordDigest(recordID)), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// endGrant makes the tenant's secret the next generation if one of it was handed out
// under the grant, which has just ended: whoever had it can aim at no summary any more.
func (w *writer) endGrant(record digest) error {
	lent, err := has(w.txn, w.keys.lent(record))
	if err != nil || !lent {
		return err
	}
	if err := w.txn.Delete(w.keys.lent(record)); err != nil {
		return err
	}
	held, found, err := readSecret(w.txn, w.keys.secret(nil))
	if err != nil || !found || held.Generation == math.MaxUint64 {
		return err
	}
	next := store.Secret{Generation: held.Generation + 1}
	rand.Read(next.ID[:])
	rand.Read(next.Key[:])
	return w.txn.Set(w.keys.secret(nil), appendSecret(nil, next))
}
