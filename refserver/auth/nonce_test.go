package auth

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a Verifier with a clock of the test, that can be started anew.
type server struct {
	t       testing.TB
	now     time.Time
	started time.Time
	max     int // of its cache
	*Verifier
}

func (s *server) start() {
	s.t.Helper()
	v, err := NewVerifier(VerifierOptions{
		Audience: []string{testOrigin}, Replay: NewReplayCache(s.max), Clock: func() time.Time { return s.now },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Verifier, s.started = v, s.now
}

// signed is a token and what the model knows of it.
type signed struct {
	claims InitClaims
	text   string
	taken  bool
}

func sign(t testing.TB, s *Signer, id uint64, issued time.Time, life time.Duration, nonce string) *signed {
	t.Helper()
	c := testInit(t, s)
	c.ID = encode64(binary.BigEndian.AppendUint64(make([]byte, 8), id))
	c.IssuedAt, c.Expires, c.Nonce = issued, issued.Add(life), nonce
	text, err := s.SignInit(c)
	if err != nil {
		t.Fatal(err)
	}
	return &signed{claims: c, text: text}
}

// TestRestartForEverySkew: a token that was used before a restart is refused after it,
// whatever the client's clock says and whenever it comes again.
func TestRestartForEverySkew(t *testing.T) {
	s := testSigner(t, Ed25519, "skew")
	srv := &server{t: t, max: 16}
	id := uint64(0)
	pauses := []time.Duration{0, 1, time.Microsecond, 500 * time.Millisecond, time.Second, 59 * time.Second, 61 * time.Second, 119 * time.Second, 179 * time.Second}
	for skew := -MaxSkew; skew <= MaxSkew; skew += time.Second {
		for _, withNonce := range []bool{false, true} {
			srv.now = testNow.Add(-time.Hour)
			srv.start()
			srv.now = testNow
			id++
			token := sign(t, s, id, testNow.Add(skew), MaxLifetime, "")
			if withNonce {
				token = sign(t, s, id, testNow.Add(skew), MaxLifetime, srv.Nonce())
			}
			if _, err := srv.VerifyInit(t.Context(), token.text); err != nil {
				t.Fatalf("skew %v: first use: %v", skew, err)
			}
			for _, restart := range pauses {
				srv.now = testNow.Add(restart)
				srv.start()
				for _, again := range pauses {
					srv.now = testNow.Add(restart + again)
					if _, err := srv.VerifyInit(t.Context(), token.text); !errors.Is(err, ErrNonce) && !errors.Is(err, ErrExpired) {
						t.Fatalf("skew %v, nonce %t, restart after %v, again after %v: %v", skew, withNonce, restart, again, err)
					}
				}
			}
		}
	}
}

// TestHistories: in random histories of signing, using, using again and restarting, with
// clients whose clocks are wrong by up to a minute and a cache that is soon full, no token
// is taken twice; one with the newest nonce is always taken, and so is one without, where
// the server has been up for two minutes and has forgotten nothing.
func TestHistories(t *testing.T) {
	s := testSigner(t, Ed25519, "histories")
	signers := []*Signer{s, testSigner(t, Ed25519, "another")}
	var taken, again, stale int
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 7))
		srv := &server{t: t, now: testNow, max: 2 + random.IntN(16)}
		srv.start()
		var tokens []*signed
		nonces := []string{""}
		inProcess := 0
		use := func(token *signed) error {
			_, err := srv.VerifyInit(t.Context(), token.text)
			if err == nil && token.taken {
				t.Fatalf("seed %d: taken twice: %+v", seed, token.claims)
			}
			if err == nil {
				token.taken, taken, inProcess = true, taken+1, inProcess+1
			} else if token.taken {
				again++
			} else if errors.Is(err, ErrNonce) {
				stale++
			}
			return err
		}
		for step := range 70 {
			skew := time.Duration(random.Int64N(int64(2*MaxSkew)+1)) - MaxSkew
			if random.IntN(4) == 0 {
				skew = []time.Duration{-MaxSkew, MaxSkew}[random.IntN(2)]
			}
			id := seed<<32 | uint64(step)
			who := signers[random.IntN(len(signers))]
			issued := srv.now.Add(skew)
			switch random.IntN(12) {
			case 0:
				srv.start()
				inProcess = 0
			case 1, 2:
				srv.now = srv.now.Add(time.Duration(random.Int64N(int64(60 * time.Second))))
			case 3:
				srv.now = srv.now.Add(time.Duration(random.IntN(3)))
			case 4, 5: // the newest nonce
				if err := use(sign(t, who, id, issued, MaxLifetime, srv.Nonce())); err != nil {
					t.Fatalf("seed %d: refused with the newest nonce: %v", seed, err)
				}
			case 6: // none, as long as none is needed
				up := srv.now.Sub(srv.started) > 2*MaxSkew && inProcess < srv.max/2
				if err := use(sign(t, who, id, issued, MaxLifetime, "")); err != nil && up {
					t.Fatalf("seed %d: refused without a nonce: %v", seed, err)
				}
			case 7, 8: // any that was ever given out, used at once or later
				life := time.Duration(1+random.Int64N(int64(MaxLifetime))).Truncate(time.Microsecond) + time.Microsecond
				tokens = append(tokens, sign(t, who, id, issued, min(life, MaxLifetime), nonces[random.IntN(len(nonces))]))
			default:
				if len(tokens) > 0 {
					_ = use(tokens[random.IntN(len(tokens))]) // use says what is wrong
				}
			}
			if newest := srv.Nonce(); !slices.Contains(nonces, newest) {
				nonces = append(nonces, newest)
			}
		}
	}
	t.Logf("%d taken, %d used again, %d stale", taken, again, stale)
	if taken < 3000 || again < 500 || stale < 500 {
		t.Errorf("%d taken, %d used again, %d stale: too few to say anything", taken, again, stale)
	}
}

