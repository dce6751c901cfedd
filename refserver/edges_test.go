package refserver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// network is http.DefaultTransport with something done to each call.
type network func(*http.Request) (*http.Response, error)

func (n network) RoundTrip(r *http.Request) (*http.Response, error) { return n(r) }

var errLost = errors.New("the reply was lost")

// TestLostReply: the server has done all that a request asked for and its reply is lost,
// whichever of the sync's that is. The sync says so, the next one is exact, by the cursor from
// before, and nothing was stored twice.
func TestLostReply(t *testing.T) {
	for _, strategy := range []engine.Strategy{engine.StrategyCursor, engine.StrategySketch, engine.StrategySegmented, engine.StrategyList} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, generated(t, 200))
			calls, lost := 0, 0
			p.client = clientOf(t, p.url, p.did, tenantKey(t), network(func(r *http.Request) (*http.Response, error) {
				resp, err := http.DefaultTransport.RoundTrip(r)
				if r.URL.Path != "/v1/sync" || err != nil {
					return resp, err
				}
				if calls++; calls != lost {
					return resp, nil
				}
				_, err = io.Copy(io.Discard, resp.Body)
				return nil, errors.Join(errLost, err, resp.Body.Close())
			}))
			p.opt.Strategy = strategy
			p.write(p.here, 20)
			p.write(p.there, 20)
			p.sync()
			pushed := 0
			for lost = 1; ; lost++ {
				p.write(p.here, 5)
				p.write(p.there, 5)
				calls = 0
				memory, before := p.cursor(), len(p.keys(p.there))
				opt := p.opt
				opt.Cursor = memory
				p.serve()
				r, err := p.client.Sync(t.Context(), p.here.Node, opt)
				if calls < lost {
					break
				}
				if !errors.Is(err, errLost) || r.Complete {
					t.Fatalf("reply %d lost: %+v, %v", lost, r, err)
				}
				pushed += len(p.keys(p.there)) - before
				if r := p.sync(); r.Delivered[strategy] == 0 && !(lost > 1 && r.Rounds == 1) {
					t.Errorf("reply %d lost: %+v", lost, r) // by nothing only where all had arrived
				}
			}
			if lost < 2 || pushed == 0 {
				t.Errorf("%d replies lost, %d pushes applied by them: this shows little", lost-1, pushed)
			}
			lost = 0
			p.sync()
			for _, h := range []*host{p.here, p.there} {
				last, err := h.Store.Tenant(p.did).Last(t.Context())
				if err != nil || last != uint64(len(p.keys(h))) {
					t.Errorf("%d log entries of %d messages, %v", last, len(p.keys(h)), err)
				}
			}
		})
	}
}

// TestOneByteReaders: requests and replies that come byte by byte are those that come at once.
func TestOneByteReaders(t *testing.T) {
	slow := func(b io.ReadCloser) io.ReadCloser {
		return struct {
			io.Reader
			io.Closer
		}{iotest.OneByteReader(b), b}
	}
	for _, strategy := range engine.Strategies() {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, generated(t, 90))
			p.client = clientOf(t, p.url, p.did, tenantKey(t), network(func(r *http.Request) (*http.Response, error) {
				r = r.Clone(r.Context())
				r.Body = slow(r.Body)
				resp, err := http.DefaultTransport.RoundTrip(r)
				if err == nil {
					resp.Body = slow(resp.Body)
				}
				return resp, err
			}))
			p.opt.Strategy = strategy
			for range 2 {
				p.write(p.here, 20)
				p.write(p.there, 20)
				if r := p.sync(); r.MessagesReceived != 20 || r.MessagesSent != 20 {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// TestRotateMidway: a secret that changes on either side before or after any request of a sync
// costs rounds. The sync is exact, and so is the next.
func TestRotateMidway(t *testing.T) {
	for _, strategy := range []engine.Strategy{engine.StrategyCursor, engine.StrategySketch, engine.StrategySegmented, engine.StrategyRibbon} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, generated(t, 260))
			p.opt.Strategy = strategy
			p.write(p.here, 20)
			p.write(p.there, 20)
			p.sync()
			rotated := 0
			for moment := range 6 {
				for _, side := range []func() *host{func() *host { return p.here }, func() *host { return p.there }} {
					p.write(p.here, 5)
					p.write(p.there, 5)
					seen := 0
					p.during = func() {
						if seen == moment {
							p.rotate(side())
							rotated++
						}
						seen++
					}
					p.sync()
					p.during = func() {}
					p.write(p.here, 3)
					p.write(p.there, 3)
					p.sync()
				}
			}
			if rotated < 6 {
				t.Errorf("%d rotations: this shows little", rotated)
			}
		})
	}
}

// TestBothStart: two servers that sync with each other at the same time, each by its own
// cursor, both complete without losing anything; then they are equal and go on by cursor.
func TestBothStart(t *testing.T) {
	t.Parallel()
	signer, entries := tenantKey(t), generated(t, 240)
	did := signer.DID()
	nodes := []refserver.Node{keepOpen(t, openNode(t)), keepOpen(t, openNode(t))}
	clients := make([]*refserver.Client, 2)
	memories := []*engine.CursorMemory{{}, {}}
	for i := range nodes {
		clients[i] = clientOf(t, listen(t, nodes[1-i], refserver.ServerOptions{}), did, signer, nil)
	}
	start := func(i int) (refserver.SyncResult, error) {
		return clients[i].Sync(context.Background(), nodes[i], refserver.SyncOptions{Cursor: memories[i]})
	}
	for turn := range 6 {
		for i := range nodes {
			fill(t, nodes[i], did, entries[:20])
			entries = entries[20:]
		}
		want := union(keysOf(t, nodes[0], did), keysOf(t, nodes[1], did))
		var both sync.WaitGroup
		for i := range nodes {
			both.Go(func() {
				if r, err := start(i); err != nil || !r.Complete {
					t.Errorf("turn %d, node %d: %+v, %v", turn, i, r, err)
				}
			})
		}
		both.Wait()
		for i := range nodes {
			if got := keysOf(t, nodes[i], did); !slices.Equal(got, want) {
				t.Fatalf("turn %d, node %d: %d messages, want %d", turn, i, len(got), len(want))
			}
		}
	}
	for i := range nodes {
		if r, err := start(i); err != nil || !r.RootsEqual || r.MessagesReceived+r.MessagesSent != 0 {
			t.Errorf("once quiet: %+v, %v", r, err)
		}
	}
	fill(t, nodes[1], did, keysetOf(t, 3))
	if r, err := start(0); err != nil || r.Delivered[engine.StrategyCursor] != 3 || r.Rounds != 1 {
		t.Errorf("by cursor: %+v, %v", r, err)
	}
}

// keysetOf returns n messages of the tenant that generated does not make.
func keysetOf(t *testing.T, n int) []store.Entry { return generated(t, 400)[400-n:] }
