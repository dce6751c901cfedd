package dwn

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// sample are the attributes that the scopes of scopeCases are tried on.
var sample = Attributes{
	Interface: "Records", Method: "Write", Schema: "https://example.org/note", Protocol: "http://example.org/p", ProtocolPath: "note/comment",
	Recipient: "did:key:r", DataFormat: "text/plain", RecordID: "bafyrec", ContextID: "bafya/bafyrec", Author: "did:key:a", Time: 1_735_689_600_000_001,
}

var scopeCases = []struct {
	text  string
	match bool
}{
	{`{}`, true},
	{` {"interface" : "Records"} `, true},
	{`{"interface":"records"}`, false},
	{`{"method":"Write"}`, true},
	{`{"method":"Delete"}`, false},
	{`{"schema":"https://EXAMPLE.org:443/note/?x#y"}`, true},
	{`{"schema":"http://example.org/note"}`, false},
	{`{"protocol":"example.org/p"}`, true},
	{`{"protocol":"https://example.org/p"}`, false},
	{`{"protocolPath":"note/comment"}`, true},
	{`{"protocolPath":"note"}`, false},
	{`{"recipient":"did:key:r"}`, true},
	{`{"recipient":"did:key:a"}`, false},
	{`{"dataFormat":"text/plain"}`, true},
	{`{"dataFormat":"text"}`, false},
	{`{"recordId":"bafyrec"}`, true},
	{`{"recordId":"bafya"}`, false},
	{`{"contextId":"bafya"}`, true},
	{`{"contextId":"bafya/bafyrec"}`, true},
	{`{"contextId":"bafy"}`, false},
	{`{"contextId":"bafya/bafy"}`, false},
	{`{"contextId":"bafya/bafyrec/x"}`, false},
	{`{"contextId":"bafyrec"}`, false},
	{`{"author":"did:key:a"}`, true},
	{`{"author":"did:key:r"}`, false},
	{`{"messageTimestamp":{"from":"2025-01-01T00:00:00.000001Z"}}`, true},
	{`{"messageTimestamp":{"from":"2025-01-01T00:00:00.000002Z"}}`, false},
	{`{"messageTimestamp":{"to":"2025-01-01T00:00:00.000001Z"}}`, true},
	{`{"messageTimestamp":{"to":"2025-01-01T00:00:00.000000Z"}}`, false},
	{`{"messageTimestamp":{"to":"1970-01-01T00:00:00.000000Z"}}`, false},
	{`{"messageTimestamp":{"from":"1970-01-01T00:00:00.000000Z"}}`, true},
	{`{"messageTimestamp":{"to":"2025-01-01T00:00:00.000001Z","from":"2025-01-01T00:00:00.000001Z"},"author":"did:key:a","interface":"Records"}`, true},
	{`{"author":"did:key:a","interface":"Protocols"}`, false},
}