// TestNonceWhileFull: while others fill the cache, who signs with the newest nonce gets in, and
// none of what he sent comes again.
func TestNonceWhileFull(t *testing.T) {
	s := testSigner(t, Ed25519, "guest")
	srv := &server{t: t, now: testNow, max: 64}
	srv.start()
	flood := 0
	for round := range uint64(40) {
		nonce := srv.Nonce()
		for range 31 { // the newest nonce lives for at least as many others as half the cache
			flood++
			u := useOf("did:key:z#z", strconv.Itoa(flood), testNow.Add(time.Minute), testNow)
			u.Nonce = srv.Nonce()
			if err := srv.opt.Replay.Insert(u, testNow); err != nil {
				t.Fatal(err)
			}
		}
		token := sign(t, s, round, testNow, MaxLifetime, nonce)
		for use, want := range []error{nil, ErrReplay} {
			if _, err := srv.VerifyInit(t.Context(), token.text); !errors.Is(err, want) {
				t.Errorf("round %d, use %d: got %v, want %v", round, use, err, want)
			}
		}
		if _, err := srv.VerifyInit(t.Context(), sign(t, s, 1000+round, testNow, MaxLifetime, "").text); !errors.Is(err, ErrNonce) {
			t.Errorf("round %d, without a nonce: %v", round, err)
		}
	}
	if kept := srv.opt.Replay.Len(); kept > srv.max {
		t.Errorf("%d entries, at most %d", kept, srv.max)
	}
}

// TestNonces: they are all different, of one length, and no bit of them is the same in all.
func TestNonces(t *testing.T) {
	const n = 4096
	seen := map[string]bool{}
	var ones [128]int
	for range n {
		nonce := NewReplayCache(2).Nonce()
		raw, err := decode64(nonce)
		if err != nil || len(raw) != 16 || CheckNonce(nonce) != nil || seen[nonce] {
			t.Fatalf("nonce %q: %v", nonce, err)
		}
		seen[nonce] = true
		for bit := range ones {
			ones[bit] += int(raw[bit/8]>>(bit%8)) & 1
		}
	}
	for bit, count := range ones { // half of n, within 7 standard deviations: once in 10^9 runs
		if count < n/2-224 || count > n/2+224 {
			t.Errorf("bit %d is set in %d of %d", bit, count, n)
		}
	}
}

// TestReplayCacheRotatesConcurrently: callers that offer the same tokens, with whatever nonce is
// the newest, while the generations change under them: no token is taken twice.
func TestReplayCacheRotatesConcurrently(t *testing.T) {
	const tokens, callers = 3000, 8
	c := NewReplayCache(100)
	made := make([]Claims, tokens)
	var mu sync.Mutex
	claimsOf := func(i int) Claims {
		mu.Lock()
		defer mu.Unlock()
		if made[i].ID == "" { // signed once, by whoever comes first
			made[i] = useOf("k", strconv.Itoa(i), testNow.Add(time.Minute), testNow)
			made[i].Nonce = c.Nonce()
		}
		return made[i]
	}
	c.Forgot(testNow)
	taken := make([][]int, callers)
	var wg sync.WaitGroup
	for w := range callers {
		wg.Go(func() {
			for i := range tokens {
				claims := claimsOf((i + w*40) % tokens)
				if c.Check(claims) == nil && c.Insert(claims, testNow) == nil {
					taken[w] = append(taken[w], (i+w*40)%tokens)
				}
			}
		})
	}
	wg.Wait()
	all := slices.Concat(taken...)
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) || n < tokens/2 {
		t.Errorf("%d taken, %d different ones, of %d", len(all), n, tokens)
	}
}

