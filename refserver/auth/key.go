package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"math/big"

	"filippo.io/edwards25519"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/go-jose/go-jose/v4"
)

// Curve names a kind of key as the crv member of a JWK does.
type Curve string

// The kinds of key that are supported.
const (
	Ed25519   Curve = "Ed25519"
	P256      Curve = "P-256"
	Secp256k1 Curve = "secp256k1"
)

// Algorithm returns the one JWS algorithm that keys of the curve sign with
// (RFC 8037, RFC 7518, RFC 8812), or "" for an unknown curve.
func (c Curve) Algorithm() string {
	switch c {
	case Ed25519:
		return "EdDSA"
	case P256:
		return "ES256"
	case Secp256k1:
		return "ES256K"
	}
	return ""
}

// signatureSize is the length in bytes of a signature, the same for all three
// algorithms.
const signatureSize = 64

// PublicKey is a key that signatures are verified with. It comes from a DID or
// from [ParsePublicJWK], both of which refuse unsafe keys; the zero value verifies
// nothing. Immutable, safe for concurrent use.
type PublicKey struct {
	curve Curve
	point string // 32 bytes of Ed25519, else the 33 of the compressed point
	ed    ed25519.PublicKey
	p256  *ecdsa.PublicKey
	k1    *secp256k1.PublicKey
}

// Curve returns the kind of the key.
func (k PublicKey) Curve() Curve { return k.curve }

// Equal reports whether both are the same key.
func (k PublicKey) Equal(other PublicKey) bool {
	return k.curve == other.curve && k.point == other.point
}

// newEd25519 refuses the encodings that crypto/ed25519 takes and should not: a
// key of small order has signatures that are valid for any message, and a second
// spelling of a point would be a second DID for one key (golang/go#31846).
func newEd25519(raw []byte) (PublicKey, error) {
	point, err := new(edwards25519.Point).SetBytes(raw)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: not a point of Ed25519", ErrKey)
	}
	if string(point.Bytes()) != string(raw) {
		return PublicKey{}, fmt.Errorf("%w: Ed25519 point is not in its canonical spelling", ErrKey)
	}
	if new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return PublicKey{}, fmt.Errorf("%w: Ed25519 point has a small order", ErrKey)
	}
	return PublicKey{curve: Ed25519, point: string(raw), ed: ed25519.PublicKey(string(raw))}, nil
}

// newP256 takes a point of SEC 1 §2.3.3, uncompressed (65 bytes) or compressed (33).
func newP256(point []byte) (PublicKey, error) {
	if len(point) == 33 {
		x, y := elliptic.UnmarshalCompressed(elliptic.P256(), point)
		if x == nil {
			return PublicKey{}, fmt.Errorf("%w: not a point of P-256", ErrKey)
		}
		point = make([]byte, 65)
		point[0] = 4
		x.FillBytes(point[1:33])
		y.FillBytes(point[33:])
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: not a point of P-256", ErrKey)
	}
	return PublicKey{curve: P256, point: compress(point), p256: key}, nil
}

// compress returns the compressed form of an uncompressed point (SEC 1 §2.3.3).
func compress(point []byte) string {
	return string(append([]byte{2 | point[64]&1}, point[1:33]...))
}

// newSecp256k1 takes a point as newP256 does. No caller passes the hybrid form,
// which decred would take too.
func newSecp256k1(point []byte) (PublicKey, error) {
	key, err := secp256k1.ParsePubKey(point)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: not a point of secp256k1", ErrKey)
	}
	return PublicKey{curve: Secp256k1, point: string(key.SerializeCompressed()), k1: key}, nil
}

// joseKey is a PublicKey as go-jose wants it.
type joseKey struct{ key PublicKey }

// VerifyPayload implements jose.OpaqueVerifier.
func (j joseKey) VerifyPayload(payload, signature []byte, alg jose.SignatureAlgorithm) error {
	if string(alg) != j.key.curve.Algorithm() || !j.key.verify(payload, signature) {
		return ErrSignature
	}
	return nil
}

// verify reports whether signature, r and s of 32 bytes each for ECDSA, is the
// key's over message.
func (k PublicKey) verify(message, signature []byte) bool {
	if len(signature) != signatureSize {
		return false
	}
	digest := sha256.Sum256(message)
	switch k.curve {
	case Ed25519:
		return ed25519.Verify(k.ed, message, signature)
	case P256:
		// Both s and n-s have to be taken: WebCrypto signs with either.
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(k.p256, digest[:], r, s)
	case Secp256k1:
		return verifySecp256k1(k.k1, digest[:], signature)
	}
	return false
}

// verifySecp256k1 takes only the smaller of s and n-s, which is what the DWN SDKs
// and every wallet library make and demand.
func verifySecp256k1(key *secp256k1.PublicKey, digest, signature []byte) bool {
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(signature[:32]) || s.SetByteSlice(signature[32:]) || s.IsOverHalfOrder() {
		return false
	}
	return secpecdsa.NewSignature(&r, &s).Verify(digest, key)
}
