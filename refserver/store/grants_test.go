package store_test

import (
	"fmt"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/storetest"
)

// TestIsGrant counts what users of the reference SDK made.
func TestIsGrant(t *testing.T) {
	grants, revoked := make(map[string]bool), make(map[string]bool)
	for _, s := range storetest.Corpus(t) {
		if store.IsGrant(s.Message) {
			grants[s.Message.RecordID()] = true
		}
		if record, ok := store.Revokes(s.Message, s.Tenant); ok {
			revoked[record] = true
		}
		if record, ok := store.Revokes(s.Message, "did:example:other"); ok {
			t.Errorf("%s is revoked by nobody who may", record)
		}
	}
	for record := range revoked {
		if !grants[record] {
			t.Errorf("%s is revoked and no grant", record)
		}
	}
	if len(grants) != 64 || len(revoked) != 8 {
		t.Errorf("%d grants, %d of them revoked; want 64 and 8", len(grants), len(revoked))
	}
}

// TestRevokes: what lacks one of the signs of a revocation revokes nothing.
func TestRevokes(t *testing.T) {
	tests := []struct {
		name, protocol, path, parent, want string
	}{
		{"a revocation", "https://tbd.website/dwn/permissions", "grant/revocation", "bafygrant", "bafygrant"},
		{"of the other protocol", "https://identity.foundation/dwn/permissions", "grant/revocation", "bafygrant", "bafygrant"},
		{"of another protocol", "https://example.org/dwn/permissions", "grant/revocation", "bafygrant", ""},
		{"at another path", "https://tbd.website/dwn/permissions", "grant", "bafygrant", ""},
		{"of nothing", "https://tbd.website/dwn/permissions", "grant/revocation", "", ""},
	}
	for _, test := range tests {
		// {"kid":"did:example:alice#0"}
		text := fmt.Sprintf(`{"recordId":"r","descriptor":{"interface":"Records","method":"Write","protocol":%q,"protocolPath":%q,"parentId":%q,`+
			`"messageTimestamp":"2025-01-01T00:00:00.000000Z"},"authorization":{"signature":{"payload":"e30","signatures":[`+
			`{"protected":"eyJraWQiOiJkaWQ6ZXhhbXBsZTphbGljZSMwIn0","signature":"AA"}]}}}`, test.protocol, test.path, test.parent)
		m, err := dwn.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := store.Revokes(m, "did:example:alice"); got != test.want || ok != (got != "") {
			t.Errorf("%s: got %q, %v, want %q", test.name, got, ok, test.want)
		}
		if got, ok := store.Revokes(m, "did:example:bob"); ok {
			t.Errorf("%s: %q is revoked by another author than the tenant", test.name, got)
		}
	}
}
