package dwn

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

var intersections = []struct{ a, b, want string }{ // want "" where nothing is left
	{`{}`, `{}`, `{}`},
	{`{}`, `{"author":"did:key:a"}`, `{"author":"did:key:a"}`},
	{`{"author":"did:key:a"}`, `{"author":"did:key:b"}`, ``},
	{`{"author":"did:key:a"}`, `{"recipient":"did:key:a"}`, `{"recipient":"did:key:a","author":"did:key:a"}`},
	{`{"interface":"Records"}`, `{"interface":"Protocols"}`, ``},
	{`{"interface":"Records"}`, `{"method":"Write"}`, `{"interface":"Records","method":"Write"}`},
	{`{"method":"Write"}`, `{"method":"Delete"}`, ``},
	{`{"schema":"http://a/s"}`, `{"schema":"http://a/t"}`, ``},
	{`{"schema":"http://a/s"}`, `{"schema":"http://A/s/"}`, `{"schema":"http://a/s"}`},
	{`{"protocol":"http://a"}`, `{"protocol":"a"}`, `{"protocol":"http://a"}`},
	{`{"protocol":"http://a"}`, `{"protocol":"https://a"}`, ``},
	{`{"protocolPath":"a"}`, `{"protocolPath":"a/b"}`, ``},
	{`{"dataFormat":"a"}`, `{"dataFormat":"b"}`, ``},
	{`{"recordId":"a"}`, `{"recordId":"a/b"}`, ``},
	{`{"contextId":"a"}`, `{"contextId":"a"}`, `{"contextId":"a"}`},
	{`{"contextId":"a"}`, `{"contextId":"a/b"}`, `{"contextId":"a/b"}`},
	{`{"contextId":"a"}`, `{"contextId":"ab"}`, ``},
	{`{"contextId":"a"}`, `{"contextId":"b/a"}`, ``},
	{`{"contextId":"a/b"}`, `{"contextId":"a/bc"}`, ``},
	{`{"contextId":"a/b"}`, `{"contextId":"a/b/c/d"}`, `{"contextId":"a/b/c/d"}`},
	{`{"messageTimestamp":{"from":"2025-01-01T00:00:00.000000Z"}}`, `{"messageTimestamp":{"from":"2025-01-02T00:00:00.000000Z"}}`, `{"messageTimestamp":{"from":"2025-01-02T00:00:00.000000Z"}}`},
	{`{"messageTimestamp":{"to":"2025-01-01T00:00:00.000000Z"}}`, `{"messageTimestamp":{"to":"2025-01-02T00:00:00.000000Z"}}`, `{"messageTimestamp":{"to":"2025-01-01T00:00:00.000000Z"}}`},
	{`{"messageTimestamp":{"from":"2025-01-01T00:00:00.000000Z"}}`, `{"messageTimestamp":{"to":"2025-01-01T00:00:00.000000Z"}}`, `{"messageTimestamp":{"from":"2025-01-01T00:00:00.000000Z","to":"2025-01-01T00:00:00.000000Z"}}`},
	{`{"messageTimestamp":{"from":"2025-01-01T00:00:00.000001Z"}}`, `{"messageTimestamp":{"to":"2025-01-01T00:00:00.000000Z"}}`, ``},
	{`{"messageTimestamp":{"from":"1970-01-01T00:00:00.000000Z"}}`, `{"messageTimestamp":{"to":"1969-12-31T23:59:59.999999Z"}}`, ``},
	{`{"messageTimestamp":{"to":"1970-01-01T00:00:00.000000Z"}}`, `{}`, `{"messageTimestamp":{"to":"1970-01-01T00:00:00.000000Z"}}`},
}

func TestScopeIntersect(t *testing.T) {
	for _, c := range intersections {
		a, b := mustScope(t, c.a), mustScope(t, c.b)
		for _, pair := range [][2]Scope{{a, b}, {b, a}} {
			got, ok := pair[0].Intersect(pair[1])
			if ok != (c.want != "") || ok && string(got.AppendJSON(nil)) != c.want || !ok && got != (Scope{}) {
				t.Errorf("%s and %s: got %s, %t, want %s", c.a, c.b, got.AppendJSON(nil), ok, c.want)
			}
			if ok && (!pair[0].Covers(got) || !pair[1].Covers(got)) {
				t.Errorf("%s and %s do not both cover %s", c.a, c.b, got.AppendJSON(nil))
			}
			if want := ok && got == pair[1]; pair[0].Covers(pair[1]) != want {
				t.Errorf("%s covers %s: got %t", c.a, c.b, !want)
			}
		}
	}
}

