package refserver_test

import (
	"bytes"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// TestLentSecret: a grantee is given a secret of its view, never the tenant's own and none
// of another scope; what it offers is not kept; the revocation of its grant, and of no other,
// changes the tenant's.
func TestLentSecret(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	there := keepOpen(t, openNode(t))
	fill(t, there, tenant.DID(), generated(t, 100))
	url := listen(t, there, refserver.ServerOptions{})
	g := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read"})
	unused := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Description: "never used"})
	client := granteeClient(t, url, tenant.DID(), grantee, g)
	here := openNode(t)
	rows := here.Store.Tenant(tenant.DID())
	of := func(rows store.Tenant, label []byte) store.Secret {
		t.Helper()
		s, _, err := rows.Secret(t.Context(), label)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	lent := map[string]store.Secret{}
	for _, text := range []string{`{}`, `{"interface":"Records"}`} {
		scope := scopeOf(t, text)
		label := append([]byte("view "), summaries.Label(scope)...)
		high := store.Secret{Generation: 1 << 20, Key: [32]byte{1}}
		if text != `{}` { // the grantee has one that would win
			if _, err := rows.KeepSecret(t.Context(), label, high); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if result, err := client.Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Both, Scope: scope}); err != nil || !result.RootsEqual {
				t.Fatalf("%s: %+v, %v", text, result, err)
			}
		}
		lent[text] = of(rows, label)
	}
	own := of(there.Store.Tenant(tenant.DID()), nil)
	if s, found, err := rows.Secret(t.Context(), nil); found || err != nil {
		t.Errorf("the grantee has a secret of the tenant's: %v, %v", s, err)
	}
	for text, s := range lent {
		if s.Key == own.Key || s.ID == own.ID || bytes.Contains(own.Key[:], s.Key[:16]) {
			t.Errorf("%s: lent %v of %v", text, s, own)
		}
	}
	if lent[`{}`].Key == lent[`{"interface":"Records"}`].Key || own.Generation != 1 {
		t.Errorf("one secret for two views, or generation %d", own.Generation)
	}
	revoke(t, there, tenant, unused)
	if now := of(there.Store.Tenant(tenant.DID()), nil); now != own {
		t.Errorf("a grant that nothing was lent under: %v after %v", now, own)
	}
	revoke(t, there, tenant, g)
	if now := of(there.Store.Tenant(tenant.DID()), nil); now.Generation != own.Generation+1 || now.Key == own.Key {
		t.Errorf("after the revocation: %v, before %v", now, own)
	}
}
