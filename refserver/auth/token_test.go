package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

func sortVectors(v []malformedVector) []malformedVector {
	slices.SortFunc(v, func(a, b malformedVector) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return v
}

func writeJSON(t testing.TB, path string, v any) {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tokenVector is a good token, made of claims by a key.
type tokenVector struct {
	Name     string          `json:"name"`
	Kind     string          `json:"kind"`
	JWK      json.RawMessage `json:"jwk"`
	Now      int64           `json:"now"`
	Audience string          `json:"audience"`
	Nonce    string          `json:"nonce,omitempty"` // the server's, where the token has one
	Payload  string          `json:"payload"`
	Token    string          `json:"token"`
}

func makeTokens(t testing.TB) (vectors []tokenVector) {
	scope, err := dwn.ParseScope([]byte(`{"protocol":"https://example.org/protocols/notes"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, curve := range curves() {
		s := testSigner(t, curve, "token")
		jwk, err := s.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		add := func(kind, name, token string, err error) {
			if err != nil {
				t.Fatal(err)
			}
			payload, err := decode64(strings.Split(token, ".")[1])
			if err != nil {
				t.Fatal(err)
			}
			vectors = append(vectors, tokenVector{fmt.Sprintf("%s %s", curve.Algorithm(), name), kind, jwk, testNow.Unix(), testOrigin, "", string(payload), token})
		}
		c := testInit(t, s)
		token, err := s.SignInit(c)
		add("init", "init, everything", token, err)
		c.Scope, c.Direction = scope, Pull
		c.IssuedAt = c.IssuedAt.Add(-1500 * time.Microsecond)
		c.Expires = c.Expires.Add(-time.Minute)
		token, err = s.SignInit(c)
		add("init", "init with a scope and fractions", token, err)
		token, err = s.SignRequest(testRequest(t, s))
		add("request", "request", token, err)
		addNonce := func(kind, name, token string, err error) {
			add(kind, name, token, err)
			vectors[len(vectors)-1].Nonce = testNonce
		}
		c.Nonce = testNonce
		token, err = s.SignInit(c)
		addNonce("init", "init with a nonce", token, err)
		r := testRequest(t, s)
		// So long ago that a server which has just started cannot take it without a nonce.
		r.Nonce, r.IssuedAt, r.Expires = testNonce, testNow.Add(-time.Minute), testNow.Add(time.Minute)
		token, err = s.SignRequest(r)
		addNonce("request", "request with a nonce", token, err)
	}
	return vectors
}

func TestTokenVectors(t *testing.T) {
	path := filepath.Join(vectorDir, "tokens.json")
	made := makeTokens(t)
	if *update {
		writeJSON(t, path, made)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []tokenVector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != len(made) {
		t.Fatalf("%d vectors, %d made", len(vectors), len(made))
	}
	for i, want := range vectors {
		if made[i].Token != want.Token || made[i].Payload != want.Payload {
			t.Errorf("%s: made another token", want.Name)
		}
		if err := verifyKind(t, testVerifier(t), want.Kind, want.Token); err != nil {
			t.Errorf("%s: %v", want.Name, err)
		}
	}
}

func TestClaimsComeBack(t *testing.T) {
	for _, curve := range curves() {
		s := testSigner(t, curve, "round")
		scope, err := dwn.ParseScope([]byte(`{"schema":"https://schema.org/Person"}`))
		if err != nil {
			t.Fatal(err)
		}
		want := testInit(t, s)
		want.Scope, want.Tenant = scope, "did:web:example.org"
		token, err := s.SignInit(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := testVerifier(t).VerifyInit(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		want.Signer, want.KeyID = s.DID(), s.KeyID()
		if string(got.Scope.AppendJSON(nil)) != string(scope.AppendJSON(nil)) {
			t.Errorf("scope %s", got.Scope.AppendJSON(nil))
		}
		got.Scope, want.Scope = dwn.Scope{}, dwn.Scope{}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", curve, got, want)
		}
		if err := Authorize(got.Signer, got.Tenant); !errors.Is(err, ErrForbidden) {
			t.Errorf("signer of another tenant: got %v, want %v", err, ErrForbidden)
		}
		if err := Authorize(s.DID(), s.DID()); err != nil {
			t.Error(err)
		}
	}
	if Authorize("", "") == nil {
		t.Error("nobody may act for nobody")
	}
}

func TestVerifyRequestTargets(t *testing.T) {
	s := testSigner(t, P256, "target")
	token, err := s.SignRequest(testRequest(t, s))
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]error{
		testURL: nil, "/v1/messages?limit=1": nil, "HTTPS://NODE.example:443/v1/messages?limit=1": nil,
		"/v1/messages": ErrAudience, "//v1/messages?limit=1": ErrAudience, "/v1/messages?limit=1&a": ErrAudience, "": ErrAudience,
		"http://node.example/v1/messages?limit=1": ErrAudience, "https://other.example/v1/messages?limit=1": ErrAudience,
	} {
		got, err := testVerifier(t).VerifyRequest(t.Context(), token, "POST", url)
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", url, err, want)
		}
		if err == nil && (!got.Body.Equal(DigestOf(nil)) || got.Body.Equal(DigestOf([]byte{0})) || got.Method != "POST") {
			t.Errorf("%s: claims %+v", url, got)
		}
	}
}

// The URL must lie under the audience even where the request itself does not.
func TestURLIsUnderTheAudience(t *testing.T) {
	s := testSigner(t, P256, "target")
	claims := testRequest(t, s)
	claims.URL = "https://other.example/v1/messages"
	token, err := s.SignRequest(claims)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := testVerifier(t).VerifyRequest(t.Context(), token, "POST", claims.URL); !errors.Is(err, ErrAudience) {
		t.Errorf("got %v, want %v", err, ErrAudience)
	}
}

func TestReplayIsRefused(t *testing.T) {
	for _, curve := range curves() {
		s := testSigner(t, curve, "replay")
		token, err := s.SignInit(testInit(t, s))
		if err != nil {
			t.Fatal(err)
		}
		v := testVerifier(t)
		if _, err := v.VerifyInit(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if _, err := v.VerifyInit(t.Context(), token); !errors.Is(err, ErrReplay) {
			t.Errorf("%s again: got %v, want %v", curve, err, ErrReplay)
		}
		// One ID is one use, whatever the kind of token.
		request, err := s.SignRequest(testRequest(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if err := verifyKind(t, v, "request", request); !errors.Is(err, ErrReplay) {
			t.Errorf("%s as request: got %v, want %v", curve, err, ErrReplay)
		}
		if curve == P256 {
			twin := negateS(t, token, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
			if _, err := v.VerifyInit(t.Context(), twin); !errors.Is(err, ErrReplay) {
				t.Errorf("the twin (r, n-s): got %v, want %v", err, ErrReplay)
			}
			if _, err := testVerifier(t).VerifyInit(t.Context(), twin); err != nil {
				t.Errorf("the twin is as valid as the first: %v", err)
			}
		}
	}
}

func TestTokenTimes(t *testing.T) {
	s := testSigner(t, Ed25519, "times")
	started := testNow.Add(-90*time.Second + 700*time.Millisecond)
	for _, c := range []struct {
		name     string
		iat, exp time.Duration // from testNow
		want     error
	}{
		{"now, longest", 0, 120 * time.Second, nil},
		{"shortest", 0, time.Microsecond, nil},
		{"about to expire", -29 * time.Second, time.Microsecond, nil},
		{"expires now", -29 * time.Second, 0, ErrExpired},
		{"clock fast by the limit", 60 * time.Second, 180 * time.Second, nil},
		{"clock too fast", 60*time.Second + time.Microsecond, 100 * time.Second, ErrExpired},
		{"too long", 0, 120*time.Second + time.Microsecond, ErrExpired},
		{"no time", 10 * time.Second, 10 * time.Second, ErrExpired},
		{"backwards", 10 * time.Second, 9 * time.Second, ErrExpired},
		{"60 s after the start", -29300 * time.Millisecond, 10 * time.Second, ErrNonce},
		{"more than that", -29300*time.Millisecond + time.Microsecond, 10 * time.Second, nil},
		{"before the start", -100 * time.Second, 10 * time.Second, ErrNonce},
		{"long ago", -1000 * time.Hour, -999 * time.Hour, ErrExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := NewVerifier(VerifierOptions{Audience: []string{"HTTPS://Node.Example:443/"}, Started: started, Clock: func() time.Time { return testNow }})
			if err != nil {
				t.Fatal(err)
			}
			claims := testInit(t, s)
			claims.IssuedAt, claims.Expires = testNow.Add(c.iat), testNow.Add(c.exp)
			token, err := s.SignInit(claims)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.VerifyInit(t.Context(), token); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestRestartRefusesOlderTokens(t *testing.T) {
	s := testSigner(t, Secp256k1, "restart")
	token, err := s.SignInit(testInit(t, s))
	if err != nil {
		t.Fatal(err)
	}
	opt := VerifierOptions{Audience: []string{testOrigin}, Clock: func() time.Time { return testNow }, Started: testNow.Add(-time.Hour)}
	v, err := NewVerifier(opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyInit(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	opt.Clock, opt.Started = func() time.Time { return testNow.Add(time.Second) }, time.Time{}
	if v, err = NewVerifier(opt); err != nil {
		t.Fatal(err)
	}
	if _, err := v.VerifyInit(t.Context(), token); !errors.Is(err, ErrNonce) {
		t.Errorf("got %v, want %v", err, ErrNonce)
	}
}

func TestAdmitComesBeforeTheCache(t *testing.T) {
	s := testSigner(t, Ed25519, "admit")
	cache := NewReplayCache(16)
	asked := 0
	v, err := NewVerifier(VerifierOptions{
		Audience: []string{testOrigin}, Replay: cache, Clock: func() time.Time { return testNow }, Started: testNow.Add(-time.Hour),
		Admit: func(_ context.Context, c Claims) error {
			asked++
			return Authorize(c.Signer, c.Tenant)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	foreign := testInit(t, s)
	foreign.Tenant = "did:web:example.org"
	for _, c := range []struct {
		claims InitClaims
		want   error
		kept   int
	}{{foreign, ErrForbidden, 0}, {testInit(t, s), nil, 1}} {
		token, err := s.SignInit(c.claims)
		if err != nil {
			t.Fatal(err)
		}
		dot := strings.LastIndexByte(token, '.')
		broken := token[:dot+1] + strings.Repeat("A", signatureText)
		if _, err := v.VerifyInit(t.Context(), broken); !errors.Is(err, ErrSignature) {
			t.Errorf("broken: got %v, want %v", err, ErrSignature)
		}
		if _, err := v.VerifyInit(t.Context(), token); !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
		if cache.Len() != c.kept {
			t.Errorf("cache has %d entries, want %d", cache.Len(), c.kept)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want 2: only after a valid signature", asked)
	}
}

func TestNewVerifierRefuses(t *testing.T) {
	for _, audience := range [][]string{nil, {""}, {"node.example"}, {"https://"}, {"https://node.example/a"}, {"https://node.example?"}, {"https://u@node.example"}, {"mailto:a@b"}} {
		if _, err := NewVerifier(VerifierOptions{Audience: audience}); err == nil || errors.Is(err, ErrAudience) {
			t.Errorf("%q: got %v, want an error that speaks of an origin", audience, err)
		}
	}
}

func TestParseOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:8055": "http://127.0.0.1:8055", "HTTP://LocalHost:80/": "http://localhost", "https://a.example:443": "https://a.example",
		"https://a.example:80": "https://a.example:80", "http://[::1]:8055": "http://[::1]:8055", "http://[::1]": "http://[::1]", "http://a:": "http://a",
	} {
		if got, err := ParseOrigin(text); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", text, got, err, want)
		}
	}
}
