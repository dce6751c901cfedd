package refserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// steps counts what a sync waits for, and calls cancel at the one that at says.
type steps struct {
	n, at  atomic.Int64
	cancel atomic.Pointer[context.CancelFunc]
}

func (s *steps) step() {
	if s.n.Add(1) == s.at.Load() {
		(*s.cancel.Load())()
	}
}

// steppedStore takes a step at each call that may wait.
type steppedStore struct {
	store.Store
	*steps
}

func (s steppedStore) Tenant(did string) store.Tenant {
	return steppedTenant{s.Store.Tenant(did), s.steps}
}

type steppedTenant struct {
	store.Tenant
	*steps
}

func (t steppedTenant) Put(ctx context.Context, batch []store.Entry) ([]store.Outcome, error) {
	t.step()
	return t.Tenant.Put(ctx, batch)
}

func (t steppedTenant) Keys(ctx context.Context, scope dwn.Scope) ([]dwn.Key, uint64, error) {
	t.step()
	return t.Tenant.Keys(ctx, scope)
}

func (t steppedTenant) KeysIn(ctx context.Context, scope dwn.Scope, from, to dwn.Key) ([]dwn.Key, uint64, error) {
	t.step()
	return t.Tenant.KeysIn(ctx, scope, from, to)
}

func (t steppedTenant) Last(ctx context.Context) (uint64, error) {
	t.step()
	return t.Tenant.Last(ctx)
}

func (t steppedTenant) Secret(ctx context.Context, label []byte) (store.Secret, bool, error) {
	t.step()
	return t.Tenant.Secret(ctx, label)
}

func (t steppedTenant) KeepSecret(ctx context.Context, label []byte, s store.Secret) (store.Secret, error) {
	t.step()
	return t.Tenant.KeepSecret(ctx, label, s)
}

// stepped is a body that takes a step at each read.
type stepped struct {
	io.ReadCloser
	*steps
}

func (s stepped) Read(b []byte) (int, error) {
	s.step()
	return s.ReadCloser.Read(b)
}

// TestCanceledAnywhere: a sync that is given up on either side, at any place where it waits for
// the network or a store, ends within seconds, and as complete only if it is; the next one, with
// the same cursor, is exact.
func TestCanceledAnywhere(t *testing.T) {
	for _, strategy := range []engine.Strategy{engine.StrategyCursor, engine.StrategySketch, engine.StrategyList} {
		for _, side := range []string{"initiator", "responder"} {
			t.Run(fmt.Sprintf("%s/%s", strategy, side), func(t *testing.T) {
				t.Parallel()
				canceledAnywhere(t, strategy, side == "initiator")
			})
		}
	}
}

// serveChanged serves n with each request changed.
func serveChanged(t *testing.T, n refserver.Node, change func(*http.Request) *http.Request) (url string) {
	t.Helper()
	var handler atomic.Pointer[refserver.Server]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.Load().ServeHTTP(w, change(r))
	}))
	t.Cleanup(server.Close)
	gate, err := auth.NewGate(auth.GateOptions{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := refserver.NewServer(n, refserver.ServerOptions{Origins: []string{server.URL}, Gate: gate})
	if err != nil {
		t.Fatal(err)
	}
	handler.Store(s)
	return server.URL
}

// steppedPair returns two nodes and a client of the second, all of which take the steps of s. Where
// it is the responder that is to be canceled, that is each of its requests.
func steppedPair(t *testing.T, s *steps, initiator bool) (here, there refserver.Node, client *refserver.Client) {
	t.Helper()
	signer := tenantKey(t)
	here, there = openNode(t), openNode(t)
	here.Store, there.Store = steppedStore{here.Store, s}, steppedStore{there.Store, s}
	here, there = keepOpen(t, here), keepOpen(t, there)
	url := serveChanged(t, there, func(r *http.Request) *http.Request {
		ctx, cancel := context.WithCancel(r.Context())
		context.AfterFunc(r.Context(), cancel)
		if !initiator {
			s.cancel.Store(&cancel)
		}
		r = r.WithContext(ctx)
		r.Body = stepped{r.Body, s}
		return r
	})
	client = clientOf(t, url, signer.DID(), signer, network(func(r *http.Request) (*http.Response, error) {
		s.step()
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			resp.Body = stepped{resp.Body, s}
		}
		return resp, err
	}))
	return here, there, client
}

func canceledAnywhere(t *testing.T, strategy engine.Strategy, initiator bool) {
	did, entries, s := tenantKey(t).DID(), generated(t, 300), new(steps)
	here, there, client := steppedPair(t, s, initiator)
	opt := refserver.SyncOptions{Strategy: strategy, Cursor: new(engine.CursorMemory)}
	if _, err := client.Sync(t.Context(), here, opt); err != nil {
		t.Fatal(err)
	}
	canceled := 0
	for at := int64(1); len(entries) >= 4; at++ {
		fill(t, here, did, entries[:2])
		fill(t, there, did, entries[2:4])
		entries = entries[4:]
		want := union(keysOf(t, here, did), keysOf(t, there, did))
		ctx, cancel := context.WithCancel(t.Context())
		if initiator || s.cancel.Load() == nil {
			s.cancel.Store(&cancel)
		}
		s.n.Store(0)
		s.at.Store(at)
		begun := time.Now()
		r, err := client.Sync(ctx, here, opt)
		reached := s.n.Load() >= at
		s.at.Store(-1)
		cancel()
		exact := slices.Equal(keysOf(t, here, did), want) && slices.Equal(keysOf(t, there, did), want)
		if err == nil && !r.Complete || r.Complete && !exact || time.Since(begun) > 10*time.Second {
			t.Fatalf("at %d: %+v, %v, after %s", at, r, err, time.Since(begun)) // what is canceled later is record data
		}
		if err != nil {
			canceled++
			if initiator && !errors.Is(err, context.Canceled) {
				t.Errorf("at %d: %v", at, err)
			}
		}
		for range 2 {
			r, err = client.Sync(t.Context(), here, opt)
			if err != nil || !r.RootsEqual || !slices.Equal(keysOf(t, here, did), want) || !slices.Equal(keysOf(t, there, did), want) {
				t.Fatalf("after one canceled at %d: %+v, %v", at, r, err)
			}
		}
		if !reached {
			t.Logf("%d of %d canceled", canceled, at)
			break
		}
	}
	if canceled < 10 {
		t.Errorf("%d were canceled: this shows little", canceled)
	}
}
