package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/go-jose/go-jose/v4"
)

// Signer is a private key with the DID it signs for. However it is printed or
// logged, it shows a shortened DID and nothing secret. Immutable, safe for
// concurrent use.
type Signer struct{ *private }

// private is behind a pointer because fmt does not ask the methods of a value in an
// unexported field, nor with %p; there it prints no more than an address.
type private struct {
	did, keyID string
	public     PublicKey
	secret     [32]byte
	ecdsa      *ecdsa.PrivateKey // of P-256
}

// ParseSigner reads a private key from the text of a JWK of at most 4 KiB, of one
// of the kinds that [ParsePublicJWK] takes. A kid that is a DID URL says for which
// DID it signs, and the key has to be the one that DID gives it, which for did:web only
// those find out who verify what it signs; without one, or with a kid of another form,
// the key signs for its did:key. It returns ErrKey, ErrDID or ErrUnsupportedMethod.
func ParseSigner(jwk []byte) (*Signer, error) {
	obj, err := parseJWK(jwk, maxPrivateJWK)
	if err != nil {
		return nil, err
	}
	public, err := obj.publicKey()
	if err != nil {
		return nil, err
	}
	secret, err := obj.coordinate("d")
	if err != nil {
		return nil, fmt.Errorf("%w: JWK: %w", ErrKey, err)
	}
	signer, err := newSigner(public.curve, secret)
	if err != nil {
		return nil, err
	}
	if !signer.public.Equal(public) {
		return nil, fmt.Errorf("%w: JWK: its private and its public half do not belong together", ErrKey)
	}
	keyID, _, err := obj.text("kid")
	if err != nil {
		return nil, fmt.Errorf("%w: JWK: %w", ErrKey, err)
	}
	if strings.HasPrefix(keyID, "did:") {
		return signer.named(keyID)
	}
	return signer, nil
}

// GenerateSigner makes a key of the curve from 32 bytes of rand (more if they make
// no key), signing for its did:key. The same bytes give the same key. It returns
// ErrKey for an unknown curve, and what rand returns.
func GenerateSigner(curve Curve, rand io.Reader) (*Signer, error) {
	if curve.Algorithm() == "" {
		return nil, fmt.Errorf("%w: unknown curve; want %s, %s or %s", ErrKey, Ed25519, P256, Secp256k1)
	}
	var secret [32]byte
	// 32 random bytes are no scalar of P-256 once in 2^32; more than a few such
	// draws mean that rand is broken.
	for range 4 {
		if _, err := io.ReadFull(rand, secret[:]); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		if signer, err := newSigner(curve, secret); err == nil {
			return signer, nil
		}
	}
	return nil, fmt.Errorf("%w: the source of randomness gives no usable numbers", ErrKey)
}

// newSigner returns the signer of a secret: the seed of Ed25519, else the
// big-endian scalar.
func newSigner(curve Curve, secret [32]byte) (*Signer, error) {
	s := &Signer{&private{secret: secret}}
	var err error
	switch curve {
	case Ed25519:
		seeded := ed25519.NewKeyFromSeed(secret[:])
		s.public, err = newEd25519(seeded[32:])
	case P256:
		if s.ecdsa, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), secret[:]); err == nil {
			var point []byte
			if point, err = s.ecdsa.PublicKey.Bytes(); err == nil {
				s.public, err = newP256(point)
			}
		}
	case Secp256k1:
		var scalar secp256k1.ModNScalar
		if scalar.SetBytes(&secret) != 0 || scalar.IsZero() {
			return nil, fmt.Errorf("%w: private part is out of range", ErrKey)
		}
		s.public, err = newSecp256k1(secp256k1.NewPrivateKey(&scalar).PubKey().SerializeCompressed())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: private part is out of range", ErrKey)
	}
	s.did = keyDID(s.public)
	s.keyID = s.did + "#" + strings.TrimPrefix(s.did, "did:key:")
	return s, nil
}

// named returns the signer under the DID that keyID names.
func (s *Signer) named(keyID string) (*Signer, error) {
	did, fragment, ok := strings.Cut(keyID, "#")
	if !ok || fragment == "" {
		return nil, fmt.Errorf("%w: kid is a DID without the fragment that names a key", ErrDID)
	}
	if err := s.checkName(did, keyID); err != nil {
		return nil, err
	}
	named := *s.private
	named.did, named.keyID = did, keyID
	return &Signer{&named}, nil
}

