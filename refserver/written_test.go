package refserver_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// written is a record that somebody writes in a test.
type written struct {
	protocol, path string
	data           []byte
	size           int64 // that the message states instead of the data's
	at             time.Time
	first          *dwn.Message // of the record that is deleted instead
	updates        *dwn.Message // first write of the record that this is another write of
}

// by returns the message, signed by s as the SDK would.
func (w written) by(t testing.TB, s *auth.Signer) store.Entry {
	t.Helper()
	if w.at.IsZero() {
		w.at = time.Now()
	}
	now := dwn.FormatTime(w.at.UnixMicro())
	if w.first != nil {
		descriptor := map[string]any{"interface": "Records", "method": "Delete", "recordId": w.first.RecordID(), "prune": false, "messageTimestamp": now}
		return store.Entry{Message: signed(t, s, map[string]any{"descriptor": descriptor}, nil)}
	}
	c, size, err := datacid.Of(bytes.NewReader(w.data))
	if err != nil {
		t.Fatal(err)
	}
	if w.size != 0 {
		size = w.size
	}
	descriptor := map[string]any{
		"interface": "Records", "method": "Write", "protocol": w.protocol, "protocolPath": w.path,
		"dataCid": c.String(), "dataSize": size, "dataFormat": "text/plain", "dateCreated": now, "messageTimestamp": now,
	}
	e := store.Entry{Data: w.data}
	if len(w.data) > dwn.MaxInlineData {
		e.Data = nil
	}
	if w.updates != nil {
		at := w.updates.Attributes()
		descriptor["protocol"], descriptor["protocolPath"], descriptor["dateCreated"] = at.Protocol, at.ProtocolPath, dwn.FormatTime(at.Time)
		place := map[string]any{"recordId": at.RecordID, "contextId": at.ContextID}
		e.Message = signed(t, s, map[string]any{"descriptor": descriptor, "recordId": at.RecordID, "contextId": at.ContextID}, place)
		return e
	}
	entry, err := signed(t, s, map[string]any{"descriptor": descriptor, "recordId": "", "contextId": ""}, nil).EntryID()
	if err != nil {
		t.Fatal(err)
	}
	id := entry.String()
	e.Message = signed(t, s, map[string]any{"descriptor": descriptor, "recordId": id, "contextId": id}, map[string]any{"recordId": id, "contextId": id})
	return e
}

// signed returns the message with these members, signed by s.
func signed(t testing.TB, s *auth.Signer, members, payload map[string]any) *dwn.Message {
	t.Helper()
	parse := func(signature any) *dwn.Message {
		members["authorization"] = map[string]any{"signature": signature}
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		m, err := dwn.ParseJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	all := map[string]any{}
	for name, value := range payload {
		all[name] = value
	}
	kid := base64.RawURLEncoding.EncodeToString([]byte(`{"kid":"` + s.KeyID() + `","alg":"EdDSA"}`))
	draft := parse(map[string]any{"payload": "e30", "signatures": []any{map[string]any{"protected": kid, "signature": ""}}})
	all["descriptorCid"] = draft.DescriptorCID().String()
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.SignMessage(text)
	if err != nil {
		t.Fatal(err)
	}
	return parse(map[string]any{"payload": jws.Payload, "signatures": []any{map[string]any{"protected": jws.Protected, "signature": jws.Signature}}})
}
