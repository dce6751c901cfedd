package refserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// restarting is a server that can be started anew: what it remembered of tokens is lost,
// and its nonce is another. It counts the requests and the bytes of sync's bodies.
type restarting struct {
	t        testing.TB
	node     refserver.Node
	url      string
	buffers  bool  // like a proxy that reads a whole body before it passes it on
	restarts int64 // begin anew before this request to /v1/sync, counted from 1
	replay   *auth.ReplayCache
	handler  atomic.Pointer[refserver.Server]
	requests atomic.Int64
	syncs    atomic.Int64
	bodies   atomic.Int64
}

func listenAgain(t testing.TB, node refserver.Node) *restarting {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	r := &restarting{t: t, node: node, url: "http://" + server.Listener.Addr().String()}
	r.restart()
	server.Config.Handler = r
	server.Start()
	t.Cleanup(server.Close)
	return r
}

func (r *restarting) restart() {
	gate, err := auth.NewGate(auth.GateOptions{Open: true})
	if err != nil {
		r.t.Error(err)
	}
	handler, err := refserver.NewServer(r.node, refserver.ServerOptions{Origins: []string{r.url}, Gate: gate, Replay: r.replay})
	if err != nil {
		r.t.Error(err)
	}
	r.handler.Store(handler)
}

func (r *restarting) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.requests.Add(1)
	if req.URL.Path == "/v1/sync" {
		if r.syncs.Add(1) == r.restarts {
			r.restart()
		}
	}
	if r.buffers {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			r.t.Error(err)
		}
		if req.URL.Path == "/v1/sync" {
			r.bodies.Add(int64(len(body)))
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.handler.Load().ServeHTTP(w, req)
}

// bed is two nodes with different messages, the second behind a server, and a client that
// this server has asked for its nonce.
type bed struct {
	here, there refserver.Node
	server      *restarting
	client      *refserver.Client
	tenant      string
	large       store.Entry // in both, its data in none
	fresh       store.Entry // in none
}

func newBed(t *testing.T) *bed {
	t.Helper()
	signer := tenantKey(t)
	b := &bed{here: openNode(t), there: openNode(t), tenant: signer.DID()}
	var entries []store.Entry
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: 240, MaxData: 60_000}) {
		if err != nil {
			t.Fatal(err)
		}
		if e := (store.Entry{Message: m.Message, Data: m.Data}); len(m.Data) <= dwn.MaxInlineData {
			entries = append(entries, e)
		} else if b.large.Message == nil && m.Message.IsInitialWrite() {
			b.large = e
		}
	}
	last := len(entries) - 1
	b.fresh = store.Entry{Message: entries[last].Message}
	named := store.Entry{Message: b.large.Message}
	put(t, b.here, b.tenant, append(slices.Clone(entries[:last*2/3]), named))
	put(t, b.there, b.tenant, append(slices.Clone(entries[last/3:last]), named))
	b.server = listenAgain(t, b.there)
	b.client = clientOf(t, b.server.url, b.tenant, signer, nil)
	if _, err := b.client.Message(t.Context(), named.Message.CID().String()); err != nil {
		t.Fatal(err)
	}
	if got := b.server.requests.Swap(0); got != 2 {
		t.Fatalf("the first call took %d requests, want 2", got)
	}
	return b
}

func (b *bed) putLarge(t *testing.T, n refserver.Node) {
	t.Helper()
	c, _ := b.large.Message.Data()
	if err := n.Store.Tenant(b.tenant).PutData(t.Context(), c.CID, bytes.NewReader(b.large.Data)); err != nil {
		t.Fatal(err)
	}
}

func syncs(direction engine.Direction) func(*testing.T, *bed) error {
	return func(t *testing.T, b *bed) error {
		r, err := b.client.Sync(t.Context(), b.here, refserver.SyncOptions{Direction: direction})
		if err == nil && !r.Complete {
			err = errors.New("not complete")
		}
		return err
	}
}

