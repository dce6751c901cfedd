package badger

import (
	"errors"
	"io"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/ipfs/go-cid"
)

// TestQuotaLeavesNothing uploads data for which there is room when it begins and none when it
// ends, and checks that no chunk of it is left.
func TestQuotaLeavesNothing(t *testing.T) {
	const spare = 1000
	s := openTest(t, t.TempDir(), Options{Quota: store.Quota{Bytes: largeSize + 2*spare}})
	have := s.Tenant("did")
	entry, named := largeEntry(t)
	if _, err := have.Put(t.Context(), []store.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	meanwhile := readerFunc(func([]byte) (int, error) {
		if _, err := have.Put(t.Context(), samples(t)[:20]); err != nil {
			t.Error(err)
		}
		return 0, io.EOF
	})
	r := io.MultiReader(io.LimitReader(zeros{}, largeSize/2), meanwhile, io.LimitReader(zeros{}, largeSize/2))
	if err := have.PutData(t.Context(), named.CID, r); !errors.Is(err, store.ErrQuota) {
		t.Fatalf("got %v, want %v", err, store.ErrQuota)
	}
	checkNoUpload(t, tenantOf(s, "did"), named.CID)
}

// checkNoUpload checks that nothing is left of data that was not stored.
func checkNoUpload(t *testing.T, have *tenant, c cid.Cid) {
	t.Helper()
	for _, prefix := range [][]byte{{rowUpload}, have.keys.prefix(kindChunk), have.keys.data(dataDigest(c))} {
		if left := rows(t, have.store, prefix); len(left) != 0 {
			t.Errorf("%d rows under %.4x are left", len(left), prefix)
		}
	}
}

// TestTenantRowOfBefore writes to a tenant whose row has no bytes: they count from then on.
func TestTenantRowOfBefore(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{Quota: store.Quota{Messages: 12}})
	have, entries := tenantOf(s, "did"), samples(t)
	if _, err := have.Put(t.Context(), entries[:10]); err != nil {
		t.Fatal(err)
	}
	err := s.db.Update(func(txn *dgraph.Txn) error {
		row, err := have.row(txn)
		if err != nil {
			return err
		}
		row.bytes = 0
		written := row.append(nil)
		if written[0] != rowVersion {
			t.Errorf("a row without bytes has version %d", written[0])
		}
		return txn.Set(have.keys.tenant(), written)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := have.Put(t.Context(), entries[8:12]); err != nil {
		t.Fatal(err)
	}
	want := store.Usage{Messages: 12, Bytes: int64(entries[10].Size() + entries[11].Size())}
	if got, err := have.Usage(t.Context()); err != nil || got != want {
		t.Errorf("%+v (%v), want %+v", got, err, want)
	}
	if _, err := have.Put(t.Context(), entries[12:13]); !errors.Is(err, store.ErrQuota) {
		t.Errorf("got %v, want %v", err, store.ErrQuota)
	}
}
