package auth

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// webBed is a host with a document that a test changes, and who resolves it.
type webBed struct {
	*webHostFixture
	text     string
	cache    *Cache
	now      time.Time
	resolver Methods
}

func newWebBed(t *testing.T) *webBed {
	b := &webBed{now: testNow}
	b.webHostFixture = newWebHost(t, func(w http.ResponseWriter, r *http.Request) { serveDocument(b.text)(w, r) })
	b.cache = NewCache(NewWeb(b.opt), CacheOptions{Clock: func() time.Time { return b.now }})
	b.resolver = Methods{"key": Offline{}, "jwk": Offline{}, "web": b.cache}
	return b
}

// init verifies a new SYNC_INIT token of s.
func (b *webBed) init(t *testing.T, s *Signer) error {
	t.Helper()
	v, err := NewVerifier(VerifierOptions{
		Audience: []string{testOrigin}, Clock: func() time.Time { return testNow }, Started: testNow.Add(-time.Hour), Resolver: b.resolver,
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.SignInit(testInit(t, s))
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.VerifyInit(t.Context(), token)
	if err == nil && (c.Signer != s.DID() || c.KeyID != s.KeyID() || Authorize(c.Signer, b.did) != nil) {
		t.Errorf("claims of %s by %s, want %s", c.Signer, c.KeyID, s.KeyID())
	}
	return err
}

// message verifies a new message of s.
func (b *webBed) message(t *testing.T, s *Signer) error {
	t.Helper()
	d := write(t, "{}", map[string]any{"schema": "https://a.example"})
	d["authorization"] = d.authorize(t, s, nil)
	return VerifyMessage(t.Context(), b.resolver, d.message(t))
}

// A key of a did:web signs messages; tokens only where its document lists it for
// authentication.
func TestWebKeysSign(t *testing.T) {
	for _, curve := range curves() {
		b := newWebBed(t)
		s, other := testSigner(t, curve, "end"), testSigner(t, curve, "other")
		b.text = documentText(b.did, []string{methodText(b.did, "a", s), methodText(b.did, "m", s), methodText(b.did, "o", other)}, "a")
		jwk, err := signerFor(t, s, b.did, "a").MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		both, err := ParseSigner(jwk)
		if err != nil || both.DID() != b.did || both.KeyID() != b.did+"#a" {
			t.Fatalf("%s: signer of its own JWK: %v", curve, err)
		}
		for name, c := range map[string]struct {
			signer         *Signer
			token, message error
		}{
			"both":          {both, nil, nil},
			"messages only": {signerFor(t, s, b.did, "m"), ErrKey, nil},
			"not listed":    {signerFor(t, s, b.did, "x"), ErrKey, ErrKey},
			"another's":     {signerFor(t, s, b.did, "o"), ErrKey, ErrSignature},
			"another DID":   {signerFor(t, s, b.did+":user", "a"), ErrKey, ErrKey},
		} {
			if err := b.init(t, c.signer); !errors.Is(err, c.token) {
				t.Errorf("%s %s: token: got %v, want %v", curve, name, err, c.token)
			}
			if err := b.message(t, c.signer); !errors.Is(err, c.message) {
				t.Errorf("%s %s: message: got %v, want %v", curve, name, err, c.message)
			}
		}
		if err := b.message(t, s); err != nil {
			t.Errorf("did:key besides: %v", err)
		}
		if hits := b.hits.Load(); hits != 2 {
			t.Errorf("%d requests, want 2: one for each DID", hits)
		}
	}
}

// A key that was taken out of the document is good for ten minutes more, and a new one
// not before.
func TestWebKeysChange(t *testing.T) {
	b := newWebBed(t)
	older, newer := signerFor(t, testSigner(t, Ed25519, "older"), b.did, "1"), signerFor(t, testSigner(t, Ed25519, "newer"), b.did, "2")
	b.text = documentText(b.did, []string{methodText(b.did, "1", older)}, "1")
	if err := b.init(t, older); err != nil {
		t.Fatal(err)
	}
	b.text = documentText(b.did, []string{methodText(b.did, "2", newer)}, "2")
	b.now = testNow.Add(10*time.Minute - 1)
	if err := errors.Join(b.init(t, older), b.message(t, older)); err != nil {
		t.Fatal(err)
	}
	if err := b.init(t, newer); !errors.Is(err, ErrKey) {
		t.Fatalf("new key: got %v, want %v", err, ErrKey)
	}
	b.now = testNow.Add(10 * time.Minute)
	if err := errors.Join(b.init(t, newer), b.message(t, newer)); err != nil {
		t.Fatal(err)
	}
	if err := b.message(t, older); !errors.Is(err, ErrKey) {
		t.Fatalf("old key: got %v, want %v", err, ErrKey)
	}
	b.server.Close()
	b.now = testNow.Add(20 * time.Minute)
	if err := b.message(t, newer); !errors.Is(err, ErrUnresolved) || !errors.Is(err, ErrMessage) {
		t.Fatalf("no host: got %v, want %v and %v", err, ErrMessage, ErrUnresolved)
	}
	if err := b.init(t, newer); !errors.Is(err, ErrUnresolved) {
		t.Fatalf("no host: got %v, want %v", err, ErrUnresolved)
	}
}

// slow is a resolver whose hosts answer as late as they may.
type slow struct{}

// Resolve implements Resolver.
func (slow) Resolve(ctx context.Context, did string) (Document, error) {
	if doc, err := ParseDID(did); err == nil {
		return doc, nil
	}
	select {
	case <-time.After(webTimeout):
		return Document{}, unresolved(did)
	case <-ctx.Done():
		return Document{}, ctx.Err()
	}
}

// Whoever sends a batch names a slow host in each message: that costs half a minute, not
// three seconds each, and others are verified nevertheless.
func TestBatchesWaitSoLong(t *testing.T) {
	good := testSigner(t, Ed25519, "good")
	var messages []*dwn.Message
	add := func(s *Signer) {
		d := write(t, "{}", map[string]any{"schema": "https://a.example"})
		d["authorization"] = d.authorize(t, s, nil)
		messages = append(messages, d.message(t))
	}
	for i := range 200 {
		add(signerFor(t, good, "did:web:h"+string(rune('a'+i%26))+".example:"+time.Duration(i).String(), "0"))
	}
	add(good)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		errs := VerifyMessages(t.Context(), slow{}, messages)
		if d := time.Since(began); d > maxResolving {
			t.Errorf("took %v, want at most %v", d, maxResolving)
		}
		for i, err := range errs[:200] {
			if !errors.Is(err, ErrUnresolved) || isContext(err) {
				t.Fatalf("message %d: got %v, want %v", i, err, ErrUnresolved)
			}
		}
		if errs[200] != nil {
			t.Errorf("did:key: got %v", errs[200])
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for i, err := range VerifyMessages(ctx, slow{}, messages) {
			if !isContext(err) {
				t.Fatalf("message %d: got %v, want the error of the context", i, err)
			}
		}
	})
}
