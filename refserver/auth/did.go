package auth

import (
	"context"
	"fmt"
	"strings"

	"github.com/mr-tron/base58"
)

// Limits on identifiers, in bytes.
const (
	MaxDID        = 2048   // a whole DID
	maxKeyID      = 3072   // a DID URL that names a key
	maxJWK        = 1024   // the JWK inside a did:jwk
	maxPrivateJWK = 4096   // a private JWK, whose kid may be a did:jwk
	maxKey58      = 1 + 64 // the multibase text of a did:key: base58 is quadratic
)

// Document is what a DID resolves to, as far as it matters here. It must not be
// changed once a resolver has returned it.
type Document struct {
	DID string
	// Keys maps the ID of a key, a DID URL that begins with DID and '#', to the key.
	// Each of them may sign DWN messages.
	Keys map[string]PublicKey
	// Authentication has those IDs of Keys that may also sign tokens: the
	// verification relationship "authentication" of W3C DID Core 1.0 §5.3.1.
	Authentication map[string]bool
}

// Resolver finds the document of a DID. Implementations are safe for concurrent
// use. They return ErrUnsupportedMethod for methods that they do not know, ErrDID or
// ErrKey for a DID that cannot have a document or has one without a usable key, and
// ErrUnresolved if they cannot get it at present.
type Resolver interface {
	Resolve(ctx context.Context, did string) (Document, error)
}

// Offline resolves did:key and did:jwk, which need no network.
type Offline struct{}

// Resolve implements Resolver with [ParseDID]. It does not block.
func (Offline) Resolve(_ context.Context, did string) (Document, error) { return ParseDID(did) }

// CheckDID returns ErrDID unless did has the syntax of a DID (W3C DID Core 1.0
// §3.1) of at most MaxDID bytes. It does not look at what the method demands.
func CheckDID(did string) error {
	if len(did) > MaxDID {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrDID, len(did), MaxDID)
	}
	rest, ok := strings.CutPrefix(did, "did:")
	method, id, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || !allOf(method, isMethodChar) || strings.HasSuffix(id, ":") || !allOf(id, isIDChar) || !percentEncoded(id) {
		return fmt.Errorf("%w: want did:<method>:<id> without path, query or fragment", ErrDID)
	}
	return nil
}

// allOf reports whether s is not empty and has only bytes that ok takes.
func allOf(s string, ok func(c byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return s != ""
}

func isMethodChar(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func isIDChar(c byte) bool {
	return isMethodChar(c) || 'A' <= c && c <= 'Z' || strings.IndexByte("._:-%", c) >= 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// percentEncoded reports whether two hexadecimal digits follow every percent sign.
func percentEncoded(s string) bool {
	for i := range len(s) {
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			return false
		}
	}
	return true
}

// ParseDID returns the document of a did:key or did:jwk, computed from the DID
// alone. It returns ErrDID for what is no DID, ErrUnsupportedMethod for other
// methods, and ErrKey for a key that is malformed, unsafe or of another kind.
func ParseDID(did string) (Document, error) {
	if err := CheckDID(did); err != nil {
		return Document{}, err
	}
	method, id, _ := strings.Cut(strings.TrimPrefix(did, "did:"), ":")
	var key PublicKey
	var fragment string
	var err error
	switch method {
	case "key":
		key, err = parseDIDKey(id)
		fragment = id
	case "jwk":
		key, err = parseDIDJWK(id)
		fragment = "0"
	default:
		return Document{}, unsupported(did)
	}
	if err != nil {
		return Document{}, fmt.Errorf("%s: %w", clip(did), err)
	}
	keyID := did + "#" + fragment
	return Document{DID: did, Keys: map[string]PublicKey{keyID: key}, Authentication: map[string]bool{keyID: true}}, nil
}

// The multicodec prefixes of did:key, as varints. Comparing their bytes also
// refuses every longer spelling of the same number.
const (
	codecEd25519   = "\xed\x01"
	codecSecp256k1 = "\xe7\x01"
	codecP256      = "\x80\x24"
)

// parseDIDKey reads the method-specific part of a did:key: multibase base58btc
// over a multicodec prefix and the key (W3C CCG, "The did:key Method").
func parseDIDKey(id string) (PublicKey, error) {
	if len(id) > maxKey58 {
		return PublicKey{}, fmt.Errorf("%w: %d characters, at most %d are allowed", ErrKey, len(id), maxKey58)
	}
	text, ok := strings.CutPrefix(id, "z")
	if !ok {
		return PublicKey{}, fmt.Errorf("%w: did:key is written in base58btc and begins with z", ErrKey)
	}
	raw, err := base58.Decode(text)
	if err != nil || len(raw) < 2 {
		return PublicKey{}, fmt.Errorf("%w: not base58btc", ErrKey)
	}
	codec, point := string(raw[:2]), raw[2:]
	switch {
	case codec == codecEd25519 && len(point) == 32:
		return newEd25519(point)
	case codec == codecP256 && len(point) == 33:
		return newP256(point)
	case codec == codecSecp256k1 && len(point) == 33:
		return newSecp256k1(point)
	}
	return PublicKey{}, fmt.Errorf("%w: want an Ed25519, P-256 or secp256k1 key of its exact length", ErrKey)
}

// keyDID returns the did:key of a key. Its only key ID repeats the text after
// "did:key:" as fragment.
func keyDID(key PublicKey) string {
	codec := map[Curve]string{Ed25519: codecEd25519, P256: codecP256, Secp256k1: codecSecp256k1}[key.curve]
	return "did:key:z" + base58.Encode([]byte(codec+key.point))
}

// parseDIDJWK reads the method-specific part of a did:jwk: base64url of a JWK's
// text. The text is never written anew: another spelling is another DID.
func parseDIDJWK(id string) (PublicKey, error) {
	text, err := decode64(id)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return ParsePublicJWK(text)
}

// findKey resolves the DID of a key ID and returns both. The key ID has to be a
// whole DID URL with a fragment that the document lists; for a token, one that the
// document lists for authentication.
func findKey(ctx context.Context, r Resolver, keyID string, token bool) (did string, key PublicKey, err error) {
	if len(keyID) > maxKeyID {
		return "", PublicKey{}, fmt.Errorf("%w: key ID of %d bytes, at most %d are allowed", ErrDID, len(keyID), maxKeyID)
	}
	did, _, ok := strings.Cut(keyID, "#")
	if !ok {
		return "", PublicKey{}, fmt.Errorf("%w: kid is no DID URL with a fragment", ErrDID)
	}
	if err := CheckDID(did); err != nil {
		return "", PublicKey{}, err
	}
	doc, err := r.Resolve(ctx, did)
	if err != nil {
		return "", PublicKey{}, err
	}
	key, ok = doc.Keys[keyID]
	if !ok || doc.DID != did {
		return "", PublicKey{}, fmt.Errorf("%w: %s has no key of that ID", ErrKey, clip(did))
	}
	if token && !doc.Authentication[keyID] {
		return "", PublicKey{}, fmt.Errorf("%w: %s does not list that key for authentication, so it signs no tokens", ErrKey, clip(did))
	}
	return did, key, nil
}
