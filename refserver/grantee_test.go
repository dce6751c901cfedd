package refserver_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// granteeKey returns the key of somebody who is not the tenant.
func granteeKey(t *testing.T, n int) *auth.Signer {
	t.Helper()
	_, jwk := datasets.GeneratedKey(uint64(1 + n))
	return signerOf(t, jwk)
}

// grantTo stores a grant of the tenant's on a node and returns it.
func grantTo(t testing.TB, n refserver.Node, tenant *auth.Signer, g auth.Grant) auth.Grant {
	t.Helper()
	if g.Expires == 0 {
		g.Granted, g.Expires = time.Now().Add(-time.Hour).UnixMicro(), time.Now().Add(time.Hour).UnixMicro()
	}
	m, data, err := auth.MakeGrant(tenant, g)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, n, tenant.DID(), []store.Entry{{Message: m, Data: data}})
	made, err := auth.ParseGrant(m, data)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// revoke stores the revocation of a grant.
func revoke(t testing.TB, n refserver.Node, tenant *auth.Signer, g auth.Grant) {
	t.Helper()
	m, data, err := auth.MakeRevocation(tenant, g, "", time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	fill(t, n, tenant.DID(), []store.Entry{{Message: m, Data: data}})
}

// granteeClient returns a client of somebody who names these grants.
func granteeClient(t testing.TB, url, tenant string, signer *auth.Signer, grants ...auth.Grant) *refserver.Client {
	t.Helper()
	c := clientOf(t, url, tenant, signer, nil)
	var ids []string
	for _, g := range grants {
		ids = append(ids, g.ID)
	}
	if err := c.UseGrants(ids...); err != nil {
		t.Fatal(err)
	}
	return c
}

// protocolIn returns a protocol that some of the messages belong to, and its keys.
func protocolIn(t *testing.T, entries []store.Entry) (protocol string, keys []dwn.Key) {
	t.Helper()
	for _, e := range entries {
		if p := e.Message.Attributes().Protocol; p != "" && !dwn.IsPermissions(p) {
			protocol = p
			break
		}
	}
	if protocol == "" {
		t.Fatal("no message has a protocol")
	}
	return protocol, keysInScope(entries, scopeOf(t, `{"protocol":"`+protocol+`"}`))
}

func keysInScope(entries []store.Entry, s dwn.Scope) []dwn.Key {
	first := map[string]dwn.Attributes{}
	for _, e := range entries {
		if e.Message.IsInitialWrite() {
			first[e.Message.RecordID()] = e.Message.Attributes()
		}
	}
	in := slices.DeleteFunc(slices.Clone(entries), func(e store.Entry) bool {
		a := e.Message.Attributes()
		if a.Interface == "Records" && a.Method == "Delete" {
			a = a.Inherit(first[a.RecordID])
		}
		return !s.Matches(a)
	})
	return keysOfEntries(in...)
}

// TestTenantNamesGrants: the grants that the tenant's own token names are passed over, whatever
// they are: it reads and pushes everything.
func TestTenantNamesGrants(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	entries := generated(t, 60)
	there, here := openNode(t), openNode(t)
	fill(t, there, tenant.DID(), entries[:30])
	fill(t, here, tenant.DID(), entries[30:])
	url := listen(t, there, refserver.ServerOptions{})
	narrow := grantTo(t, there, tenant, auth.Grant{Grantee: tenant.DID(), Interface: "Messages", Method: "Read", Protocol: "https://example.org/none"})
	revoked := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read"})
	revoke(t, there, tenant, revoked)
	c := granteeClient(t, url, tenant.DID(), tenant, narrow, revoked)
	result, err := c.Sync(t.Context(), here, refserver.SyncOptions{})
	if err != nil || !result.Complete || result.Scope != nil || result.MessagesSent != 30 || result.MessagesReceived != 33 {
		t.Errorf("%+v, %v", result, err)
	}
	if grants, err := c.Grants(t.Context()); err != nil || len(grants) != 2 {
		t.Errorf("%d grants, %v", len(grants), err)
	}
}

// TestGrantee: by a grant somebody else pulls exactly what it covers, told so where more
// was asked for; with no grant, a foreign, an expired or a revoked one it is refused.
func TestGrantee(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	entries := generated(t, 400)
	protocol, want := protocolIn(t, entries)
	for _, kept := range []bool{false, true} {
		there := openNode(t)
		if kept {
			there = keepOpen(t, there)
		}
		fill(t, there, tenant.DID(), entries)
		url := listen(t, there, refserver.ServerOptions{})
		g := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: protocol})
		for _, strategy := range engine.Strategies() {
			here := openNode(t)
			result, err := granteeClient(t, url, tenant.DID(), grantee, g).Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Pull, Strategy: strategy})
			if err != nil || !result.Complete || !result.RootsEqual || string(result.Scope) != `{"protocol":"`+protocol+`"}` {
				t.Fatalf("%s: %+v, %v", strategy, result, err)
			}
			if got := keysOf(t, here, tenant.DID()); !slices.Equal(got, want) {
				t.Fatalf("%s: %d messages, want %d", strategy, len(got), len(want))
			}
			again, err := granteeClient(t, url, tenant.DID(), grantee, g).Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Pull, Strategy: strategy, Scope: scopeOf(t, string(result.Scope))})
			if err != nil || again.MessagesReceived != 0 || again.Rounds != 1 || again.Scope != nil {
				t.Fatalf("%s, again: %+v, %v", strategy, again, err)
			}
		}
		stranger := granteeKey(t, 1)
		past := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Granted: 1, Expires: 2})
		other := grantTo(t, there, tenant, auth.Grant{Grantee: stranger.DID(), Interface: "Messages", Method: "Read"})
		revoked := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Description: "for a while"})
		revoke(t, there, tenant, revoked)
		var details []string
		for name, c := range map[string]*refserver.Client{
			"no grant": clientOf(t, url, tenant.DID(), grantee, nil), "expired": granteeClient(t, url, tenant.DID(), grantee, past),
			"another's": granteeClient(t, url, tenant.DID(), grantee, other), "revoked": granteeClient(t, url, tenant.DID(), grantee, revoked),
			"unknown tenant": granteeClient(t, url, stranger.DID(), grantee, g),
		} {
			_, err := c.Sync(t.Context(), openNode(t), refserver.SyncOptions{})
			var p *refserver.Problem
			if !errors.As(err, &p) || p.Status != 403 || p.Code != "forbidden" {
				t.Fatalf("%s: %v", name, err)
			}
			details = append(details, p.Detail)
		}
		if slices.Sort(details); details[0] != details[len(details)-1] {
			t.Errorf("refusals differ: %q", details)
		}
	}
}

// keepOpen gives a node a Keeper until the end of the test.
func keepOpen(t testing.TB, n refserver.Node) refserver.Node {
	t.Helper()
	n.Keeper = summaries.Open(n.Store, summaries.Options{})
	t.Cleanup(func() {
		if err := n.Keeper.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}
