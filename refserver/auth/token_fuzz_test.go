package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// agreesWithJOSE fails unless go-jose by itself takes a token that we took. For
// secp256k1, which it does not know, it has our key.
func agreesWithJOSE(t testing.TB, token string, c Claims) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		t.Fatalf("go-jose does not read it: %v", err)
	}
	_, key, err := findKey(t.Context(), Offline{}, c.KeyID, true)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[Curve]any{Ed25519: key.ed, P256: key.p256, Secp256k1: joseKey{key}}
	if _, err := signed.Verify(keys[key.Curve()]); err != nil {
		t.Fatalf("go-jose does not verify it: %v", err)
	}
	if got := signed.Signatures[0].Protected; got.KeyID != c.KeyID || got.Algorithm != key.Curve().Algorithm() {
		t.Fatalf("go-jose reads another header: %+v", got)
	}
}

func addTokenSeeds(f *testing.F, kind string) {
	for _, v := range makeTokens(f) {
		if v.Kind == kind {
			f.Add(v.Token)
		}
	}
	for _, v := range readMalformed(f) {
		if v.Kind == kind && len(v.Token) < 8192 {
			f.Add(v.Token)
		}
	}
}

func FuzzVerifyInit(f *testing.F) {
	addTokenSeeds(f, "init")
	f.Fuzz(func(t *testing.T, token string) {
		v := testVerifier(t)
		c, err := v.VerifyInit(t.Context(), token)
		if err != nil {
			return
		}
		agreesWithJOSE(t, token, c.Claims)
		if _, err := v.VerifyInit(t.Context(), token); !errors.Is(err, ErrReplay) {
			t.Fatalf("again: %v", err)
		}
	})
}

func FuzzVerifyRequest(f *testing.F) {
	addTokenSeeds(f, "request")
	f.Fuzz(func(t *testing.T, token string) {
		v := testVerifier(t)
		c, err := v.VerifyRequest(t.Context(), token, "POST", testURL)
		if err != nil {
			return
		}
		agreesWithJOSE(t, token, c.Claims)
		if _, err := v.VerifyRequest(t.Context(), token, "POST", testURL); !errors.Is(err, ErrReplay) {
			t.Fatalf("again: %v", err)
		}
	})
}

// FuzzClaims signs any payload, so that what lies behind the signature is fuzzed too.
func FuzzClaims(f *testing.F) {
	for _, v := range makeTokens(f) {
		f.Add(v.Payload)
	}
	for _, v := range readMalformed(f) {
		parts := strings.Split(v.Token, ".")
		if payload, err := decode64(parts[min(1, len(parts)-1)]); err == nil && len(payload) < 8192 {
			f.Add(string(payload))
		}
	}
	s := testSigner(f, Ed25519, "token")
	f.Fuzz(func(t *testing.T, payload string) {
		v := testVerifier(t)
		for _, typ := range []string{TypeInit, TypeRequest} {
			token, err := s.Sign(typ, []byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			var c Claims
			if typ == TypeInit {
				var ic InitClaims
				ic, err = v.VerifyInit(t.Context(), token)
				c = ic.Claims
			} else {
				var rc RequestClaims
				rc, err = v.VerifyRequest(t.Context(), token, "POST", testURL)
				c = rc.Claims
			}
			if err != nil {
				continue
			}
			agreesWithJOSE(t, token, c)
			if c.Signer != s.DID() || c.Audience != testOrigin || !c.Expires.After(testNow) || c.Expires.Sub(c.IssuedAt) > MaxLifetime || CheckDID(c.Tenant) != nil {
				t.Fatalf("took claims %+v", c)
			}
		}
	})
}
