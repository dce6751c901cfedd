package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// testGrants stores what is a grant, or revokes one, next to what only seems to.
func testGrants(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	one := grantDraft(1, alice)
	record := one.message(t).RecordID()
	if _, _, err := have.Grant(t.Context(), record); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("no grant yet: %v", err)
	}
	update := one
	update.record, update.n, update.data = record, 7, []byte("wider scope")
	later := revocation(8, alice, record)
	later.record = revocation(3, alice, record).message(t).RecordID()
	steps := []struct {
		name            string
		put             draft
		exists, revoked bool
	}{
		{"an update without its initial write", update, false, false},
		{"the grant itself", one, true, false},
		{"a revocation by its grantee", revocation(2, "did:example:carol", record), true, false},
		{"a child that is no revocation", draft{n: 3, method: "Write", author: "alice", protocol: permissions[0], path: "grant/note", parent: record}, true, false},
		{"a revocation in another protocol", draft{n: 3, method: "Write", author: "alice", protocol: protocols[1], path: "grant/revocation", parent: record}, true, false},
		{"a revocation of another grant", revocation(3, alice, "bafyother"), true, false},
		{"a revocation of none", revocation(3, alice, ""), true, false},
		{"an update of a revocation", later, true, true},
		{"a delete of the revocation", draft{n: 9, method: "Delete", author: "alice", record: later.record}, true, true},
	}
	for _, step := range steps {
		m.putAll(t, have, store.Entry{Message: step.put.message(t)})
		_, revoked, err := have.Grant(t.Context(), record)
		if step.exists != (err == nil) || !step.exists && !errors.Is(err, store.ErrNotFound) || revoked != step.revoked {
			t.Fatalf("after %s: revoked %v (%v), want %v", step.name, revoked, err, step.revoked)
		}
		m.check(t, have)
	}
	m.putAll(t, have, grant(t, 1, alice)) // its data
	b.reopen()
	have = b.Tenant(alice)
	m.check(t, have)
	if entry, _, err := have.Grant(t.Context(), record); err != nil || string(entry.Data) != string(one.data) {
		t.Fatalf("the grant's data are %q (%v), want %q", entry.Data, err, one.data)
	}
	other := newModel("did:example:other")
	other.check(t, b.Tenant(other.did))
	if dids := tenantsOf(t, b); !slices.Equal(dids, []string{alice}) {
		t.Errorf("asking made the tenants %q", dids)
	}
}

// testManyGrants stores more grants than a page has, and leaves the loop over them early.
func testManyGrants(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	for from := 0; from < 600; from += 200 {
		var batch []store.Entry
		for n := from; n < from+200; n++ {
			batch = append(batch, grant(t, n, alice))
		}
		m.putAll(t, have, batch...)
		m.putAll(t, have, store.Entry{Message: revocation(from, alice, batch[7].Message.RecordID()).message(t)})
	}
	m.check(t, have)
	for _, stop := range []int{1, 256, 300} {
		n := 0
		for _, err := range have.Grants(t.Context()) {
			if n++; err != nil || n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("the loop ended after %d grants, want %d", n, stop)
		}
	}
}

// testPutUnder puts batches under grants that are revoked or not.
func testPutUnder(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	first, second := grant(t, 1, alice), grant(t, 2, alice)
	one, two := first.Message.RecordID(), second.Message.RecordID()
	revokes := store.Entry{Message: revocation(3, alice, one).message(t)}
	m.putAll(t, have, first, second)
	tests := []struct {
		name   string
		batch  []store.Entry
		grants []string
		want   error
	}{
		{"live grants", notes(t, 0, 3), []string{one, two}, nil},
		{"one that is not stored", notes(t, 3, 6), []string{"bafynone", two}, nil},
		{"no grants", notes(t, 6, 9), nil, nil},
		{"what revokes it is in the batch", append(notes(t, 9, 12), revokes), []string{one}, nil},
		{"revoked", notes(t, 12, 15), []string{one}, store.ErrRevoked},
		{"one of two revoked", notes(t, 12, 15), []string{one, two}, store.ErrRevoked},
		{"the last of two revoked", notes(t, 12, 15), []string{two, one}, store.ErrRevoked},
		{"revoked, all stored already", notes(t, 0, 3), []string{one}, store.ErrRevoked},
		{"revoked, nothing to store", nil, []string{one}, store.ErrRevoked},
		{"revoked, malformed", []store.Entry{{}}, []string{one}, store.ErrBatch},
		{"live, malformed", []store.Entry{{}}, []string{two}, store.ErrBatch},
		{"the other one", notes(t, 12, 15), []string{two}, nil},
	}
	for _, test := range tests {
		outcomes, err := have.PutUnder(t.Context(), test.batch, test.grants)
		if !errors.Is(err, test.want) || err == nil && len(outcomes) != len(test.batch) || err != nil && outcomes != nil {
			t.Fatalf("%s: %v (%v), want %v", test.name, outcomes, err, test.want)
		}
		for i := range outcomes {
			if want := m.put(test.batch[i]); outcomes[i] != want {
				t.Fatalf("%s: entry %d is %v, want %v", test.name, i, outcomes[i], want)
			}
		}
		m.check(t, have)
	}
	b.reopen()
	m.check(t, b.Tenant(alice))
}

