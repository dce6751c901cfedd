package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// FuzzParseGrant tries a message with data, and the same data inside a record that
// fits them, so that what lies behind the CIDs is fuzzed too.
func FuzzParseGrant(f *testing.F) {
	seen := map[string]bool{}
	for _, v := range readGrants(f) {
		if !seen[string(v.Data)] && len(v.Data) < 4096 {
			f.Add([]byte(v.Message), v.Data)
		}
		seen[string(v.Data)] = true
	}
	s, grantee := testSigner(f, Ed25519, "grantor"), testSigner(f, P256, "grantee").DID()
	f.Fuzz(func(t *testing.T, text, data []byte) {
		if m, err := dwn.ParseJSON(text); err == nil {
			checkGrant(t, s, m, data)
		}
		record := permissionRecord{path: grantPath, recipient: grantee, tag: "https://example.org/protocols/notes", data: data}
		var says struct{ Scope struct{ Protocol string } }
		if json.Unmarshal(data, &says) == nil {
			record.tag = says.Scope.Protocol
		}
		if m, err := record.sign(s); err == nil {
			checkGrant(t, s, m, data)
		}
	})
}

// checkGrant checks that what was taken for a grant says one thing only, which can
// be said again.
func checkGrant(t *testing.T, s *Signer, m *dwn.Message, data []byte) {
	t.Helper()
	g, err := ParseGrant(m, data)
	if err != nil {
		if g != (Grant{}) || !errors.Is(err, ErrGrant) {
			t.Fatalf("got %+v, %v", g, err)
		}
		return
	}
	place, err := g.Place()
	if err != nil || place.All() != (g.Protocol == "") || g.ID != m.RecordID() || g.Grantor != m.Signer() || CheckDID(g.Grantee) != nil {
		t.Fatalf("took %+v, place %s, %v", g, place.AppendJSON(nil), err)
	}
	m2, data2, err := MakeGrant(s, g)
	if len(data2) > MaxGrantData && errors.Is(err, ErrGrant) {
		return // U+2028 and U+2029 are longer as we write them
	}
	if err != nil {
		t.Fatalf("cannot make %+v again: %v", g, err)
	}
	g2, err := ParseGrant(m2, data2)
	g.ID, g.Grantor = g2.ID, g2.Grantor
	if err != nil || g2 != g {
		t.Fatalf("made again %+v, %v, want %+v", g2, err, g)
	}
}

// FuzzParseRevocation tries a message, and a record that is well formed but for its
// parent and its data.
func FuzzParseRevocation(f *testing.F) {
	for _, v := range readGrants(f) {
		if bytes.Contains(v.Message, []byte(revocationPath)) {
			f.Add([]byte(v.Message), "bafyparent", int64(1))
		}
	}
	f.Add([]byte("{}"), "a/b", int64(-1))
	s := testSigner(f, Ed25519, "grantor")
	f.Fuzz(func(t *testing.T, text []byte, parent string, at int64) {
		if m, err := dwn.ParseJSON(text); err == nil {
			checkRevocation(t, m)
		}
		m, _, err := MakeRevocation(s, Grant{ID: parent, Grantor: s.DID()}, string(text), at)
		if err != nil {
			if !errors.Is(err, ErrGrant) {
				t.Fatal(err)
			}
			return
		}
		if r := checkRevocation(t, m); r.Grant != parent || r.Time != at || VerifyMessage(t.Context(), Offline{}, m) != nil {
			t.Fatalf("made %+v", r)
		}
	})
}

func checkRevocation(t *testing.T, m *dwn.Message) Revocation {
	t.Helper()
	r, err := ParseRevocation(m)
	if err != nil {
		if r != (Revocation{}) || !errors.Is(err, ErrGrant) {
			t.Fatalf("got %+v, %v", r, err)
		}
		return r
	}
	if m.ContextID() != r.Grant+"/"+m.RecordID() || r.Author != m.Author() || !m.IsInitialWrite() {
		t.Fatalf("took %+v", r)
	}
	return r
}