// TestTwoServers: a token is good at the one server that it names, also where both have
// given out the same nonce.
func TestTwoServers(t *testing.T) {
	s := testSigner(t, P256, "two")
	other, err := NewVerifier(VerifierOptions{Audience: []string{"https://other.example"}, Clock: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	other.opt.Replay.current.nonce = testNonce
	token := sign(t, s, 1, testNow, MaxLifetime, testNonce)
	if _, err := other.VerifyInit(t.Context(), token.text); !errors.Is(err, ErrAudience) {
		t.Errorf("got %v, want %v", err, ErrAudience)
	}
	if _, err := testVerifier(t).VerifyInit(t.Context(), token.text); err != nil {
		t.Error(err)
	}
	// Both of one audience, but two processes: the nonce of one is not of the other.
	srv := &server{t: t, now: testNow, max: 16}
	srv.start()
	if _, err := srv.VerifyInit(t.Context(), token.text); !errors.Is(err, ErrNonce) {
		t.Errorf("got %v, want %v", err, ErrNonce)
	}
}

// TestNonceComesFirst: a token that will not be taken costs no check of a signature.
func TestNonceComesFirst(t *testing.T) {
	s := testSigner(t, P256, "first")
	token := sign(t, s, 1, testNow, MaxLifetime, "AAAA").text
	broken := token[:len(token)-signatureText] + strings.Repeat("A", signatureText)
	if _, err := testVerifier(t).VerifyInit(t.Context(), broken); !errors.Is(err, ErrNonce) {
		t.Errorf("got %v, want %v", err, ErrNonce)
	}
}

// TestReplayInOtherBytes: a token that was taken is not taken again in any other way of
// writing it.
func TestReplayInOtherBytes(t *testing.T) {
	for _, curve := range curves() {
		s := testSigner(t, curve, "bytes")
		v := testVerifier(t)
		token := sign(t, s, 1, testNow, MaxLifetime, testNonce).text
		if _, err := v.VerifyInit(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		variants := otherBytes(t, s, token)
		for name, variant := range variants {
			if variant.text == token {
				t.Fatalf("%s: the same bytes", name)
			}
			if _, err := v.VerifyInit(t.Context(), variant.text); !errors.Is(err, variant.want) {
				t.Errorf("%s, %s: got %v, want %v", curve, name, err, variant.want)
			}
		}
	}
}

type variant struct {
	text string
	want error
}

// otherBytes writes a token of s in other ways. What the holder of the key signs again is
// known by its jti; what others make of it is no valid signature, but for the twin of P-256.
func otherBytes(t *testing.T, s *Signer, token string) map[string]variant {
	t.Helper()
	parts := strings.Split(token, ".")
	h, err1 := decode64(parts[0])
	p, err2 := decode64(parts[1])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(p, &members); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	last := strings.Index("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", token[len(token)-1:])
	stray := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1]
	variants := map[string]variant{
		"reordered":               {parts[0] + "." + encode64(sorted) + "." + parts[2], ErrSignature},
		"reordered, signed":       {compact(t, s, string(h), string(sorted)), ErrReplay},
		"white space":             {parts[0] + "." + encode64(append([]byte(" "), p...)) + "." + parts[2], ErrSignature},
		"white space, signed":     {compact(t, s, string(h), " "+string(p)), ErrReplay},
		"header in another order": {encode64(fmt.Appendf(nil, `{"typ":%q,"kid":%q,"alg":%q}`, TypeInit, s.KeyID(), s.Curve().Algorithm())) + "." + parts[1] + "." + parts[2], ErrSignature},
		"escaped, signed":         {compact(t, s, string(h), strings.Replace(string(p), `"jti"`, `"\u006ati"`, 1)), ErrReplay},
		"padded":                  {token + "==", ErrToken},
		"line break":              {parts[0] + "." + parts[1] + "\n." + parts[2], ErrToken},
		"stray bits":              {token[:len(token)-1] + string(stray), ErrToken},
	}
	switch s.Curve() {
	case P256:
		variants["twin"] = variant{negateS(t, token, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"), ErrReplay}
	case Secp256k1:
		variants["twin"] = variant{negateS(t, token, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"), ErrSignature}
	}
	return variants
}
