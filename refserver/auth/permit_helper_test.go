package auth

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

const day = int64(86_400_000_000)

// firstDay is day 1 of the table, and tableNow its clock.
var (
	firstDay = 20089 * day // 2025-01-01
	tableNow = firstDay + 9*day
)

// actors holds the signers that stand for T, G and O; making a key takes longer than
// deciding a request.
var actors sync.Map

func actor(t testing.TB, name string) *Signer {
	t.Helper()
	if s, ok := actors.Load(name); ok {
		return s.(*Signer)
	}
	s := testSigner(t, Ed25519, "permit "+name)
	actors.Store(name, s)
	return s
}

// protocolURL returns what P, Q, X and Y stand for; other texts are "".
func protocolURL(name string) string {
	return map[string]string{"P": "https://p.example", "Q": "https://q.example", "X": dwn.PermissionsURI, "Y": dwn.NewerPermissionsURI}[name]
}

// messageSpec is a message as the table describes it.
type messageSpec struct {
	kind, by                string // kind as in the table; by T, G or O
	under                   *dwn.Message
	owner                   string // who made the ownerSignature, "" for none
	copied                  bool   // the ownerSignature signs what the author's does
	ownerUnder              *dwn.Message
	published, prune        bool
	protocol, context, path string
	day                     int64 // 0 is 1
	first                   *messageSpec
}

// build returns the message and the first write of its record, nil if it is not held.
// Nothing is signed: who signed is what a header says.
func (s messageSpec) build(t testing.TB) (m, initial *dwn.Message) {
	t.Helper()
	id := "bafyunknown"
	if s.kind == "update" || s.kind == "delete" {
		if first := s.first; first != nil {
			initial, _ = first.build(t)
			id = initial.RecordID()
		}
	}
	switch s.kind {
	case "write":
		m = s.message(t, s.write(""), "")
		entry, err := m.EntryID()
		if err != nil {
			t.Fatal(err)
		}
		return s.message(t, s.write(entry.String()), entry.String()), nil
	case "update":
		return s.message(t, s.write(id), id), initial
	case "delete":
		return s.message(t, map[string]any{"descriptor": map[string]any{"interface": "Records", "method": "Delete", "recordId": id, "prune": s.prune}}, id), initial
	case "configure":
		return s.message(t, map[string]any{"descriptor": map[string]any{"interface": "Protocols", "method": "Configure", "definition": map[string]any{"protocol": s.protocol}}}, ""), nil
	case "older":
		return s.message(t, map[string]any{"descriptor": map[string]any{"interface": "Permissions", "method": "Grant", "grantedTo": actor(t, "G").DID()}}, ""), nil
	}
	t.Fatalf("unknown kind %q", s.kind)
	return nil, nil
}

