package refserver_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// host is a node in a folder that can be closed, copied, put back and opened again.
type host struct {
	t   *testing.T
	dir string
	refserver.Node
}

func openHost(t *testing.T, dir string) *host {
	t.Helper()
	h := &host{t: t, dir: dir}
	h.open()
	t.Cleanup(func() { h.close() })
	return h
}

func (h *host) open() {
	h.t.Helper()
	s, err := badger.Open(h.dir, badger.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.Node = refserver.Node{Store: s, Keeper: summaries.Open(s, summaries.Options{})}
}

func (h *host) close() {
	h.t.Helper()
	if err := h.Keeper.Close(); err != nil {
		h.t.Error(err)
	}
	if err := h.Store.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *host) restart() {
	h.t.Helper()
	h.close()
	h.open()
}

// backup copies the folder.
func (h *host) backup() (dir string) {
	h.t.Helper()
	dir = h.t.TempDir()
	h.close()
	if err := os.CopyFS(dir, os.DirFS(h.dir)); err != nil {
		h.t.Fatal(err)
	}
	h.open()
	return dir
}

// restore puts another folder in the place of this one.
func (h *host) restore(dir string) {
	h.t.Helper()
	h.close()
	h.dir = dir
	h.open()
}

// pair is a node and a server that it syncs with by cursor, over HTTP.
type pair struct {
	t      *testing.T
	did    string
	url    string
	client *refserver.Client
	// Here and there, and the messages that neither has yet.
	here, there *host
	handler     atomic.Pointer[refserver.Server]
	rest        []store.Entry
	opt         refserver.SyncOptions
	during      func() // before and after each request of a sync is answered
}

func newPair(t *testing.T, entries []store.Entry) *pair {
	t.Helper()
	signer := tenantKey(t)
	p := &pair{
		t: t, did: signer.DID(), rest: entries, here: openHost(t, t.TempDir()), there: openHost(t, t.TempDir()),
		opt: refserver.SyncOptions{Strategy: engine.StrategyCursor}, during: func() {},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.during()
		p.handler.Load().ServeHTTP(w, r)
		p.during()
	}))
	t.Cleanup(server.Close)
	p.url, p.client = server.URL, clientOf(t, server.URL, p.did, signer, nil)
	return p
}

// serve makes the server that of there as it is now.
func (p *pair) serve() {
	p.t.Helper()
	gate, err := auth.NewGate(auth.GateOptions{Open: true})
	if err != nil {
		p.t.Fatal(err)
	}
	server, err := refserver.NewServer(p.there.Node, refserver.ServerOptions{Origins: []string{p.url}, Gate: gate})
	if err != nil {
		p.t.Fatal(err)
	}
	p.handler.Store(server)
}

// write stores the next n messages on a node.
func (p *pair) write(h *host, n int) {
	p.t.Helper()
	fill(p.t, h.Node, p.did, p.rest[:n])
	p.rest = p.rest[n:]
}

// sync syncs and checks that both end with what the direction promises.
func (p *pair) sync() refserver.SyncResult {
	p.t.Helper()
	p.serve()
	here, there := p.keys(p.here), p.keys(p.there)
	all, direction := union(here, there), p.opt.Direction
	if direction.Pulls() || direction == "" {
		here = all
	}
	if direction.Pushes() || direction == "" {
		there = all
	}
	r := p.syncOnce()
	if !r.Complete || r.RootsEqual != slices.Equal(here, there) {
		p.t.Fatalf("%+v", r)
	}
	if a, b := p.keys(p.here), p.keys(p.there); !slices.Equal(a, here) || !slices.Equal(b, there) {
		p.t.Fatalf("%d and %d messages, want %d and %d: %+v", len(a), len(b), len(here), len(there), r)
	}
	return r
}

// syncOnce syncs with the cursor that is kept, and keeps the new one.
func (p *pair) syncOnce() refserver.SyncResult {
	p.t.Helper()
	opt := p.opt
	var err error
	if opt.Cursor == nil {
		if opt.Cursor, err = p.client.Cursor(p.t.Context(), p.here.Node, opt); err != nil {
			p.t.Fatal(err)
		}
	}
	r, err := p.client.Sync(p.t.Context(), p.here.Node, opt)
	if err != nil {
		p.t.Fatalf("%+v: %v", r, err)
	}
	if err := p.client.KeepCursor(p.t.Context(), p.here.Node, opt); err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *pair) keys(h *host) []dwn.Key {
	p.t.Helper()
	keys, _, err := h.Store.Tenant(p.did).Keys(p.t.Context(), p.opt.Scope)
	if err != nil {
		p.t.Fatal(err)
	}
	return keys
}

func union(a, b []dwn.Key) []dwn.Key {
	all := slices.Concat(a, b)
	slices.SortFunc(all, dwn.Key.Compare)
	return slices.Compact(all)
}

func (p *pair) cursor() *engine.CursorMemory {
	p.t.Helper()
	memory, err := p.client.Cursor(p.t.Context(), p.here.Node, p.opt)
	if err != nil {
		p.t.Fatal(err)
	}
	return memory
}

func (p *pair) rotate(h *host) {
	p.t.Helper()
	if _, err := h.Rotate(p.t.Context(), p.did); err != nil {
		p.t.Fatal(err)
	}
}

func scopeOf(t *testing.T, text string) dwn.Scope {
	t.Helper()
	scope, err := dwn.ParseScope([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return scope
}
