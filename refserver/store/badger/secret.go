package badger

import (
	"context"
	"fmt"

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
	winner, key := offered, t.keys.secret(label)
	err = t.write(ctx, func(txn *dgraph.Txn) error {
		held, found, err := readSecret(txn, key)
		if err != nil {
			return err
		}
		if found && !offered.Beats(held) {
			winner = held
			return errUnchanged
		}
		if !found && len(label) > 0 {
			if err := t.checkLabels(txn); err != nil {
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

// checkLabels returns store.ErrTooManySecrets if no other label can have a secret.
func (t *tenant) checkLabels(txn *dgraph.Txn) error {
	labels := 0
	own := t.keys.secret(nil)
	err := scan(txn, own, append(own, 0), func(*dgraph.Item) error {
		if labels++; labels == store.MaxSecrets {
			return fmt.Errorf("%w: at most %d labels", store.ErrTooManySecrets, store.MaxSecrets)
		}
		return nil
	})
	return err
}

func readSecret(txn *dgraph.Txn, key []byte) (store.Secret, bool, error) {
	value, err := read(txn, key)
	if err != nil || value == nil {
		return store.Secret{}, false, err
	}
	secret, err := parseSecret(value)
	return secret, err == nil, err
}
