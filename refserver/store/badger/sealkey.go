package badger

import (
	"context"
	"crypto/rand"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// SealKey implements store.Sealing.
func (s *Store) SealKey(ctx context.Context) (key store.SealKey, err error) {
	found := false
	err = s.view(ctx, func(txn *dgraph.Txn) error {
		key, found, err = readSealKey(txn)
		return err
	})
	if err != nil || found {
		return key, err // nothing to write, so a full disk does not matter
	}
	nobody := &tenant{store: s} // in whose turn it is written: two calls make one key
	err = nobody.write(ctx, func(txn *dgraph.Txn) error {
		if key, found, err = readSealKey(txn); err != nil || found {
			return err
		}
		rand.Read(key[:])
		return txn.Set(sealKeyKey(), key[:])
	})
	if err != nil {
		return store.SealKey{}, err
	}
	return key, nil
}

func readSealKey(txn *dgraph.Txn) (key store.SealKey, found bool, err error) {
	value, err := read(txn, sealKeyKey())
	if err != nil || value == nil {
		return key, false, err
	}
	if copy(key[:], value) != len(value) || len(value) != len(key) {
		return store.SealKey{}, false, corrupt("seal key of %d bytes", len(value))
	}
	return key, true, nil
}
