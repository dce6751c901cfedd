package badger

import (
	"errors"
	"strings"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestGrantsDamaged: what is missing by damage is no answer, least of all that a grant is
// not revoked.
func TestGrantsDamaged(t *testing.T) {
	did, entries := permissionSamples(t)
	var grant *dwn.Message
	position := 0
	for i, entry := range entries {
		if store.IsGrant(entry.Message) {
			grant, position = entry.Message, i+1
		}
	}
	record := recordDigest(grant.RecordID())
	space := newKeyspace(did)
	tests := []struct {
		name   string
		damage func(*dgraph.Txn) error
		before bool // was it a store of before
		want   string
	}{
		{"no message", func(txn *dgraph.Txn) error { return txn.Delete(space.message(grant.ID(), 0)) }, false, "initial write"},
		{"no record", func(txn *dgraph.Txn) error { return txn.Delete(space.record(record)) }, false, "initial write"},
		{"another record", func(txn *dgraph.Txn) error { return txn.Set(space.record(record), []byte{9}) }, false, "record row"},
		{"index beyond the log", func(txn *dgraph.Txn) error { return txn.Set(space.indexed(), appendIndexed(nil, 1<<20)) }, false, "of"},
		{"index of unknown form", func(txn *dgraph.Txn) error { return txn.Set(space.indexed(), []byte{9, 9}) }, false, "indexed grants row"},
		{"key that is too long", func(txn *dgraph.Txn) error { return txn.Set(append(space.grant(digest{}), 0), nil) }, false, "key of a grant"},
		{"no message before", func(txn *dgraph.Txn) error { return txn.Delete(space.message(grant.ID(), 0)) }, true, "position"},
		{"gap in the log before", func(txn *dgraph.Txn) error { return txn.Delete(space.log(uint64(position))) }, true, "log has position"},
		{"end of the log before", func(txn *dgraph.Txn) error { return txn.Delete(space.log(uint64(len(entries)))) }, true, "log ends"},
		{"log row before", func(txn *dgraph.Txn) error { return txn.Set(space.log(5), []byte{9}) }, true, "log row"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			have := tenantOf(openTest(t, t.TempDir(), Options{}), did)
			putSamples(t, have, entries)
			if test.before {
				if err := forget(t.Context(), have, 0); err != nil {
					t.Fatal(err)
				}
			}
			if err := have.store.db.Update(test.damage); err != nil {
				t.Fatal(err)
			}
			checkDamaged(t, have, grant.RecordID(), test.want)
		})
	}
}

// checkDamaged checks that Grants, and Grant unless the damage is that of another one,
// return a store.ErrCorrupt that is no store.ErrNotFound.
func checkDamaged(t *testing.T, have *tenant, record, want string) {
	t.Helper()
	var errs [2]error
	_, _, errs[0] = have.Grant(t.Context(), record)
	for _, errs[1] = range have.Grants(t.Context()) {
		if errs[1] != nil {
			break
		}
	}
	if want == "key of a grant" {
		errs[0] = errs[1]
	}
	for i, err := range errs {
		if !errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("question %d: got %v, want %v about %q", i, err, store.ErrCorrupt, want)
		}
	}
}
