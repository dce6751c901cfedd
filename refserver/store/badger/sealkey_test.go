package badger

import (
	"errors"
	"math"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestSealKeyFull: a disk that is full keeps a key from being made, not from being read.
func TestSealKeyFull(t *testing.T) {
	dir := t.TempDir()
	full := openTest(t, dir, Options{MinFree: math.MaxInt64})
	if key, err := full.SealKey(t.Context()); !errors.Is(err, store.ErrFull) || key != (store.SealKey{}) {
		t.Fatalf("got %v, want %v", err, store.ErrFull)
	}
	if err := full.Close(); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, dir, Options{})
	key, err := s.SealKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.opt.MinFree = math.MaxInt64
	if got, err := s.SealKey(t.Context()); err != nil || got != key {
		t.Errorf("on a full disk: %v", err)
	}
}

// TestSealKeyDamaged: a row that is no key is an error, and stays as it is: another key
// would make what was sealed before worthless without anybody noticing.
func TestSealKeyDamaged(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{})
	for _, size := range []int{1, 31, 33} {
		row := make([]byte, size)
		if err := s.db.Update(func(txn *dgraph.Txn) error { return txn.Set(sealKeyKey(), row) }); err != nil {
			t.Fatal(err)
		}
		if key, err := s.SealKey(t.Context()); !errors.Is(err, store.ErrCorrupt) || key != (store.SealKey{}) {
			t.Errorf("%d bytes: %v, want %v", size, err, store.ErrCorrupt)
		}
	}
}
