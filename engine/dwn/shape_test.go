package dwn

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
)

// write is the text of a RecordsWrite in a protocol that the reference made.
func write(t *testing.T) string {
	t.Helper()
	for v := range readLines[messageVector](t, vectors+"vectors.jsonl.gz") {
		if strings.Contains(v.Name, "ownerDelegatedGrant") {
			return string(v.Message)
		}
	}
	t.Fatal("no such vector")
	return ""
}

// change returns text with the member at a path of names replaced by a JSON value,
// or removed if that is "".
func change(t *testing.T, text, path, value string) string {
	t.Helper()
	var root any
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	at, names := root, strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		if list, ok := at.([]any); ok {
			at = list[0]
		}
		at = at.(map[string]any)[name]
	}
	if list, ok := at.([]any); ok {
		at = list[0]
	}
	last := names[len(names)-1]
	delete(at.(map[string]any), last)
	if value != "" {
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			t.Fatal(err)
		}
		at.(map[string]any)[last] = v
	}
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestCheckStoredRefuses(t *testing.T) {
	text := write(t)
	if m, err := ParseJSON([]byte(text)); err != nil || m.CheckStored() != nil {
		t.Fatalf("the case is wrong: %v", err)
	}
	flat := change(t, change(t, text, "descriptor.protocol", ""), "descriptor.protocolPath", "")
	if m, err := ParseJSON([]byte(flat)); err != nil || !errors.Is(m.CheckStored(), ErrShape) {
		t.Errorf("a context without a protocol: %v", err)
	}
	for _, c := range [][2]string{
		{"recordId", ""},
		{"recordId", `""`},
		{"recordId", `1`},
		{"contextId", ""},
		{"contextId", `""`},
		{"descriptor.protocol", ""},
		{"descriptor.protocol", "7"},
		{"descriptor.protocolPath", ""},
		{"descriptor.protocolPath", `[]`},
		{"descriptor.dataCid", ""},
		{"descriptor.dataCid", `"bafy"`},
		{"descriptor.dataCid", `{"/":"bafy"}`},
		{"descriptor.dataSize", ""},
		{"descriptor.dataSize", "-1"},
		{"descriptor.dataSize", "1.5"},
		{"descriptor.dataSize", `"1"`},
		{"descriptor.dataSize", "1e300"},
		{"descriptor.dataFormat", ""},
		{"descriptor.dataFormat", "null"},
		{"descriptor.dateCreated", ""},
		{"descriptor.dateCreated", `"2025-01-01"`},
		{"descriptor.schema", "1"},
		{"descriptor.recipient", "{}"},
		{"descriptor.parentId", "null"},
		{"encryption", `"x"`},
		{"attestation", `{}`},
		{"attestation", `null`},
		{"attestation", `{"payload":"e30","signatures":[]}`},
		{"authorization", ""},
		{"authorization", `[]`},
		{"authorization.signature", ""},
		{"authorization.signature", `{}`},
		{"authorization.unknown", `1`},
		{"unknown", `1`},
		{"__proto__", `{}`},
		{"authorization.signature.payload", ""},
		{"authorization.signature.payload", `"!"`},
		{"authorization.signature.payload", `"e30"`},
		{"authorization.signature.payload", `"W10"`},
		{"authorization.signature.payload", `"eA"`},
		{"authorization.signature.signatures", `[]`},
		{"authorization.signature.signatures", `{}`},
		{"authorization.signature.signatures", `["x"]`},
		{"authorization.signature.more", `1`},
		{"authorization.signature.signatures", `[{"protected":"eyJraWQiOiJkaWQ6a2V5OmEifQ","signature":"AA"},{"protected":"eyJraWQiOiJkaWQ6a2V5OmEifQ","signature":"AA"}]`},
		{"authorization.signature.signatures.header", `{}`},
		{"authorization.signature.signatures.protected", ""},
		{"authorization.signature.signatures.protected", `"e30"`},
		{"authorization.signature.signatures.protected", `"eyJraWQiOjF9"`},
		{"authorization.signature.signatures.protected", `"eyJraWQiOiJhIn0"`},
		{"authorization.signature.signatures.signature", ""},
		{"authorization.signature.signatures.signature", `"A"`},
		{"authorization.signature.signatures.signature", `"AB"`},
		{"authorization.signature.signatures.signature", `"AA=="`},
		{"authorization.signature.signatures.signature", `"AA\n"`},
		{"authorization.signature.signatures.signature", `"+/"`},
		{"authorization.ownerSignature", `{}`},
		{"authorization.ownerSignature.payload", `"e30"`},
		{"authorization.ownerDelegatedGrant", `null`},
		{"authorization.ownerDelegatedGrant", `{}`},
		{"authorization.ownerDelegatedGrant.recordId", ""},
		{"authorization.ownerDelegatedGrant.encodedData", "1"},
		{"authorization.ownerDelegatedGrant.encodedData", `"="`},
		{"authorization.ownerDelegatedGrant.descriptor.method", `"Query"`},
		{"authorization.authorDelegatedGrant", `1`},
	} {
		m, err := ParseJSON([]byte(change(t, text, c[0], c[1])))
		if err != nil {
			t.Errorf("%s = %s: %v", c[0], c[1], err)
			continue
		}
		if err := m.CheckStored(); !errors.Is(err, ErrShape) {
			t.Errorf("%s = %s: got %v, want ErrShape", c[0], c[1], err)
		} else {
			onlyKinds(t, err, ErrShape)
		}
	}
}

