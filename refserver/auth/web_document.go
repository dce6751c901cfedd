package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxMethods is how many verification methods, and how many entries of authentication, a
// document may have.
const maxMethods = 32

// parseDocument reads a DID document (W3C DID Core 1.0) at the time now. It returns ErrKey
// for one that is malformed, of another DID, has an ID twice, or has no key that can be
// used here. A verification method that cannot be used is passed over, whatever the
// reason: documents list keys for other purposes.
func parseDocument(did string, text []byte, now time.Time) (Document, error) {
	p := documentParser{now: now, doc: Document{DID: did, Keys: map[string]PublicKey{}, Authentication: map[string]bool{}}, seen: map[string]bool{}}
	err := p.parse(text)
	if err == nil && len(p.doc.Keys) == 0 {
		err = fmt.Errorf("no key in it can be used here: want one of %s, %s or %s", Ed25519, P256, Secp256k1)
	}
	if err != nil {
		return Document{}, fmt.Errorf("%w: document of %s: %w", ErrKey, clip(did), err)
	}
	return p.doc, nil
}

type documentParser struct {
	doc  Document
	now  time.Time
	seen map[string]bool // IDs of methods, usable or not
}

func (p *documentParser) parse(text []byte) error {
	if len(text) > MaxDocument {
		return fmt.Errorf("%d bytes, at most %d are allowed", len(text), MaxDocument)
	}
	obj, err := parseObject(text)
	if err != nil {
		return err
	}
	if id, err := obj.must("id"); err != nil || id != p.doc.DID {
		return errors.New("its id is another one")
	}
	methods, err := obj.list("verificationMethod")
	if err != nil {
		return err
	}
	for _, raw := range methods {
		if _, err := p.method(raw); err != nil {
			return fmt.Errorf("verificationMethod: %w", err)
		}
	}
	entries, err := obj.list("authentication")
	if err != nil {
		return err
	}
	for _, raw := range entries {
		if err := p.authentication(raw); err != nil {
			return fmt.Errorf("authentication: %w", err)
		}
	}
	return nil
}

// list returns the entries of an array, nil if there is none of that name.
func (obj object) list(name string) (entries []json.RawMessage, err error) {
	raw, ok := obj[name]
	if !ok {
		return nil, nil
	}
	if raw[0] != '[' || json.Unmarshal(raw, &entries) != nil {
		return nil, fmt.Errorf("%q is not an array", name)
	}
	if len(entries) > maxMethods {
		return nil, fmt.Errorf("%q has %d entries, at most %d are allowed", name, len(entries), maxMethods)
	}
	return entries, nil
}

// authentication takes one entry: a method, or the ID of one. IDs that lead nowhere, for
// instance to a key of another DID, are passed over.
func (p *documentParser) authentication(raw json.RawMessage) error {
	var keyID string
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &keyID); err != nil {
			return err
		}
		keyID = p.absolute(keyID)
	} else {
		var err error
		if keyID, err = p.method(raw); err != nil {
			return err
		}
	}
	if _, usable := p.doc.Keys[keyID]; usable {
		p.doc.Authentication[keyID] = true
	}
	return nil
}

// absolute returns a DID URL in full: a document may give its own as "#key".
func (p *documentParser) absolute(id string) string {
	if strings.HasPrefix(id, "#") {
		return p.doc.DID + id
	}
	return id
}

// method takes one verification method and returns its ID. It fails only if it is not one
// at all, or its ID was there before.
func (p *documentParser) method(raw json.RawMessage) (keyID string, err error) {
	obj, err := parseObject(raw)
	if err != nil {
		return "", err
	}
	var texts [3]string
	for i, name := range []string{"id", "type", "controller"} {
		if texts[i], err = obj.must(name); err != nil {
			return "", err
		}
	}
	keyID = p.absolute(texts[0])
	if p.seen[keyID] {
		return "", errors.New("an ID is there twice")
	}
	p.seen[keyID] = true
	if texts[2] != p.doc.DID || !isKeyID(p.doc.DID, keyID) || !obj.inForce(p.now) {
		return keyID, nil
	}
	if key, err := obj.methodKey(texts[1]); err == nil {
		p.doc.Keys[keyID] = key
	}
	return keyID, nil
}

// isKeyID reports whether keyID is a DID URL under did with a fragment and nothing else.
func isKeyID(did, keyID string) bool {
	fragment, ok := strings.CutPrefix(keyID, did+"#")
	return ok && fragment != "" && len(keyID) <= maxKeyID && visibleASCII(fragment) && !strings.Contains(fragment, "#")
}

// inForce reports whether a method was not revoked and has not expired (W3C Controlled
// Identifiers 1.0 §2.2). One that says so in a way that is not understood is not in force.
func (obj object) inForce(now time.Time) bool {
	if _, revoked := obj["revoked"]; revoked {
		return false
	}
	text, ok, err := obj.text("expires")
	if err != nil || !ok {
		return err == nil
	}
	expires, err := time.Parse(time.RFC3339, text)
	return err == nil && now.Before(expires)
}

// methodKey returns the key of a verification method of the given type, or an error for
// one that cannot be used: ErrKey also for one that discloses its private half.
func (obj object) methodKey(typ string) (PublicKey, error) {
	for _, name := range []string{"privateKeyJwk", "privateKeyMultibase", "secretKeyJwk", "secretKeyMultibase", "privateKeyBase58", "privateKeyHex"} {
		if _, ok := obj[name]; ok {
			return PublicKey{}, fmt.Errorf("%w: a private key where a public one belongs", ErrKey)
		}
	}
	switch typ {
	case "JsonWebKey", "JsonWebKey2020":
		return ParsePublicJWK(obj["publicKeyJwk"])
	case "Multikey", "Ed25519VerificationKey2020":
		text, err := obj.must("publicKeyMultibase")
		if err != nil {
			return PublicKey{}, err
		}
		key, err := parseDIDKey(text)
		if err == nil && typ != "Multikey" && key.curve != Ed25519 {
			return PublicKey{}, fmt.Errorf("%w: not the key that its type promises", ErrKey)
		}
		return key, err
	}
	return PublicKey{}, fmt.Errorf("%w: verification method of another type", ErrKey)
}
