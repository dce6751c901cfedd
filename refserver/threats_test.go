package refserver_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// The threats that requests can carry, by the part of the threat model that they belong
// to. Those that are tested elsewhere:
//
// Tokens. Twice, at another origin: TestReplay. Other frames, direction, time, audience:
// TestSyncRefused. Other method, URL, body: TestCallsRefused. After a restart, whatever
// the clocks: TestStaleNonce, auth.TestRestartForEverySkew. Two servers of one origin:
// auth.TestTwoServers. Two million tokens: auth.TestReplayCacheFlood. The twin (r, n-s)
// and other bytes of one token: auth.TestReplayInOtherBytes.
//
// Keys and DIDs. Every malformed token, DID and document: auth.TestCorpus. Hostile hosts,
// names that change their address, redirects, proxies, slow and long documents:
// auth.TestWebURLRefuses, TestGuard, TestRebinding, TestWebRefusesReplies, TestWebFailures.
//
// Grants. Whose, when, for what: auth.TestDecideTable, TestDecideAgainstOracle; over HTTP
// TestGrantee, TestGranteePushes, TestGranteeReadsByCID, TestGrantHistories. Revoked while
// it is used: TestRevokedMidway. What exists beyond a grant: TestNoLeak, TestLentSecret.
// Cursors of somebody else: TestCursorOfAnotherTenant, TestCursorDamaged.
//
// Tenants: TestTenantsApart, TestTenantPrefix, storetest's SimilarTenants and TenantsApart;
// their share of the server: TestBusy, TestBusyWrites, TestPlaces; what each may have on it:
// TestQuotaOfMessages and what follows it, storetest.RunQuotas.

// victim is a server and a tenant whose requests somebody else has seen.
type victim struct {
	server *restarting
	signer *auth.Signer
}

// seen returns the bytes of a good sync, after its token was changed.
func (v victim) seen(t *testing.T, change func(token string) string) []byte {
	t.Helper()
	data := newDraft(t, v.server.url, v.signer).bytes(t)
	if change == nil {
		return data
	}
	return retoken(t, data, change)
}

// retoken changes the token of a sync.
func retoken(t *testing.T, data []byte, change func(token string) string) (out []byte) {
	t.Helper()
	for f, err := range wire.Decode(bytes.NewReader(data)) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Type == wire.TypeAuth {
			f.Body = []byte(change(string(f.Body)))
		}
		out = f.Append(out)
	}
	return out
}

// part changes the header, 0, or the claims, 1, of a token and leaves its signature.
func part(t *testing.T, i int, old, with string) func(string) string {
	return func(token string) string {
		parts := strings.Split(token, ".")
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), old, with, 1)
		if changed == string(text) {
			t.Fatalf("no %s in %s", old, text)
		}
		parts[i] = base64.RawURLEncoding.EncodeToString([]byte(changed))
		return strings.Join(parts, ".")
	}
}

// twin changes the signature to the other one that is as valid, (r, n-s).
func twin(t *testing.T, token string) string {
	t.Helper()
	dot := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	n, ok := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	if err != nil || !ok || len(sig) != 64 {
		t.Fatal(err)
	}
	n.Sub(n, new(big.Int).SetBytes(sig[32:])).FillBytes(sig[32:])
	return token[:dot+1] + base64.RawURLEncoding.EncodeToString(sig)
}

// filterHead is the head of a sync with a filter of these bytes.
func filterHead(t *testing.T, filter string) []wire.Frame {
	t.Helper()
	return []wire.Frame{
		body(t, wire.TypeInit, wire.Init{Version: wire.Version, Direction: wire.Both, Budget: 1 << 20, Summary: &wire.Summary{Form: wire.FormFilter, Size: uint64(len(filter))}}),
		{Type: wire.TypeSummary, Body: []byte(filter)},
	}
}