func TestScopeMatches(t *testing.T) {
	for _, c := range scopeCases {
		s, err := ParseScope([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := s.Matches(sample); got != c.match {
			t.Errorf("%s: got %t, want %t", c.text, got, c.match)
		}
		if s.All() != (c.text == "{}") {
			t.Errorf("%s: All is %t", c.text, s.All())
		}
		if s.Matches(Attributes{}) != s.All() && !strings.Contains(c.text, "Timestamp") {
			t.Errorf("%s matches a message without attributes", c.text)
		}
		checkScope(t, s)
	}
}

// checkScope checks that a scope's JSON is canonical.
func checkScope(t *testing.T, s Scope) {
	t.Helper()
	text := s.AppendJSON([]byte("x"))[1:]
	again, err := ParseScope(text)
	if err != nil || again != s {
		t.Errorf("%s: read again as %s, %v", text, again.AppendJSON(nil), err)
	}
}

func TestScopeIsCanonical(t *testing.T) {
	const want = `{"interface":"Records","schema":"https://example.org/note","author":"did:key:\"ä\u0001","messageTimestamp":{"from":"2025-01-01T00:00:00.000000Z","to":"2025-01-02T00:00:00.000000Z"}}`
	for _, text := range []string{
		want,
		` {"messageTimestamp":{"to":"2025-01-02T00:00:00.000000Z","from":"2025-01-01T00:00:00.000000Z"}, "author":"did:key:\u0022\u00e4\u0001","schema":"HTTPS://Example.org/note/#x","interface":"Records"}`,
	} {
		s, err := ParseScope([]byte(text))
		if got := string(s.AppendJSON(nil)); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

// refusedScopes are texts, and what the refusal must say.
var refusedScopes = [][2]string{
	{``, "not one JSON value"},
	{`[]`, "an array"},
	{`null`, "null"},
	{`{}{}`, "not one JSON value"},
	{`{"Interface":"Records"}`, `unknown member "Interface"`},
	{`{"tags":{"a":1}}`, `unknown member "tags"`},
	{`{"interface":"Records","interface":"Records"}`, "twice"},
	{`{"interface":1}`, "interface is a number, want a string"},
	{`{"interface":null}`, "interface is null"},
	{`{"schema":["a"]}`, "schema is an array"},
	{`{"schema":""}`, "schema is empty"},
	{`{"author":""}`, "author is empty"},
	{`{"schema":"http://"}`, "schema"},
	{`{"protocol":"http://müller.de"}`, "xn--"},
	{`{"protocol":"http://a//"}`, "not normal itself"},
	{`{"contextId":"bafya/"}`, "contextId ends in"},
	{`{"messageTimestamp":{}}`, "from, to or both"},
	{`{"messageTimestamp":"2025-01-01T00:00:00.000000Z"}`, "from, to or both"},
	{`{"messageTimestamp":{"from":"2025-01-01"}}`, "YYYY-MM-DDThh:mm:ss.ffffffZ"},
	{`{"messageTimestamp":{"from":1}}`, "from is a number"},
	{`{"messageTimestamp":{"since":"2025-01-01T00:00:00.000000Z"}}`, `unknown member "since"`},
	{`{"messageTimestamp":{"from":"2025-01-02T00:00:00.000000Z","to":"2025-01-01T00:00:00.000000Z"}}`, "from is later than to"},
}

func TestParseScopeRefuses(t *testing.T) {
	for _, c := range refusedScopes {
		s, err := ParseScope([]byte(c[0]))
		if err == nil || !strings.Contains(err.Error(), c[1]) || s != (Scope{}) {
			t.Errorf("%s: got %v, want %q", c[0], err, c[1])
			continue
		}
		onlyKinds(t, err, ErrScope)
	}
	for _, text := range []string{
		`{"author":"` + strings.Repeat("a", MaxScopeSize) + `"}`,
		`{"schema":"http://a/` + strings.Repeat(`"`, 0) + strings.Repeat("ä", MaxScopeSize/3) + `"}`, // three bytes for each when escaped
	} {
		if _, err := ParseScope([]byte(text)); !errors.Is(err, ErrScope) || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
}

func FuzzParseScope(f *testing.F) {
	for _, c := range scopeCases {
		f.Add([]byte(c.text))
	}
	for _, c := range refusedScopes {
		f.Add([]byte(c[0]))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseScope(text)
		if err != nil {
			onlyKinds(t, err, ErrScope)
			return
		}
		checkScope(t, s)
		if s.All() != (string(s.AppendJSON(nil)) == "{}") {
			t.Errorf("%s: All is %t", s.AppendJSON(nil), s.All())
		}
		s.Matches(sample)
	})
}

// A delete is in the scopes of its record, once it has inherited.
func TestInherit(t *testing.T) {
	deletion := Attributes{Interface: "Records", Method: "Delete", RecordID: "bafyrec", Author: "did:key:d", Time: 5}
	got := deletion.Inherit(sample)
	want := Attributes{
		Interface: "Records", Method: "Delete", Schema: sample.Schema, Protocol: sample.Protocol, ProtocolPath: sample.ProtocolPath,
		Recipient: sample.Recipient, RecordID: "bafyrec", ContextID: sample.ContextID, Author: "did:key:d", Time: 5,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAttributes(t *testing.T) {
	var got []Attributes
	for v := range readLines[messageVector](t, vectors+"vectors.jsonl.gz") {
		m, err := ParseJSON(v.Message)
		if err != nil {
			t.Fatal(err)
		}
		a := m.Attributes()
		if a.Author != m.Author() || a.Time != m.Key().Time || a.Method != m.Method() || a.RecordID != m.RecordID() || a.ContextID != m.ContextID() {
			t.Errorf("%s: %+v", v.Name, a)
		}
		got = append(got, a)
	}
	const alice = "did:key:z6MkqyT6Dq7rhbcCrG3RNT1rUNNJ9oHrPqrbvCmL145VURAp"
	configure := Attributes{Interface: "Protocols", Method: "Configure", Protocol: "https://example.org/protocols/notes", Author: alice, Time: got[0].Time}
	if got[0] != configure || FormatTime(got[0].Time) != "2025-01-01T12:01:01.000542Z" {
		t.Errorf("configure: %+v", got[0])
	}
	isComment := func(a Attributes) bool {
		return a.ProtocolPath == "note/comment" && a.Protocol == "https://example.org/protocols/notes" && a.Author != alice && strings.HasSuffix(a.ContextID, "/"+a.RecordID)
	}
	isFiled := func(a Attributes) bool {
		return a.Schema == "https://schema.org/Person" && a.DataFormat == "application/json" && a.ContextID == "" && a.Protocol == ""
	}
	isSent := func(a Attributes) bool { return strings.HasPrefix(a.Recipient, "did:jwk:") }
	for name, is := range map[string]func(Attributes) bool{"comment": isComment, "flat record": isFiled, "recipient": isSent} {
		if !slices.ContainsFunc(got, is) {
			t.Errorf("no %s among the vectors", name)
		}
	}
}
