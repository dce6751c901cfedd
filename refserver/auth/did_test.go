package auth

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/mr-tron/base58"
)

func TestParseDIDOfSharedKeys(t *testing.T) {
	for _, k := range readKeys(t) {
		doc, err := Offline{}.Resolve(t.Context(), k.DID)
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
			continue
		}
		if key, ok := doc.Keys[k.Kid]; !ok || len(doc.Keys) != 1 || doc.DID != k.DID || key.Curve() == "" {
			t.Errorf("%s: document has keys %v, want exactly %s", k.Name, len(doc.Keys), k.Kid)
		}
		if strings.HasPrefix(k.DID, "did:key:") && keyDID(doc.Keys[k.Kid]) != k.DID {
			t.Errorf("%s: key gives %s, want %s", k.Name, keyDID(doc.Keys[k.Kid]), k.DID)
		}
	}
}

// Examples of the did:key specification, W3C CCG.
func TestParseDIDOfSpecification(t *testing.T) {
	for did, want := range map[string]Curve{
		"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK":  Ed25519,
		"did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv": P256,
		"did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme": Secp256k1,
	} {
		doc, err := ParseDID(did)
		if err != nil {
			t.Errorf("%s: %v", did, err)
			continue
		}
		if got := doc.Keys[did+"#"+strings.TrimPrefix(did, "did:key:")].Curve(); got != want {
			t.Errorf("%s: curve %q, want %q", did, got, want)
		}
	}
}

func didKey(prefix string, point []byte) string {
	return "did:key:z" + base58.Encode(append([]byte(prefix), point...))
}

func didJWK(text string) string { return "did:jwk:" + encode64([]byte(text)) }

