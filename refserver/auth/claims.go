package auth

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// The values of typ, one for each kind of token.
const (
	TypeInit    = "dwnsync-init+jws"
	TypeRequest = "dwnsync-request+jws"
)

// Limits on tokens: characters, and time between iat and exp.
const (
	MaxInitToken    = 16 << 10
	MaxRequestToken = 12 << 10 // it travels in an HTTP header
	MaxLifetime     = 120 * time.Second
	MaxSkew         = 60 * time.Second // how far iat may lie in the future
)

// Digest is the SHA-256 of what a token is bound to.
type Digest [sha256.Size]byte

// DigestOf returns the digest of b. That of a request without a body is DigestOf(nil).
func DigestOf(b []byte) Digest { return sha256.Sum256(b) }

// Equal compares in constant time.
func (d Digest) Equal(other Digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// Direction says which side of a sync ends with the union.
type Direction string

// The directions, as they stand in a token.
const (
	Pull Direction = "pull" // the initiator
	Push Direction = "push" // the responder
	Both Direction = "both"
)

// Claims are what both kinds of token say.
type Claims struct {
	Audience string    // origin of the server it is for
	IssuedAt time.Time // with microseconds
	Expires  time.Time // at most MaxLifetime after IssuedAt
	ID       string    // at least 128 random bits in base64url, never used twice
	Tenant   string    // DID whose data it is about
	Nonce    string    // what the server last gave out, if it asked for that; else empty
	Grants   []string  // record IDs of the grants that the signer goes by, see CheckGrantIDs; none for the tenant
	Signer   string    // DID of the key; set by Verifier, ignored when signing
	KeyID    string    // DID URL of the key; likewise
}

// NewClaims returns claims that begin at now, last MaxLifetime and have 16 bytes
// of random as ID.
func NewClaims(audience, tenant string, now time.Time, random io.Reader) (Claims, error) {
	origin, err := ParseOrigin(audience)
	if err != nil {
		return Claims{}, fmt.Errorf("audience: %w", err)
	}
	if err := CheckDID(tenant); err != nil {
		return Claims{}, err
	}
	var id [16]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return Claims{}, fmt.Errorf("make a token ID: %w", err)
	}
	return Claims{Audience: origin, IssuedAt: now, Expires: now.Add(MaxLifetime), ID: encode64(id[:]), Tenant: tenant}, nil
}

// InitClaims are what a SYNC_INIT token says.
type InitClaims struct {
	Claims
	Scope     dwn.Scope
	Direction Direction
	Frames    Digest // of the request's frames before the items
}

// RequestClaims are what the token of any other call says.
type RequestClaims struct {
	Claims
	Method string // as in the request line
	URL    string // absolute, without fragment
	Body   Digest // of the body as sent
}

// wireClaims is the payload of both kinds.
type wireClaims struct {
	Aud       string          `json:"aud"`
	Iat       json.Number     `json:"iat"`
	Exp       json.Number     `json:"exp"`
	Jti       string          `json:"jti"`
	Tenant    string          `json:"tenant"`
	Nonce     string          `json:"nonce,omitempty"`
	Grants    []string        `json:"grants,omitempty"`
	Scope     json.RawMessage `json:"scope,omitempty"`
	Direction Direction       `json:"direction,omitempty"`
	Frames    string          `json:"frames,omitempty"`
	Htm       string          `json:"htm,omitempty"`
	Htu       string          `json:"htu,omitempty"`
	Body      string          `json:"body,omitempty"`
}

func (c Claims) wire() wireClaims {
	return wireClaims{Aud: c.Audience, Iat: numericDate(c.IssuedAt), Exp: numericDate(c.Expires), Jti: c.ID, Tenant: c.Tenant, Nonce: c.Nonce, Grants: c.Grants}
}

// SignInit returns a SYNC_INIT token with the claims.
func (s *Signer) SignInit(c InitClaims) (token string, err error) {
	w := c.wire()
	w.Direction, w.Frames = c.Direction, encode64(c.Frames[:])
	if !c.Scope.All() {
		w.Scope = c.Scope.AppendJSON(nil)
	}
	return s.signClaims(TypeInit, w)
}

