package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-jose/go-jose/v4"
)

func TestSharedKeysLoad(t *testing.T) {
	for _, k := range readKeys(t) {
		s, err := ParseSigner(k.PrivateJWK)
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
			continue
		}
		if s.DID() != k.DID || s.KeyID() != k.Kid {
			t.Errorf("%s: signs for %s", k.Name, s.KeyID())
		}
		again, err := s.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		var have, want map[string]string
		if json.Unmarshal(again, &have) != nil || json.Unmarshal(k.PrivateJWK, &want) != nil || fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s: JWK came back changed", k.Name)
		}
		token, err := s.SignInit(testInit(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if c, err := testVerifier(t).VerifyInit(t.Context(), token); err != nil || c.Signer != k.DID {
			t.Errorf("%s: its token: %v", k.Name, err)
		}
	}
}

// Published signatures. All three algorithms are deterministic here, so for Ed25519
// and P-256 what we sign must be the published one too where it was made that way.
func TestPublishedSignatures(t *testing.T) {
	for _, c := range []struct {
		name, jwk, input, signature string
		deterministic               bool
	}{
		{
			"RFC 8037 A.4", `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
			"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", true,
		},
		{
			"RFC 7515 A.3", `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`,
			"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
			"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", false,
		},
		{
			"RFC 6979 A.2.5, SHA-256", p256JWK(t, "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"), "sample",
			unhex(t, "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"), true,
		},
	} {
		s, err := ParseSigner([]byte(c.jwk))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		signature, err := decode64(c.signature)
		if err != nil {
			t.Fatal(err)
		}
		if !s.public.verify([]byte(c.input), signature) {
			t.Errorf("%s: not taken", c.name)
		}
		got, err := joseSigner{s}.SignPayload([]byte(c.input), "")
		if err != nil || c.deterministic && !bytes.Equal(got, signature) || !s.public.verify([]byte(c.input), got) {
			t.Errorf("%s: signed %x, %v", c.name, got, err)
		}
		for i := range signature {
			signature[i] ^= 4
			if s.public.verify([]byte(c.input), signature) {
				t.Errorf("%s: taken with byte %d changed", c.name, i)
			}
			signature[i] ^= 4
		}
	}
}

func unhex(t *testing.T, text string) string {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return encode64(raw)
}

func p256JWK(t *testing.T, secret string) string {
	t.Helper()
	raw, err := hex.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigner(P256, [32]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := s.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return string(jwk)
}

func TestGenerateSigner(t *testing.T) {
	for _, curve := range curves() {
		a, b := testSigner(t, curve, "a"), testSigner(t, curve, "a")
		if a.DID() != b.DID() || a.DID() == testSigner(t, curve, "b").DID() || a.Curve() != curve {
			t.Errorf("%s: keys do not follow their randomness", curve)
		}
		if _, err := GenerateSigner(curve, rand.Reader); err != nil {
			t.Errorf("%s: %v", curve, err)
		}
		if _, err := GenerateSigner(curve, bytes.NewReader(make([]byte, 31))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: short source: got %v", curve, err)
		}
		if _, err := GenerateSigner(curve, iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: broken source: got %v", curve, err)
		}
		if _, err := GenerateSigner(curve, zeros{}); curve != Ed25519 && !errors.Is(err, ErrKey) {
			t.Errorf("%s: zeros: got %v, want %v", curve, err, ErrKey)
		}
		// The first 32 bytes are no scalar, the next ones are.
		retry := io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{0xff}, 32)), bytes.NewReader(bytes.Repeat([]byte{1}, 32)))
		if _, err := GenerateSigner(curve, retry); err != nil {
			t.Errorf("%s: after a bad draw: %v", curve, err)
		}
	}
	if _, err := GenerateSigner("P-384", rand.Reader); !errors.Is(err, ErrKey) {
		t.Errorf("got %v, want %v", err, ErrKey)
	}
}

func TestParseSignerRefuses(t *testing.T) {
	s, other := testSigner(t, P256, "jwk"), testSigner(t, P256, "other")
	good, err := s.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, with string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("no %s in the JWK", old)
		}
		return strings.Replace(string(good), old, with, 1)
	}
	d, kid := encode64(s.secret[:]), `"kid":"`+s.KeyID()+`"`
	order := unhex(t, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
	for name, c := range map[string]struct {
		jwk  string
		want error
	}{
		"not JSON":                  {"-----BEGIN", ErrKey},
		"too long":                  {change(`{`, `{"a":"`+strings.Repeat("a", 4096)+`",`), ErrKey},
		"public":                    {change(`"d"`, `"e"`), ErrKey},
		"secret short":              {change(d, d[:40]), ErrKey},
		"secret zero":               {change(d, strings.Repeat("A", 43)), ErrKey},
		"secret the order":          {change(d, order), ErrKey},
		"secret of another":         {change(d, encode64(other.secret[:])), ErrKey},
		"secret of another, no kid": {strings.Replace(change(d, encode64(other.secret[:])), ","+kid, "", 1), ErrKey},
		"secret twice":              {change(`{`, `{"d":"`+d+`",`), ErrKey},
		"alg of another curve":      {change("ES256", "EdDSA"), ErrKey},
		"kid a number":              {change(kid, `"kid":1`), ErrKey},
		"kid of another key":        {change(kid, `"kid":"`+other.KeyID()+`"`), ErrKey},
		"kid of another fragment":   {change(kid, `"kid":"`+s.DID()+`#0"`), ErrKey},
		"kid without fragment":      {change(kid, `"kid":"`+s.DID()+`"`), ErrDID},
		"kid of did:dht":            {change(kid, `"kid":"did:dht:a#0"`), ErrUnsupportedMethod},
		"kid of did:web, no host":   {change(kid, `"kid":"did:web:127.0.0.1#0"`), ErrDID},
		"kid of did:web, two #":     {change(kid, `"kid":"did:web:a#0#1"`), ErrDID},
	} {
		if _, err := ParseSigner([]byte(c.jwk)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		} else if strings.Contains(err.Error(), d[:20]) {
			t.Errorf("%s: error shows the secret", name)
		}
	}
	for name, jwk := range map[string]string{"no kid": change(`,`+kid, ``), "kid a thumbprint": change(kid, `"kid":"abc"`)} {
		if got, err := ParseSigner([]byte(jwk)); err != nil || got.DID() != s.DID() || !strings.HasPrefix(got.DID(), "did:key:") {
			t.Errorf("%s: %v, want the did:key", name, err)
		}
	}
}

func TestSignerShowsNoSecret(t *testing.T) {
	for _, curve := range curves() {
		s := testSigner(t, curve, "print")
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "signer", s, "value", *s, "group", slog.GroupValue(slog.Any("s", s)))
		slog.New(slog.NewTextHandler(&log, nil)).Info("key", "signer", s, "value", *s)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p", "%T"} {
			fmt.Fprintf(&log, verb+verb, s, *s)
		}
		fmt.Fprint(&log, s, *s, []*Signer{s}, map[string]Signer{"a": *s}, struct{ S *Signer }{s}, struct{ s Signer }{*s}, struct{ s *Signer }{s})
		if js, err := json.Marshal(map[string]any{"s": s}); err == nil {
			log.Write(js)
		}
		forbidden := []string{hex.EncodeToString(s.secret[:]), encode64(s.secret[:]), fmt.Sprint(s.secret)[1:40], fmt.Sprintf("%#v", s.secret[:4])[7:20], s.DID()}
		for _, secret := range forbidden {
			if strings.Contains(strings.ToLower(log.String()), strings.ToLower(secret)) {
				t.Errorf("%s: output has %s", curve, secret)
			}
		}
	}
}

func TestSignNeedsAType(t *testing.T) {
	s := testSigner(t, Ed25519, "typ")
	if _, err := s.Sign("", []byte("{}")); !errors.Is(err, ErrToken) {
		t.Errorf("got %v, want %v", err, ErrToken)
	}
	jws, err := s.SignMessage([]byte(`{"descriptorCid":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	if env, err := parseEnvelope(jws, ""); err != nil || env.header.typ != "" || env.header.keyID != s.KeyID() {
		t.Errorf("header %+v, %v", env.header, err)
	}
}

// A key verifies nothing under the algorithm of another, nor what another signed.
func TestAlgorithmIsTheKeys(t *testing.T) {
	message := []byte("message")
	for _, curve := range curves() {
		s := testSigner(t, curve, "pair")
		signature, err := joseSigner{s}.SignPayload(message, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range curves() {
			for _, alg := range []jose.SignatureAlgorithm{"EdDSA", "ES256", "ES256K", "none", "HS256", "ES384", ""} {
				err := joseKey{testSigner(t, key, "pair").public}.VerifyPayload(message, signature, alg)
				if good := key == curve && string(alg) == curve.Algorithm(); (err == nil) != good {
					t.Errorf("%s signature, %s key, alg %q: %v", curve, key, alg, err)
				}
			}
		}
	}
	if (PublicKey{}).verify(message, make([]byte, 64)) {
		t.Error("the zero key verifies")
	}
}

func FuzzParseJWK(f *testing.F) {
	for _, k := range readKeys(f) {
		f.Add([]byte(k.PrivateJWK))
		f.Add(bytes.Replace(k.PrivateJWK, []byte(`"d"`), []byte(`"e"`), 1))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := ParsePublicJWK(text); err == nil {
			members, err := parseObject(text)
			if err != nil {
				t.Fatal(err)
			}
			maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool { // go-jose reads those of RSA keys too, such as e
				return !slices.Contains([]string{"kty", "crv", "x", "y"}, name)
			})
			alone, err := json.Marshal(members)
			if err != nil {
				t.Fatal(err)
			}
			var other jose.JSONWebKey
			if err := json.Unmarshal(alone, &other); key.Curve() != Secp256k1 && err != nil {
				t.Fatalf("go-jose does not take it: %v", err)
			}
			if _, err := ParseDID(keyDID(key)); err != nil {
				t.Fatal(err)
			}
		}
		s, err := ParseSigner(text)
		if err != nil {
			return
		}
		jwk, err := s.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSigner(jwk)
		if err != nil || again.KeyID() != s.KeyID() || again.secret != s.secret {
			t.Fatalf("came back changed: %v", err)
		}
		input := sha256.Sum256(text)
		sig, err := joseSigner{s}.SignPayload(input[:], "")
		if err != nil || !s.public.verify(input[:], sig) {
			t.Fatalf("does not sign for itself: %v", err)
		}
	})
}