// badDIDs are one fault each.
func badDIDs(t testing.TB) map[string]struct {
	did  string
	want error
} {
	ed := []byte(testSigner(t, Ed25519, "bad").public.point)
	p256 := []byte(testSigner(t, P256, "bad").public.point)
	k1 := []byte(testSigner(t, Secp256k1, "bad").public.point)
	offCurve := func(p []byte) []byte {
		q := bytes.Clone(p)
		for {
			q[len(q)-1]++
			if _, err := newP256(q); len(q) == 33 && err != nil {
				return q
			}
		}
	}
	x, y := encode64(ed), encode64(p256[1:])
	jwk := func(rest string) string { return didJWK(`{"kty":"OKP","crv":"Ed25519","x":"` + x + `"` + rest + `}`) }
	type bad = struct {
		did  string
		want error
	}
	return map[string]bad{
		"empty":                  {"", ErrDID},
		"no scheme":              {"key:z6Mk", ErrDID},
		"upper-case scheme":      {"DID:key:z6Mk", ErrDID},
		"upper-case method":      {"did:Key:z6Mk", ErrDID},
		"no method":              {"did::z6Mk", ErrDID},
		"no id":                  {"did:key:", ErrDID},
		"id ends in colon":       {"did:web:a:", ErrDID},
		"fragment":               {"did:key:z6Mk#a", ErrDID},
		"query":                  {"did:key:z6Mk?a", ErrDID},
		"path":                   {"did:key:z6Mk/a", ErrDID},
		"space":                  {"did:key:z6Mk ", ErrDID},
		"control":                {"did:key:z6Mk\n", ErrDID},
		"not ASCII":              {"did:key:zé", ErrDID},
		"bad percent":            {"did:web:a%2", ErrDID},
		"too long":               {"did:key:z" + strings.Repeat("1", MaxDID), ErrDID},
		"did:web":                {"did:web:example.org", ErrUnsupportedMethod},
		"did:dht":                {"did:dht:abc", ErrUnsupportedMethod},
		"not multibase z":        {"did:key:u" + encode64(append([]byte(codecEd25519), ed...)), ErrKey},
		"base58 alphabet":        {"did:key:z0OIl", ErrKey},
		"base58 too long":        {"did:key:z" + strings.Repeat("2", 65), ErrKey},
		"base58 leading ones":    {"did:key:z1" + base58.Encode(append([]byte(codecEd25519), ed...)), ErrKey},
		"varint not canonical":   {didKey("\xed\x81\x00", ed), ErrKey},
		"x25519":                 {didKey("\xec\x01", ed), ErrKey},
		"RSA":                    {didKey("\x85\x24", ed), ErrKey},
		"Ed25519 short":          {didKey(codecEd25519, ed[:31]), ErrKey},
		"Ed25519 long":           {didKey(codecEd25519, append(bytes.Clone(ed), 0)), ErrKey},
		"P-256 prefix 4":         {didKey(codecP256, append([]byte{4}, p256[1:]...)), ErrKey},
		"P-256 not on the curve": {didKey(codecP256, offCurve(p256)), ErrKey},
		"P-256 infinity":         {didKey(codecP256, make([]byte, 33)), ErrKey},
		"secp256k1 prefix 5":     {didKey(codecSecp256k1, append([]byte{5}, k1[1:]...)), ErrKey},
		"secp256k1 x over p":     {didKey(codecSecp256k1, append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...)), ErrKey},
		"jwk not base64url":      {"did:jwk:e30_%20", ErrKey},
		"jwk padding bits":       {"did:jwk:e31", ErrKey},
		"jwk not JSON":           {didJWK(`{`), ErrKey},
		"jwk array":              {didJWK(`[]`), ErrKey},
		"jwk trailing":           {didJWK(`{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}{}`), ErrKey},
		"jwk too long":           {jwk(`,"z":"` + strings.Repeat("a", 1000) + `"`), ErrKey},
		"jwk private":            {jwk(`,"d":"` + x + `"`), ErrKey},
		"jwk private prime":      {jwk(`,"p":"AA"`), ErrKey},
		"jwk duplicate":          {jwk(`,"x":"` + x + `"`), ErrKey},
		"jwk escaped duplicate":  {jwk(`,"\u0078":"` + x + `"`), ErrKey},
		"jwk Ed25519 with y":     {jwk(`,"y":"` + y + `"`), ErrKey},
		"jwk alg":                {jwk(`,"alg":"ES256"`), ErrKey},
		"jwk alg number":         {jwk(`,"alg":1`), ErrKey},
		"jwk use enc":            {jwk(`,"use":"enc"`), ErrKey},
		"jwk key_ops":            {jwk(`,"key_ops":["encrypt"]`), ErrKey},
		"jwk key_ops text":       {jwk(`,"key_ops":"verify"`), ErrKey},
		"jwk RSA":                {didJWK(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`), ErrKey},
		"jwk oct":                {didJWK(`{"kty":"oct","k":"AQAB"}`), ErrKey},
		"jwk P-384":              {didJWK(`{"kty":"EC","crv":"P-384","x":"` + x + `","y":"` + y + `"}`), ErrKey},
		"jwk X25519":             {didJWK(`{"kty":"OKP","crv":"X25519","x":"` + x + `"}`), ErrKey},
		"jwk kty and crv":        {didJWK(`{"kty":"EC","crv":"Ed25519","x":"` + x + `"}`), ErrKey},
		"jwk name case":          {didJWK(`{"Kty":"OKP","crv":"Ed25519","x":"` + x + `"}`), ErrKey},
		"jwk x padded":           {didJWK(`{"kty":"OKP","crv":"Ed25519","x":"` + x + `="}`), ErrKey},
		"jwk x line break":       {didJWK(`{"kty":"OKP","crv":"Ed25519","x":"` + x[:42] + `\n` + `"}`), ErrKey},
		"jwk x short":            {didJWK(`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`), ErrKey},
		"jwk x null":             {didJWK(`{"kty":"OKP","crv":"Ed25519","x":null}`), ErrKey},
		"jwk EC without y":       {didJWK(`{"kty":"EC","crv":"P-256","x":"` + y + `"}`), ErrKey},
		"jwk P-256 off curve":    {didJWK(`{"kty":"EC","crv":"P-256","x":"` + y + `","y":"` + y + `"}`), ErrKey},
		"jwk secp256k1 off":      {didJWK(`{"kty":"EC","crv":"secp256k1","x":"` + y + `","y":"` + y + `"}`), ErrKey},
		"jwk not UTF-8":          {didJWK("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" + x + "\",\"z\":\"\xff\"}"), ErrKey},
	}
}

func TestParseDIDRefuses(t *testing.T) {
	for name, bad := range badDIDs(t) {
		t.Run(name, func(t *testing.T) {
			_, err := ParseDID(bad.did)
			if !errors.Is(err, bad.want) {
				t.Fatalf("got %v, want %v", err, bad.want)
			}
			if len(bad.did) > 24 && strings.Contains(err.Error(), bad.did) {
				t.Errorf("error has the whole DID: %v", err)
			}
		})
	}
}

func TestParseDIDJWKAllowsWhatIsHarmless(t *testing.T) {
	x := encode64([]byte(testSigner(t, Ed25519, "bad").public.point))
	for _, rest := range []string{``, `,"alg":"EdDSA"`, `,"alg":"Ed25519"`, `,"use":"sig"`, `,"key_ops":["verify"]`, `,"kid":"a","ext":true`} {
		did := didJWK(` {"x":"` + x + `","crv":"Ed25519","kty":"OKP"` + rest + `}`)
		if doc, err := ParseDID(did); err != nil || len(doc.Keys) != 1 {
			t.Errorf("%s: %v", rest, err)
		}
	}
}

// torsion are all encodings, canonical or not, of the eight points of small order
// that crypto/ed25519 decodes.
var torsion = map[string]string{
	"order 1":               "0100000000000000000000000000000000000000000000000000000000000000",
	"order 2":               "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"order 4":               "0000000000000000000000000000000000000000000000000000000000000000",
	"order 4, negative":     "0000000000000000000000000000000000000000000000000000000000000080",
	"order 8":               "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"order 8, negative":     "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"order 8, other":        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"order 8, other, neg.":  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"order 1, sign of zero": "0100000000000000000000000000000000000000000000000000000000000080",
	"order 2, sign of zero": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"order 4, y = p":        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"order 4, y = p, neg.":  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"order 1, y = p+1":      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"order 1, y = p+1, neg": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

func TestSmallOrderKeysAreRefused(t *testing.T) {
	universal := 0
	for name, text := range torsion {
		point, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		// R = A·0 and S = 0 satisfy S·B = R + k·A for the identity, whatever k is.
		signature := append(append([]byte{1}, make([]byte, 31)...), make([]byte, 32)...)
		if ed25519.Verify(point, []byte("any message"), signature) && ed25519.Verify(point, []byte("another"), signature) {
			universal++
		}
		jwk := didJWK(`{"kty":"OKP","crv":"Ed25519","x":"` + encode64(point) + `"}`)
		for _, did := range []string{didKey(codecEd25519, point), jwk} {
			if _, err := ParseDID(did); !errors.Is(err, ErrKey) {
				t.Errorf("%s: got %v, want %v", name, err, ErrKey)
			}
		}
	}
	if universal == 0 {
		t.Error("crypto/ed25519 takes none of these keys any more; this check may have become needless")
	}
	// Every other y that is not reduced, of whatever order.
	for y := byte(3); y < 19; y++ {
		enc := append([]byte{0xed + y}, bytes.Repeat([]byte{0xff}, 30)...)
		if _, err := newEd25519(append(enc, 0x7f)); !errors.Is(err, ErrKey) {
			t.Errorf("y = p+%d: got %v, want %v", y, err, ErrKey)
		}
	}
}

func FuzzParseDID(f *testing.F) {
	for _, k := range readKeys(f) {
		f.Add(k.DID)
	}
	for _, bad := range badDIDs(f) {
		f.Add(bad.did)
	}
	f.Fuzz(func(t *testing.T, did string) {
		doc, err := ParseDID(did)
		if err != nil {
			return
		}
		if CheckDID(did) != nil || doc.DID != did || len(doc.Keys) != 1 {
			t.Fatalf("accepted what is no DID, or with %d keys", len(doc.Keys))
		}
		for keyID, key := range doc.Keys {
			got, same, err := findKey(t.Context(), Offline{}, keyID, true)
			if err != nil || got != did || !same.Equal(key) {
				t.Fatalf("its own key ID: %v", err)
			}
			again, err := ParseDID(keyDID(key))
			if err != nil || len(again.Keys) != 1 {
				t.Fatalf("its key has no did:key: %v", err)
			}
			if strings.HasPrefix(did, "did:key:") && keyDID(key) != did {
				t.Fatal("two did:key for one key")
			}
		}
	})
}
