package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// grantVectorBad is a permission grant or a revocation with one fault. All signatures
// are there; where a fault was put in after signing, they do not fit.
type grantVectorBad struct {
	Name    string          `json:"name"`
	Kind    string          `json:"kind"` // grant or revocation
	Error   string          `json:"error"`
	Says    string          `json:"says"` // part of the error
	Message json.RawMessage `json:"message"`
	Data    []byte          `json:"dataBase64"`
}

// badGrantData are record data of grants: what in the good ones is replaced, by what,
// and part of the error.
var badGrantData = []struct{ name, old, with, says string }{
	{"no JSON", `{"dateExpires"`, `{dateExpires`, "data:"},
	{"array", `{"dateExpires"`, `[{"dateExpires"`, "data:"},
	{"trailing", `{"dateExpires"`, `{}{"dateExpires"`, "data:"},
	{"not UTF-8", `a.example`, "a.\xffexample", "data:"},
	{"unknown member", `{`, `{"more":1,`, "members other"},
	{"member in another case", `"scope"`, `"Scope"`, "members other"},
	{"dateGranted in the data", `{`, `{"dateGranted":"2024-01-01T00:00:00.000000Z",`, "members other"},
	{"grantedTo in the data", `{`, `{"grantedTo":"did:key:a",`, "members other"},
	{"dateExpires twice", `{`, `{"dateExpires":"2040-01-01T00:00:00.000000Z",`, "twice"},
	{"dateExpires twice, escaped", `{`, `{"date\u0045xpires":"2040-01-01T00:00:00.000000Z",`, "twice"},
	{"dateExpires missing", `"dateExpires":`, `"description":`, "dateExpires"},
	{"dateExpires null", `"dateExpires":"`, `"dateExpires":null,"description":"`, "dateExpires"},
	{"dateExpires a number", `"dateExpires":"`, `"dateExpires":2000000000,"description":"`, "dateExpires"},
	{"dateExpires empty", `"dateExpires":"`, `"dateExpires":"","description":"`, "dateExpires"},
	{"dateExpires in seconds", `.000000Z`, `Z`, "timestamp"},
	{"dateExpires in milliseconds", `.000000Z`, `.000Z`, "timestamp"},
	{"dateExpires in nanoseconds", `.000000Z`, `.000000000Z`, "timestamp"},
	{"dateExpires with an offset", `.000000Z`, `.000000+00:00`, "timestamp"},
	{"dateExpires in lower case", `.000000Z`, `.000000z`, "timestamp"},
	{"dateExpires on no day", `2033-05-18`, `2033-02-30`, "timestamp"},
	{"dateExpires at 24", `03:33:20`, `24:00:00`, "timestamp"},
	{"requestId a number", `{`, `{"requestId":1,`, "requestId"},
	{"description an array", `{`, `{"description":[],`, "description"},
	{"description null", `{`, `{"description":null,`, "description"},
	{"delegated a text", `{`, `{"delegated":"true",`, "delegated"},
	{"delegated a number", `{`, `{"delegated":1,`, "delegated"},
	{"delegated null", `{`, `{"delegated":null,`, "delegated"},
	{"conditions null", `{`, `{"conditions":null,`, "conditions"},
	{"conditions an array", `{`, `{"conditions":[],`, "conditions"},
	{"conditions of another kind", `{`, `{"conditions":{"encryption":"Required"},`, "conditions"},
	{"publication unknown", `{`, `{"conditions":{"publication":"Optional"},`, "publication"},
	{"publication in another case", `{`, `{"conditions":{"publication":"required"},`, "publication"},
	{"publication empty", `{`, `{"conditions":{"publication":""},`, "publication"},
	{"publication true", `{`, `{"conditions":{"publication":true},`, "publication"},
	{"publication twice", `{`, `{"conditions":{"publication":"Required","publication":"Prohibited"},`, "twice"},
	{"scope missing", `,"scope":{"interface":"Messages","method":"Read","protocol":"https://a.example"}`, ``, "scope: not one JSON object"},
	{"scope null", `{"interface":"Messages","method":"Read","protocol":"https://a.example"}`, `null`, "scope: not one JSON object"},
	{"scope an array", `{"interface":"Messages","method":"Read","protocol":"https://a.example"}`, `[]`, "scope: not one JSON object"},
	{"scope a text", `{"interface":"Messages","method":"Read","protocol":"https://a.example"}`, `"all"`, "scope: not one JSON object"},
	{"scope twice", `{`, `{"scope":{"interface":"Messages","method":"Read"},`, "twice"},
	{"scope with schema", `"method"`, `"schema":"https://a.example/s","method"`, "scope: members other"},
	{"scope with recipient", `"method"`, `"recipient":"did:key:a","method"`, "scope: members other"},
	{"interface missing", `"interface":"Messages",`, ``, "interface"},
	{"interface null", `"Messages"`, `null`, "interface"},
	{"interface unknown", `"Messages"`, `"Hooks"`, "unknown interface"},
	{"interface of older SDKs", `"Messages"`, `"Events"`, "unknown interface"},
	{"interface in another case", `"Messages"`, `"messages"`, "unknown interface"},
	{"interface with a star", `"Messages"`, `"*"`, "unknown interface"},
	{"interfaces in an array", `"Messages"`, `["Messages"]`, "interface"},
	{"interface twice", `"method"`, `"interface":"Records","method"`, "twice"},
	{"method missing", `"method":"Read",`, ``, "method"},
	{"method unknown", `"Read"`, `"Sync"`, "unknown interface"},
	{"method in another case", `"Read"`, `"read"`, "unknown interface"},
	{"method of another interface", `"Read"`, `"Write"`, "unknown interface"},
	{"method of older SDKs", `"Read"`, `"Get"`, "unknown interface"},
	{"methods in an array", `"Read"`, `["Read"]`, "method"},
	{"method empty", `"Read"`, `""`, "method"},
	{"Messages.Delete", `"Read"`, `"Delete"`, "unknown interface"},
	{"Protocols.Write", `"Messages","method":"Read"`, `"Protocols","method":"Write"`, "unknown interface"},
	{"Records.Configure", `"Messages","method":"Read"`, `"Records","method":"Configure"`, "unknown interface"},
	{"Records without protocol", `"Messages","method":"Read","protocol":"https://a.example"`, `"Records","method":"Write"`, "has to name a protocol"},
	{"protocol empty", `"https://a.example"`, `""`, "protocol"},
	{"protocol null", `"https://a.example"`, `null`, "protocol"},
	{"protocol a number", `"https://a.example"`, `1`, "protocol"},
	{"protocol in upper case", `"https://a.example"`, `"HTTPS://a.example"`, "normalised"},
	{"protocol with a slash", `"https://a.example"`, `"https://a.example/"`, "normalised"},
	{"protocol with a port", `"https://a.example"`, `"https://a.example:443"`, "normalised"},
	{"protocol with a query", `"https://a.example"`, `"https://a.example?b"`, "normalised"},
	{"protocol of another tag", `https://a.example`, `https://b.example`, "tags"},
	{"contextId and protocolPath", `"protocol"`, `"contextId":"a","protocolPath":"b","protocol"`, "exclude"},
	{"contextId null", `"protocol"`, `"contextId":null,"protocol"`, "contextId"},
	{"contextId a number", `"protocol"`, `"contextId":1,"protocol"`, "contextId"},
	{"contextId twice", `"protocol"`, `"contextId":"a","contextId":"a","protocol"`, "twice"},
	{"protocolPath empty", `"protocol"`, `"protocolPath":"","protocol"`, "protocolPath"},
	{"protocolPath without protocol", `"protocol":"https://a.example"`, `"protocolPath":"a"`, "none is named"},
	{"contextId in Messages.Query", `"Read","protocol"`, `"Query","contextId":"a","protocol"`, "belong to"},
	{"protocolPath in Messages.Subscribe", `"Read","protocol"`, `"Subscribe","protocolPath":"a","protocol"`, "belong to"},
	{"contextId in Protocols.Query", `"Messages","method":"Read","protocol"`, `"Protocols","method":"Query","contextId":"a","protocol"`, "belong to"},
}

