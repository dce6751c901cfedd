package badger

import (
	"context"
	"errors"
	"io"
	"maps"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/storetest"
)

// permissionSamples returns a tenant of the corpus that made grants and revoked some,
// and its messages.
func permissionSamples(tb testing.TB) (did string, entries []store.Entry) {
	tb.Helper()
	corpus := storetest.Corpus(tb)
	for _, s := range corpus {
		if did == "" && store.IsGrant(s.Message) {
			did = s.Tenant
		}
	}
	grants, revocations := 0, 0
	for _, s := range corpus {
		if s.Tenant != did {
			continue
		}
		entries = append(entries, s.Entry)
		if store.IsGrant(s.Message) {
			grants++
		}
		if _, ok := store.Revokes(s.Message, did); ok {
			revocations++
		}
	}
	if grants < 30 || revocations < 4 {
		tb.Fatalf("%d grants and %d revocations: too few to test with", grants, revocations)
	}
	return did, entries
}

func tenantOf(s *Store, did string) *tenant { return s.Tenant(did).(*tenant) }

// putSamples puts entries in batches.
func putSamples(tb testing.TB, have *tenant, entries []store.Entry) {
	tb.Helper()
	for len(entries) > 0 {
		n := min(len(entries), 100)
		if _, err := have.Put(tb.Context(), entries[:n]); err != nil {
			tb.Fatal(err)
		}
		entries = entries[n:]
	}
}

