package badger

import (
	"context"
	"iter"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/ipfs/go-cid"
)

// owe notes that signer, unless it is the tenant, is asked for the data that a new message
// of its names. Whether that is held is of no account.
func (w *writer) owe(signer string, named store.Wanted) error {
	if named.Size <= dwn.MaxInlineData || signer == w.row.did {
		return nil
	}
	by, d := signerDigest(signer), dataDigest(named.CID)
	sent, err := has(w.txn, w.keys.sent(by, d))
	if err != nil || sent {
		return err
	}
	return w.setWanted(w.keys.owed(by, d), named)
}

// WantedOf implements store.Owed.
func (t *tenant) WantedOf(ctx context.Context, signer string) iter.Seq2[store.Wanted, error] {
	return t.wanted(ctx, t.keys.owedBy(signerDigest(signer)))
}

// SentBy implements store.Owed.
func (t *tenant) SentBy(ctx context.Context, signer string, c cid.Cid, grants []string) error {
	if err := t.indexFor(ctx, grants); err != nil {
		return err
	}
	by, d := signerDigest(signer), dataDigest(c)
	noted := false
	err := t.store.view(ctx, func(txn *dgraph.Txn) (err error) {
		if err = t.checkGrants(txn, grants); err == nil {
			noted, err = has(txn, t.keys.sent(by, d))
		}
		return err
	})
	if err != nil || noted {
		return err
	}
	return t.write(ctx, func(txn *dgraph.Txn) error { return t.noteSent(txn, by, d, grants) })
}

// noteSent is SentBy of what is not noted yet.
func (t *tenant) noteSent(txn *dgraph.Txn, by, d digest, grants []string) error {
	if err := t.checkGrants(txn, grants); err != nil {
		return err
	}
	if err := txn.Delete(t.keys.owed(by, d)); err != nil {
		return err
	}
	return txn.Set(t.keys.sent(by, d), nil)
}
