package refserver_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
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
}

func newPair(t *testing.T, entries []store.Entry) *pair {
	t.Helper()
	signer := tenantKey(t)
	p := &pair{
		t: t, did: signer.DID(), rest: entries, here: openHost(t, t.TempDir()), there: openHost(t, t.TempDir()),
		opt: refserver.SyncOptions{Strategy: engine.StrategyCursor},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.handler.Load().ServeHTTP(w, r) }))
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

// sync syncs both ways and checks that both end with everything.
func (p *pair) sync() refserver.SyncResult {
	p.t.Helper()
	p.serve()
	want := union(p.keys(p.here), p.keys(p.there))
	r := p.syncOnce()
	if !r.Complete || !r.RootsEqual {
		p.t.Fatalf("%+v", r)
	}
	for name, h := range map[string]*host{"here": p.here, "there": p.there} {
		if got := p.keys(h); !slices.Equal(got, want) {
			p.t.Fatalf("%s: %d keys, want %d", name, len(got), len(want))
		}
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

// TestCursor: the second sync takes one round and at most 512 bytes of metadata, whatever
// came on the responder since, also after either side was restarted.
func TestCursor(t *testing.T) {
	p := newPair(t, generated(t, 2000))
	p.write(p.here, 40)
	p.write(p.there, 100)
	p.sync()
	for _, d := range []int{0, 1, 100, 1500} {
		p.write(p.there, d)
		p.there.restart()
		p.here.restart()
		r := p.sync()
		if r.Rounds != 1 || r.MetadataBytes > 512 || r.MessagesReceived != d || r.Delivered[engine.StrategyCursor] != d {
			t.Errorf("%d new messages: %+v", d, r)
		}
		t.Logf("%d new messages: %d bytes of metadata", d, r.MetadataBytes)
	}
	p.write(p.there, 60)
	p.opt.Limits.ReplyBytes = 10_000
	if r := p.sync(); r.Delivered[engine.StrategyCursor] != 60 || r.Rounds < 3 {
		t.Errorf("new messages that no one reply has room for: %+v", r)
	}
	p.write(p.here, 3)
	p.write(p.there, 4)
	if r := p.sync(); r.Delivered[engine.StrategyCursor] != 7 || r.MetadataBytes > 1100 {
		t.Errorf("new messages on both sides: %+v", r)
	}
}

// TestCursorStale: whatever happened to either side since the last sync, the next one is
// complete and exact; where the cursor cannot tell what came since, it is not used.
func TestCursorStale(t *testing.T) {
	entries := generated(t, 160)
	for name, c := range map[string]struct {
		happens func(p *pair)
		used    bool
	}{
		"nothing":             {func(*pair) {}, true},
		"responder restarted": {func(p *pair) { p.there.restart() }, true},
		"responder restored, and written on": {func(p *pair) {
			before := p.there.backup()
			p.write(p.there, 20)
			p.sync()
			p.there.restore(before)
		}, false},
		"responder restored, and written on by as much": {func(p *pair) {
			before := p.there.backup()
			p.write(p.there, 20)
			p.sync()
			p.there.restore(before)
			p.write(p.there, 20)
		}, false},
		"initiator restored with its cursor": {func(p *pair) {
			before := p.here.backup()
			p.write(p.here, 20)
			p.sync()
			p.here.restore(before)
		}, true},
		"initiator restored without its cursor": {func(p *pair) {
			before := p.here.backup()
			p.write(p.here, 20)
			p.sync()
			p.opt.Cursor = p.cursor()
			p.here.restore(before)
			p.write(p.here, 20)
		}, false},
		"another store under the URL": {func(p *pair) {
			p.there.restore(p.t.TempDir())
			p.write(p.there, 30)
		}, false},
		"another store with the same messages": {func(p *pair) {
			other := openHost(p.t, p.t.TempDir())
			if _, err := p.client.Sync(p.t.Context(), other.Node, refserver.SyncOptions{}); err != nil {
				p.t.Fatal(err)
			}
			p.there.restore(other.backup())
		}, false},
		"cursor of another scope": {func(p *pair) {
			p.opt.Cursor = p.cursor()
			p.opt.Scope = scopeOf(p.t, `{"interface":"Records"}`)
		}, false},
		"cursor of another direction": {func(p *pair) {
			p.write(p.there, 5)
			p.opt.Direction = engine.Push
			p.syncOnce()
			p.opt.Cursor, p.opt.Direction = p.cursor(), engine.Both
		}, false},
		"cursor of a pull": {func(p *pair) {
			p.write(p.here, 5)
			p.opt.Direction = engine.Pull
			p.syncOnce()
			p.opt.Cursor, p.opt.Direction = p.cursor(), engine.Both
		}, false},
		"responder's secret rotated": {func(p *pair) { p.rotate(p.there) }, false},
		"initiator's secret rotated": {func(p *pair) { p.rotate(p.here) }, false},
		"cursor cut short": {func(p *pair) {
			text := p.cursor().AppendBinary(nil)
			p.opt.Cursor = engine.DecodeCursorMemory(text[:len(text)-1])
		}, false},
		"cursor changed": {func(p *pair) {
			text := p.cursor().AppendBinary(nil)
			text[len(text)-1] ^= 1
			p.opt.Cursor = engine.DecodeCursorMemory(text)
		}, false},
		"cursor lost": {func(p *pair) { p.opt.Cursor = new(engine.CursorMemory) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, entries)
			p.write(p.here, 30)
			p.write(p.there, 30)
			p.sync()
			c.happens(p)
			p.write(p.there, 10)
			p.write(p.here, 10)
			r := p.sync()
			if used := r.Delivered[engine.StrategyCursor] > 0; used != c.used {
				t.Errorf("a cursor was used: %t, want %t: %+v", used, c.used, r)
			}
			p.write(p.there, 10)
			if r := p.sync(); r.Rounds != 1 || r.Delivered[engine.StrategyCursor] != 10 {
				t.Errorf("the sync after takes no cursor: %+v", r)
			}
		})
	}
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

// TestCursorHistories: random writes, syncs, restarts, backups, restores and rotations on
// either side. Every sync is complete and exact.
func TestCursorHistories(t *testing.T) {
	used := 0
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 8))
		entries := generated(t, 350)
		p := newPair(t, entries)
		hosts := []*host{p.here, p.there}
		backups := make([]string, 2)
		for len(p.rest) > 20 {
			side := rng.IntN(2)
			switch h := hosts[side]; rng.IntN(12) {
			case 0:
				h.restart()
			case 1:
				backups[side] = h.backup()
			case 2:
				if backups[side] != "" {
					h.restore(backups[side])
					backups[side] = ""
				}
			case 3:
				p.rotate(h)
			case 4: // again, what one of them may have had before
				at := rng.IntN(len(entries) - len(p.rest) + 1)
				fill(t, h.Node, p.did, entries[at:min(at+5, len(entries)-len(p.rest))])
			case 5, 6, 7:
				used += p.sync().Delivered[engine.StrategyCursor]
			default:
				p.write(h, rng.IntN(20))
			}
		}
		p.sync()
	}
	if used < 20 {
		t.Errorf("cursors delivered %d messages: this test shows little", used)
	}
}

