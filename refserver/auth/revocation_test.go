package auth

import (
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

const revokedGrant = "bafyreihluktesmiiq6qoynurvhqu3ik45h5yidxhk226ps2263tyska3mi"

var spoiledRevocations = []spoil{
	{"nothing changed", "", func(testing.TB, *grantDraft) {}},
	{"newer URI", "", func(_ testing.TB, d *grantDraft) { d.record.permissions = dwn.NewerPermissionsURI }},
	{"data that are no JSON", "", func(_ testing.TB, d *grantDraft) { d.record.data = []byte("bye") }},
	{"through a grant", "", func(t testing.TB, d *grantDraft) {
		throughGrant(t, d)
		d.change = revocationIn(t, d.change)
	}},
	{"another path", "permissions protocol", func(_ testing.TB, d *grantDraft) {
		d.change = func(_, descriptor map[string]any) { descriptor["protocolPath"] = "grant" }
	}},
	{"another protocol", "permissions protocol", func(_ testing.TB, d *grantDraft) { d.record.permissions = "https://a.example" }},
	{"no parent", "parentId", func(_ testing.TB, d *grantDraft) { d.record.parent = "" }},
	{"context of another grant", "contextId", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { whole["contextId"] = "bafyother/" + whole["recordId"].(string) }
	}},
	{"context without itself", "contextId", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { whole["contextId"] = revokedGrant }
	}},
	{"parent of another grant", "first write", func(_ testing.TB, d *grantDraft) {
		d.change = func(_, descriptor map[string]any) { descriptor["parentId"] = "bafyother" }
	}},
	{"author no DID", "DID", func(t testing.TB, d *grantDraft) {
		d.change = revocationIn(t, func(whole, _ map[string]any) { byNobody(t, whole) })
	}},
	{"no signature", "authorization", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { delete(whole, "authorization") }
	}},
}

func newRevocationDraft(t testing.TB) *grantDraft {
	d := newGrantDraft(t)
	d.record.path, d.record.parent, d.record.recipient, d.record.data = revocationPath, revokedGrant, "", []byte("{}")
	return d
}

func TestParseRevocation(t *testing.T) {
	for _, c := range spoiledRevocations {
		t.Run(c.name, func(t *testing.T) {
			d := newRevocationDraft(t)
			c.spoil(t, d)
			checkRefusal(t, d.parse(t), c.want)
		})
	}
}

// revocationIn puts the record below its grant after the change has renamed it.
func revocationIn(t testing.TB, change func(whole, descriptor map[string]any)) func(whole, descriptor map[string]any) {
	t.Helper()
	return func(whole, descriptor map[string]any) {
		change(whole, descriptor)
		whole["contextId"] = descriptor["parentId"].(string) + "/" + whole["recordId"].(string)
	}
}

func TestRevokes(t *testing.T) {
	g := Grant{ID: "bafygrant", Grantor: "did:key:a", Grantee: "did:key:b"}
	for _, c := range []struct {
		r    Revocation
		want bool
	}{
		{Revocation{Grant: "bafygrant", Author: "did:key:a"}, true},
		{Revocation{Grant: "bafygrant", Author: "did:key:b"}, false},
		{Revocation{Grant: "bafyother", Author: "did:key:a"}, false},
		{Revocation{}, false},
	} {
		if got := c.r.Revokes(g); got != c.want {
			t.Errorf("%+v: got %t", c.r, got)
		}
	}
	if (Revocation{}).Revokes(Grant{}) {
		t.Error("nothing revokes nothing")
	}
}
