package auth

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/go-jose/go-jose/v4"
)

// Limits on the three parts of a JWS, in characters of base64url.
const (
	maxHeader     = 6 << 10
	maxPayload    = 16 << 10
	signatureText = 86 // 64 bytes
)

// algorithms are all that are known. Which of them a signature has to have is
// the resolved key's to say.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, "ES256K"}
}

// header is the protected header of a JWS. typ is empty in DWN messages and in nothing
// else, so that neither kind of signature can stand in for the other.
type header struct{ alg, keyID, typ string }

// parseHeader reads the base64url text of a protected header. It must have alg and
// kid and, if typ is not empty, exactly that typ; nothing else may be in it, which
// refuses crit, b64, zip and every way of bringing one's own key.
func parseHeader(text, typ string) (h header, err error) {
	if len(text) > maxHeader {
		return h, fmt.Errorf("%w: header of %d characters, at most %d are allowed", ErrToken, len(text), maxHeader)
	}
	raw, err := decode64(text)
	if err != nil {
		return h, fmt.Errorf("%w: header: %w", ErrToken, err)
	}
	obj, err := parseObject(raw)
	if err != nil {
		return h, fmt.Errorf("%w: header: %w", ErrToken, err)
	}
	var errs [4]error
	h.alg, errs[0] = obj.must("alg")
	h.keyID, errs[1] = obj.must("kid")
	if typ == "" {
		errs[2] = obj.only("alg", "kid")
	} else {
		errs[2] = obj.only("alg", "kid", "typ")
		h.typ, errs[3] = obj.must("typ")
	}
	if err := cmp.Or(errs[:]...); err != nil {
		return h, fmt.Errorf("%w: header: %w", ErrToken, err)
	}
	if h.typ != typ {
		return h, fmt.Errorf("%w: typ is not %s", ErrToken, typ)
	}
	return h, nil
}

// envelope is a JWS whose form has been checked and whose signature has not.
type envelope struct {
	jws     dwn.JWS
	header  header
	payload []byte
}

// parseEnvelope checks the form of a JWS, given as its three base64url texts.
func parseEnvelope(jws dwn.JWS, typ string) (envelope, error) {
	if len(jws.Payload) > maxPayload {
		return envelope{}, fmt.Errorf("%w: payload of %d characters, at most %d are allowed", ErrToken, len(jws.Payload), maxPayload)
	}
	if len(jws.Signature) != signatureText {
		return envelope{}, fmt.Errorf("%w: signature of %d characters, want %d", ErrToken, len(jws.Signature), signatureText)
	}
	h, err := parseHeader(jws.Protected, typ)
	if err != nil {
		return envelope{}, err
	}
	payload, err := decode64(jws.Payload)
	if err != nil {
		return envelope{}, fmt.Errorf("%w: payload: %w", ErrToken, err)
	}
	if _, err := decode64(jws.Signature); err != nil {
		return envelope{}, fmt.Errorf("%w: signature: %w", ErrToken, err)
	}
	return envelope{jws: jws, header: h, payload: payload}, nil
}

// splitCompact cuts a compact JWS (RFC 7515 §7.1) at its two dots.
func splitCompact(token string, limit int) (dwn.JWS, error) {
	if len(token) > limit {
		return dwn.JWS{}, fmt.Errorf("%w: %d characters, at most %d are allowed", ErrToken, len(token), limit)
	}
	if dots := strings.Count(token, "."); dots != 2 {
		return dwn.JWS{}, fmt.Errorf("%w: want three parts with two dots, have %d dots", ErrToken, dots)
	}
	parts := strings.Split(token, ".")
	return dwn.JWS{Protected: parts[0], Payload: parts[1], Signature: parts[2]}, nil
}

// verify checks the signature with the key that the header names and returns the
// DID of that key, which for a token has to be one that may authenticate. ErrSignature,
// ErrDID, ErrKey, ErrUnsupportedMethod or what the resolver says. go-jose reads the same text a second time with a parser of its
// own, and has to come to the same payload.
func (e envelope) verify(ctx context.Context, r Resolver) (did string, err error) {
	did, key, err := findKey(ctx, r, e.header.keyID, e.header.typ != "")
	if err != nil {
		return "", err
	}
	if want := key.curve.Algorithm(); e.header.alg != want {
		return "", fmt.Errorf("%w: alg does not fit the key, which signs with %s", ErrSignature, want)
	}
	compact := e.jws.Protected + "." + e.jws.Payload + "." + e.jws.Signature
	signed, err := jose.ParseSignedCompact(compact, algorithms())
	if err != nil {
		return "", fmt.Errorf("%w: not readable as a JWS", ErrToken)
	}
	payload, err := signed.Verify(joseKey{key})
	if err != nil || string(payload) != string(e.payload) {
		return "", fmt.Errorf("%w: by the key of %s", ErrSignature, clip(did))
	}
	return did, nil
}
