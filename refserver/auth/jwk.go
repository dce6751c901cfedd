package auth

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ParsePublicJWK reads a public key from the text of a JWK (RFC 7517, RFC 8037,
// RFC 8812) of at most 1 KiB: kty OKP with crv Ed25519, or EC with P-256 or
// secp256k1. Members that say what the key is for must allow verification; other
// unknown members are ignored. It returns ErrKey, also for a private key.
func ParsePublicJWK(text []byte) (PublicKey, error) {
	obj, err := parseJWK(text, maxJWK)
	if err != nil {
		return PublicKey{}, err
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, ok := obj[name]; ok {
			return PublicKey{}, fmt.Errorf("%w: a private key where a public one belongs; treat it as disclosed", ErrKey)
		}
	}
	return obj.publicKey()
}

func parseJWK(text []byte, limit int) (object, error) {
	if len(text) > limit {
		return nil, fmt.Errorf("%w: JWK of %d bytes, at most %d are allowed", ErrKey, len(text), limit)
	}
	obj, err := parseObject(text)
	if err != nil {
		return nil, fmt.Errorf("%w: JWK: %w", ErrKey, err)
	}
	return obj, nil
}

// publicKey returns the public half of a JWK.
func (obj object) publicKey() (PublicKey, error) {
	key, err := obj.point()
	if err == nil {
		err = obj.allows(key.curve)
	}
	if err != nil && !errors.Is(err, ErrKey) {
		err = fmt.Errorf("%w: JWK: %w", ErrKey, err)
	}
	if err != nil {
		return PublicKey{}, err
	}
	return key, nil
}

func (obj object) point() (PublicKey, error) {
	kty, err := obj.must("kty")
	if err != nil {
		return PublicKey{}, err
	}
	crv, err := obj.must("crv")
	if err != nil && kty != "RSA" {
		return PublicKey{}, err
	}
	x, errX := obj.coordinate("x")
	y, errY := obj.coordinate("y")
	switch _, hasY := obj["y"]; {
	case kty == "OKP" && Curve(crv) == Ed25519 && !hasY:
		return newPoint(newEd25519, errX, x[:])
	case kty == "EC" && Curve(crv) == P256:
		return newPoint(newP256, cmp.Or(errX, errY), []byte{4}, x[:], y[:])
	case kty == "EC" && Curve(crv) == Secp256k1:
		return newPoint(newSecp256k1, cmp.Or(errX, errY), []byte{4}, x[:], y[:])
	}
	return PublicKey{}, errors.New("want kty OKP with crv Ed25519, or EC with P-256 or secp256k1")
}

// newPoint calls make with the parts in a row unless the coordinates had an error.
func newPoint(make func([]byte) (PublicKey, error), err error, parts ...[]byte) (PublicKey, error) {
	if err != nil {
		return PublicKey{}, err
	}
	return make(slices.Concat(parts...))
}

func (obj object) coordinate(name string) ([32]byte, error) {
	text, err := obj.must(name)
	if err != nil {
		return [32]byte{}, err
	}
	raw, err := decode32(text)
	if err != nil {
		return raw, fmt.Errorf("%q: %w", name, err)
	}
	return raw, nil
}

// allows fails if the JWK says that it is not for signatures of its curve.
func (obj object) allows(c Curve) error {
	alg, ok, err := obj.text("alg")
	if err != nil || ok && alg != c.Algorithm() && !(c == Ed25519 && alg == "Ed25519") {
		return errors.New("alg does not fit the curve")
	}
	if use, ok, err := obj.text("use"); err != nil || ok && use != "sig" {
		return errors.New("use is not sig")
	}
	raw, ok := obj["key_ops"]
	var ops []string
	if ok && (json.Unmarshal(raw, &ops) != nil || !slices.Contains(ops, "verify") && !slices.Contains(ops, "sign")) {
		return errors.New("key_ops has neither sign nor verify")
	}
	return nil
}
