package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// malformedVector is a token with one fault. The verifier's time is testNow, its
// origin testOrigin, its start 70 seconds before, its nonce testNonce; requests are POST
// testURL.
type malformedVector struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"` // init or request
	Error string `json:"error"`
	Token string `json:"token"`
}

// sentinels by the names that vectors use.
func sentinels() map[string]error {
	return map[string]error{
		"ErrToken": ErrToken, "ErrSignature": ErrSignature, "ErrExpired": ErrExpired, "ErrAudience": ErrAudience,
		"ErrNonce": ErrNonce, "ErrDID": ErrDID, "ErrKey": ErrKey, "ErrUnsupportedMethod": ErrUnsupportedMethod,
	}
}

// faults collects vectors that begin as a good token of either kind.
type faults struct {
	t       testing.TB
	s       *Signer
	vectors []malformedVector
}

func (f *faults) add(kind, err, name, token string) {
	f.vectors = append(f.vectors, malformedVector{name, kind, err, token})
}

func (f *faults) good(kind string) (header, payload string) {
	f.t.Helper()
	token, err := f.s.SignInit(testInit(f.t, f.s))
	if kind == "request" {
		token, err = f.s.SignRequest(testRequest(f.t, f.s))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	h, err1 := decode64(parts[0])
	p, err2 := decode64(parts[1])
	if err1 != nil || err2 != nil {
		f.t.Fatal(err1, err2)
	}
	return string(h), string(p)
}

// replace is strings.Replace that has to find what it replaces.
func (f *faults) replace(in, old, with string) string {
	f.t.Helper()
	if !strings.Contains(in, old) {
		f.t.Fatalf("%s has no %s", in, old)
	}
	return strings.Replace(in, old, with, 1)
}

func (f *faults) header(err, name, old, with string) {
	f.t.Helper()
	for _, kind := range []string{"init", "request"} {
		h, p := f.good(kind)
		f.add(kind, err, "header: "+name, compact(f.t, f.s, f.replace(h, old, with), p))
	}
}

func (f *faults) claim(kind, err, name, old, with string) {
	f.t.Helper()
	h, p := f.good(kind)
	f.add(kind, err, "claims: "+name, compact(f.t, f.s, h, f.replace(p, old, with)))
}

func (f *faults) both(err, name, old, with string) {
	f.t.Helper()
	f.claim("init", err, name, old, with)
	f.claim("request", err, name, old, with)
}

func (f *faults) headers() {
	for _, member := range []string{
		`"crit":["exp"]`, `"b64":false`, `"zip":"DEF"`, `"jwk":{}`, `"jku":"https://a.example"`, `"x5u":"https://a.example"`,
		`"x5c":[]`, `"x5t":"AA"`, `"x5t#S256":"AA"`, `"enc":"A128GCM"`, `"nonce":"a"`, `"cty":"json"`, `"KID":"a"`,
	} {
		f.header("ErrToken", member, `{`, `{`+member+`,`)
	}
	f.header("ErrToken", "alg twice", `{`, `{"alg":"EdDSA",`)
	f.header("ErrToken", "alg twice, once escaped", `{`, `{"\u0061lg":"EdDSA",`)
	f.header("ErrToken", "kid twice", `{`, `{"kid":"did:key:z#z",`)
	f.header("ErrToken", "name in another case", `"alg"`, `"Alg"`)
	f.header("ErrToken", "alg missing", `"alg":"EdDSA",`, ``)
	f.header("ErrToken", "alg not a string", `"EdDSA"`, `1`)
	f.header("ErrToken", "alg null", `"EdDSA"`, `null`)
	f.header("ErrSignature", "alg none", `EdDSA`, `none`)
	f.header("ErrSignature", "alg HS256", `EdDSA`, `HS256`)
	f.header("ErrSignature", "alg of another curve", `EdDSA`, `ES256`)
	f.header("ErrSignature", "alg in another case", `EdDSA`, `eddsa`)
	f.header("ErrToken", "typ of JWT", `"dwnsync-`, `"JWT-`)
	f.header("ErrToken", "typ in another case", `"dwnsync-`, `"Dwnsync-`)
	f.header("ErrToken", "typ with prefix", `"dwnsync-`, `"application/dwnsync-`)
	f.header("ErrToken", "typ missing", `,"typ":"`, `,"t":"`)
	f.header("ErrToken", "typ null", `"typ":"`, `"typ":null,"t":"`)
	f.header("ErrToken", "trailing comma", `{`, `{,`)
	f.header("ErrToken", "array", `{`, `[{`)
	f.header("ErrToken", "not UTF-8", `EdDSA`, "EdDSA\xff")
	f.header("ErrToken", "white space that JSON has not", `{`, "{\v")
	f.header("ErrToken", "kid missing", `"kid"`, `"ki"`)
	f.header("ErrDID", "kid no DID", `"kid":"did:`, `"kid":"dad:`)
	f.header("ErrKey", "kid of another fragment", `#z`, `#y`)
	f.header("ErrDID", "kid without fragment", `#`, `:`)
	f.header("ErrDID", "kid with query", `#`, `?a#`)
	f.header("ErrDID", "kid too long", `"kid":"did:key:`, `"kid":"did:key:`+strings.Repeat("z", 3100))
	f.header("ErrUnsupportedMethod", "kid of did:web", `"kid":"did:key:`, `"kid":"did:web:`)
}

func (f *faults) form() {
	for _, kind := range []string{"init", "request"} {
		h, p := f.good(kind)
		good := compact(f.t, f.s, h, p)
		parts := strings.Split(good, ".")
		join := func(i int, part string) string {
			q := append([]string(nil), parts...)
			q[i] = part
			return strings.Join(q, ".")
		}
		for name, token := range map[string]string{
			"empty": "", "one part": parts[0], "two parts": parts[0] + "." + parts[1], "four parts": good + ".",
			"dots": strings.Repeat(".", 5000), "too long": good + strings.Repeat("A", MaxInitToken), "space before": " " + good,
			"line break at the end": good + "\n", "JSON": `{"payload":""}`, "no header": join(0, ""), "no payload": join(1, ""),
			"no signature": join(2, ""), "header padded": join(0, parts[0]+"="), "signature short": join(2, parts[2][:84]),
			"signature long": join(2, parts[2]+"AAAA"), "header with line break": join(0, parts[0][:4]+"\n"+parts[0][4:]),
			"payload with carriage return": join(1, parts[1][:4]+"\r"+parts[1][4:]), "payload in standard base64": join(1, "+"+parts[1][1:]),
			"signature with line break": join(2, parts[2][:85]+"\n"), "signature with stray bits": join(2, parts[2][:85]+"B"),
			"header trailing": compact(f.t, f.s, h+"{}", p), "payload trailing": compact(f.t, f.s, h, p+" 1"),
			"header cut": compact(f.t, f.s, h[:len(h)-1], p), "payload cut": compact(f.t, f.s, h, p[:len(p)-1]),
			"payload array": compact(f.t, f.s, h, "["+p+"]"), "payload text": compact(f.t, f.s, h, `"a"`), "payload null": compact(f.t, f.s, h, `null`),
		} {
			f.add(kind, "ErrToken", "form: "+name, token)
		}
		f.signatures(kind, parts)
	}
}

func (f *faults) signatures(kind string, parts []string) {
	raw, err := decode64(parts[2])
	if err != nil {
		f.t.Fatal(err)
	}
	sign := func(name string, change func(sig []byte)) {
		sig := bytes.Clone(raw)
		change(sig)
		f.add(kind, "ErrSignature", "signature: "+name, parts[0]+"."+parts[1]+"."+encode64(sig))
	}
	sign("bit of R", func(sig []byte) { sig[0] ^= 1 })
	sign("bit of S", func(sig []byte) { sig[32] ^= 1 })
	sign("zeros", func(sig []byte) { clear(sig) })
	sign("S plus the order", func(sig []byte) { addOrder(sig[32:]) })
	other := strings.Split(compact(f.t, testSigner(f.t, Ed25519, "other"), "{}", "{}"), ".")[2]
	f.add(kind, "ErrSignature", "signature: by another key", parts[0]+"."+parts[1]+"."+other)
	h, p := f.good(kind)
	f.add(kind, "ErrSignature", "signature: over another payload", encode64([]byte(h))+"."+encode64([]byte(p+" "))+"."+parts[2])
}

// addOrder adds the order of Ed25519's group to a little-endian number.
func addOrder(s []byte) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	be := bytes.Clone(s)
	reverse(be)
	sum := new(big.Int).Add(new(big.Int).SetBytes(be), order)
	sum.FillBytes(s)
	reverse(s)
}

