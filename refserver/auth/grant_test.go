package auth

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// grantVector is a line of grants.jsonl: what the SDK made, and the status with
// which its DWN answered.
type grantVector struct {
	Name    string          `json:"name"`
	By      string          `json:"by"` // name in keys.json
	CID     string          `json:"cid"`
	Status  int             `json:"status"`
	Made    bool            `json:"made"` // by the SDK's own function for this
	Message json.RawMessage `json:"message"`
	Data    []byte          `json:"dataBase64"`
}

func readGrants(t testing.TB) []grantVector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(vectorDir, "grants.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []grantVector
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		var v grantVector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if err := lines.Err(); err != nil || len(out) < 160 {
		t.Fatalf("%d vectors, %v", len(out), err)
	}
	return out
}

// signers returns the keys of keys.json by name.
func signers(t testing.TB) map[string]*Signer {
	t.Helper()
	out := map[string]*Signer{}
	for _, k := range readKeys(t) {
		s, err := ParseSigner(k.PrivateJWK)
		if err != nil {
			t.Fatal(err)
		}
		out[k.Name] = s
	}
	return out
}

// whereWeDiffer lists the vectors whose answer is not the SDK's.
func whereWeDiffer() map[string]bool {
	return map[string]bool{
		// Newer SDKs make these.
		"Messages.Read with contextId": true, "Messages.Read with protocolPath": true,
		// The SDK's validator lets these pass; a helper of the SDK would not make the first.
		"Records without protocol": true, "dateExpires twice": true, "no recipient": true,
		// Nodes of the reference know whether the grant is there and whose it is. Revokes asks it here.
		"revocation of nothing": true, "revocation by another": true,
	}
}

func TestParseGrantVectors(t *testing.T) {
	var taken, refused int
	for _, v := range readGrants(t) {
		m := parseMessage(t, v.Message)
		if m.CID().String() != v.CID {
			t.Fatalf("%s: CID %s, want %s", v.Name, m.CID(), v.CID)
		}
		if err := VerifyMessage(t.Context(), Offline{}, m); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		var err error
		var author, grantor string
		switch m.Attributes().ProtocolPath {
		case revocationPath:
			var r Revocation
			r, err = ParseRevocation(m)
			author, grantor = r.Author, m.Author()
		case "request":
			if _, err := ParseGrant(m, v.Data); !errors.Is(err, ErrGrant) {
				t.Errorf("%s: a request is taken for a grant: %v", v.Name, err)
			}
			continue
		default:
			var g Grant
			g, err = ParseGrant(m, v.Data)
			author, grantor = g.Grantor, m.Author()
		}
		want := v.Status == 202
		if whereWeDiffer()[v.Name] {
			want = !want
		}
		switch {
		case (err == nil) != want || err != nil && !errors.Is(err, ErrGrant):
			t.Errorf("%s: got %v, want taken %t", v.Name, err, want)
		case err == nil && author != grantor:
			t.Errorf("%s: grantor %s, want %s", v.Name, author, grantor)
		case err == nil:
			taken++
		default:
			refused++
		}
	}
	t.Logf("%d taken, %d refused", taken, refused)
	if taken < 100 || refused < 40 {
		t.Error("too few of one kind")
	}
}

// What a grant says, field by field.
func TestParseGrantReads(t *testing.T) {
	for _, v := range readGrants(t) {
		if v.Name != "grant with everything" {
			continue
		}
		m := parseMessage(t, v.Message)
		got, err := ParseGrant(m, v.Data)
		if err != nil {
			t.Fatal(err)
		}
		keys := signers(t)
		expires, _ := dwn.ParseTime("2031-12-31T23:59:59.999999Z")
		want := Grant{
			ID: m.RecordID(), Permissions: dwn.PermissionsURI, Grantor: keys["alice"].DID(), Grantee: keys["bob"].DID(),
			Granted: m.Key().Time, Expires: expires, Interface: "Records", Method: "Write", Protocol: "https://example.org/protocols/notes",
			Delegated: true, Publication: PublicationRequired, Description: "for <Ada> & \"日本\" 🚀\n\t\\ \u0001",
			RequestID: "bafyreig5rsgqiwvbxfw5patrewv55lolmorh66psbajdcqpedclwf7cqua",
		}
		if got != want || m.RecordID() == "" {
			t.Errorf("got %+v, want %+v", got, want)
		}
		for now, live := range map[int64]bool{got.Granted - 1: false, got.Granted: true, expires - 1: true, expires: false} {
			if got.Live(now) != live {
				t.Errorf("live at %d: got %t", now, !live)
			}
		}
		return
	}
	t.Fatal("no such vector")
}

