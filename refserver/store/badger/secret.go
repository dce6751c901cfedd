package badger

import (
	"bytes"
	"context"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Secret implements store.Secrets.
func (t *tenant) Secret(ctx context.Context, label []byte) (secret store.Secret, found bool, err error) {
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		secret, found, err = readSecret(txn, t.keys.secret(label))
		return err
	})
	return secret, found, err
}

// KeepSecret implements store.Secrets.
func (t *tenant) KeepSecret(ctx context.Context, label []byte, offered store.Secret) (store.Secret, error) {
	held, found, err := t.Secret(ctx, label)
	if err != nil || found && !offered.Beats(held) {
		return held, err // nothing to write, so a full disk does not matter
	}
	// It is a row of less than 100 bytes, and the first sync of a scope reads nothing without it.
	winner, key := offered, t.keys.secret(label)
	err = t.writeLittle(ctx, func(txn *dgraph.Txn) error {
		held, found, err := readSecret(txn, key)
		if err != nil {
			return err
		}
		if found && !offered.Beats(held) {
			winner = held
			return errUnchanged
		}
		if !found && len(label) > 0 {
			if err := t.makeRoom(txn, key); err != nil {
				return err
			}
		}
		return txn.Set(key, appendSecret(nil, offered))
	})
	if err != nil {
		return store.Secret{}, err
	}
	return winner, nil
}

// makeRoom removes a label's secret if there are as many as there may be: the next one
// after key, the last being followed by the first. Labels are digests in keys, so that is any.
func (t *tenant) makeRoom(txn *dgraph.Txn, key []byte) error {
	labels := 0
	var first, next []byte
	own := t.keys.secret(nil)
	err := scan(txn, own, append(own, 0), func(item *dgraph.Item) error {
		if labels++; labels == 1 {
			first = item.KeyCopy(nil)
		}
		if next == nil && bytes.Compare(item.Key(), key) > 0 {
			next = item.KeyCopy(nil)
		}
		return nil
	})
	if err != nil || labels < store.MaxSecrets {
		return err
	}
	if next == nil {
		next = first
	}
	return txn.Delete(next)
}

func readSecret(txn *dgraph.Txn, key []byte) (store.Secret, bool, error) {
	value, err := read(txn, key)
	if err != nil || value == nil {
		return store.Secret{}, false, err
	}
	secret, err := parseSecret(value)
	return secret, err == nil, err
}
