package auth

import (
	"crypto"
	"reflect"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// es256k is what the library lacks, made of what it has: its own ECDSA over the curve
// that the key brings, with none of our code.
func es256k() jwt.SigningMethod {
	return &jwt.SigningMethodECDSA{Name: "ES256K", Hash: crypto.SHA256, KeySize: 32, CurveBits: 256}
}

// agreesWithJWT fails unless golang-jwt by itself takes a JWS that we took, with the same
// header and the same claims.
func agreesWithJWT(t testing.TB, env envelope, claims object) {
	t.Helper()
	_, key, err := findKey(t.Context(), Offline{}, env.header.keyID, false)
	if err != nil {
		t.Fatal(err)
	}
	public := map[Curve]func() any{
		Ed25519: func() any { return key.ed }, P256: func() any { return key.p256 }, Secp256k1: func() any { return key.k1.ToECDSA() },
	}[key.Curve()]()
	parser := jwt.NewParser(jwt.WithValidMethods([]string{key.Curve().Algorithm()}), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding(), jwt.WithJSONNumber())
	read := jwt.MapClaims{}
	compact := env.jws.Protected + "." + env.jws.Payload + "." + env.jws.Signature
	token, err := parser.ParseWithClaims(compact, read, func(*jwt.Token) (any, error) { return public, nil })
	if err != nil || !token.Valid {
		t.Fatalf("golang-jwt does not take it: %v", err)
	}
	want := map[string]any{"alg": env.header.alg, "kid": env.header.keyID}
	if env.header.typ != "" {
		want["typ"] = env.header.typ
	}
	if !reflect.DeepEqual(token.Header, want) {
		t.Fatalf("golang-jwt reads another header: %v, want %v", token.Header, want)
	}
	if len(read) != len(claims) {
		t.Fatalf("golang-jwt reads %d claims, want %d", len(read), len(claims))
	}
	for name := range claims {
		text, isText, err := claims.text(name)
		if got, there := read[name]; !there || err == nil && isText && got != text {
			t.Fatalf("golang-jwt reads %s as %v, want %q", name, got, text)
		}
	}
}

// FuzzAgainstJWT: what we take as a JWS, of a token or of a DWN message, golang-jwt takes
// too. Payloads are also signed, so that what lies behind the signature is fuzzed.
func FuzzAgainstJWT(f *testing.F) {
	jwt.RegisterSigningMethod("ES256K", es256k)
	for i, v := range makeTokens(f) {
		f.Add(v.Token, v.Payload, byte(i))
	}
	for i, v := range readMalformed(f) {
		if len(v.Token) < 8192 {
			f.Add(v.Token, "{}", byte(i))
		}
	}
	types := []string{"", TypeInit, TypeRequest}
	f.Fuzz(func(t *testing.T, token, payload string, how byte) {
		s := testSigner(t, curves()[how%3], "token")
		signed, err := s.sign(types[how/3%3], []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{token, signed} {
			for _, typ := range types {
				againstJWT(t, text, typ)
			}
		}
	})
}

func againstJWT(t testing.TB, text, typ string) {
	t.Helper()
	jws, err := splitCompact(text, MaxInitToken)
	if err != nil {
		return
	}
	env, err := parseEnvelope(jws, typ)
	if err != nil {
		return
	}
	claims, err := parseObject(env.payload)
	if err != nil {
		return
	}
	if _, err := env.verify(t.Context(), Offline{}); err == nil {
		agreesWithJWT(t, env, claims)
	}
}