// The laws of sets, and the sets themselves: over the messages that one tenant of
// the corpus retains.
func TestIntersectIsTheIntersection(t *testing.T) {
	messages := retainedAttributes(t)
	if len(messages) != 1431 {
		t.Fatalf("%d messages, want 1431", len(messages))
	}
	rng := rand.New(rand.NewPCG(7, 1))
	var met, apart, covered int
	for range 1500 {
		a, b, c := randomScope(t, rng, messages), randomScope(t, rng, messages), randomScope(t, rng, messages)
		ab, ok := a.Intersect(b)
		if again, twice := a.Intersect(a); !twice || again != a || !a.Covers(a) {
			t.Fatalf("not idempotent: %s", a.AppendJSON(nil))
		}
		if ba, okBack := b.Intersect(a); okBack != ok || ba != ab {
			t.Fatalf("not commutative: %s, %s", a.AppendJSON(nil), b.AppendJSON(nil))
		}
		checkAssociative(t, a, b, c)
		cover := a.Covers(b)
		if ok {
			met++
			checkScope(t, ab)
		} else {
			apart++
		}
		if cover {
			covered++
		}
		for _, m := range messages {
			inA, inB := a.Matches(m), b.Matches(m)
			if (ok && ab.Matches(m)) != (inA && inB) || cover && inB && !inA {
				t.Fatalf("%s and %s, covers %t: wrong about %+v", a.AppendJSON(nil), b.AppendJSON(nil), cover, m)
			}
		}
	}
	t.Logf("%d pairs met, %d did not, %d covered", met, apart, covered)
	if met < 200 || apart < 200 || covered < 50 {
		t.Error("too few cases of one kind")
	}
}

func checkAssociative(t *testing.T, a, b, c Scope) {
	t.Helper()
	left, okLeft := a.Intersect(b)
	if okLeft {
		left, okLeft = left.Intersect(c)
	}
	right, okRight := b.Intersect(c)
	if okRight {
		right, okRight = a.Intersect(right)
	}
	if okLeft != okRight || left != right {
		t.Fatalf("not associative: %s, %s, %s", a.AppendJSON(nil), b.AppendJSON(nil), c.AppendJSON(nil))
	}
}

func mustScope(t *testing.T, text string) Scope {
	t.Helper()
	s, err := ParseScope([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// retainedAttributes returns the attributes of what the corpus's first tenant
// retains, deletes with those of their records.
func retainedAttributes(t *testing.T) []Attributes {
	t.Helper()
	type line struct {
		Tenant   string
		Retained bool
		Message  json.RawMessage
	}
	var all []Attributes
	initial := map[string]Attributes{}
	var tenant string
	for l := range readLines[line](t, corpus) {
		if tenant == "" {
			tenant = l.Tenant
		}
		if !l.Retained || l.Tenant != tenant {
			continue
		}
		m, err := ParseJSON(l.Message)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Attributes())
		if m.IsInitialWrite() {
			initial[m.RecordID()] = m.Attributes()
		}
	}
	for i, a := range all {
		if a.Method == "Delete" {
			all[i] = a.Inherit(initial[a.RecordID])
		}
	}
	return all
}

// randomScope selects by up to three members that some message has.
func randomScope(t *testing.T, rng *rand.Rand, messages []Attributes) Scope {
	t.Helper()
	var s Scope
	for range rng.IntN(6) {
		m := messages[rng.IntN(len(messages))]
		a := Scope{want: m}
		from, into := a.fields(), s.fields()
		switch i := rng.IntN(len(from) + 2); i {
		case len(from):
			s.from = bound{true, m.Time}
		case len(from) + 1:
			s.to = bound{true, m.Time}
		default:
			*into[i].value = *from[i].value
			if from[i].name == "contextId" && rng.IntN(2) == 0 {
				*into[i].value, _, _ = strings.Cut(m.ContextID, "/")
			}
		}
	}
	if s.from.set && s.to.set && s.from.us > s.to.us {
		s.from, s.to = s.to, s.from
	}
	return s
}
