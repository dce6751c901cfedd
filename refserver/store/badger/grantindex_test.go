package badger

import (
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestGrantsOfBefore asks stores about grants of which a version of before wrote all, or
// what came last, or which this version wrote to after that.
func TestGrantsOfBefore(t *testing.T) {
	did, entries := permissionSamples(t)
	have := tenantOf(openTest(t, t.TempDir(), Options{}), did)
	putSamples(t, have, entries[:len(entries)-300])
	checkGrantRows(t, have)
	ask := map[string]func() error{
		"Grant": func() error {
			_, _, err := have.Grant(t.Context(), "bafynone")
			if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		},
		"Grants": func() (err error) {
			for _, err = range have.Grants(t.Context()) {
				break
			}
			return err
		},
		"PutUnder": func() error {
			_, err := have.PutUnder(t.Context(), nil, []string{"bafynone"})
			return err
		},
	}
	for name, ask := range ask {
		last, _ := have.Last(t.Context())
		for _, to := range []uint64{0, 1, last / 2, last - 1} {
			if err := forget(t.Context(), have, to); err != nil {
				t.Fatal(err)
			}
			for n := range 2 { // what is new meanwhile must not hide what is old
				rest := entries[len(logIDs(t, have)):]
				putSamples(t, have, rest[:10])
				if _, at := grantRows(t, have); at != to {
					t.Fatalf("%s: Put %d moved row i from %d to %d", name, n, to, at)
				}
			}
			if err := ask(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			checkGrantRows(t, have)
		}
	}
}

// TestRevokedBefore checks that a revocation that a version of before stored is known to
// the first write under its grant.
func TestRevokedBefore(t *testing.T) {
	did, entries := permissionSamples(t)
	have := tenantOf(openTest(t, t.TempDir(), Options{}), did)
	putSamples(t, have, entries)
	large, named := largeEntry(t)
	if _, err := have.Put(t.Context(), []store.Entry{large}); err != nil {
		t.Fatal(err)
	}
	writes := map[string]func([]string) error{
		"PutUnder": func(grants []string) error {
			_, err := have.PutUnder(t.Context(), entries[:3], grants)
			return err
		},
		"PutDataUnder": func(grants []string) error {
			return have.PutDataUnder(t.Context(), named.CID, io.LimitReader(zeros{}, largeSize), grants)
		},
		"SentBy": func(grants []string) error { return have.SentBy(t.Context(), "did:example:bob", named.CID, grants) },
	}
	for _, entry := range entries {
		record, ok := store.Revokes(entry.Message, did)
		if !ok {
			continue
		}
		for name, write := range writes {
			if err := forget(t.Context(), have, 0); err != nil {
				t.Fatal(err)
			}
			if err := write([]string{record}); !errors.Is(err, store.ErrRevoked) {
				t.Fatalf("%s: got %v, want %v", name, err, store.ErrRevoked)
			}
		}
	}
}

// TestIndexTogether lets scans of the log run at the same time as writes.
func TestIndexTogether(t *testing.T) {
	did, entries := permissionSamples(t)
	have := tenantOf(openTest(t, t.TempDir(), Options{}), did)
	half := len(entries) / 2
	putSamples(t, have, entries[:half])
	if err := forget(t.Context(), have, 3); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 3 {
		all.Go(func() {
			if err := have.indexGrants(t.Context(), 7+n); err != nil {
				t.Error(err)
			}
		})
	}
	all.Go(func() {
		for at := half; at < len(entries); at += 20 {
			if _, err := have.Put(t.Context(), entries[at:min(at+20, len(entries))]); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if err := have.indexGrants(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	checkGrantRows(t, have)
}

// TestAskingWritesNothing counts the transactions of questions about grants.
func TestAskingWritesNothing(t *testing.T) {
	did, entries := permissionSamples(t)
	s := openTest(t, t.TempDir(), Options{})
	have := tenantOf(s, did)
	putSamples(t, have, entries)
	before := s.acknowledged.last
	for _, did := range []string{did, "did:example:nobody"} {
		if _, _, err := s.Tenant(did).Grant(t.Context(), "bafynone"); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		for _, err := range s.Tenant(did).Grants(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if s.acknowledged.last != before {
		t.Errorf("%d transactions", s.acknowledged.last-before)
	}
}

// TestGrantsFull: asking a store of before works as long as opening it does.
func TestGrantsFull(t *testing.T) {
	free := uint64(math.MaxUint64)
	did, entries := permissionSamples(t)
	have := tenantOf(openTest(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) { return free, nil }}), did)
	putSamples(t, have, entries)
	if err := forget(t.Context(), have, 0); err != nil {
		t.Fatal(err)
	}
	free = minFreeToOpen - 1
	if _, _, err := have.Grant(t.Context(), "bafynone"); !errors.Is(err, store.ErrFull) {
		t.Errorf("got %v, want %v", err, store.ErrFull)
	}
	free = minFreeToOpen
	if _, _, err := have.Grant(t.Context(), "bafynone"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want %v", err, store.ErrNotFound)
	}
	free = 0
	if _, _, err := have.Grant(t.Context(), "bafynone"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the second time: got %v, want %v", err, store.ErrNotFound)
	}
	checkGrantRows(t, have)
}

// TestDeletedBefore checks that a delete of a grant that a version of before stored rotates the
// secret that was lent under it, once, and one by somebody else does not.
func TestDeletedBefore(t *testing.T) {
	did, entries := permissionSamples(t)
	at := slices.IndexFunc(entries, func(e store.Entry) bool { return isDelete(e.Message) && e.Message.Author() == did })
	if at < 0 {
		t.Fatal("no delete to test with")
	}
	held := store.Secret{Generation: 3, Key: [32]byte{1}}
	for tenant, want := range map[string]uint64{did: held.Generation + 1, "did:example:other": held.Generation} {
		have := tenantOf(openTest(t, t.TempDir(), Options{}), tenant)
		putSamples(t, have, entries)
		if err := forget(t.Context(), have, 0); err != nil {
			t.Fatal(err)
		}
		err := have.write(t.Context(), func(txn *dgraph.Txn) error {
			lent := txn.Set(have.keys.lent(recordDigest(entries[at].Message.RecordID())), nil)
			return errors.Join(lent, txn.Set(have.keys.secret(nil), appendSecret(nil, held)))
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := have.indexGrants(t.Context(), 100); err != nil {
				t.Fatal(err)
			}
			if got, _, err := have.Secret(t.Context(), nil); err != nil || got.Generation != want || (got == held) != (want == held.Generation) {
				t.Errorf("a delete by %.30s of %.30s: %v (%v), want generation %d", did, tenant, got, err, want)
			}
		}
	}
}