// TestStaleNonce: after a restart of the server every kind of call costs one HTTP request
// more than without it, and the next one does not.
func TestStaleNonce(t *testing.T) {
	calls := map[string]func(*testing.T, *bed) error{
		"pull": syncs(engine.Pull), "push": syncs(engine.Push), "both": syncs(engine.Both),
		"GET data": func(t *testing.T, b *bed) error {
			b.putLarge(t, b.there)
			c, _ := b.large.Message.Data()
			_, err := b.client.GetData(t.Context(), b.here.Store.Tenant(b.tenant), c.CID)
			return err
		},
		"PUT data": func(t *testing.T, b *bed) error {
			b.putLarge(t, b.here)
			c, _ := b.large.Message.Data()
			_, err := b.client.PutData(t.Context(), b.here.Store.Tenant(b.tenant), c.CID)
			if err == nil {
				checkData(t, b.there.Store.Tenant(b.tenant), b.large, b.large.Data)
			}
			return err
		},
		"POST message": func(t *testing.T, b *bed) error {
			_, err := b.client.PostMessage(t.Context(), refserver.NewRecord(b.tenant, b.fresh.Message, nil))
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			var took [2]int64
			for restarted := range took {
				b := newBed(t)
				if restarted == 1 {
					b.server.restart()
				}
				if err := call(t, b); err != nil {
					t.Fatal(err)
				}
				took[restarted] = b.server.requests.Swap(0)
				if _, err := b.client.Message(t.Context(), b.large.Message.CID().String()); err != nil || b.server.requests.Load() != 1 {
					t.Errorf("afterwards: %d requests, %v", b.server.requests.Load(), err)
				}
			}
			if took[1] != took[0]+1 {
				t.Errorf("%d requests, after a restart %d", took[0], took[1])
			}
		})
	}
}

// TestRestartBetweenRounds: a server that restarts before the request which carries the
// items gets them all, by one request more, whether it refuses after the first frame or
// something before it has taken the whole body; and what was sent twice counts.
func TestRestartBetweenRounds(t *testing.T) {
	for _, buffers := range []bool{false, true} {
		for _, direction := range []engine.Direction{engine.Push, engine.Both} {
			t.Run(fmt.Sprintf("%s/%t", direction, buffers), func(t *testing.T) {
				var results [2]refserver.SyncResult
				var took [2]int64
				for restarted := range took {
					b := newBed(t)
					b.server.buffers, b.server.restarts = buffers, int64(2*restarted)
					result, err := b.client.Sync(t.Context(), b.here, refserver.SyncOptions{Direction: direction, Strategy: engine.StrategyList}) // a filter's chance could cost a round
					if err != nil || !result.Complete {
						t.Fatalf("%+v, %v", result, err)
					}
					results[restarted], took[restarted] = result, b.server.syncs.Load()
					if sent := b.server.bodies.Load(); buffers && result.BytesUp != sent {
						t.Errorf("%d bytes up, %d arrived", result.BytesUp, sent)
					}
					want := keysOf(t, b.here, b.tenant)
					for _, k := range want {
						if !slices.Contains(keysOf(t, b.there, b.tenant), k) {
							t.Fatalf("%v did not arrive", k)
						}
					}
				}
				a, z := results[0], results[1]
				if took[1] != took[0]+1 || z.Rounds != a.Rounds || z.MessagesSent != a.MessagesSent || a.MessagesSent < 50 || z.ItemsUp != a.ItemsUp {
					t.Errorf("%d requests %+v, after a restart %d requests %+v", took[0], a, took[1], z)
				}
				if extra := z.BytesUp - a.BytesUp; buffers && extra < a.ItemsUp || extra <= 0 {
					t.Errorf("%d bytes more, of %d of items", extra, a.ItemsUp)
				}
			})
		}
	}
}