// SignRequest returns the token of another call with the claims.
func (s *Signer) SignRequest(c RequestClaims) (token string, err error) {
	w := c.wire()
	w.Htm, w.Htu, w.Body = c.Method, c.URL, encode64(c.Body[:])
	return s.signClaims(TypeRequest, w)
}

func (s *Signer) signClaims(typ string, w wireClaims) (string, error) {
	payload, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrToken, err)
	}
	return s.Sign(typ, payload)
}

// parseClaims reads what both kinds have. It checks the form only.
func parseClaims(obj object) (c Claims, err error) {
	var errs [7]error
	var aud string
	aud, errs[0] = obj.must("aud")
	c.IssuedAt, errs[1] = obj.date("iat")
	c.Expires, errs[2] = obj.date("exp")
	c.ID, errs[3] = obj.must("jti")
	c.Tenant, errs[4] = obj.must("tenant")
	c.Nonce, errs[5] = obj.nonce()
	c.Grants, errs[6] = obj.grants()
	if err := cmp.Or(errs[:]...); err != nil {
		return c, err
	}
	if c.Audience, err = ParseOrigin(aud); err != nil {
		return c, fmt.Errorf("aud: %w", err)
	}
	if id, err := decode64(c.ID); err != nil || len(id) < 16 || len(c.ID) > 64 {
		return c, errors.New("jti: want at least 16 bytes in base64url, at most 64 characters")
	}
	if err := CheckDID(c.Tenant); err != nil {
		return c, fmt.Errorf("tenant: %w", err)
	}
	return c, nil
}

func parseInit(obj object) (c InitClaims, err error) {
	if err := obj.only("aud", "iat", "exp", "jti", "tenant", "nonce", "grants", "scope", "direction", "frames"); err != nil {
		return c, err
	}
	if c.Claims, err = parseClaims(obj); err != nil {
		return c, err
	}
	if raw, ok := obj["scope"]; ok {
		if c.Scope, err = dwn.ParseScope(raw); err != nil {
			return c, err
		}
	}
	direction, err := obj.must("direction")
	c.Direction = Direction(direction)
	if err != nil || c.Direction != Pull && c.Direction != Push && c.Direction != Both {
		return c, errors.New("direction: want pull, push or both")
	}
	c.Frames, err = obj.digest("frames")
	return c, err
}

func parseRequest(obj object) (c RequestClaims, err error) {
	if err := obj.only("aud", "iat", "exp", "jti", "tenant", "nonce", "grants", "htm", "htu", "body"); err != nil {
		return c, err
	}
	if c.Claims, err = parseClaims(obj); err != nil {
		return c, err
	}
	var errs [3]error
	c.Method, errs[0] = obj.must("htm")
	c.URL, errs[1] = obj.must("htu")
	c.Body, errs[2] = obj.digest("body")
	return c, cmp.Or(errs[:]...)
}

func (obj object) digest(name string) (Digest, error) {
	text, err := obj.must(name)
	if err != nil {
		return Digest{}, err
	}
	raw, err := decode32(text)
	if err != nil {
		return Digest{}, fmt.Errorf("%s: %w", name, err)
	}
	return raw, nil
}

// numericDate writes seconds since 1970 with as many decimals, at most six, as needed.
func numericDate(t time.Time) json.Number {
	us := t.UnixMicro()
	text := fmt.Sprintf("%d.%06d", us/1e6, us%1e6)
	return json.Number(strings.TrimSuffix(strings.TrimRight(text, "0"), "."))
}

// date reads a NumericDate (RFC 7519 §2) without sign or exponent, with at most
// nine decimals, exactly: a float64 would round.
func (obj object) date(name string) (time.Time, error) {
	whole, fraction, dot := strings.Cut(string(obj[name]), ".")
	if !allOf(whole, isDigit) || len(whole) > 11 || dot && (!allOf(fraction, isDigit) || len(fraction) > 9) {
		return time.Time{}, fmt.Errorf("%s: want seconds since 1970 as a decimal number", name)
	}
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", name, err)
	}
	nsec, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", name, err)
	}
	return time.Unix(sec, nsec).UTC(), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
