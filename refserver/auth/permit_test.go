package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// tableRows returns the rows of permit.txt of one kind, cut into their columns.
func tableRows(t testing.TB, kind string, columns int) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectorDir, "permit.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, kind+" |") {
			continue
		}
		row := strings.Split(line, "|")
		if len(row) != columns {
			t.Fatalf("%s: %d columns, want %d", line, len(row), columns)
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		rows = append(rows, row)
	}
	return rows
}

func TestDecideTable(t *testing.T) {
	rows := tableRows(t, "read", 6)
	for _, row := range rows {
		name := strings.Join(row, " | ")
		for _, direction := range []Direction{Pull, Both} {
			r := Request{
				Tenant: actor(t, "T").DID(), Signer: actor(t, row[1]).DID(), Scope: tableScope(t, row[3]),
				Direction: direction, Grants: tableGrants(t, row[2]), Now: tableNow,
			}
			d, err := Decide(r)
			if row[4] == "403" {
				if err != ErrForbidden || d.Read != (dwn.Scope{}) || d.Exact || d.push {
					t.Errorf("%s: got %+v, %v", name, d, err)
				}
				continue
			}
			want := r.Scope
			if row[4] != "exact" {
				want = tableScope(t, row[4])
			}
			if err != nil || d.Read != want || d.Exact != (row[4] == "exact") {
				t.Errorf("%s: got %s, exact %t, %v", name, d.Read.AppendJSON(nil), d.Exact, err)
			}
			if direction == Pull && (usedGrants(d) != row[5] || d.Push != nil) {
				t.Errorf("%s: rests on %s, pushes %v", name, usedGrants(d), d.Push)
			}
		}
	}
	if len(rows) < 90 {
		t.Errorf("%d rows", len(rows))
	}
}

// attributesOf returns what MayPush is told of a first write, nil for none.
func attributesOf(m *dwn.Message) *dwn.Attributes {
	if m == nil {
		return nil
	}
	at := m.Attributes()
	return &at
}

// usedGrants returns the numbers of the grants that a decision rests on.
func usedGrants(d Decision) string {
	return strings.ReplaceAll(strings.Join(d.Grants, " "), "g", "")
}

func TestMayPushTable(t *testing.T) {
	rows := tableRows(t, "push", 7)
	for _, row := range rows {
		grants := tableGrants(t, row[3])
		spec := tableMessage(t, row[5], grants)
		m, initial := spec.build(t)
		d, err := Decide(Request{
			Tenant: actor(t, "T").DID(), Signer: actor(t, row[1]).DID(), Scope: tableScope(t, row[4]),
			Direction: Direction(row[2]), Grants: grants, Now: tableNow,
		})
		if err != nil {
			t.Errorf("%s: %v", strings.Join(row, " | "), err)
			continue
		}
		if err := MayPush(d, m, attributesOf(initial)); (err == nil) != (row[6] == "yes") || err != nil && err != ErrForbidden {
			t.Errorf("%s: got %v", strings.Join(row, " | "), err)
		}
	}
	if len(rows) < 80 {
		t.Errorf("%d rows", len(rows))
	}
}

// Nothing is allowed by what nobody decided, nor between nobodies.
func TestDecideNothing(t *testing.T) {
	m, _ := messageSpec{kind: "write", by: "T"}.build(t)
	if err := MayPush(Decision{}, m, nil); err != ErrForbidden {
		t.Errorf("zero decision: %v", err)
	}
	for _, r := range []Request{{}, {Direction: Both}, {Grants: []NamedGrant{{Grant: Grant{Interface: "Messages", Method: "Read", Expires: 1}}}}} {
		if d, err := Decide(r); err != ErrForbidden {
			t.Errorf("%+v: got %+v, %v", r, d, err)
		}
	}
	tenant := actor(t, "T").DID()
	for _, direction := range []Direction{"", "out", Pull} {
		d, err := Decide(Request{Tenant: tenant, Signer: tenant, Direction: direction})
		if err != nil || d.Push != nil || MayPush(d, m, nil) != ErrForbidden {
			t.Errorf("direction %q: got %+v, %v", direction, d, err)
		}
	}
}

// What is handed over as a record's first write has to be that.
func TestMayPushFirstWrite(t *testing.T) {
	d, err := Decide(Request{
		Tenant: actor(t, "T").DID(), Signer: actor(t, "G").DID(), Direction: Push, Now: tableNow,
		Grants: tableGrants(t, "Messages.Read + Records.Write P + Records.Delete P"),
	})
	if err != nil {
		t.Fatal(err)
	}
	place := messageSpec{kind: "write", by: "T", protocol: protocolURL("P"), path: "note"}
	other := place
	other.day = 2
	for _, kind := range []string{"update", "delete"} {
		spec := place
		spec.kind, spec.by, spec.first = kind, "G", &place
		m, first := spec.build(t)
		elsewhere, _ := other.build(t)
		for name, c := range map[string]struct {
			initial *dwn.Message
			want    error
		}{"first write": {first, nil}, "none": {nil, ErrForbidden}, "another record's": {elsewhere, ErrForbidden}} {
			if err := MayPush(d, m, attributesOf(c.initial)); err != c.want {
				t.Errorf("%s, with %s: got %v", kind, name, err)
			}
		}
	}
}

// A record that claims the ID of the tenant's grant, but is another's, makes nobody
// the tenant.
func TestMayPushFalseGrant(t *testing.T) {
	grants := tableGrants(t, "Messages.Read + Records.Write P delegated")
	spec := tableMessage(t, "write by=G/2 P p=note", grants)
	d, err := Decide(Request{Tenant: actor(t, "T").DID(), Signer: actor(t, "G").DID(), Direction: Push, Now: tableNow, Grants: grants})
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(spec.under.AppendJSON(nil), &whole); err != nil {
		t.Fatal(err)
	}
	for by, want := range map[string]error{"T": nil, "G": ErrForbidden, "O": ErrForbidden} {
		whole["authorization"] = map[string]any{"signature": unsignedBy(actor(t, by), "{}")}
		text, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		spec.under = parseMessage(t, text)
		m, _ := spec.build(t)
		if err := MayPush(d, m, nil); err != want || m.Author() != actor(t, by).DID() {
			t.Errorf("grant by %s: got %v, author %s", by, err, m.Author())
		}
	}
}

// A part of the scope that is too long to ask for is none.
func TestDecideTooLong(t *testing.T) {
	g := tableGrants(t, "Messages.Read P")
	g[0].ProtocolPath = strings.Repeat("p", dwn.MaxScopeSize/2)
	for n, want := range map[int]error{1: nil, dwn.MaxScopeSize / 2: ErrForbidden} {
		d, err := Decide(Request{
			Tenant: actor(t, "T").DID(), Signer: actor(t, "G").DID(), Direction: Both, Grants: g, Now: tableNow,
			Scope: tableScope(t, "author=T recordId="+strings.Repeat("r", n)),
		})
		if !errors.Is(err, want) {
			t.Errorf("%d: got %v, want %v", n, err, want)
		}
		if _, parse := dwn.ParseScope(d.Read.AppendJSON(nil)); parse != nil {
			t.Errorf("%d: %v", n, parse)
		}
	}
}

// The push scopes lie inside what may be read and name the one method.
func TestDecidePush(t *testing.T) {
	d, err := Decide(Request{
		Tenant: actor(t, "T").DID(), Signer: actor(t, "G").DID(), Direction: Push, Now: tableNow, Scope: tableScope(t, "protocol=P from=2"),
		Grants: tableGrants(t, "Records.Delete P c=a + Messages.Read + Records.Write P + Records.Write Q + Records.Read P"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range d.Push {
		got = append(got, string(s.AppendJSON(nil)))
		if !d.Read.Covers(s) {
			t.Errorf("%s is not inside what may be read", s.AppendJSON(nil))
		}
	}
	const from = `"messageTimestamp":{"from":"2025-01-02T00:00:00.000000Z"}}`
	want := []string{
		`{"interface":"Records","method":"Delete","protocol":"https://p.example","contextId":"a",` + from,
		`{"interface":"Records","method":"Write","protocol":"https://p.example",` + from,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || usedGrants(d) != "1 2 3" {
		t.Errorf("got %s, resting on %s, want %s", got, usedGrants(d), want)
	}
}