// grantDraft is a grant in the making, to spoil.
type grantDraft struct {
	signer *Signer
	record permissionRecord
	change func(whole, descriptor map[string]any)
	data   []byte // what is handed over beside the message, nil: the record's
}

func newGrantDraft(t testing.TB) *grantDraft {
	g := Grant{Interface: "Messages", Method: "Read", Protocol: "https://a.example", Expires: 2_000_000_000_000_000}
	data, err := g.appendData()
	if err != nil {
		t.Fatal(err)
	}
	s := testSigner(t, Ed25519, "grantor")
	return &grantDraft{signer: s, record: permissionRecord{path: grantPath, recipient: testSigner(t, P256, "grantee").DID(), tag: g.Protocol, time: 1_700_000_000_000_000, data: data}}
}

// parse signs the draft and parses it as what its path says.
func (d *grantDraft) parse(t testing.TB) error {
	t.Helper()
	return parsePermission(d.record.path == revocationPath, d.message(t), d.handedOver())
}

func parsePermission(revocation bool, m *dwn.Message, data []byte) (err error) {
	if revocation {
		_, err = ParseRevocation(m)
	} else {
		_, err = ParseGrant(m, data)
	}
	return err
}

// message signs the draft and spoils it.
func (d *grantDraft) message(t testing.TB) *dwn.Message {
	t.Helper()
	m, err := d.record.sign(d.signer)
	if err != nil {
		t.Fatal(err)
	}
	if d.change == nil {
		return m
	}
	var whole map[string]any
	if err := json.Unmarshal(m.AppendJSON(nil), &whole); err != nil {
		t.Fatal(err)
	}
	d.change(whole, whole["descriptor"].(map[string]any))
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return parseMessage(t, text)
}

func (d *grantDraft) handedOver() []byte {
	if d.data == nil {
		return d.record.data
	}
	return d.data
}

// renamed keeps the record's ID the one that its descriptor gives.
func renamed(t testing.TB, whole map[string]any) {
	t.Helper()
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	id, err := parseMessage(t, text).EntryID()
	if err != nil {
		t.Fatal(err)
	}
	whole["recordId"], whole["contextId"] = id.String(), id.String()
}

// spoil is a way to spoil a draft and what the refusal has to say, "" if there is none.
type spoil struct {
	name, want string
	spoil      func(t testing.TB, d *grantDraft)
}

var spoiledGrants = []spoil{
	{"nothing changed", "", func(testing.TB, *grantDraft) {}},
	{"newer URI", "", func(_ testing.TB, d *grantDraft) { d.record.permissions = dwn.NewerPermissionsURI }},
	{"URI spelled otherwise", "", func(_ testing.TB, d *grantDraft) {
		d.record.permissions = "HTTPS://TBD.website:443/dwn/permissions/?a#b"
	}},
	{"http", "permissions protocol", func(_ testing.TB, d *grantDraft) { d.record.permissions = "http://tbd.website/dwn/permissions" }},
	{"another protocol", "permissions protocol", func(_ testing.TB, d *grantDraft) { d.record.permissions = "https://a.example" }},
	{"another path", "permissions protocol", func(_ testing.TB, d *grantDraft) { d.record.path = "request" }},
	{"data of another length", "data are not", func(_ testing.TB, d *grantDraft) { d.data = append(bytes.Clone(d.record.data), ' ') }},
	{"data of the same length", "data are not", func(_ testing.TB, d *grantDraft) {
		d.data = bytes.Replace(d.record.data, []byte("Read"), []byte("read"), 1)
	}},
	{"no data", "data are not", func(_ testing.TB, d *grantDraft) { d.data = []byte{} }},
	{"too many data", "at most 10000", func(_ testing.TB, d *grantDraft) { d.data = bytes.Repeat([]byte(" "), MaxGrantData+1) }},
	{"dataSize too small", "data are not", func(t testing.TB, d *grantDraft) {
		d.change = func(whole, descriptor map[string]any) { descriptor["dataSize"] = 1; renamed(t, whole) }
	}},
	{"an update", "first write", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { whole["recordId"], whole["contextId"] = "bafyother", "bafyother" }
	}},
	{"below another record", "contextId", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { whole["contextId"] = "bafyother/" + whole["recordId"].(string) }
	}},
	{"created at another time", "dateCreated", func(t testing.TB, d *grantDraft) {
		d.change = func(whole, descriptor map[string]any) {
			descriptor["dateCreated"] = "2020-01-01T00:00:00.000000Z"
			renamed(t, whole)
		}
	}},
	{"no signature", "authorization", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { delete(whole, "authorization") }
	}},
	{"not shaped as stored messages are", "unknown member", func(_ testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { whole["more"] = 1 }
	}},
	{"signer no DID", "not a usable DID", func(t testing.TB, d *grantDraft) {
		d.change = func(whole, _ map[string]any) { byNobody(t, whole) }
	}},
	{"recipient no DID", "not a usable DID", func(_ testing.TB, d *grantDraft) { d.record.recipient = "grantee" }},
	{"no recipient", "not a usable DID", func(_ testing.TB, d *grantDraft) { d.record.recipient = "" }},
	{"no tag", "tags", func(_ testing.TB, d *grantDraft) { d.record.tag = "" }},
	{"another tag", "tags", func(_ testing.TB, d *grantDraft) { d.record.tag = "https://b.example" }},
	{"through a grant", "delegated grant", throughGrant},
	{"context without protocol", "none is named", func(_ testing.TB, d *grantDraft) {
		d.record.data = bytes.Replace(d.record.data, []byte(`"protocol":"https://a.example"`), []byte(`"contextId":"a"`), 1)
	}},
	{"context that ends in a slash", "contextId", func(_ testing.TB, d *grantDraft) {
		d.record.data = bytes.Replace(d.record.data, []byte(`,"protocol"`), []byte(`,"contextId":"a/","protocol"`), 1)
	}},
	{"empty context", "missing", func(_ testing.TB, d *grantDraft) {
		d.record.data = bytes.Replace(d.record.data, []byte(`,"protocol"`), []byte(`,"contextId":"","protocol"`), 1)
	}},
	{"member of the scope twice", "twice", func(_ testing.TB, d *grantDraft) {
		d.record.data = bytes.Replace(d.record.data, []byte(`,"protocol"`), []byte(`,"method":"Query","protocol"`), 1)
	}},
}