// grantRows returns the keys of the rows that grants are found by, and the position that
// row i has.
func grantRows(t *testing.T, have *tenant) (keys map[string]int64, to uint64) {
	t.Helper()
	keys = rows(t, have.store, have.keys.prefix(kindGrant))
	maps.Copy(keys, rows(t, have.store, have.keys.prefix(kindRevoked)))
	err := have.store.db.View(func(txn *dgraph.Txn) (err error) {
		to, err = readIndexed(txn, have.keys)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, to
}

// wantRows returns the keys of the rows of the messages up to a position of the log.
func wantRows(t *testing.T, have *tenant, to uint64) map[string]int64 {
	t.Helper()
	keys := make(map[string]int64)
	for entry, err := range have.Get(t.Context(), logIDs(t, have)[:to]) {
		if err != nil {
			t.Fatal(err)
		}
		if store.IsGrant(entry.Message) {
			keys[string(have.keys.grant(recordDigest(entry.Message.RecordID())))] = 0
		}
		if record, ok := store.Revokes(entry.Message, have.did); ok {
			keys[string(have.keys.revoked(recordDigest(record)))] = 0
		}
	}
	return keys
}

// checkGrantRows checks that the rows are those of the whole log.
func checkGrantRows(t *testing.T, have *tenant) {
	t.Helper()
	last, err := have.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, to := grantRows(t, have)
	if want := wantRows(t, have, last); !maps.Equal(got, want) || to != last {
		t.Fatalf("%d rows to position %d, want %d to %d", len(got), to, len(want), last)
	}
}

// forget makes the rows those that a version of before would have left, who wrote all of
// the log after position to.
func forget(ctx context.Context, have *tenant, to uint64) error {
	return have.write(ctx, func(txn *dgraph.Txn) error {
		for _, kind := range []byte{kindGrant, kindRevoked, kindIndexed} {
			var keys [][]byte
			err := scan(txn, have.keys.prefix(kind), nil, func(item *dgraph.Item) error {
				keys = append(keys, item.KeyCopy(nil))
				return nil
			})
			if err != nil {
				return err
			}
			for _, key := range keys {
				if err := txn.Delete(key); err != nil {
					return err
				}
			}
		}
		if to == 0 {
			return nil
		}
		return have.indexPage(txn, int(to))
	})
}

// TestRevocationConflicts checks that the row of a grant by itself lets only one of two
// transactions commit, even where no turns are taken and none writes what the other does: of
// messages, of data that becomes visible, and of the note that it was sent.
func TestRevocationConflicts(t *testing.T) {
	did, entries := permissionSamples(t)
	have := tenantOf(openTest(t, t.TempDir(), Options{}), did)
	revocation, record := revocationIn(t, did, entries)
	entry, named := largeEntry(t)
	if _, err := have.Put(t.Context(), []store.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	d := dataDigest(named.CID)
	show := func(under *dgraph.Txn, grants []string) error {
		up := &upload{ctx: t.Context(), tenant: have}
		_, err := up.show(under, named.CID, named.Size, grants)
		return errors.Join(err, under.Delete(have.keys.data(d))) // for the next one
	}
	sent := func(under *dgraph.Txn, grants []string) error { return have.noteSent(under, digest{}, d, grants) }
	for _, write := range []func(*dgraph.Txn, []string) error{have.checkGrants, show, sent} {
		for _, grants := range [][]string{{record}, {"bafyother", record}, {"bafyother"}, nil} {
			if err := forget(t.Context(), have, 0); err != nil {
				t.Fatal(err)
			}
			under, revoking := have.store.db.NewTransaction(true), have.store.db.NewTransaction(true)
			if err := write(under, grants); err != nil {
				t.Fatal(err)
			}
			w := &writer{txn: revoking, keys: have.keys, row: tenantRow{did: did}}
			if err := w.noteGrant(revocation.Message, revocation.Message.Attributes()); err != nil {
				t.Fatal(err)
			}
			checkConflict(t, have, under, revoking, len(grants) > 0 && grants[len(grants)-1] == record)
		}
	}
}

// checkConflict checks whether a write under grants conflicts with what ends one of them.
func checkConflict(t *testing.T, have *tenant, under, ending *dgraph.Txn, want bool) {
	t.Helper()
	if err := errors.Join(ending.Commit(), under.Set(have.keys.wanted(digest{}), []byte{1})); err != nil {
		t.Fatal(err)
	}
	if err := under.Commit(); errors.Is(err, dgraph.ErrConflict) != want {
		t.Errorf("a write and the end of its grant: %v, want a conflict: %v", err, want)
	}
}

// TestDeleteConflicts is TestRevocationConflicts of the tenant's delete of a grant's record.
func TestDeleteConflicts(t *testing.T) {
	did, entries := permissionSamples(t)
	var deletion *dwn.Message
	for _, entry := range entries {
		if _, ok := store.Revokes(entry.Message, did); !ok {
			if _, ends := store.Ends(entry.Message, did); ends {
				deletion = entry.Message
			}
		}
	}
	for _, record := range []string{deletion.RecordID(), "bafyother"} {
		have := tenantOf(openTest(t, t.TempDir(), Options{}), did)
		under, deleting := have.store.db.NewTransaction(true), have.store.db.NewTransaction(true)
		if err := have.checkGrants(under, []string{record}); err != nil {
			t.Fatal(err)
		}
		w := &writer{txn: deleting, keys: have.keys, row: tenantRow{did: did, last: 1}}
		if err := w.link(deletion, &logRow{}); err != nil {
			t.Fatal(err)
		}
		checkConflict(t, have, under, deleting, record == deletion.RecordID())
	}
}

// revocationIn returns a revocation among entries, and the grant that it revokes.
func revocationIn(tb testing.TB, did string, entries []store.Entry) (revocation store.Entry, record string) {
	tb.Helper()
	for _, entry := range entries {
		if record, ok := store.Revokes(entry.Message, did); ok {
			return entry, record
		}
	}
	tb.Fatal("no revocation to test with")
	return revocation, ""
}

// TestRevokedLeavesNothing uploads data under a grant that is revoked before the end, and checks
// that no chunk of it is left.
func TestRevokedLeavesNothing(t *testing.T) {
	did, entries := permissionSamples(t)
	have := tenantOf(openTest(t, t.TempDir(), Options{}), did)
	revocation, record := revocationIn(t, did, entries)
	entry, named := largeEntry(t)
	if _, err := have.Put(t.Context(), []store.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	meanwhile := readerFunc(func([]byte) (int, error) {
		if _, err := have.Put(t.Context(), []store.Entry{revocation}); err != nil {
			t.Error(err)
		}
		return 0, io.EOF
	})
	r := io.MultiReader(io.LimitReader(zeros{}, largeSize), meanwhile)
	if err := have.PutDataUnder(t.Context(), named.CID, r, []string{record}); !errors.Is(err, store.ErrRevoked) {
		t.Fatalf("got %v, want %v", err, store.ErrRevoked)
	}
	checkNoUpload(t, have, named.CID)
}