// TestNoNonceAskedFor: a client that no server has asked signs without a nonce, and a server
// that asks again and again is asked twice.
func TestNoNonceAskedFor(t *testing.T) {
	signer := tenantKey(t)
	var header string
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		if header != "" {
			w.Header().Set(refserver.NonceHeader, header)
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"again","code":"nonce"}`)
	}))
	defer server.Close()
	for nonce, want := range map[string]int{"abc": 2, "": 1, "a b": 1, string(bytes.Repeat([]byte("a"), 65)): 1} {
		header, requests = nonce, 0
		client := clientOf(t, server.URL, signer.DID(), signer, nil)
		_, err := client.Sync(t.Context(), openNode(t), refserver.SyncOptions{})
		var p *refserver.Problem
		if !errors.As(err, &p) || p.Code != "nonce" || requests != want {
			t.Errorf("%q: %d requests, want %d; %v", nonce, requests, want, err)
		}
	}
}

// TestNonceHeader: every answer has the server's nonce, of one form and for all the same,
// and no two starts have the same one.
func TestNonceHeader(t *testing.T) {
	signer := tenantKey(t)
	node := openNode(t)
	server := listenAgain(t, node)
	form := regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
	seen := map[string]bool{}
	for range 20 {
		answers := []*http.Response{}
		for _, path := range []string{"/v1/info", "/v1/data", "/v1/sync", "/nope", "//v1/info", "/v1/messages/x"} {
			resp, err := http.DefaultTransport.RoundTrip(mustRequest(t, "GET", server.url+path, nil))
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, resp)
		}
		for _, data := range [][]byte{nil, {0x82}, newDraft(t, server.url, signer).bytes(t)} {
			req := mustRequest(t, "POST", server.url+"/v1/sync", data)
			req.Header.Set("Content-Type", refserver.MediaType)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, resp)
		}
		if last := answers[len(answers)-1]; last.StatusCode != http.StatusOK {
			t.Errorf("sync: %s", last.Status)
		}
		nonce := answers[0].Header.Get(refserver.NonceHeader)
		for _, resp := range answers {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if got := resp.Header[http.CanonicalHeaderKey(refserver.NonceHeader)]; len(got) != 1 || got[0] != nonce {
				t.Errorf("%s: nonce %q, want %q", resp.Request.URL, got, nonce)
			}
		}
		if !form.MatchString(nonce) || seen[nonce] {
			t.Errorf("nonce %q", nonce)
		}
		seen[nonce] = true
		server.restart()
	}
}

// onRead is a reader of nothing that does something first.
type onRead func()

func (f onRead) Read([]byte) (int, error) { f(); return 0, io.EOF }

// TestNonceChangesMeanwhile: an answer to a request during which the cache of tokens was
// filled twice has the nonce of its end, be it a stream or a refusal, and a client whose
// nonce was forgotten goes on.
func TestNonceChangesMeanwhile(t *testing.T) {
	signer := tenantKey(t)
	server := listenAgain(t, openNode(t))
	server.replay = auth.NewReplayCache(2)
	server.restart()
	used := 0
	flood := func() {
		for range 4 {
			used++
			claims := auth.Claims{KeyID: "k", ID: fmt.Sprint(used), Nonce: server.replay.Nonce(), Expires: time.Now().Add(time.Minute)}
			if err := server.replay.Insert(claims, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		spoil  byte
		before bool
		want   int
	}{"stream": {0, false, 200}, "refused": {1, false, 401}, "stale": {0, true, 401}} {
		data := newDraft(t, server.url, signer).bytes(t)
		data[len(data)-1] ^= c.spoil
		first := 0
		for f, err := range wire.Decode(bytes.NewReader(data)) {
			if err != nil {
				t.Fatal(err)
			}
			first = f.Size()
			break
		}
		if c.before {
			first = 0
		}
		req := httptest.NewRequest("POST", "/v1/sync", io.MultiReader(bytes.NewReader(data[:first]), onRead(flood), bytes.NewReader(data[first:])))
		req.Header.Set("Content-Type", refserver.MediaType)
		answer := httptest.NewRecorder()
		server.handler.Load().ServeHTTP(answer, req)
		if got, want := answer.Result().Header.Get(refserver.NonceHeader), server.replay.Nonce(); answer.Code != c.want || got != want {
			t.Errorf("%s: status %d with nonce %q, newest %q: %s", name, answer.Code, got, want, answer.Body)
		}
	}
	client := clientOf(t, server.url, signer.DID(), signer, nil)
	for range 3 {
		flood()
		if _, err := client.Sync(t.Context(), openNode(t), refserver.SyncOptions{}); err != nil {
			t.Error(err)
		}
	}
}

func mustRequest(t *testing.T, method, url string, data []byte) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// TestRestartUnderLoad: clients that share one Client go on while their server restarts.
func TestRestartUnderLoad(t *testing.T) {
	b := newBed(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for range 30 {
				if _, err := b.client.Message(ctx, b.large.Message.CID().String()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { calls.Wait(); close(done) }()
	for b.server.requests.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	b.server.restart()
	<-done
	if got := b.server.requests.Load(); got < 240 || got > 240+8 {
		t.Errorf("%d requests for 240 calls of 8 callers", got)
	}
}
