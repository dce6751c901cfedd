package badger

import (
	"context"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Secret implements store.Secrets.
func (t *tenant) Secret(ctx context.Context) (secret store.Secret, found bool, err error) {
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		secret, found, err = t.secret(txn)
		return err
	})
	return secret, found, err
}

// KeepSecret implements store.Secrets.
func (t *tenant) KeepSecret(ctx context.Context, offered store.Secret) (store.Secret, error) {
	held, found, err := t.Secret(ctx)
	if err != nil || found && !offered.Beats(held) {
		return held, err // nothing to write, so a full disk does not matter
	}
	winner := offered
	err = t.write(ctx, func(txn *dgraph.Txn) error {
		held, found, err := t.secret(txn)
		if err != nil {
			return err
		}
		if found && !offered.Beats(held) {
			winner = held
			return errUnchanged
		}
		return txn.Set(t.keys.secret(), appendSecret(nil, offered))
	})
	if err != nil {
		return store.Secret{}, err
	}
	return winner, nil
}

func (t *tenant) secret(txn *dgraph.Txn) (store.Secret, bool, error) {
	value, err := read(txn, t.keys.secret())
	if err != nil || value == nil {
		return store.Secret{}, false, err
	}
	secret, err := parseSecret(value)
	return secret, err == nil, err
}