func reverse(b []byte) {
	for i := range len(b) / 2 {
		b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
	}
}

func (f *faults) common() {
	did := f.s.DID()
	for _, name := range []string{"aud", "iat", "exp", "jti", "tenant"} {
		f.both("ErrToken", name+" missing", `"`+name+`"`, `"z"`)
		f.both("ErrToken", name+" in another case", `"`+name+`"`, `"`+strings.ToUpper(name)+`"`)
		f.both("ErrToken", name+" twice", `{`, `{"`+name+`":"",`)
		f.both("ErrToken", name+" null", `"`+name+`":`, `"`+name+`":null,"a":`)
	}
	f.both("ErrToken", "unknown claim", `{`, `{"sub":"a",`)
	f.both("ErrToken", "aud array", `"https://node.example"`, `["https://node.example"]`)
	f.both("ErrToken", "aud with path", `"https://node.example"`, `"https://node.example/a"`)
	f.both("ErrToken", "aud with user", `"https://node`, `"https://u:p@node`)
	f.both("ErrToken", "aud not http", `"https://node`, `"ftp://node`)
	f.both("ErrAudience", "aud another host", `"https://node.`, `"https://edon.`)
	f.both("ErrAudience", "aud another scheme", `"https://node.`, `"http://node.`)
	f.both("ErrAudience", "aud another port", `node.example"`, `node.example:8443"`)
	f.both("ErrToken", "iat text", `1767225600,`, `"1767225600",`)
	f.both("ErrToken", "iat exponent", `1767225600,`, `17672256e2,`)
	f.both("ErrToken", "iat negative", `1767225600,`, `-1767225600,`)
	f.both("ErrToken", "iat too precise", `1767225600,`, `1767225600.0000000001,`)
	f.both("ErrToken", "iat too large", `1767225600,`, `176722560000,`)
	f.both("ErrExpired", "lifetime over 120 s", `1767225720,`, `1767225720.001,`)
	f.both("ErrExpired", "exp is iat", `1767225720,`, `1767225600,`)
	f.both("ErrExpired", "exp before iat", `1767225720,`, `1767225599,`)
	f.both("ErrNonce", "issued within 60 s of the start", `1767225600,"exp":1767225720`, `1767225590,"exp":1767225620`)
	f.both("ErrNonce", "issued before the start", `1767225600,"exp":1767225720`, `1767225529.999999,"exp":1767225620`)
	f.both("ErrExpired", "expired", `1767225600,"exp":1767225720`, `1767225570,"exp":1767225600`)
	f.both("ErrExpired", "from the future", `1767225600,"exp":1767225720`, `1767225660.001,"exp":1767225700`)
	id := encode64(make([]byte, 16))
	f.both("ErrToken", "jti short", id, encode64(make([]byte, 15)))
	f.both("ErrToken", "jti long", id, encode64(make([]byte, 49)))
	f.both("ErrToken", "jti stray bits", id, id[:21]+"B")
	f.both("ErrToken", "jti padded", id, id+"==")
	f.both("ErrToken", "jti line break", id, id+`\n`)
	for name, nonce := range map[string]string{"number": "1", "null": "null", "array": `["` + testNonce + `"]`, "empty": `""`, "long": `"` + strings.Repeat("a", MaxNonce+1) + `"`, "padded": `"` + testNonce + `=="`, "of standard base64": `"+` + testNonce[1:] + `"`, "with a line break": `"` + testNonce + `\n"`} {
		f.both("ErrToken", "nonce "+name, `{`, `{"nonce":`+nonce+`,`)
	}
	f.both("ErrToken", "nonce twice", `{`, `{"nonce":"`+testNonce+`","nonce":"`+testNonce+`",`)
	f.both("ErrNonce", "nonce of nobody", `{`, `{"nonce":"`+strings.Repeat("A", 22)+`",`)
	f.both("ErrNonce", "nonce cut", `{`, `{"nonce":"`+testNonce[:21]+`",`)
	f.both("ErrDID", "tenant no DID", `"`+did+`"`, `"alice"`)
	f.both("ErrDID", "tenant with fragment", `"`+did+`"`, `"`+did+`#a"`)
	f.both("ErrToken", "tenant array", `"`+did+`"`, `["`+did+`"]`)
	f.both("ErrDID", "tenant too long", `"`+did+`"`, `"did:web:`+strings.Repeat("a", 2041)+`"`)
}

