package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// TestStrategiesOverHTTP: of a sync that came to something else in one process, HTTP says so.
func TestStrategiesOverHTTP(t *testing.T) {
	const n = 10_000
	s := newStage(t, n)
	c := strategyCase{datasets.Scattered, engine.Both, n, 100}
	one := contender{strategy: engine.StrategySketch}
	sync, err := s.kept(t.Context(), c.direction, one, c.draw(chacha(1)), 1)
	if err != nil {
		t.Fatal(err)
	}
	o, err := sync(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for change, differs := range map[*int64]bool{new(int64): false, &o.Up: true, &o.Down: true} {
		*change++
		if err := s.sameOverHTTP(t, c, one, 1, o); errors.Is(err, errOverHTTP) != differs || !differs && err != nil {
			t.Errorf("%d bytes up and %d down: %v", o.Up, o.Down, err)
		}
		*change--
	}
}

var errOverHTTP = errors.New("through HTTP it is not the same")

// sameOverHTTP makes the i-th sync of a case between keepers again, through HTTP on loopback,
// and compares its bytes and rounds.
func (s *stage) sameOverHTTP(tb testing.TB, c strategyCase, one contender, i uint64, want outcome) error {
	far, client := newLoopback(tb)
	got, err := s.overHTTP(tb.Context(), far, client, c, one, i)
	if err != nil {
		return err
	}
	if got.Up.Metadata != want.Up || got.Down.Metadata != want.Down || got.Rounds < want.Rounds {
		return fmt.Errorf("%w: %d bytes up, %d down in %d rounds, want %d, %d, %d",
			errOverHTTP, got.Up.Metadata, got.Down.Metadata, got.Rounds, want.Up, want.Down, want.Rounds)
	}
	return nil
}

// newLoopback returns a responder that is served on loopback, and a client that finds it there
// whatever it asks for.
func newLoopback(tb testing.TB) (*farNode, *http.Client) {
	far := new(farNode)
	server := httptest.NewServer(far)
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableCompression: true}}
	tb.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return far, client
}

// overHTTP makes the sync of kept through HTTP.
func (s *stage) overHTTP(ctx context.Context, far *farNode, client *http.Client, c strategyCase, one contender, i uint64) (engine.Report, error) {
	sealer, err := newSealer()
	if err != nil {
		return engine.Report{}, err
	}
	opt, err := s.begin(ctx, c.direction, one, c.draw(chacha(i)), i, sealer)
	if err != nil {
		return engine.Report{}, err
	}
	far.answer.Store(&answer{s.there, engine.RespondOptions{Random: chacha(2*i + 1), Limits: wideLimits(), Sealer: sealer}})
	r, err := engine.Sync(ctx, s.here, post{client}, opt)
	if err == nil && !r.Complete {
		err = fmt.Errorf("the sync is not complete: %+v", r)
	}
	return r, err
}

// counted is a transport that counts summary frames of requests and the largest of their bodies.
type counted struct {
	engine.Transport
	frames, largest int
}

func (t *counted) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	for _, f := range head {
		if f.Type == wire.TypeSummary {
			t.frames, t.largest = t.frames+1, max(t.largest, len(f.Body))
		}
	}
	return t.Transport.Exchange(ctx, head, items)
}

// TestChunked: a summary that is longer than a frame may be goes through HTTP in frames of
// that length, and the sync is exact.
func TestChunked(t *testing.T) {
	const n, d = 250_000, 100
	far, client := newLoopback(t)
	here, there := newSets(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: n, D: d})
	far.answer.Store(&answer{newNode(there, secretOf(1)), engine.RespondOptions{Random: chacha(1)}})
	through := counted{Transport: post{client}}
	r, err := engine.Sync(t.Context(), newNode(here, secretOf(1)), &through, engine.Options{Strategy: engine.StrategyList, Direction: engine.Pull, Random: chacha(2)})
	if err != nil || !r.Complete || r.Received != d {
		t.Fatalf("%+v, %v", r, err)
	}
	if through.frames < 2 || through.largest != wire.MaxBody || r.Up.Summaries <= wire.MaxBody {
		t.Errorf("a list of %d bytes in %d frames of at most %d, want several, of at most %d", r.Up.Summaries, through.frames, through.largest, wire.MaxBody)
	}
}