// Every kind of stored message must have the fields that others rely on.
func TestCheckStoredByKind(t *testing.T) {
	needs := map[string][]string{
		"RecordsDelete":      {"descriptor.recordId", "authorization"},
		"ProtocolsConfigure": {"descriptor.definition", "descriptor.definition.protocol", "authorization.signature"},
		"PermissionsRequest": {"descriptor.grantedTo", "descriptor.grantedBy", "descriptor.grantedFor", "authorization"},
		"PermissionsGrant":   {"descriptor.dateExpires", "authorization"},
		"PermissionsRevoke":  {"descriptor.permissionsGrantId", "authorization"},
	}
	for v := range readLines[messageVector](t, vectors+"legacy.jsonl") {
		kind, _, _ := strings.Cut(v.Name, " ")
		for _, path := range needs[kind] {
			for _, value := range []string{"", "1", "[]"} {
				m, err := ParseJSON([]byte(change(t, string(v.Message), path, value)))
				if err != nil {
					t.Fatal(err)
				}
				if err := m.CheckStored(); !errors.Is(err, ErrShape) {
					t.Errorf("%s: %s = %q: got %v, want ErrShape", v.Name, path, value, err)
				}
			}
		}
		delete(needs, kind)
	}
	if len(needs) > 0 {
		t.Errorf("kinds without a vector: %v", needs)
	}
}

// TestOlderGrantHasNoData: beside an older grant, which names no data, nothing can travel that no
// signature covers.
func TestOlderGrantHasNoData(t *testing.T) {
	for v := range readLines[messageVector](t, vectors+"legacy.jsonl") {
		if kind, _, _ := strings.Cut(v.Name, " "); kind != "PermissionsGrant" {
			continue
		}
		bare := change(t, write(t), "authorization.ownerDelegatedGrant", string(v.Message))
		for text, want := range map[string]error{bare: nil, change(t, bare, "authorization.ownerDelegatedGrant.encodedData", `"e30"`): ErrShape} {
			m, err := ParseJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Authorization(); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", v.Name, err, want)
			}
		}
		return
	}
	t.Fatal("no vector")
}