// TestKeptStrategies: nodes that keep their summaries end with everything by every
// strategy, in any scope and direction; a second sync moves nothing.
func TestKeptStrategies(t *testing.T) {
	all := generatedBy(t, datasets.GenerateOptions{N: 160, Deletes: 0.4})
	for _, strategy := range engine.Strategies() {
		for i, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			scope := []string{`{}`, `{"interface":"Records"}`, `{"method":"Delete"}`}[i]
			t.Run(fmt.Sprintf("%s/%s", strategy, direction), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, nil)
				a, b := split(rand.New(rand.NewPCG(uint64(i), 2)), all)
				fill(t, p.here.Node, p.did, a)
				fill(t, p.there.Node, p.did, b)
				p.opt = refserver.SyncOptions{Strategy: strategy, Direction: direction, Scope: scopeOf(t, scope)}
				p.serve()
				here, there := p.keys(p.here), p.keys(p.there)
				both := union(here, there)
				if len(both) < 10 || len(here) == len(both) || len(there) == len(both) {
					t.Fatalf("%d and %d of %d messages: this shows nothing", len(here), len(there), len(both))
				}
				if direction.Pulls() {
					here = both
				}
				if direction.Pushes() {
					there = both
				}
				for second := range 2 {
					r := p.syncOnce()
					if !r.Complete || second == 1 && r.MessagesReceived+r.MessagesSent > 0 {
						t.Fatalf("sync %d: %+v", second, r)
					}
					if !slices.Equal(p.keys(p.here), here) || !slices.Equal(p.keys(p.there), there) {
						t.Fatalf("sync %d: %d and %d messages, want %d and %d", second, len(p.keys(p.here)), len(p.keys(p.there)), len(here), len(there))
					}
				}
			})
		}
	}
}

// TestCursorOfAnotherTenant: a token for one tenant is worth nothing for another, whose
// messages it tells nothing of.
func TestCursorOfAnotherTenant(t *testing.T) {
	p := newPair(t, generated(t, 60))
	p.write(p.here, 20)
	p.write(p.there, 20)
	p.sync()
	_, jwk := datasets.GeneratedKey(7)
	signer := signerOf(t, jwk)
	others := generatedBy(t, datasets.GenerateOptions{Seed: 7, N: 40})
	fill(t, p.here.Node, signer.DID(), others[:30])
	fill(t, p.there.Node, signer.DID(), others[10:])
	client := clientOf(t, p.url, signer.DID(), signer, nil)
	opt := refserver.SyncOptions{Strategy: engine.StrategyCursor, Cursor: p.cursor()}
	r, err := client.Sync(t.Context(), p.here.Node, opt)
	if err != nil || !r.RootsEqual || r.Delivered[engine.StrategyCursor] != 0 || r.MessagesReceived+r.MessagesSent != 20 {
		t.Errorf("%+v, %v", r, err)
	}
}
