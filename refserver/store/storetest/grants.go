package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

var permissions = []string{"https://tbd.website/dwn/permissions", "https://identity.foundation/dwn/permissions"}

// isPermission reports whether m is a record at this path of either protocol.
func isPermission(m *dwn.Message, path string) bool {
	a := m.Attributes()
	return slices.Contains(permissions, a.Protocol) && a.ProtocolPath == path
}

// grants returns the initial writes of all grants, by their records.
func (m *model) grants() map[string]*dwn.Message {
	grants := m.initials()
	maps.DeleteFunc(grants, func(_ string, message *dwn.Message) bool { return !isPermission(message, "grant") })
	return grants
}

// revoked returns the records whose grants the tenant has revoked, or that it has deleted.
func (m *model) revoked(tb testing.TB) map[string]bool {
	revoked := make(map[string]bool)
	for _, message := range m.messages {
		if message.Interface() == "Records" && message.Method() == "Delete" && message.Author() == m.did {
			revoked[message.RecordID()] = true
		}
		if isPermission(message, "grant/revocation") && message.Author() == m.did {
			var body struct{ Descriptor struct{ ParentID string } }
			if err := json.Unmarshal(message.AppendJSON(nil), &body); err != nil {
				tb.Fatal(err)
			}
			revoked[body.Descriptor.ParentID] = true
		}
	}
	return revoked
}

// checkGrants asks for every record as a grant, for all grants, and for leave to write
// under each.
func (m *model) checkGrants(t *testing.T, have store.Tenant) {
	t.Helper()
	grants, revoked := m.grants(), m.revoked(t)
	for record := range m.initials() {
		want := grants[record]
		entry, dead, err := have.Grant(t.Context(), record)
		if want == nil && !errors.Is(err, store.ErrNotFound) || want != nil && err != nil {
			t.Fatalf("Grant of %s: %v; a grant: %v", record, err, want != nil)
		}
		if want == nil {
			continue
		}
		m.checkGrant(t, have, store.Grant{Entry: entry, Revoked: dead}, want, revoked[record])
		_, err = have.PutUnder(t.Context(), nil, []string{record})
		if errors.Is(err, store.ErrRevoked) != revoked[record] || !revoked[record] && err != nil {
			t.Fatalf("PutUnder %s: %v; revoked: %v", record, err, revoked[record])
		}
	}
	for g, err := range have.Grants(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		record := g.Message.RecordID()
		if grants[record] == nil {
			t.Fatalf("Grants yields %s, which is none or was yielded before", record)
		}
		m.checkGrant(t, have, g, grants[record], revoked[record])
		delete(grants, record)
	}
	if len(grants) != 0 {
		t.Fatalf("Grants leaves out %v", slices.Collect(maps.Keys(grants)))
	}
}

func (m *model) checkGrant(t *testing.T, have store.Tenant, g store.Grant, want *dwn.Message, revoked bool) {
	t.Helper()
	if g.Message.ID() != want.ID() || g.Revoked != revoked {
		t.Fatalf("grant %s, revoked %v; want %s, %v", g.Message.CID(), g.Revoked, want.CID(), revoked)
	}
	m.checkData(t, have, g.Entry)
}

// authorNamed returns what a draft calls an author with this DID.
func authorNamed(did string) string { return did[len("did:example:"):] }

// grantDraft and revocation make the n-th of its kind.
func grantDraft(n int, did string) draft {
	return draft{
		n: n, method: "Write", author: authorNamed(did), protocol: permissions[n%2], path: "grant",
		recipient: "did:example:carol", data: fmt.Appendf(nil, "scope of grant %d", n),
	}
}

func grant(tb testing.TB, n int, did string) store.Entry {
	d := grantDraft(n, did)
	return store.Entry{Message: d.message(tb), Data: d.data}
}

func revocation(n int, did, record string) draft {
	return draft{n: n, method: "Write", author: authorNamed(did), protocol: permissions[n/2%2], path: "grant/revocation", parent: record, context: record}
}

// withPermissions adds grants to all, and what revokes some of them or seems to, so that
// revocations come before and after their grants.
func withPermissions(tb testing.TB, rng *rand.Rand, did string, all []store.Entry) []store.Entry {
	for range 12 {
		d := grantDraft(rng.IntN(1<<30), did)
		g := store.Entry{Message: d.message(tb)}
		if rng.IntN(3) > 0 {
			g.Data = d.data
		}
		all = append(all, g)
		if rng.IntN(3) == 0 {
			d.signature = "again"
			all = append(all, store.Entry{Message: d.message(tb)})
		}
		record := g.Message.RecordID()
		for i, author := range []string{did, "did:example:bob", did} {
			r := revocation(d.n+i, author, record)
			if i == 2 {
				r.path = "grant/note"
			}
			if rng.IntN(3) == 0 {
				all = append(all, store.Entry{Message: r.message(tb)})
			}
		}
		for i, author := range []string{authorNamed(did), "carol"} {
			if rng.IntN(4) == 0 {
				all = append(all, store.Entry{Message: draft{n: d.n + 9 + i, method: "Delete", author: author, record: record}.message(tb)})
			}
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}