func (f *faults) initOnly() {
	claims := testInit(f.t, f.s)
	frames := encode64(claims.Frames[:])
	for name, scope := range map[string]string{"null": "null", "array": "[]", "text": `"all"`, "unknown field": `{"colour":"red"}`, "field twice": `{"schema":"http://a","schema":"http://a"}`} {
		f.claim("init", "ErrToken", "scope "+name, `{`, `{"scope":`+scope+`,`)
	}
	for name, with := range map[string]string{"upper": `"BOTH"`, "unknown": `"sideways"`, "number": `2`, "empty": `""`, "list": `["pull","push"]`} {
		f.claim("init", "ErrToken", "direction "+name, `"both"`, with)
	}
	for name, with := range map[string]string{"short": frames[:42], "long": frames + "A", "padded": frames + "=", "hex": strings.Repeat("0", 64), "stray bits": frames[:42] + "B", "empty": ""} {
		f.claim("init", "ErrToken", "frames "+name, frames, with)
	}
	f.claim("init", "ErrToken", "frames missing", `"frames"`, `"frame"`)
	f.claim("init", "ErrToken", "direction missing", `"direction"`, `"dir"`)
	f.claim("init", "ErrToken", "claims of a request", `{`, `{"htm":"GET",`)
}

func (f *faults) requestOnly() {
	claims := testRequest(f.t, f.s)
	body := encode64(claims.Body[:])
	for name, with := range map[string]string{"short": body[:42], "long": body + "A", "padded": body + "=", "empty": ""} {
		f.claim("request", "ErrToken", "body "+name, body, with)
	}
	f.claim("request", "ErrToken", "body missing", `"body"`, `"bod"`)
	f.claim("request", "ErrToken", "claims of SYNC_INIT", `{`, `{"direction":"both",`)
	f.claim("request", "ErrToken", "htm empty", `"POST"`, `""`)
	f.claim("request", "ErrAudience", "htm another", `"POST"`, `"PUT"`)
	f.claim("request", "ErrAudience", "htm in another case", `"POST"`, `"post"`)
	for name, with := range map[string]string{"relative": `"/v1/messages?limit=1"`, "with fragment": `"` + testURL + `#a"`, "with user": `"https://a@node.example/v1/messages?limit=1"`, "of another kind": `"data:,a"`, "with a control character": `"https://node.example/\u0000"`, "not ASCII": `"https://node.example/é"`} {
		f.claim("request", "ErrToken", "htu "+name, `"`+testURL+`"`, with)
	}
	for name, with := range map[string]string{"path": "https://node.example/v1/message?limit=1", "path escaped": "https://node.example/v1/%6dessages?limit=1", "query": "https://node.example/v1/messages?limit=2", "no query": "https://node.example/v1/messages", "host": "https://node.example.org/v1/messages?limit=1", "scheme": "http://node.example/v1/messages?limit=1"} {
		f.claim("request", "ErrAudience", "htu another "+name, `"`+testURL+`"`, `"`+with+`"`)
	}
}

