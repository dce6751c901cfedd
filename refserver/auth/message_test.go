package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

func messageVectors(t testing.TB) []messageVector {
	return readMessages(t, filepath.Join(vectorDir, "messages.jsonl"))
}

func TestVerifyMessageVectors(t *testing.T) {
	vectors := messageVectors(t)
	if *extra != "" {
		vectors = append(vectors, readMessages(t, *extra)...)
	}
	messages := make([]*dwn.Message, len(vectors))
	for i, v := range vectors {
		messages[i] = parseMessage(t, v.Message)
		if got := messages[i].CID().String(); got != v.CID {
			t.Errorf("%s: CID %s, want %s", v.Name, got, v.CID)
		}
	}
	errs := VerifyMessages(t.Context(), Offline{}, messages)
	for i, v := range vectors {
		signed := v.Signed == nil || *v.Signed
		if alone := VerifyMessage(t.Context(), Offline{}, messages[i]); (alone == nil) != signed || (errs[i] == nil) != signed {
			t.Errorf("%s: got %v alone, %v in a batch; signed %v", v.Name, alone, errs[i], signed)
		}
		if key := messages[i].Signer(); signed && CheckDID(key) != nil {
			t.Errorf("%s: signer %q", v.Name, key)
		}
		if !signed && !errors.Is(errs[i], ErrMessage) {
			t.Errorf("%s: got %v, want %v", v.Name, errs[i], ErrMessage)
		}
	}
	t.Logf("%d messages", len(vectors))
}

// leaves visits every string member.
func leaves(v any, path string, visit func(path string, set func(string), text string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			if s, ok := child.(string); ok {
				visit(path+"/"+name, func(s string) { v[name] = s }, s)
			}
			leaves(child, path+"/"+name, visit)
		}
	case []any:
		for i, child := range v {
			leaves(child, fmt.Sprintf("%s/%d", path, i), visit)
		}
	}
}

// Any character of any payload, header or signature, of grants too, changed to any
// of its neighbours: refused.
func TestChangedSignaturesAreRefused(t *testing.T) {
	var tried int
	for n, v := range messageVectors(t) {
		if n%7 != 0 && !strings.Contains(v.Name, "elegated") && !strings.Contains(v.Name, "owner") && !strings.Contains(v.Name, "attest") {
			continue
		}
		var whole map[string]any
		if err := json.Unmarshal(v.Message, &whole); err != nil {
			t.Fatal(err)
		}
		leaves(whole, "", func(path string, set func(string), text string) {
			name := path[strings.LastIndexByte(path, '/')+1:]
			if name != "payload" && name != "protected" && name != "signature" {
				return
			}
			for i := n % 3; i < len(text); i += 1 + len(text)/40 {
				set(text[:i] + string(neighbour(text[i])) + text[i+1:])
				if err := verifyJSON(t, whole); err == nil {
					t.Errorf("%s: %s: taken with character %d changed", v.Name, path, i)
				}
				tried++
			}
			for _, s := range []string{"", text + "A", text[:len(text)-1], text + "=", text + "\n"} {
				set(s)
				if err := verifyJSON(t, whole); err == nil {
					t.Errorf("%s: %s: taken with another end", v.Name, path)
				}
			}
			set(text)
		})
		if signed := v.Signed == nil || *v.Signed; (verifyJSON(t, whole) == nil) != signed {
			t.Errorf("%s: not as it was", v.Name)
		}
	}
	if tried < 2000 {
		t.Errorf("tried %d changes only", tried)
	}
}

func neighbour(c byte) byte {
	if c == 'A' {
		return 'B'
	}
	return 'A'
}

func verifyJSON(t testing.TB, whole any) error {
	t.Helper()
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	m, err := dwn.ParseJSON(text)
	if err != nil {
		return err
	}
	return VerifyMessage(t.Context(), Offline{}, m)
}

// draft is a message in the making.
type draft map[string]any

// sign signs the descriptor with a payload that has these members besides.
func (d draft) sign(t testing.TB, s *Signer, more map[string]any) map[string]any {
	t.Helper()
	payload := map[string]any{"descriptorCid": d.message(t).DescriptorCID().String()}
	for name, value := range more {
		payload[name] = value
	}
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.SignMessage(text)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"payload": jws.Payload, "signatures": []any{map[string]any{"protected": jws.Protected, "signature": jws.Signature}}}
}

// message parses the draft; before it is signed, with a signature that fits nothing.
func (d draft) message(t testing.TB) *dwn.Message {
	t.Helper()
	whole := map[string]any{}
	for name, value := range d {
		whole[name] = value
	}
	if _, ok := whole["authorization"]; !ok {
		jws, err := testSigner(t, Ed25519, "nobody").SignMessage([]byte(`{"descriptorCid":"none"}`))
		if err != nil {
			t.Fatal(err)
		}
		whole["authorization"] = map[string]any{"signature": map[string]any{"payload": jws.Payload, "signatures": []any{map[string]any{"protected": jws.Protected, "signature": jws.Signature}}}}
	}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return parseMessage(t, text)
}

const testTime = "2025-06-01T00:00:00.000000Z"

// write returns an unsigned RecordsWrite with these record data.
func write(t testing.TB, data string, descriptor map[string]any) draft {
	t.Helper()
	cid, err := dataCID([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	full := map[string]any{
		"interface": "Records", "method": "Write", "dataCid": cid.String(), "dataSize": len(data),
		"dataFormat": "application/json", "messageTimestamp": testTime, "dateCreated": testTime,
	}
	for name, value := range descriptor {
		full[name] = value
	}
	return draft{"descriptor": full, "recordId": cid.String(), "contextId": cid.String()}
}

// authorize signs a write as its author.
func (d draft) authorize(t testing.TB, s *Signer, more map[string]any) map[string]any {
	t.Helper()
	all := map[string]any{"recordId": d["recordId"], "contextId": d["contextId"]}
	for name, value := range more {
		all[name] = value
	}
	return map[string]any{"signature": d.sign(t, s, all)}
}

// What an author signed has to be what the message says.
func TestPayloadIsTheMessages(t *testing.T) {
	s := testSigner(t, Ed25519, "author")
	plain := func() draft { return write(t, "{}", map[string]any{"schema": "https://a.example"}) }
	cid := plain()["recordId"]
	other := "bafyreihluktesmiiq6qoynurvhqu3ik45h5yidxhk226ps2263tyska3mi"
	for _, c := range []struct {
		name    string
		payload map[string]any
		good    bool
	}{
		{"right", map[string]any{"recordId": cid, "contextId": cid}, true},
		{"more than we know", map[string]any{"recordId": cid, "contextId": cid, "protocolRole": "a", "future": 1}, true},
		{"no recordId", map[string]any{"contextId": cid}, false},
		{"no contextId", map[string]any{"recordId": cid}, false},
		{"another recordId", map[string]any{"recordId": other, "contextId": cid}, false},
		{"another contextId", map[string]any{"recordId": cid, "contextId": other}, false},
		{"recordId a number", map[string]any{"recordId": 1, "contextId": cid}, false},
		{"another descriptorCid", map[string]any{"recordId": cid, "contextId": cid, "descriptorCid": other}, false},
		{"descriptorCid null", map[string]any{"recordId": cid, "contextId": cid, "descriptorCid": nil}, false},
		{"attestation that is not there", map[string]any{"recordId": cid, "contextId": cid, "attestationCid": other}, false},
		{"encryption that is not there", map[string]any{"recordId": cid, "contextId": cid, "encryptionCid": other}, false},
		{"grant that is not there", map[string]any{"recordId": cid, "contextId": cid, "delegatedGrantId": other}, false},
		{"empty encryptionCid", map[string]any{"recordId": cid, "contextId": cid, "encryptionCid": ""}, false},
	} {
		d := plain()
		d["authorization"] = map[string]any{"signature": d.sign(t, s, c.payload)}
		err := VerifyMessage(t.Context(), Offline{}, d.message(t))
		if (err == nil) != c.good || err != nil && !errors.Is(err, ErrMessage) {
			t.Errorf("%s: got %v, want good %v", c.name, err, c.good)
		}
	}
}

// An attestation that the author did not name, or for another descriptor, is refused.
func TestAttestations(t *testing.T) {
	author, witness := testSigner(t, Ed25519, "author"), testSigner(t, P256, "witness")
	d := write(t, "{}", map[string]any{"schema": "https://a.example"})
	elsewhere := write(t, "[]", map[string]any{"schema": "https://a.example"})
	for name, c := range map[string]struct {
		attestation map[string]any
		named, good bool
	}{
		"right":                  {d.sign(t, witness, nil), true, true},
		"not named":              {d.sign(t, witness, nil), false, false},
		"for another descriptor": {elsewhere.sign(t, witness, nil), true, false},
	} {
		m := draft{"attestation": c.attestation}
		for name, value := range d {
			m[name] = value
		}
		more := map[string]any{}
		if c.named {
			more["attestationCid"] = m.message(t).AttestationCID().String()
		}
		m["authorization"] = m.authorize(t, author, more)
		if err := VerifyMessage(t.Context(), Offline{}, m.message(t)); (err == nil) != c.good {
			t.Errorf("%s: got %v, want good %v", name, err, c.good)
		}
	}
}

// A token signed over the same payload is no signature of a message.
func TestTokenIsNoMessageSignature(t *testing.T) {
	s := testSigner(t, Ed25519, "author")
	d := write(t, "{}", map[string]any{"schema": "https://a.example"})
	payload, err := json.Marshal(map[string]any{"descriptorCid": d.message(t).DescriptorCID().String(), "recordId": d["recordId"], "contextId": d["contextId"]})
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Sign(TypeInit, payload)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	d["authorization"] = map[string]any{"signature": map[string]any{"payload": parts[1], "signatures": []any{map[string]any{"protected": parts[0], "signature": parts[2]}}}}
	if err := verifyJSON(t, d); !errors.Is(err, ErrMessage) && !errors.Is(err, dwn.ErrShape) {
		t.Errorf("got %v, want %v", err, ErrMessage)
	}
}

// counting counts how often it is asked.
type counting struct{ asked atomic.Int64 }

func (c *counting) Resolve(_ context.Context, did string) (Document, error) {
	c.asked.Add(1)
	return ParseDID(did)
}

func TestVerifyMessagesResolvesOnce(t *testing.T) {
	m := parseMessage(t, messageVectors(t)[0].Message)
	r := &counting{}
	for i, err := range VerifyMessages(t.Context(), r, append(make([]*dwn.Message, 0), m, m, m, m, m, m, m, m)) {
		if err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if r.asked.Load() != 1 {
		t.Errorf("resolved %d times, want once", r.asked.Load())
	}
	if errs := VerifyMessages(t.Context(), r, nil); len(errs) != 0 {
		t.Error("no messages, no errors")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if errs := VerifyMessages(ctx, r, []*dwn.Message{m}); !errors.Is(errs[0], context.Canceled) || errors.Is(errs[0], ErrMessage) {
		t.Errorf("got %v, want %v alone", errs[0], context.Canceled)
	}
}

// A resolver that gives up is not the message's fault; one that answers for another DID is not believed.
func TestResolversAreNotTrusted(t *testing.T) {
	m := parseMessage(t, messageVectors(t)[0].Message)
	if err := VerifyMessage(t.Context(), resolverFunc(func(string) (Document, error) { return Document{}, context.DeadlineExceeded }), m); errors.Is(err, ErrMessage) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	liar := resolverFunc(func(did string) (Document, error) {
		doc, err := ParseDID(did)
		doc.DID = "did:web:another.example"
		return doc, err
	})
	if err := VerifyMessage(t.Context(), liar, m); !errors.Is(err, ErrMessage) {
		t.Errorf("got %v, want %v", err, ErrMessage)
	}
}

type resolverFunc func(did string) (Document, error)

func (f resolverFunc) Resolve(_ context.Context, did string) (Document, error) { return f(did) }

// FuzzParseObject compares the strict reader with encoding/json.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":[{}]}`, `{"a":1,"a":2}`, `{"a":1,}`, `{"a"`, `[1]`, ` {"a":"\u0061"} `, `{"a":1}{}`, `null`, "{\"\xff\":1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		obj, err := parseObject(text)
		if err != nil {
			return
		}
		var other map[string]json.RawMessage
		if err := json.Unmarshal(text, &other); err != nil || len(other) != len(obj) {
			t.Fatalf("encoding/json: %v, %d members, ours %d", err, len(other), len(obj))
		}
		for name, raw := range obj {
			if !bytes.Equal(raw, other[name]) {
				t.Fatalf("%q is %s, want %s", name, raw, other[name])
			}
		}
	})
}
