package refserver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
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

// manyGrants stores n grants of the tenant's and returns what it stored.
func manyGrants(t *testing.T, node refserver.Node, tenant *auth.Signer, n int) []store.Entry {
	t.Helper()
	var entries []store.Entry
	for i := range n {
		m, data, err := auth.MakeGrant(tenant, auth.Grant{
			Grantee: granteeKey(t, 0).DID(), Granted: time.Now().UnixMicro() + int64(i), Expires: time.Now().Add(time.Hour).UnixMicro(), Interface: "Messages", Method: "Read",
		})
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, store.Entry{Message: m, Data: data})
	}
	fill(t, node, tenant.DID(), entries)
	return entries
}

// TestGrantAmongMany: the list is cut off; a grant that it leaves out is found by its ID, and
// revoked by it. One that the list has is told in the same bytes.
func TestGrantAmongMany(t *testing.T) {
	tenant, n := tenantKey(t), openNode(t)
	url := listen(t, n, refserver.ServerOptions{})
	all := manyGrants(t, n, tenant, 1100)
	var answer []byte
	client := clientOf(t, url, tenant.DID(), tenant, network(func(r *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			answer, err = io.ReadAll(resp.Body)
			resp.Body = io.NopCloser(bytes.NewReader(answer))
		}
		return resp, err
	}))
	list, err := client.Grants(t.Context())
	if err != nil || len(list) != 1000 {
		t.Fatalf("%d grants, %v, want 1000", len(list), err)
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(answer, &elements); err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for i, g := range list {
		listed[g.ID] = string(elements[i])
	}
	for _, e := range all {
		id := e.Message.RecordID()
		text, ok := listed[id]
		if ok && len(listed) > 10 {
			delete(listed, id) // ten of them are enough
			continue
		}
		g, err := client.Grant(t.Context(), id)
		if err != nil || g.ID != id || g.Revoked || g.Grantor != tenant.DID() {
			t.Fatalf("%+v, %v", g, err)
		}
		if ok && string(bytes.TrimSpace(answer)) != text {
			t.Errorf("alone %s\nin the list %s", answer, text)
		}
		if ok {
			continue
		}
		revoke(t, n, tenant, g.Grant)
		if g, err := client.Grant(t.Context(), id); err != nil || !g.Revoked {
			t.Fatalf("revoked: %+v, %v", g, err)
		}
	}
}

// TestGrantRefusals: a single grant is told to the tenant alone, and only where it is one of
// the tenant's.
func TestGrantRefusals(t *testing.T) {
	tenant, other := tenantKey(t), granteeKey(t, 0)
	n := openNode(t)
	url := listen(t, n, refserver.ServerOptions{})
	own := grantTo(t, n, tenant, auth.Grant{Grantee: other.DID(), Interface: "Messages", Method: "Read"})
	foreign, data, err := auth.MakeGrant(other, auth.Grant{Grantee: tenant.DID(), Granted: own.Granted, Expires: own.Expires, Interface: "Messages", Method: "Read"})
	if err != nil {
		t.Fatal(err)
	}
	note := written{protocol: "https://notes.example", path: "note", data: []byte("a note")}.by(t, tenant)
	long := written{protocol: dwn.PermissionsURI, path: "grant", data: bytes.Repeat([]byte(" "), auth.MaxGrantData+1)}.by(t, tenant)
	useless := written{protocol: dwn.PermissionsURI, path: "grant", data: []byte("{}")}.by(t, tenant)
	fill(t, n, tenant.DID(), []store.Entry{{Message: foreign, Data: data}, note, long, useless})
	const unknown = "bafyreihluktesmiiq6qoynurvhqu3ik45h5yidxhk226ps2263tyska3mi"
	for name, c := range map[string]struct {
		client *refserver.Client
		id     string
		status int
		code   string
	}{
		"unknown":            {clientOf(t, url, tenant.DID(), tenant, nil), unknown, 404, "not-found"},
		"no grant":           {clientOf(t, url, tenant.DID(), tenant, nil), note.Message.RecordID(), 404, "not-found"},
		"another's":          {clientOf(t, url, tenant.DID(), tenant, nil), foreign.RecordID(), 404, "not-found"},
		"too long to be one": {clientOf(t, url, tenant.DID(), tenant, nil), long.Message.RecordID(), 404, "not-found"},
		"stranger":           {clientOf(t, url, tenant.DID(), granteeKey(t, 1), nil), own.ID, 403, "forbidden"},
		"grantee":            {granteeClient(t, url, tenant.DID(), other, own), own.ID, 403, "forbidden"},
		"grantee, unknown":   {granteeClient(t, url, tenant.DID(), other, own), unknown, 403, "forbidden"},
		"of another tenant":  {clientOf(t, url, other.DID(), other, nil), own.ID, 404, "not-found"},
	} {
		_, err := c.client.Grant(t.Context(), c.id)
		p, ok := errors.AsType[*refserver.Problem](err)
		if !ok || p.Status != c.status || p.Code != c.code {
			t.Errorf("%s: %v, want %d %s", name, err, c.status, c.code)
		}
	}
	client := clientOf(t, url, tenant.DID(), tenant, nil)
	if _, err := client.Grant(t.Context(), useless.Message.RecordID()); !errors.Is(err, auth.ErrGrant) {
		t.Errorf("no usable grant: %v, want %v", err, auth.ErrGrant)
	}
	silent := clientOf(t, url, tenant.DID(), tenant, network(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s was asked for", r.URL)
		return nil, errLost
	}))
	for _, id := range []string{"", "a", "..", own.ID + "/"} {
		if _, err := silent.Grant(t.Context(), id); err == nil {
			t.Errorf("the ID %q was taken", id)
		}
	}
	for _, id := range []string{"a", own.ID + "0", "%2e%2e", "%00"} {
		if status, p := request(t, tenant, "GET", url, "/v1/grants/"+id, nil, nil); status != 404 || p.Code != "not-found" {
			t.Errorf("the ID %q: %d %+v", id, status, p)
		}
	}
}

// TestGrantOfALiar: a server that answers with another grant than the one that was asked for
// makes nobody revoke that.
func TestGrantOfALiar(t *testing.T) {
	tenant, n := tenantKey(t), openNode(t)
	url := listen(t, n, refserver.ServerOptions{})
	asked := grantTo(t, n, tenant, auth.Grant{Grantee: granteeKey(t, 0).DID(), Interface: "Messages", Method: "Read"})
	other := grantTo(t, n, tenant, auth.Grant{Grantee: granteeKey(t, 1).DID(), Interface: "Messages", Method: "Read"})
	honest := clientOf(t, url, tenant.DID(), tenant, nil)
	lying := clientOf(t, url, tenant.DID(), tenant, network(func(r *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		g, err := honest.Message(r.Context(), cidOf(t, n, tenant.DID(), other.ID))
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(refserver.HeldGrant{Record: g})
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		return resp, err
	}))
	if g, err := lying.Grant(t.Context(), asked.ID); !errors.Is(err, refserver.ErrServer) {
		t.Errorf("%+v, %v, want %v", g, err, refserver.ErrServer)
	}
}

func cidOf(t *testing.T, n refserver.Node, tenant, recordID string) string {
	t.Helper()
	e, _, err := n.Store.Tenant(tenant).Grant(t.Context(), recordID)
	if err != nil {
		t.Fatal(err)
	}
	return e.Message.CID().String()
}