func TestParseGrantRefuses(t *testing.T) {
	for _, c := range spoiledGrants {
		t.Run(c.name, func(t *testing.T) {
			d := newGrantDraft(t)
			c.spoil(t, d)
			checkRefusal(t, d.parse(t), c.want)
		})
	}
}

func checkRefusal(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (!errors.Is(err, ErrGrant) || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// byNobody puts a key ID into the header of the signature that is of no DID.
func byNobody(t testing.TB, whole map[string]any) {
	t.Helper()
	signature := whole["authorization"].(map[string]any)["signature"].(map[string]any)
	signature["signatures"].([]any)[0].(map[string]any)["protected"] = encode64([]byte(`{"kid":"did:#a","alg":"EdDSA"}`))
	renamed(t, whole)
}

// throughGrant makes somebody else sign in the grantor's name.
func throughGrant(t testing.TB, d *grantDraft) {
	inner := newGrantDraft(t)
	inner.signer = testSigner(t, Secp256k1, "principal")
	grant, err := inner.record.sign(inner.signer)
	if err != nil {
		t.Fatal(err)
	}
	d.change = func(whole, _ map[string]any) {
		whole["authorization"].(map[string]any)["authorDelegatedGrant"] = json.RawMessage(grant.AppendJSON(nil))
		renamed(t, whole)
	}
}

// What the SDK's own functions made, we make with the same CID and the same data.
func TestMakesWhatTheSDKMakes(t *testing.T) {
	keys := signers(t)
	grants := map[string]Grant{}
	var made int
	for _, v := range readGrants(t) {
		m := parseMessage(t, v.Message)
		if g, err := ParseGrant(m, v.Data); err == nil {
			grants[g.ID] = g
			if again, data, err := MakeGrant(keys[v.By], g); v.Made {
				made++
				if err != nil || again.CID() != m.CID() || !bytes.Equal(data, v.Data) {
					t.Errorf("%s: %v, data %s, want %s", v.Name, err, data, v.Data)
				}
			}
		}
		r, err := ParseRevocation(m)
		if err != nil || !v.Made {
			continue
		}
		var text struct{ Description string }
		if err := json.Unmarshal(v.Data, &text); err != nil {
			t.Fatal(err)
		}
		g := grants[r.Grant]
		again, data, err := MakeRevocation(keys[v.By], g, text.Description, r.Time)
		if !r.Revokes(g) {
			if !errors.Is(err, ErrGrant) {
				t.Errorf("%s: made by another than the grantor: %v", v.Name, err)
			}
			continue
		}
		made++
		if err != nil || again.CID() != m.CID() || !bytes.Equal(data, v.Data) {
			t.Errorf("%s: %v, data %s, want %s", v.Name, err, data, v.Data)
		}
	}
	if made < 28 {
		t.Errorf("%d made", made)
	}
}
