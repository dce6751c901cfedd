package auth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// didVector is a DID that is refused, for itself or for its document.
type didVector struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"` // did: resolved offline; web: a did:web; document: of a did:web
	Error string `json:"error"`
	DID   string `json:"did"`
	// Document is the document's text, not always UTF-8. Longer ones than 4 KiB are not here.
	Document []byte `json:"documentBase64,omitempty"`
}

// gateVector is what a gate or a list of tenants has to say about a text.
type gateVector struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"` // gate: who is admitted; list: the text of an allow-list
	Error string `json:"error,omitempty"`
	// Of a gate: its options, the tenants that it has messages of, and who asks.
	Open    bool     `json:"open,omitempty"`
	Allowed []string `json:"allowed,omitempty"`
	Present []string `json:"present,omitempty"`
	Tenant  string   `json:"tenant,omitempty"`
	// Of a list: its bytes and the line that the error names.
	List []byte `json:"listBase64,omitempty"`
	Line string `json:"line,omitempty"`
}

// nameOf returns the name of a sentinel.
func nameOf(t testing.TB, err error) string {
	t.Helper()
	for name, sentinel := range sentinels() {
		if sentinel == err {
			return name
		}
	}
	t.Fatalf("%v has no name", err)
	return ""
}

func makeDIDs(t testing.TB) (vectors []didVector) {
	for name, bad := range badDIDs(t) {
		vectors = append(vectors, didVector{Name: name, Kind: "did", Error: nameOf(t, bad.want), DID: bad.did})
	}
	for name, did := range torsionDIDs(t) {
		vectors = append(vectors, didVector{Name: name, Kind: "did", Error: "ErrKey", DID: did})
	}
	for _, did := range badWebDIDs() {
		vectors = append(vectors, didVector{Name: shortened(did), Kind: "web", Error: "ErrDID", DID: did})
	}
	for name, text := range badDocuments(t) {
		if len(text) <= 4096 {
			vectors = append(vectors, didVector{name, "document", "ErrKey", docDID, []byte(text)})
		}
	}
	for name, c := range goodDocuments(t) {
		if c.want == nil && len(c.text) <= 4096 {
			vectors = append(vectors, didVector{"no usable key, " + name, "document", "ErrKey", docDID, []byte(c.text)})
		}
	}
	slices.SortFunc(vectors, func(a, b didVector) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return vectors
}

// shortened returns a text as a name: its two ends where it is long.
func shortened(text string) string {
	if len(text) <= 80 {
		return text
	}
	return text[:40] + "…" + text[len(text)-20:]
}

// torsionDIDs are the keys of small order, as both kinds of DID.
func torsionDIDs(t testing.TB) map[string]string {
	dids := map[string]string{}
	for name, text := range torsion {
		point, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		dids["torsion, did:key, "+name] = didKey(codecEd25519, point)
		dids["torsion, did:jwk, "+name] = didJWK(`{"kty":"OKP","crv":"Ed25519","x":"` + encode64(point) + `"}`)
	}
	return dids
}

// badLists are texts of an allow-list and the line that is at fault.
func badLists() map[string]string {
	long := strings.Repeat("a", 5000)
	return map[string]string{
		"alice": "1", "did:web:a\nalice": "2", "\n\ndid:web:a b": "3", "did:web:a\ndid:web:b did:web:c": "2", "did:key:z6Mk#z6Mk": "1", "did:web:a\n" + long: "2",
		"# " + long: "1", "\xef\xbb\xbfdid:web:a": "1", "did:web:a,did:web:b": "1", "did:web:a;": "1", "\"did:web:a\"": "1", "- did:web:a": "1", "DID:web:a": "1",
		"did:Web:a": "1", "did:web:": "1", "did:web": "1", "did:web:a:": "1", "did::a": "1", "did:web:a/b": "1", "did:web:a?b": "1", "did:web:a%2": "1", "*": "1", "did:*": "1",
		"did:web:*": "1", "did:web:a //b": "1", "did:web:a\x00": "1", "did:web:\xff": "1", "did:web:ä": "1", "did:web:" + strings.Repeat("a", 2041): "1", "did:web:a\r\r\nb": "2",
	}
}

func makeGates() (vectors []gateVector) {
	const here, listed = "did:web:here.example", "did:web:listed.example"
	for name, options := range map[string]gateVector{
		"closed": {}, "list": {Allowed: []string{listed}}, "present": {Present: []string{here}}, "list and present": {Allowed: []string{listed}, Present: []string{here}},
		"open": {Open: true}, "list of DIDs that begin alike": {Allowed: []string{"did:key:abc", "did:web:a.example:user"}},
	} {
		for _, tenant := range []string{
			"", here, listed, listed + "x", listed[:len(listed)-1], strings.ToUpper(listed), listed + "#a", listed + ":a", " " + listed, "did:key:ab", "did:key:abc", "did:key:abcd", "did:key:ABC",
			"did:web:a.example", "did:web:a.example:user", "did:web:a.example:user:more", "did:web:a.example%3Auser",
		} {
			v := options
			v.Name, v.Kind, v.Tenant = name+": "+tenant, "gate", tenant
			if !v.Open && !slices.Contains(slices.Concat(v.Allowed, v.Present), tenant) {
				v.Error = "ErrNotAdmitted"
			}
			vectors = append(vectors, v)
		}
	}
	for text, line := range badLists() {
		vectors = append(vectors, gateVector{Name: strings.ToValidUTF8(text[:min(len(text), 40)], "?"), Kind: "list", Error: "ErrAllowList", List: []byte(text), Line: line})
	}
	slices.SortFunc(vectors, func(a, b gateVector) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return vectors
}

// readVectors reads a file of vectors after writing it if asked to.
func readVectors[V any](t testing.TB, name string, made []V) (vectors []V) {
	t.Helper()
	path := filepath.Join(vectorDir, name)
	if *update {
		writeJSON(t, path, made)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(made) != len(vectors) {
		t.Errorf("%s: %d vectors in the file, %d made; run with -update", name, len(vectors), len(made))
	}
	return vectors
}

func TestMalformedDIDs(t *testing.T) {
	web := NewWeb(WebOptions{})
	for _, v := range readVectors(t, "malformed-dids.json", makeDIDs(t)) {
		var err error
		switch v.Kind {
		case "did":
			_, err = Offline{}.Resolve(t.Context(), v.DID)
		case "web":
			_, err = web.Resolve(t.Context(), v.DID)
		case "document":
			_, err = parseDocument(v.DID, v.Document, testNow)
		}
		if want := sentinels()[v.Error]; want == nil || !errors.Is(err, want) {
			t.Errorf("%s %s: got %v, want %s", v.Kind, v.Name, err, v.Error)
		}
	}
}

func TestGateVectors(t *testing.T) {
	for _, v := range readVectors(t, "gate.json", makeGates()) {
		if v.Kind == "list" {
			_, err := ParseAllowList(bytes.NewReader(v.List))
			if v.Error != "ErrAllowList" || !errors.Is(err, ErrAllowList) || !strings.Contains(err.Error(), "line "+v.Line+":") {
				t.Errorf("%s: got %v, want %s in line %s", v.Name, err, v.Error, v.Line)
			}
			continue
		}
		gate, err := NewGate(GateOptions{Open: v.Open, Allowed: v.Allowed, Present: func(_ context.Context, tenant string) (bool, error) { return slices.Contains(v.Present, tenant), nil }})
		if err != nil {
			t.Fatal(err)
		}
		err = gate.Admit(t.Context(), v.Tenant)
		if v.Error == "" && err != nil || v.Error != "" && (v.Error != "ErrNotAdmitted" || err == nil || err.Error() != ErrNotAdmitted.Error()) {
			t.Errorf("%s: got %v, want %q", v.Name, err, v.Error)
		}
	}
}

// TestCorpus counts what is refused in the files above: each kind has its share, and no
// two cases of a kind have the same name.
func TestCorpus(t *testing.T) {
	kinds := map[string]int{}
	names := map[string]bool{}
	count := func(kind, name, fault string) {
		if fault == "" {
			return
		}
		if kinds[kind]++; names[kind+"\x00"+name] {
			t.Errorf("two cases of %s are %q", kind, name)
		}
		names[kind+"\x00"+name] = true
	}
	for _, v := range readMalformed(t) {
		count(v.Kind, v.Name, v.Error)
	}
	for _, v := range readBadGrants(t) {
		count(v.Kind, v.Name, v.Error)
	}
	for _, v := range readVectors(t, "malformed-dids.json", makeDIDs(t)) {
		count(v.Kind, v.Name, v.Error)
	}
	for _, v := range readVectors(t, "gate.json", makeGates()) {
		count(v.Kind, v.Name, v.Error)
	}
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%4d %s", kinds[kind], kind)
		total += kinds[kind]
	}
	for kind, least := range map[string]int{"init": 200, "request": 200, "grant": 90, "revocation": 20, "did": 80, "web": 160, "document": 60, "gate": 60, "list": 30} {
		if kinds[kind] < least {
			t.Errorf("%d cases of %s, want %d", kinds[kind], kind, least)
		}
	}
	if total < 300 {
		t.Errorf("%d cases, want 300", total)
	}
}