// checkName fails if the DID is known to give keyID to another key or to none.
func (s *Signer) checkName(did, keyID string) error {
	if _, err := webURL(did); !errors.Is(err, ErrUnsupportedMethod) {
		if err == nil && !isKeyID(did, keyID) {
			err = fmt.Errorf("%w: JWK: kid is no ID of a key", ErrDID)
		}
		return err
	}
	doc, err := ParseDID(did)
	if err != nil {
		return err
	}
	if key, ok := doc.Keys[keyID]; !ok || !key.Equal(s.public) {
		return fmt.Errorf("%w: JWK: kid names another key than this one", ErrKey)
	}
	return nil
}

// DID returns the DID that the key signs for.
func (s *Signer) DID() string { return s.did }

// KeyID returns the DID URL of the key, the kid of what it signs.
func (s *Signer) KeyID() string { return s.keyID }

// Curve returns the kind of the key.
func (s *Signer) Curve() Curve { return s.public.curve }

// MarshalJWK returns the private key as the text of a JWK with kid, which
// ParseSigner takes back. Whoever writes it to a file keeps others from reading it.
func (s *Signer) MarshalJWK() ([]byte, error) {
	jwk := struct {
		Kty string `json:"kty"`
		Crv Curve  `json:"crv"`
		X   string `json:"x"`
		Y   string `json:"y,omitempty"`
		D   string `json:"d"`
		Alg string `json:"alg"`
		Kid string `json:"kid"`
	}{Kty: "EC", Crv: s.public.curve, D: encode64(s.secret[:]), Alg: s.public.curve.Algorithm(), Kid: s.keyID}
	switch s.public.curve {
	case Ed25519:
		jwk.Kty, jwk.X = "OKP", encode64([]byte(s.public.point))
	case P256:
		point, err := s.public.p256.Bytes()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		jwk.X, jwk.Y = encode64(point[1:33]), encode64(point[33:])
	case Secp256k1:
		point := s.public.k1.SerializeUncompressed()
		jwk.X, jwk.Y = encode64(point[1:33]), encode64(point[33:])
	}
	return json.Marshal(jwk)
}

// Sign returns a compact JWS over payload with the header members alg, kid and
// typ, which must not be empty: without it a token could pass for the signature
// of a DWN message. Signatures are deterministic (RFC 8032, RFC 6979).
func (s *Signer) Sign(typ string, payload []byte) (token string, err error) {
	if typ == "" {
		return "", fmt.Errorf("%w: typ is empty", ErrToken)
	}
	return s.sign(typ, payload)
}

// SignMessage returns the signature of a DWN message over the payload of its
// authorization: header members alg and kid only.
func (s *Signer) SignMessage(payload []byte) (dwn.JWS, error) {
	compact, err := s.sign("", payload)
	if err != nil {
		return dwn.JWS{}, err
	}
	return splitCompact(compact, len(compact))
}

func (s *Signer) sign(typ string, payload []byte) (string, error) {
	alg := jose.SignatureAlgorithm(s.public.curve.Algorithm())
	opt := new(jose.SignerOptions).WithHeader("kid", s.keyID)
	if typ != "" {
		opt = opt.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: joseSigner{s}}, opt)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed.CompactSerialize()
}

// joseSigner is a Signer as go-jose wants it.
type joseSigner struct{ s *Signer }

// Public implements jose.OpaqueSigner. The kid is set as a header, since go-jose
// has no form for the public keys of secp256k1.
func (j joseSigner) Public() *jose.JSONWebKey { return nil }

// Algs implements jose.OpaqueSigner.
func (j joseSigner) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.SignatureAlgorithm(j.s.public.curve.Algorithm())}
}

// SignPayload implements jose.OpaqueSigner: 64 bytes for every algorithm.
func (j joseSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	digest := sha256.Sum256(payload)
	switch j.s.public.curve {
	case Ed25519:
		return ed25519.Sign(ed25519.NewKeyFromSeed(j.s.secret[:]), payload), nil
	case P256:
		return signP256(j.s.ecdsa, digest[:])
	default:
		var scalar secp256k1.ModNScalar
		scalar.SetBytes(&j.s.secret)
		signed := secpecdsa.Sign(secp256k1.NewPrivateKey(&scalar), digest[:])
		r, s := signed.R(), signed.S()
		rb, sb := r.Bytes(), s.Bytes()
		return append(rb[:], sb[:]...), nil
	}
}

// signP256 turns the ASN.1 of crypto/ecdsa, which is deterministic without a
// source of randomness, into the form of RFC 7518 §3.4.
func signP256(key *ecdsa.PrivateKey, digest []byte) ([]byte, error) {
	der, err := key.Sign(nil, digest, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	out := make([]byte, signatureSize)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out, nil
}

// String hides the key.
func (s Signer) String() string { return "signer for " + clip(s.did) }

// Format hides the key from every verb of fmt.
func (s Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides the key from log/slog.
func (s Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }
