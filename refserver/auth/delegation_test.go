package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// delegated builds a write by delegate in the name of grantor and lets change alter
// what it is made of, before things that depend on it are made.
type delegated struct {
	grantor, delegate   *Signer
	grantData, sentData string
	grant, message      draft
	grantAuth, outer    map[string]any // members of the two authorizations
	namedGrant, slot    string
}

func newDelegated(t testing.TB) *delegated {
	d := &delegated{grantor: testSigner(t, P256, "grantor"), delegate: testSigner(t, Secp256k1, "delegate"), slot: "authorDelegatedGrant"}
	d.grantData = `{"dateExpires":"2030-01-01T00:00:00.000000Z","delegated":true,"scope":{"interface":"Records","method":"Write","protocol":"https://a.example"}}`
	d.sentData = d.grantData
	d.grant = write(t, d.grantData, map[string]any{"protocol": "https://identity.foundation/dwn/permissions", "protocolPath": "grant", "recipient": d.delegate.DID()})
	d.message = write(t, `{}`, map[string]any{"protocol": "https://a.example", "protocolPath": "note", "schema": "https://a.example/s"})
	return d
}

// build signs both and returns the whole message.
func (d *delegated) build(t testing.TB) *dwn.Message {
	t.Helper()
	grant := draft{}
	for name, value := range d.grant {
		grant[name] = value
	}
	grant["authorization"] = d.grant.authorize(t, d.grantor, nil)
	for name, value := range d.grantAuth {
		grant["authorization"].(map[string]any)[name] = value
	}
	id := grant.message(t).CID().String()
	if d.namedGrant != "" {
		id = d.namedGrant
	}
	if d.sentData != "" {
		grant["encodedData"] = encode64([]byte(d.sentData))
	}
	message := draft{}
	for name, value := range d.message {
		message[name] = value
	}
	message["authorization"] = d.message.authorize(t, d.delegate, map[string]any{"delegatedGrantId": id})
	if d.slot == "ownerDelegatedGrant" {
		message["authorization"] = d.message.authorize(t, d.grantor, nil)
		message["authorization"].(map[string]any)["ownerSignature"] = d.message.sign(t, d.delegate, map[string]any{"delegatedGrantId": id})
	}
	message["authorization"].(map[string]any)[d.slot] = map[string]any(grant)
	for name, value := range d.outer {
		if value == nil {
			delete(message["authorization"].(map[string]any), name)
			continue
		}
		message["authorization"].(map[string]any)[name] = value
	}
	return message.message(t)
}

// regrant replaces the grant by one with these data and descriptor members.
func (d *delegated) regrant(t *testing.T, data string, change map[string]any) {
	t.Helper()
	descriptor := map[string]any{"protocol": "https://identity.foundation/dwn/permissions", "protocolPath": "grant", "recipient": d.delegate.DID()}
	for name, value := range change {
		descriptor[name] = value
	}
	d.grantData, d.sentData = data, data
	d.grant = write(t, data, descriptor)
}

type delegationCase struct {
	name   string
	change func(t *testing.T, d *delegated)
	good   bool
}

func delegationCases() []delegationCase {
	return []delegationCase{
		{"as it should be", func(*testing.T, *delegated) {}, true},
		{"under the older URI", func(t *testing.T, d *delegated) {
			d.regrant(t, d.grantData, map[string]any{"protocol": "https://tbd.website/dwn/permissions"})
		}, true},
		{"given to another", func(t *testing.T, d *delegated) {
			d.regrant(t, d.grantData, map[string]any{"recipient": d.grantor.DID()})
		}, false},
		{"a record that is no grant", func(t *testing.T, d *delegated) {
			d.regrant(t, d.grantData, map[string]any{"protocol": "https://a.example"})
		}, false},
		{"a request", func(t *testing.T, d *delegated) {
			d.regrant(t, d.grantData, map[string]any{"protocolPath": "request"})
		}, false},
		{"not to be delegated", func(t *testing.T, d *delegated) { d.regrant(t, `{"delegated":false}`, nil) }, false},
		{"silent about delegation", func(t *testing.T, d *delegated) { d.regrant(t, `{}`, nil) }, false},
		{"delegated in another case", func(t *testing.T, d *delegated) { d.regrant(t, `{"Delegated":true}`, nil) }, false},
		{"delegated a text", func(t *testing.T, d *delegated) { d.regrant(t, `{"delegated":"true"}`, nil) }, false},
		{"delegated twice", func(t *testing.T, d *delegated) { d.regrant(t, `{"delegated":false,"delegated":true}`, nil) }, false},
		{"data not JSON", func(t *testing.T, d *delegated) { d.regrant(t, `delegated`, nil) }, false},
		{"data exchanged", func(_ *testing.T, d *delegated) { d.sentData = strings.Replace(d.grantData, "2030", "2099", 1) }, false},
		{"data left out", func(_ *testing.T, d *delegated) { d.sentData = "" }, false},
		{"payload names another grant", func(_ *testing.T, d *delegated) {
			d.namedGrant = "bafyreihluktesmiiq6qoynurvhqu3ik45h5yidxhk226ps2263tyska3mi"
		}, false},
		{"grant of another key", func(t *testing.T, d *delegated) {
			d.grantAuth = map[string]any{"signature": d.grant.sign(t, testSigner(t, Ed25519, "mallory"), nil)}
		}, false},
		{"grant left out", func(_ *testing.T, d *delegated) { d.outer = map[string]any{d.slot: nil} }, false},
		{"grant made with a grant", chainGrants, false},
	}
}

