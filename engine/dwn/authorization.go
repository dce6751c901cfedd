package dwn

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
)

// JWS is a general JWS (RFC 7515, §7.2.1) with exactly one signature, its parts
// as the base64url texts that travel. What was signed is Protected, a full stop,
// Payload.
type JWS struct{ Payload, Protected, Signature string }

// Authorization is who answers for a message. Its fields are independent of the
// message they come from.
type Authorization struct {
	// Signature is the signer's.
	Signature JWS
	// AuthorDelegatedGrant lets the signer act for the grant's signer, who is then
	// the author. Nil if there is none.
	AuthorDelegatedGrant *Message
	// OwnerSignature is of the tenant, or of its delegate, who keeps a message of
	// another author. Nil if there is none.
	OwnerSignature *JWS
	// OwnerDelegatedGrant lets who made OwnerSignature act for the grant's signer.
	OwnerDelegatedGrant *Message
	// Attestation stands beside the authorization in the message.
	Attestation *JWS
	// AuthorGrantData and OwnerGrantData are the record data that the two grants
	// carry inside them. Nil if there is none, as in the older Permissions interface.
	AuthorGrantData, OwnerGrantData []byte
}

// Authorization returns who answers for m. It returns ErrShape if there is no
// authorization, or any part of it or of the attestation is malformed.
func (m *Message) Authorization() (Authorization, error) {
	var a Authorization
	auth, err := m.body.object("authorization")
	if err != nil {
		return a, err
	}
	if err := auth.only("signature", "authorDelegatedGrant", "ownerSignature", "ownerDelegatedGrant"); err != nil {
		return a, fmt.Errorf("authorization: %w", err)
	}
	signature, err := auth.jws("signature")
	if err != nil {
		return a, err
	}
	a.Signature = *signature
	if a.OwnerSignature, err = auth.jwsOrNone("ownerSignature"); err != nil {
		return a, err
	}
	if a.Attestation, err = m.body.jwsOrNone("attestation"); err != nil {
		return a, err
	}
	if a.AuthorDelegatedGrant, a.AuthorGrantData, err = auth.grant("authorDelegatedGrant"); err != nil {
		return a, err
	}
	a.OwnerDelegatedGrant, a.OwnerGrantData, err = auth.grant("ownerDelegatedGrant")
	return a, err
}

// Signer returns the DID whose key signed m: the part of the signature's kid
// before "#". It is "" if m has no well-formed signature.
func (m *Message) Signer() string { return signerOf(m.body) }

// Author returns the DID that m speaks for: the signer of the author's delegated
// grant where there is one, else the signer of m. It is "" if that signature is
// absent or malformed.
func (m *Message) Author() string { return m.author() }

func authorOf(body object) string {
	auth, err := body.object("authorization")
	if err != nil {
		return ""
	}
	if _, ok := auth["authorDelegatedGrant"]; !ok {
		return signerOf(body)
	}
	grant, err := auth.object("authorDelegatedGrant")
	if err != nil {
		return ""
	}
	return signerOf(grant)
}

// signerOf returns the DID whose key signed the message body, "" if none did.
func signerOf(body object) string {
	auth, err := body.object("authorization")
	if err != nil {
		return ""
	}
	signature, err := auth.jws("signature")
	if err != nil {
		return ""
	}
	did, _ := signature.signer() // jws has looked at it
	return did
}

// signer returns the DID in the kid of the protected header.
func (j JWS) signer() (string, error) {
	header, err := decodePart(j.Protected)
	if err != nil {
		return "", fmt.Errorf("protected header: %w", err)
	}
	kid, err := header.text("kid")
	if err != nil {
		return "", fmt.Errorf("protected header: %w", err)
	}
	did, _, _ := strings.Cut(kid, "#")
	if !strings.HasPrefix(did, "did:") {
		return "", fmt.Errorf("%w: kid %.80q names no DID", ErrShape, kid)
	}
	return did, nil
}

// jws returns the signature o[name].
func (o object) jws(name string) (*JWS, error) {
	outer, err := o.object(name)
	if err != nil {
		return nil, err
	}
	j, err := outer.toJWS()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return j, nil
}

func (o object) toJWS() (*JWS, error) {
	if err := o.only("payload", "signatures"); err != nil {
		return nil, err
	}
	list, err := member[[]any](o, "signatures", "an array")
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%w: %d signatures, want 1", ErrShape, len(list))
	}
	one, ok := list[0].(object)
	if !ok {
		return nil, fmt.Errorf("%w: a signature is %s, want an object", ErrShape, kindOf(list[0]))
	}
	if err := one.only("protected", "signature"); err != nil { // an unprotected header is not signed
		return nil, err
	}
	var j JWS
	for _, part := range []struct {
		from object
		name string
		into *string
	}{{o, "payload", &j.Payload}, {one, "protected", &j.Protected}, {one, "signature", &j.Signature}} {
		if *part.into, err = part.from.text(part.name); err != nil {
			return nil, err
		}
		if _, err := decodeBase64(*part.into); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	_, err = j.signer()
	return &j, err
}

func (o object) jwsOrNone(name string) (*JWS, error) {
	if _, ok := o[name]; !ok {
		return nil, nil
	}
	return o.jws(name)
}

// grant returns the message o[name] without its record data, and that data.
func (o object) grant(name string) (*Message, []byte, error) {
	if _, ok := o[name]; !ok {
		return nil, nil, nil
	}
	full, err := o.object(name)
	if err != nil {
		return nil, nil, err
	}
	body := maps.Clone(full)
	var data []byte
	if _, ok := full[encodedData]; ok {
		text, err := full.text(encodedData)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		if data, err = decodeBase64(text); err != nil {
			return nil, nil, fmt.Errorf("%s: encodedData: %w", name, err)
		}
		delete(body, encodedData)
	}
	m, err := newMessage(body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if data != nil && !m.is("Records", "Write") {
		return nil, nil, fmt.Errorf("%s: %w: encodedData, which nothing in it names", name, ErrShape)
	}
	return m, data, nil
}

// decodePart decodes a base64url text that holds a JSON object.
func decodePart(text string) (object, error) {
	raw, err := decodeBase64(text)
	if err != nil {
		return nil, err
	}
	value, err := decodeJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrShape, err)
	}
	o, ok := value.(object)
	if !ok {
		return nil, fmt.Errorf("%w: %s, want an object", ErrShape, kindOf(value))
	}
	return o, nil
}

// decodeBase64 decodes base64url without padding and in its one spelling.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return nil, fmt.Errorf("%w: line break in base64url", ErrShape)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrShape, err)
	}
	return raw, nil
}
