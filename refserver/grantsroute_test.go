package refserver_test

import (
	"testing"

	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// TestGrantsOfTheTenant: the tenant is told of its own grants. Those that others signed, which
// anybody can have a tenant's nodes hold, would otherwise fill the answer and hide them.
func TestGrantsOfTheTenant(t *testing.T) {
	tenant, other := tenantKey(t), granteeKey(t, 0)
	n := openNode(t)
	url := listen(t, n, refserver.ServerOptions{})
	own := grantTo(t, n, tenant, auth.Grant{Grantee: other.DID(), Interface: "Messages", Method: "Read"})
	m, data, err := auth.MakeGrant(other, auth.Grant{Grantee: tenant.DID(), Granted: own.Granted, Expires: own.Expires, Interface: "Messages", Method: "Read"})
	if err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, url, tenant.DID(), tenant, nil)
	if _, err := client.PostMessage(t.Context(), refserver.NewRecord(tenant.DID(), m, data)); err != nil {
		t.Fatal(err)
	}
	list, err := client.Grants(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != own.ID {
		t.Errorf("%+v, %v", list, err)
	}
}