// swapped are tokens of one kind where the other belongs, and other kinds of JWS.
func (f *faults) swapped() {
	hi, pi := f.good("init")
	hr, pr := f.good("request")
	f.add("request", "ErrToken", "kind: SYNC_INIT token", compact(f.t, f.s, hi, pi))
	f.add("init", "ErrToken", "kind: request token", compact(f.t, f.s, hr, pr))
	message := f.replace(hi, `,"typ":"`+TypeInit+`"`, ``)
	f.add("init", "ErrToken", "kind: signature of a DWN message", compact(f.t, f.s, message, pi))
	k1, p256 := testSigner(f.t, Secp256k1, "faults"), testSigner(f.t, P256, "faults")
	good, err1 := k1.SignInit(testInit(f.t, k1))
	wrong, err2 := p256.SignInit(testInit(f.t, p256))
	if err1 != nil || err2 != nil {
		f.t.Fatal(err1, err2)
	}
	f.add("init", "ErrSignature", "signature: ES256K with n-s", negateS(f.t, good, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"))
	f.add("init", "ErrSignature", "signature: ES256 with r = s = 0", wrong[:strings.LastIndexByte(wrong, '.')+1]+strings.Repeat("A", 86))
	for name, point := range map[string]string{"identity": torsion["order 1"], "zero": torsion["order 4"]} {
		f.add("init", "ErrKey", "key: small order, "+name, f.smallOrder(point))
	}
}

// smallOrder returns a token under a key of small order whose signature
// crypto/ed25519 would take, were it asked.
func (f *faults) smallOrder(point string) string {
	raw, _ := new(big.Int).SetString(point, 16)
	did := didKey(codecEd25519, raw.FillBytes(make([]byte, 32)))
	h, p := f.good("init")
	h = f.replace(h, f.s.KeyID(), did+"#"+strings.TrimPrefix(did, "did:key:"))
	sig := append([]byte{1}, make([]byte, 63)...)
	return encode64([]byte(h)) + "." + encode64([]byte(p)) + "." + encode64(sig)
}

// negateS replaces s by n-s, which is the signature's twin.
func negateS(t testing.TB, token, order string) string {
	t.Helper()
	dot := strings.LastIndexByte(token, '.')
	sig, err := decode64(token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	n, _ := new(big.Int).SetString(order, 16)
	n.Sub(n, new(big.Int).SetBytes(sig[32:])).FillBytes(sig[32:])
	return token[:dot+1] + encode64(sig)
}

func makeMalformed(t testing.TB) []malformedVector {
	f := &faults{t: t, s: testSigner(t, Ed25519, "faults")}
	f.headers()
	f.form()
	f.common()
	f.initOnly()
	f.requestOnly()
	f.swapped()
	f.grants()
	f.curveSignatures()
	f.torsionKeys()
	return f.vectors
}

func readMalformed(t testing.TB) []malformedVector {
	t.Helper()
	path := filepath.Join(vectorDir, "malformed.json")
	if *update {
		writeJSON(t, path, sortVectors(makeMalformed(t)))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []malformedVector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func TestMalformedTokens(t *testing.T) {
	vectors := readMalformed(t)
	if made := sortVectors(makeMalformed(t)); len(made) != len(vectors) {
		t.Errorf("%d vectors in the file, %d made; run with -update", len(vectors), len(made))
	}
	for _, bad := range vectors {
		t.Run(bad.Kind+"/"+bad.Name, func(t *testing.T) {
			err := verifyKind(t, testVerifier(t), bad.Kind, bad.Token)
			if !errors.Is(err, sentinels()[bad.Error]) || sentinels()[bad.Error] == nil {
				t.Fatalf("got %v, want %s", err, bad.Error)
			}
			for _, part := range strings.Split(bad.Token, ".") {
				if len(part) > 20 && strings.Contains(err.Error(), part) {
					t.Errorf("error has bytes of the token: %v", err)
				}
			}
			if strings.Contains(err.Error(), testSigner(t, Ed25519, "faults").DID()) {
				t.Errorf("error has a whole DID: %v", err)
			}
		})
	}
}

func verifyKind(t testing.TB, v *Verifier, kind, token string) error {
	t.Helper()
	var err error
	if kind == "request" {
		_, err = v.VerifyRequest(t.Context(), token, "POST", testURL)
	} else {
		_, err = v.VerifyInit(t.Context(), token)
	}
	return err
}

// The vectors differ from good tokens by their fault alone: the good ones pass.
func TestFaultsBeginGood(t *testing.T) {
	f := &faults{t: t, s: testSigner(t, Ed25519, "faults")}
	for _, kind := range []string{"init", "request"} {
		h, p := f.good(kind)
		if err := verifyKind(t, testVerifier(t), kind, compact(t, f.s, h, p)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if err := verifyKind(t, testVerifier(t), kind, compact(t, f.s, " "+h+"\n", "\t"+p)); err != nil {
			t.Errorf("%s with white space: %v", kind, err)
		}
	}
}
