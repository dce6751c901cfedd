package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

func makeable(t testing.TB) Grant {
	return Grant{
		Grantee: testSigner(t, P256, "grantee").DID(), Granted: firstDay, Expires: tableNow, Interface: "Records", Method: "Write",
		Protocol: "https://p.example", ContextID: "a/b", Description: "<a> \u2028 & ü",
	}
}

func TestMakeGrant(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(g *Grant)
	}{
		{"as it is", "", func(*Grant) {}},
		{"newer URI", "", func(g *Grant) { g.Permissions = dwn.NewerPermissionsURI }},
		{"protocol to normalise", "", func(g *Grant) { g.Protocol = "P.example/?x" }},
		{"ID and grantor are not read", "", func(g *Grant) { g.ID, g.Grantor = "bafyother", "did:key:other" }},
		{"inside a path, newer", "", func(g *Grant) { g.Interface, g.Method, g.ContextID, g.ProtocolPath = "Messages", "Read", "", "note" }},
		{"for everything", "", func(g *Grant) { g.Interface, g.Method, g.Protocol, g.ContextID = "Messages", "Read", "", "" }},
		{"no URI of permissions", "permissions protocol", func(g *Grant) { g.Permissions = "https://p.example" }},
		{"no grantee", "DID", func(g *Grant) { g.Grantee = "" }},
		{"grantee no DID", "DID", func(g *Grant) { g.Grantee = "bob" }},
		{"no protocol", "protocol", func(g *Grant) { g.Protocol = "" }},
		{"protocol no URL", "normal", func(g *Grant) { g.Protocol = "http://" }},
		{"unknown method", "method", func(g *Grant) { g.Method = "Sync" }},
		{"unknown interface", "interface", func(g *Grant) { g.Interface = "" }},
		{"context and path", "exclude", func(g *Grant) { g.ProtocolPath = "note" }},
		{"publication", "publication", func(g *Grant) { g.Publication = "yes" }},
		{"year 10000", "timestamp", func(g *Grant) { g.Expires = 253_402_300_800_000_000 }},
		{"granted in the year 10000", "timestamp", func(g *Grant) { g.Granted = 253_402_300_800_000_000 }},
		{"not UTF-8", "UTF-8", func(g *Grant) { g.Description = "\xff" }},
		{"URI not normalised", "normal", func(g *Grant) { g.Permissions = dwn.PermissionsURI + "/" }},
		{"too long", "at most", func(g *Grant) { g.Description = strings.Repeat("x", MaxGrantData) }},
	} {
		s := testSigner(t, Ed25519, "grantor")
		g := makeable(t)
		c.change(&g)
		m, data, err := MakeGrant(s, g)
		if checkRefusal(t, err, c.want); c.want != "" {
			continue
		}
		got, err := ParseGrant(m, data)
		if err != nil || VerifyMessage(t.Context(), Offline{}, m) != nil || got.Grantor != s.DID() || got.Description != g.Description {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
	}
}

func TestMakeRevocation(t *testing.T) {
	s, other := testSigner(t, P256, "grantor"), testSigner(t, P256, "other")
	for _, uri := range []string{dwn.PermissionsURI, dwn.NewerPermissionsURI} {
		g := makeable(t)
		g.Permissions = uri
		m, data, err := MakeGrant(s, g)
		if err != nil {
			t.Fatal(err)
		}
		if g, err = ParseGrant(m, data); err != nil {
			t.Fatal(err)
		}
		made, _, err := MakeRevocation(s, g, "", tableNow)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseRevocation(made)
		if err != nil || !r.Revokes(g) || r.Time != tableNow || made.Attributes().Protocol != uri || VerifyMessage(t.Context(), Offline{}, made) != nil {
			t.Errorf("got %+v, %v", r, err)
		}
		if _, _, err := MakeRevocation(other, g, "", tableNow); !errors.Is(err, ErrGrant) {
			t.Errorf("by another: %v", err)
		}
	}
	for _, id := range []string{"", "\xff"} {
		if _, _, err := MakeRevocation(s, Grant{ID: id, Grantor: s.DID()}, "", tableNow); !errors.Is(err, ErrGrant) {
			t.Errorf("of no grant %q: %v", id, err)
		}
	}
}
