package dwn

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
)

// messageVector is a line of any of the files of messages. What a file does not
// say is nil.
type messageVector struct {
	Name           string
	CID            string
	Message        json.RawMessage
	CBORHex        *string
	DescriptorCID  *string
	AttestationCID string
	EncryptionCID  string
	Author         *string
	Signer         *string
	EntryID        *string
	IsInitialWrite *bool
	DataBase64     *string
	Stored         *bool
}

// messageFiles are all messages that the reference made, and how many at least.
var messageFiles = map[string]int{
	vectors + "vectors.jsonl.gz": 55,
	vectors + "legacy.jsonl":     57,
	vectors + "odd.jsonl":        76,
	corpus:                       3000,
}

func TestMessagesOfReference(t *testing.T) {
	for path, want := range messageFiles {
		seen := 0
		for v := range readLines[messageVector](t, path) {
			seen++
			m, err := ParseJSON(v.Message)
			if err != nil {
				t.Fatalf("%s: %v", v.Name, err)
			}
			checkIdentity(t, v, m)
			checkRecord(t, v, m)
			checkSignature(t, v, m)
			checkForms(t, v, m)
		}
		if seen < want {
			t.Errorf("%s has %d messages, want %d", path, seen, want)
		}
	}
}

func checkIdentity(t *testing.T, v messageVector, m *Message) {
	t.Helper()
	if m.CID().String() != v.CID {
		t.Errorf("%s %s: CID %s", v.Name, v.CID, m.CID())
	}
	if id, err := IDOf(m.CID()); err != nil || id != m.ID() {
		t.Errorf("%s: IDOf(CID) = %x, %v, want %x", v.CID, id, err, m.ID())
	}
	if v.CBORHex != nil && hex.EncodeToString(m.CBOR()) != *v.CBORHex {
		t.Errorf("%s: CBOR %x, want %s", v.Name, m.CBOR(), *v.CBORHex)
	}
	if v.DescriptorCID != nil && m.DescriptorCID().String() != *v.DescriptorCID {
		t.Errorf("%s: descriptor CID %s, want %s", v.Name, m.DescriptorCID(), *v.DescriptorCID)
	}
	if v.Author != nil && m.Author() != *v.Author {
		t.Errorf("%s: author %q, want %q", v.Name, m.Author(), *v.Author)
	}
	if v.Signer != nil && m.Signer() != *v.Signer {
		t.Errorf("%s: signer %q, want %q", v.Name, m.Signer(), *v.Signer)
	}
	if v.AttestationCID != "" && m.AttestationCID().String() != v.AttestationCID {
		t.Errorf("%s: attestation CID %s, want %s", v.Name, m.AttestationCID(), v.AttestationCID)
	}
	if v.EncryptionCID != "" && m.EncryptionCID().String() != v.EncryptionCID {
		t.Errorf("%s: encryption CID %s, want %s", v.Name, m.EncryptionCID(), v.EncryptionCID)
	}
}

// checkRecord checks what only a RecordsWrite has.
func checkRecord(t *testing.T, v messageVector, m *Message) {
	t.Helper()
	data, isWrite := m.Data()
	if isWrite != (m.Method() == "Write") {
		t.Errorf("%s: Data() is %t", v.CID, isWrite)
	}
	if !isWrite {
		if _, err := m.EntryID(); !errors.Is(err, ErrShape) {
			t.Errorf("%s: entry ID of a %s: %v", v.CID, m.Method(), err)
		}
		return
	}
	if v.DataBase64 != nil && *v.DataBase64 != "" {
		raw, err := base64.StdEncoding.DecodeString(*v.DataBase64)
		if err != nil {
			t.Fatal(err)
		}
		c, n, err := datacid.Of(bytes.NewReader(raw))
		if err != nil || c != data.CID || n != data.Size {
			t.Errorf("%s: data is %s of %d bytes, %v, want %v", v.CID, c, n, err, data)
		}
	}
	entry, err := m.EntryID()
	if err != nil {
		t.Fatalf("%s: %v", v.CID, err)
	}
	if v.EntryID != nil && entry.String() != *v.EntryID {
		t.Errorf("%s: entry ID %s, want %s", v.Name, entry, *v.EntryID)
	}
	initial := m.descriptor["dateCreated"] == m.descriptor["messageTimestamp"]
	if v.IsInitialWrite != nil {
		initial = *v.IsInitialWrite
	}
	if m.IsInitialWrite() != initial {
		t.Errorf("%s %s: IsInitialWrite is %t, entry %s, record %s", v.Name, v.CID, !initial, entry, m.RecordID())
	}
}