// chainGrants makes the grantor act under a grant of another.
func chainGrants(t *testing.T, d *delegated) {
	inner := newDelegated(t)
	inner.grantor, inner.delegate = testSigner(t, Ed25519, "first"), d.grantor
	inner.regrant(t, inner.grantData, nil)
	first := inner.grant
	first["authorization"] = inner.grant.authorize(t, inner.grantor, nil)
	id := first.message(t).CID().String()
	first["encodedData"] = encode64([]byte(inner.sentData))
	d.grantAuth = map[string]any{
		"signature":            d.grant.sign(t, d.grantor, map[string]any{"recordId": d.grant["recordId"], "contextId": d.grant["contextId"], "delegatedGrantId": id}),
		"authorDelegatedGrant": map[string]any(first),
	}
}

func TestDelegatedGrants(t *testing.T) {
	for _, c := range delegationCases() {
		for _, slot := range []string{"authorDelegatedGrant", "ownerDelegatedGrant"} {
			t.Run(c.name+"/"+slot, func(t *testing.T) {
				d := newDelegated(t)
				d.slot = slot
				c.change(t, d)
				m := d.build(t)
				err := VerifyMessage(t.Context(), Offline{}, m)
				if (err == nil) != c.good || err != nil && !errors.Is(err, ErrMessage) {
					t.Fatalf("got %v, want good %v", err, c.good)
				}
				if c.good && slot == "authorDelegatedGrant" && m.Author() != d.grantor.DID() {
					t.Errorf("author %s", m.Author())
				}
			})
		}
	}
	t.Run("owner's grant without owner's signature", func(t *testing.T) {
		d := newDelegated(t)
		d.slot, d.outer = "ownerDelegatedGrant", map[string]any{"ownerSignature": nil}
		m, err := dwn.ParseJSON(d.build(t).AppendJSON(nil))
		if err == nil {
			err = VerifyMessage(t.Context(), Offline{}, m)
		}
		if err == nil {
			t.Error("taken")
		}
	})
}

func TestOlderDelegatedGrants(t *testing.T) {
	for _, c := range []struct {
		name      string
		delegated any
		given     bool
		good      bool
	}{{"good", true, true, true}, {"not to be delegated", false, true, false}, {"silent", nil, true, false}, {"given to another", true, false, false}} {
		d := newDelegated(t)
		grantee := d.delegate.DID()
		if !c.given {
			grantee = d.grantor.DID()
		}
		grant := draft{"descriptor": map[string]any{
			"interface": "Permissions", "method": "Grant", "messageTimestamp": testTime, "dateExpires": "2030-01-01T00:00:00.000000Z",
			"grantedTo": grantee, "grantedBy": d.grantor.DID(), "grantedFor": d.grantor.DID(), "scope": map[string]any{"interface": "Records", "method": "Write"},
		}}
		if c.delegated != nil {
			grant["descriptor"].(map[string]any)["delegated"] = c.delegated
		}
		grant["authorization"] = map[string]any{"signature": grant.sign(t, d.grantor, nil)}
		auth := d.message.authorize(t, d.delegate, map[string]any{"delegatedGrantId": grant.message(t).CID().String()})
		auth["authorDelegatedGrant"] = map[string]any(grant)
		d.message["authorization"] = auth
		if err := VerifyMessage(t.Context(), Offline{}, d.message.message(t)); (err == nil) != c.good {
			t.Errorf("%s: got %v, want good %v", c.name, err, c.good)
		}
	}
}