// testGrantDeleted: a grant whose record the tenant deletes, before or after it came, is over;
// the deletes of others end nothing, and hide none of the tenant's.
func testGrantDeleted(t *testing.T, b *bed) {
	for i, order := range []string{"gt", "tg", "gs", "sg", "gst", "gts", "stg", "sgt", "tsg", "tgs", "gsst", "ssgts"} {
		did := fmt.Sprintf("did:example:deleted-%d", i)
		have, m := b.Tenant(did), newModel(did)
		one := grant(t, 1, did)
		record := one.Message.RecordID()
		came, over := false, false
		for n, what := range order {
			e := one
			switch what {
			case 't':
				e, over = store.Entry{Message: draft{n: 5 + n, method: "Delete", author: authorNamed(did), record: record}.message(t)}, true
			case 's':
				e = store.Entry{Message: draft{n: 5 + n, method: "Delete", author: "carol", record: record}.message(t)}
			default:
				came = true
			}
			m.putAll(t, have, e)
			if _, revoked, err := have.Grant(t.Context(), record); came && (err != nil || revoked != over) {
				t.Errorf("%s, step %d: revoked %v, %v; want %v", order, n, revoked, err, over)
			}
			m.check(t, have)
		}
	}
}

// testLend: the secret is replaced, by the next generation and once, when a grant ends
// under which something of it was handed out, and by no other message.
func testLend(t *testing.T, b *bed) {
	did := "did:example:lender"
	have := b.Tenant(did)
	put := func(entries ...store.Entry) {
		t.Helper()
		if _, err := have.Put(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
	}
	generation := func() uint64 {
		t.Helper()
		s, _, err := have.Secret(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s.Generation
	}
	var records []string
	for n := range 4 {
		g := grant(t, 1+n, did)
		records = append(records, g.Message.RecordID())
		put(g)
	}
	held, err := have.KeepSecret(t.Context(), nil, store.Secret{Generation: 7, Key: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := have.Lend(t.Context(), records[1:3]); err != nil {
		t.Fatal(err)
	}
	revoke := func(n int) store.Entry { return store.Entry{Message: revocation(20+n, did, records[n]).message(t)} }
	for _, step := range []struct {
		what string
		put  store.Entry
		want uint64
	}{
		{"the end of a grant that nothing was lent under", revoke(0), 7},
		{"the revocation of one", revoke(1), 8},
		{"the same again", revoke(1), 8},
		{"another revocation of it", store.Entry{Message: revocation(40, did, records[1]).message(t)}, 8},
		{"a stranger's delete of one", store.Entry{Message: draft{n: 49, method: "Delete", author: "carol", record: records[2]}.message(t)}, 8},
		{"the delete of one", store.Entry{Message: draft{n: 50, method: "Delete", author: authorNamed(did), record: records[2]}.message(t)}, 9},
		{"the delete of one that is revoked", store.Entry{Message: draft{n: 51, method: "Delete", author: authorNamed(did), record: records[1]}.message(t)}, 9},
	} {
		put(step.put)
		if got := generation(); got != step.want {
			t.Fatalf("after %s: generation %d, want %d", step.what, got, step.want)
		}
	}
	if s, _, _ := have.Secret(t.Context(), nil); s.Key == held.Key || s.ID == held.ID || s.Key == [32]byte{} {
		t.Error("the secret has its key or ID from before")
	}
	if err := have.Lend(t.Context(), records[:1]); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("lending under a revoked grant: %v", err)
	}
	if err := have.Lend(t.Context(), records[3:]); err != nil {
		t.Error(err)
	}
}