// checkSignature checks that the signed payload names the parts by the CIDs that
// we compute.
func checkSignature(t *testing.T, v messageVector, m *Message) {
	t.Helper()
	if v.Author != nil && *v.Author == "" || m.body["authorization"] == nil {
		if err := m.CheckStored(); err == nil {
			t.Errorf("%s: unsigned but stored", v.CID)
		}
		return
	}
	a, err := m.Authorization()
	if err != nil {
		t.Fatalf("%s: %v", v.CID, err)
	}
	payload, err := decodePart(a.Signature.Payload)
	if err != nil {
		t.Fatalf("%s: %v", v.CID, err)
	}
	got := map[string]string{"descriptorCid": m.DescriptorCID().String(), "recordId": "", "contextId": m.ContextID(), "attestationCid": "", "encryptionCid": "", "delegatedGrantId": ""}
	if m.Method() == "Write" {
		got["recordId"] = m.RecordID()
	}
	if a.Attestation != nil {
		got["attestationCid"] = m.AttestationCID().String()
	}
	if m.EncryptionCID().Defined() {
		got["encryptionCid"] = m.EncryptionCID().String()
	}
	if a.AuthorDelegatedGrant != nil {
		got["delegatedGrantId"] = a.AuthorDelegatedGrant.CID().String()
	}
	for name, value := range got {
		if want := payload.textOrNone(name); value != want {
			t.Errorf("%s %s: %s is %q, signed is %q", v.Name, v.CID, name, value, want)
		}
	}
}

// checkForms checks that every form leads to the same message, and whether it is
// stored.
func checkForms(t *testing.T, v messageVector, m *Message) {
	t.Helper()
	again, err := ParseCBOR(m.CBOR())
	if err != nil || again.ID() != m.ID() || again.Key() != m.Key() {
		t.Fatalf("%s: ParseCBOR of its own CBOR: %v", v.CID, err)
	}
	text := again.AppendJSON([]byte("x"))
	fromText, err := ParseJSON(text[1:])
	if err != nil || fromText.ID() != m.ID() {
		t.Fatalf("%s: ParseJSON of its own JSON: %v\n%s", v.CID, err, text)
	}
	kind := m.Interface() + m.Method()
	stored := strings.Contains("RecordsWrite RecordsDelete ProtocolsConfigure PermissionsRequest PermissionsGrant PermissionsRevoke", kind)
	switch err := m.CheckStored(); {
	case stored && err != nil:
		t.Errorf("%s %s: %v", v.Name, v.CID, err)
	case !stored && !errors.Is(err, ErrNotStored):
		t.Errorf("%s %s: %v, want ErrNotStored", v.Name, v.CID, err)
	}
	if FormatTime(m.Key().Time) != m.descriptor["messageTimestamp"] && !strings.Contains(v.Name, "leap") {
		t.Errorf("%s: time %s, want %s", v.CID, FormatTime(m.Key().Time), m.descriptor["messageTimestamp"])
	}
}

// numberVector is a line of numbers.jsonl.
type numberVector struct {
	Text, CID, CBORHex     string
	Refused, Strict, Loose string
}

func TestOddTextsAsReference(t *testing.T) {
	seen := 0
	for v := range readLines[numberVector](t, vectors+"numbers.jsonl") {
		seen++
		m, err := ParseJSON([]byte(v.Text))
		switch {
		case v.Loose != "":
			if err != nil {
				t.Errorf("%.200s: %v", v.Text, err)
			}
		case v.Refused != "" || v.Strict != "":
			if err == nil {
				t.Errorf("%.200s: taken, want refused: %s%s", v.Text, v.Refused, v.Strict)
			}
		case err != nil:
			t.Errorf("%.200s: %v", v.Text, err)
		case m.CID().String() != v.CID || hex.EncodeToString(m.CBOR()) != v.CBORHex:
			t.Errorf("%.200s: %s %x, want %s %s", v.Text, m.CID(), m.CBOR(), v.CID, v.CBORHex)
		default:
			checkForms(t, messageVector{CID: v.CID, Name: "leap"}, withoutShape(t, m))
		}
	}
	if seen < 900 {
		t.Errorf("only %d texts", seen)
	}
}

// withoutShape returns m as a query, so that its shape does not matter.
func withoutShape(t *testing.T, m *Message) *Message {
	t.Helper()
	text := bytes.Replace(m.AppendJSON(nil), []byte(`"method":"Write"`), []byte(`"method":"Query"`), 1)
	m, err := ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