// requestToken returns the token of a good GET.
func (v victim) requestToken(t *testing.T, path string) string {
	t.Helper()
	claims, err := auth.NewClaims(v.server.url, v.signer.DID(), time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims.Nonce = nonceOf(t, v.server.url)
	token, err := v.signer.SignRequest(auth.RequestClaims{Claims: claims, Method: "GET", URL: v.server.url + path, Body: auth.DigestOf(nil)})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// send sends a request with any token.
func (v victim) send(t *testing.T, method, path, token string, data []byte) (int, refserver.Problem) {
	t.Helper()
	req := mustRequest(t, method, v.server.url+path, data)
	req.Header.Set("Authorization", "DWN "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return problem(t, resp)
}

// threat is what somebody does with the bytes of a good request, and the answer.
type threat struct {
	name   string
	do     func(t *testing.T, v victim) (int, refserver.Problem)
	status int
	code   string
}

// changed sends a sync after its token was changed.
func changed(change func(t *testing.T, token string) string) func(*testing.T, victim) (int, refserver.Problem) {
	return func(t *testing.T, v victim) (int, refserver.Problem) {
		return post(t, v.server.url, refserver.MediaType, v.seen(t, func(token string) string { return change(t, token) }))
	}
}

func claims(old, with string) func(*testing.T, victim) (int, refserver.Problem) {
	return changed(func(t *testing.T, token string) string { return part(t, 1, old, with)(token) })
}

// after sends a good sync, then the same once more when something was done to it.
func after(between func(v victim), change func(t *testing.T, token string) string) func(*testing.T, victim) (int, refserver.Problem) {
	return func(t *testing.T, v victim) (int, refserver.Problem) {
		data := v.seen(t, nil)
		if status, p := post(t, v.server.url, refserver.MediaType, data); status != 200 {
			t.Fatalf("the first time: %d %+v", status, p)
		}
		between(v)
		return post(t, v.server.url, refserver.MediaType, retoken(t, data, func(token string) string { return change(t, token) }))
	}
}

func asItIs(_ *testing.T, token string) string { return token }

func nothing(victim) {}

// tokenThreats are done to the token of a sync.
func tokenThreats() []threat {
	return []threat{
		{"nothing done to it", changed(asItIs), 200, ""},
		{"same token twice", after(nothing, asItIs), 401, "replay"},
		{"same token after a restart", after(func(v victim) { v.server.restart() }, asItIs), 401, "nonce"},
		{"its twin (r, n-s)", after(nothing, twin), 401, "replay"},
		{"line break in its base64", after(nothing, func(_ *testing.T, token string) string { return token[:9] + "\n" + token[9:] }), 401, "token"},
		{"padding behind it", after(nothing, func(_ *testing.T, token string) string { return token + "=" }), 401, "token"},
		{"header in another order", after(nothing, func(t *testing.T, token string) string {
			return part(t, 0, `"typ":"`+auth.TypeInit+`"`, `"typ" :"`+auth.TypeInit+`"`)(token)
		}), 401, "signature"},
		{"claims written otherwise", claims(`"aud":`, ` "aud": `), 401, "signature"},
		{"scope added", claims(`{`, `{"scope":{"interface":"Records"},`), 401, "signature"},
		{"direction changed", claims(`"both"`, `"pull"`), 401, "signature"},
		{"time made longer", claims(`"exp":1`, `"exp":1`+"0"), 401, "expired"},
		{"jti changed", claims(`"jti":"`, `"jti":"A`), 401, "signature"},
		{"tenant changed", claims(`"tenant":"did:key:`, `"tenant":"did:key:z`), 401, "signature"},
		{"grants added", claims(`{`, `{"grants":["bafyreihluktesmiiq6qoynurvhqu3ik45h5yidxhk226ps2263tyska3mi"],`), 401, "signature"},
		{"alg none", changed(func(t *testing.T, token string) string { return part(t, 0, "ES256", "none")(token) }), 401, "signature"},
		{"alg HS256", changed(func(t *testing.T, token string) string { return part(t, 0, "ES256", "HS256")(token) }), 401, "signature"},
		{"crit added", changed(func(t *testing.T, token string) string { return part(t, 0, "{", `{"crit":["exp"],`)(token) }), 401, "token"},
		{"jwk added", changed(func(t *testing.T, token string) string { return part(t, 0, "{", `{"jwk":{},`)(token) }), 401, "token"},
	}
}

// requestThreats are done to what a token is for.
func requestThreats() []threat {
	const path = "/v1/data"
	get := func(method, other string) func(*testing.T, victim) (int, refserver.Problem) {
		return func(t *testing.T, v victim) (int, refserver.Problem) {
			return v.send(t, method, other, v.requestToken(t, path), nil)
		}
	}
	return []threat{
		{"no change to a call", get("GET", path), 200, ""},
		{"another filter", func(t *testing.T, v victim) (int, refserver.Problem) {
			d := newDraft(t, v.server.url, v.signer)
			d.head, d.signedHead = filterHead(t, "abd"), filterHead(t, "abc")
			return post(t, v.server.url, refserver.MediaType, d.bytes(t))
		}, 401, "hash"},
		{"another method", func(t *testing.T, v victim) (int, refserver.Problem) {
			const data = path + "/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
			return v.send(t, "PUT", data, v.requestToken(t, data), nil)
		}, 401, "audience"},
		{"another call", get("GET", "/v1/grants"), 401, "audience"},
		{"a query added", get("GET", path+"?a=b"), 401, "audience"},
		{"another body", func(t *testing.T, v victim) (int, refserver.Problem) {
			return request(t, v.signer, "POST", v.server.url, "/v1/messages", []byte("{}"), func(c *auth.RequestClaims) { c.Body = auth.DigestOf([]byte("{ }")) })
		}, 401, "hash"},
		{"call's token for a sync", func(t *testing.T, v victim) (int, refserver.Problem) {
			token := v.requestToken(t, path)
			return post(t, v.server.url, refserver.MediaType, v.seen(t, func(string) string { return token }))
		}, 401, "token"},
		{"sync's token for a call", func(t *testing.T, v victim) (int, refserver.Problem) {
			var token string
			v.seen(t, func(of string) string { token = of; return of })
			return v.send(t, "GET", path, token, nil)
		}, 401, "token"},
		{"a message's signature", changed(func(t *testing.T, _ string) string {
			jws, err := tenantKey(t).SignMessage([]byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			return jws.Protected + "." + jws.Payload + "." + jws.Signature
		}), 401, "token"},
	}
}

// TestThreats: what can be made of the bytes of a good request has its answer.
func TestThreats(t *testing.T) {
	signer, err := auth.GenerateSigner(auth.P256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	node := openNode(t)
	v := victim{server: listenAgain(t, node), signer: signer}
	for _, c := range slices.Concat(tokenThreats(), requestThreats()) {
		t.Run(c.name, func(t *testing.T) {
			if status, p := c.do(t, v); status != c.status || p.Code != c.code {
				t.Errorf("%d %+v, want %d %s", status, p, c.status, c.code)
			}
		})
	}
	for did, err := range node.Store.Tenants(t.Context()) {
		t.Errorf("%s has messages, %v", did, err)
	}
}