func TestAuthorization(t *testing.T) {
	m, err := ParseJSON([]byte(write(t)))
	if err != nil {
		t.Fatal(err)
	}
	a, err := m.Authorization()
	if err != nil {
		t.Fatal(err)
	}
	if a.OwnerSignature == nil || a.OwnerDelegatedGrant == nil || a.AuthorDelegatedGrant != nil || a.Attestation != nil {
		t.Errorf("got %+v", a)
	}
	if !strings.Contains(string(a.OwnerGrantData), "dateExpires") || a.AuthorGrantData != nil {
		t.Errorf("data of the owner's grant: %q", a.OwnerGrantData)
	}
	if !a.OwnerDelegatedGrant.IsInitialWrite() || m.Author() != m.Signer() {
		t.Error("the owner's grant must not make an author")
	}
	if !strings.Contains(string(m.CBOR()), encodedData) {
		t.Error("the data inside a grant must stay in the message")
	}
}

func TestIDOfRefuses(t *testing.T) {
	digest := func(head string, n int) []byte { return append([]byte(head), make([]byte, n)...) }
	for name, c := range map[string]cid.Cid{
		"none":      cid.Undef,
		"raw":       cid.NewCidV1(cid.Raw, digest("\x12\x20", 32)),
		"dag-pb":    cid.NewCidV1(cid.DagProtobuf, digest("\x12\x20", 32)),
		"version 0": cid.NewCidV0(digest("\x12\x20", 32)),
		"sha3-256":  cid.NewCidV1(cid.DagCBOR, digest("\x16\x20", 32)),
		"sha2-512":  cid.NewCidV1(cid.DagCBOR, digest("\x13\x40", 64)),
		"truncated": cid.NewCidV1(cid.DagCBOR, digest("\x12\x1f", 31)),
	} {
		if _, err := IDOf(c); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTime(t *testing.T) {
	for text, want := range map[string]int64{
		"1970-01-01T00:00:00.000000Z": 0,
		"1969-12-31T23:59:59.999999Z": -1,
		"2024-02-29T12:34:56.789012Z": 1709210096789012,
		"0000-01-01T00:00:00.000000Z": -62167219200000000,
		"9999-12-31T23:59:59.999999Z": 253402300799999999,
	} {
		got, err := ParseTime(text)
		if err != nil || got != want || FormatTime(want) != text {
			t.Errorf("%s: got %d, %v, and %s", text, got, err, FormatTime(want))
		}
	}
	for _, text := range []string{"2016-12-31T23:59:60.500000Z", "2016-12-31T23:59:60.000000Z", "2016-12-31T23:59:60.999999Z"} {
		got, err := ParseTime(text)
		if err != nil || FormatTime(got) != "2016-12-31T23:59:59.999999Z" {
			t.Errorf("%s: got %s, %v", text, FormatTime(got), err)
		}
	}
	for _, text := range []string{
		"", "2025-01-01", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00.000Z", "2025-01-01T00:00:00.0000000Z", "2025-01-01T00:00:00.000000", "2025-01-01T00:00:00.00000Zx",
		"2025-01-01t00:00:00.000000Z", "2025-01-01T00:00:00.000000z", "2025-01-01 00:00:00.000000Z", "2025-01-01T00:00:00,000000Z", "2025-01-01T00:00:00.000000+",
		"2025-02-30T00:00:00.000000Z", "2025-13-01T00:00:00.000000Z", "2025-00-01T00:00:00.000000Z", "2025-01-00T00:00:00.000000Z", "2025-01-01T24:00:00.000000Z", "2025-01-01T00:60:00.000000Z", "2025-01-01T00:00:60.000000Z", "2023-02-29T00:00:00.000000Z",
		"2016-12-31T23:59:60.50000xZ", "2016-12-31T23:59:60.-50000Z", "2016-13-31T23:59:60.500000Z", "2016-12-31T23:59:61.500000Z", "-025-01-01T00:00:00.000000Z", "2025-01-01T00:00:00.00000\u00e9", "2025-1-001T00:00:00.000000Z", "2025-01-01T0:000:00.000000Z",
	} {
		if got, err := ParseTime(text); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}