// write returns a RecordsWrite without what all messages have.
func (s messageSpec) write(id string) map[string]any {
	d := map[string]any{"interface": "Records", "method": "Write", "dataCid": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", "dataSize": 0, "dataFormat": "application/json"}
	whole := map[string]any{"descriptor": d, "recordId": id}
	if s.protocol != "" {
		d["protocol"], d["protocolPath"] = s.protocol, s.path
		whole["contextId"] = strings.TrimPrefix(s.context+"/"+id, "/")
	}
	if s.published {
		d["published"] = true
	}
	if s.kind == "update" {
		d["dataSize"] = 1
	}
	return whole
}

// message adds time and authorization.
func (s messageSpec) message(t testing.TB, whole map[string]any, id string) *dwn.Message {
	t.Helper()
	d := whole["descriptor"].(map[string]any)
	d["messageTimestamp"] = dwn.FormatTime(firstDay + max(s.day-1, 0)*day)
	d["dateCreated"] = d["messageTimestamp"]
	authorization := map[string]any{"signature": unsignedBy(actor(t, s.by), "{}")}
	if s.owner != "" {
		payload := `{"n":1}`
		if s.copied {
			payload = "{}"
		}
		authorization["ownerSignature"] = unsignedBy(actor(t, s.owner), payload)
	}
	for name, grant := range map[string]*dwn.Message{"authorDelegatedGrant": s.under, "ownerDelegatedGrant": s.ownerUnder} {
		if grant != nil {
			authorization[name] = json.RawMessage(grant.AppendJSON(nil))
		}
	}
	whole["authorization"] = authorization
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return parseMessage(t, text)
}

func unsignedBy(s *Signer, payload string) map[string]any {
	header := fmt.Sprintf(`{"kid":%q,"alg":%q}`, s.KeyID(), s.Curve().Algorithm())
	one := map[string]any{"protected": encode64([]byte(header)), "signature": strings.Repeat("A", signatureText)}
	return map[string]any{"payload": encode64([]byte(payload)), "signatures": []any{one}}
}

// embedded returns a message that begins the record of a grant by T; what the grant
// says is elsewhere, its ID is what counts.
func embedded(t testing.TB, n int, by string) *dwn.Message {
	t.Helper()
	m, _ := messageSpec{kind: "write", by: by, protocol: dwn.PermissionsURI, path: grantPath, day: int64(n)}.build(t)
	return m
}

// tableScope reads a scope of the table.
func tableScope(t testing.TB, text string) dwn.Scope {
	t.Helper()
	members := map[string]any{}
	times := map[string]any{}
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		switch {
		case field == "*":
		case name == "from" || name == "to":
			var n int64
			if _, err := fmt.Sscan(value, &n); err != nil {
				t.Fatal(err)
			}
			times[name] = dwn.FormatTime(firstDay + (n-1)*day)
		case name == "protocol":
			members[name] = protocolURL(value)
		case name == "author":
			members[name] = actor(t, value).DID()
		default:
			members[name] = value
		}
	}
	if len(times) > 0 {
		members["messageTimestamp"] = times
	}
	raw, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	s, err := dwn.ParseScope(raw)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// tableGrants reads the grants of a row. Their IDs are those of embedded(n).
func tableGrants(t testing.TB, text string) []NamedGrant {
	t.Helper()
	var grants []NamedGrant
	if text == "-" {
		return nil
	}
	for i, one := range strings.Split(text, "+") {
		g := NamedGrant{Grant: Grant{ID: fmt.Sprint("g", i+1), Grantor: actor(t, "T").DID(), Grantee: actor(t, "G").DID(), Granted: firstDay, Expires: tableNow + day}}
		fields := strings.Fields(one)
		g.Interface, g.Method, _ = strings.Cut(fields[0], ".")
		for _, field := range fields[1:] {
			name, value, _ := strings.Cut(field, "=")
			switch name {
			case "to":
				g.Grantee = actor(t, value).DID()
			case "from":
				g.Grantor = actor(t, value).DID()
			case "c":
				g.ContextID = value
			case "p":
				g.ProtocolPath = value
			default:
				g.flag(t, name)
			}
		}
		grants = append(grants, g)
	}
	return grants
}

func (g *NamedGrant) flag(t testing.TB, name string) {
	t.Helper()
	switch name {
	case "P", "Q", "X", "Y":
		g.Protocol = protocolURL(name)
	case "revoked":
		g.Revoked = true
	case "expired":
		g.Expires = tableNow
	case "ends":
		g.Expires = tableNow + 1
	case "begins":
		g.Granted = tableNow
	case "future":
		g.Granted = tableNow + 1
	case "delegated":
		g.Delegated = true
	case "public":
		g.Publication = PublicationRequired
	case "private":
		g.Publication = PublicationProhibited
	default:
		t.Fatalf("unknown word %q", name)
	}
}

// tableMessage reads a message of a row; grants are the row's, and the one that the
// message carries gets the ID of what it carries.
func tableMessage(t testing.TB, text string, grants []NamedGrant) messageSpec {
	t.Helper()
	own, of, _ := strings.Cut(text, " of")
	s := messageSpec{}
	s.read(t, own, grants)
	if s.kind != "update" && s.kind != "delete" {
		return s
	}
	first := messageSpec{kind: "write", by: "T", protocol: s.protocol, context: s.context, path: s.path}
	switch strings.TrimSpace(of) {
	case "none":
		return s
	case "":
	default:
		first.protocol, first.context, first.path = "", "", ""
		first.read(t, "write by=T "+strings.TrimSpace(of), nil)
	}
	s.first = &first
	return s
}

func (s *messageSpec) read(t testing.TB, text string, grants []NamedGrant) {
	t.Helper()
	fields := strings.Fields(text)
	s.kind = fields[0]
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "by":
			s.by, s.under = readSigner(t, value, grants)
		case "owner":
			s.owner, s.ownerUnder = readSigner(t, value, grants)
		case "copied":
			s.copied = true
		case "c":
			s.context = value
		case "p":
			s.path = value
		case "day":
			if _, err := fmt.Sscan(value, &s.day); err != nil {
				t.Fatal(err)
			}
		case "published":
			s.published = true
		case "prune":
			s.prune = true
		default:
			if s.protocol = protocolURL(name); s.protocol == "" {
				t.Fatalf("unknown word %q", name)
			}
		}
	}
}

// readSigner reads who signed, and the grant that it did so with.
func readSigner(t testing.TB, text string, grants []NamedGrant) (by string, under *dwn.Message) {
	t.Helper()
	by, number, delegated := strings.Cut(text, "/")
	if !delegated {
		return by, nil
	}
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil {
		t.Fatal(err)
	}
	under = embedded(t, n, "T")
	if n <= len(grants) {
		grants[n-1].ID = under.RecordID()
	}
	return by, under
}