// moreSpoils are faults in the record that grants and revocations share.
var moreSpoils = []spoil{
	{"dataFormat", "dataFormat", described("dataFormat", "text/plain")},
	{"dataFormat missing", "dataFormat is missing", described("dataFormat", nil)},
	{"Query", "not a kind of message", described("method", "Query")},
	{"Delete", "unknown member", described("method", "Delete")},
	{"Protocols", "not a kind of message", described("interface", "Protocols")},
	{"below a path", "permissions protocol", described("protocolPath", "grant/grant")},
	{"path in another case", "permissions protocol", described("protocolPath", "Grant")},
	{"protocol of a sibling", "permissions protocol", described("protocol", "https://tbd.website/dwn/permissions2")},
	{"protocol of a child", "permissions protocol", described("protocol", "https://tbd.website/dwn/permissions/a")},
	{"no protocol", "go together", described("protocol", nil)},
	{"recordId of another", "first write", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { whole["recordId"] = revokedGrant }
	}},
	{"authorization null", "authorization is null", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { whole["authorization"] = nil }
	}},
	{"signatures empty", "0 signatures", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) {
			whole["authorization"].(map[string]any)["signature"].(map[string]any)["signatures"] = []any{}
		}
	}},
}

// described sets a member of the descriptor, or removes it, and renames the record.
func described(name string, value any) func(testing.TB, *grantDraft) {
	return func(t testing.TB, d *grantDraft) {
		revocation := d.record.path == revocationPath
		d.change = func(whole, descriptor map[string]any) {
			if descriptor[name] = value; value == nil {
				delete(descriptor, name)
			}
			if descriptor["interface"] != "Records" || descriptor["method"] != "Write" {
				return // it has no record to name
			}
			if renamed(t, whole); revocation {
				whole["contextId"] = revokedGrant + "/" + whole["recordId"].(string)
			}
		}
	}
}

