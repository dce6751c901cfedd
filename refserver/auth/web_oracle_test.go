package auth

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// checkWebURL follows the five steps of the did:web specification without a check, and
// asks net/url what the result means.
func checkWebURL(t *testing.T, did, address string) {
	t.Helper()
	want := "https://" + strings.ReplaceAll(strings.TrimPrefix(did, "did:web:"), ":", "/")
	if strings.Count(did, ":") == 2 {
		want += "/.well-known"
	}
	want, err := url.PathUnescape(want + "/did.json")
	if err != nil {
		t.Fatal(err)
	}
	if have, err := url.PathUnescape(address); err != nil || have != want {
		t.Fatalf("%s: %s, want %s", did, address, want)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		t.Fatal(err)
	case u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || strings.ContainsAny(address, "?#\\"):
		t.Fatalf("%s: %s is more than host and path", did, address)
	case path.Clean(u.Path) != u.Path || path.Base(u.Path) != "did.json" || strings.Count(u.Path, "/") < 2:
		t.Fatalf("%s: %s has steps in its path", did, address)
	case strings.Count(u.Path, "/") != max(2, strings.Count(did, ":")-1):
		t.Fatalf("%s: %s has another number of segments", did, address)
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || u.Hostname() != strings.ToLower(u.Hostname()) {
		t.Fatalf("%s: %s is an address, or another spelling of a name", did, address)
	}
}

// checkDocument compares the document with what encoding/json makes of the text, loosely:
// whatever is taken has to be there.
func checkDocument(t *testing.T, doc Document, text []byte) {
	t.Helper()
	var loose map[string]any
	if err := json.Unmarshal(text, &loose); err != nil || loose["id"] != docDID || doc.DID != docDID || len(text) > MaxDocument {
		t.Fatalf("took a document of %v: %v", loose["id"], err)
	}
	methods, _ := loose["verificationMethod"].([]any)
	entries, _ := loose["authentication"].([]any)
	defined, listed := map[string]bool{}, map[string]bool{}
	for _, entry := range slices.Concat(methods, entries) {
		if method, ok := entry.(map[string]any); ok && method["controller"] == docDID {
			defined[strings.TrimPrefix(fmt.Sprint(method["id"]), docDID)] = true
		}
	}
	for _, entry := range entries {
		if method, ok := entry.(map[string]any); ok {
			entry = method["id"]
		}
		listed[strings.TrimPrefix(fmt.Sprint(entry), docDID)] = true
	}
	if len(doc.Keys) == 0 || len(doc.Keys) > 2*maxMethods {
		t.Fatalf("%d keys", len(doc.Keys))
	}
	for keyID, key := range doc.Keys {
		if name := strings.TrimPrefix(keyID, docDID); !strings.HasPrefix(name, "#") || !defined[name] || doc.Authentication[keyID] != listed[name] {
			t.Fatalf("took the key %q, for authentication: %t", keyID, doc.Authentication[keyID])
		}
		if _, err := ParseDID(keyDID(key)); err != nil {
			t.Fatalf("took an unsafe key: %v", err)
		}
	}
	if len(doc.Authentication) > len(doc.Keys) {
		t.Fatalf("%d of %d keys may authenticate", len(doc.Authentication), len(doc.Keys))
	}
}