func makeBadGrants(t testing.TB) (vectors []grantVectorBad) {
	add := func(kind string, d *grantDraft, name, says string) {
		vectors = append(vectors, grantVectorBad{name, kind, "ErrGrant", says, d.message(t).AppendJSON(nil), d.handedOver()})
	}
	for _, s := range slices.Concat(spoiledGrants, moreSpoils) {
		if d := newGrantDraft(t); s.want != "" {
			s.spoil(t, d)
			add("grant", d, s.name, s.want)
		}
	}
	for _, s := range slices.Concat(spoiledRevocations, moreSpoils) {
		if d := newRevocationDraft(t); s.want != "" {
			s.spoil(t, d)
			add("revocation", d, s.name, s.want)
		}
	}
	for _, c := range badGrantData {
		d := newGrantDraft(t)
		spoiled := bytes.Replace(d.record.data, []byte(c.old), []byte(c.with), 1)
		if bytes.Equal(spoiled, d.record.data) {
			t.Fatalf("%s: no %s in %s", c.name, c.old, d.record.data)
		}
		d.record.data = spoiled
		add("grant", d, "data: "+c.name, c.says)
	}
	return vectors
}

// readBadGrants reads the vectors, one a line, after writing them if asked to.
func readBadGrants(t testing.TB) (vectors []grantVectorBad) {
	t.Helper()
	path := filepath.Join(vectorDir, "malformed-grants.jsonl")
	if *update {
		var text []byte
		for _, v := range makeBadGrants(t) {
			line, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			text = append(append(text, line...), '\n')
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		var v grantVectorBad
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, v)
	}
	return vectors
}

func TestMalformedGrants(t *testing.T) {
	vectors := readBadGrants(t)
	if made := makeBadGrants(t); len(made) != len(vectors) {
		t.Errorf("%d vectors in the file, %d made; run with -update", len(vectors), len(made))
	}
	for _, v := range vectors {
		err := parsePermission(v.Kind == "revocation", parseMessage(t, v.Message), v.Data)
		if v.Error != "ErrGrant" || !errors.Is(err, ErrGrant) || v.Says == "" || !strings.Contains(err.Error(), v.Says) {
			t.Errorf("%s %s: got %v, want %s: %s", v.Kind, v.Name, err, v.Error, v.Says)
		}
	}
}
