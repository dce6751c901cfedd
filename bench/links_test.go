package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/bench/internal/link"
	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// linkCase is a pull over a link.
type linkCase struct {
	link     string // one of link.Names
	strategy engine.Strategy
	// again: the two nodes have synced before and remember it. Both were quiet since, but
	// for the D items that the responder got: with none, nothing at all has changed.
	again bool
	datasets.Workload
}

func (c linkCase) String() string {
	strategy := string(c.strategy)
	if c.again {
		strategy += "-again"
	}
	return fmt.Sprintf("link=%s/strategy=%s/n=%d/d=%d", c.link, strategy, c.N, c.D)
}

// salts sets the pulls over one link apart from those over the others, so that what all
// links have in common is not the luck of the same few salts.
func (c linkCase) salts() uint64 { return uint64(slices.Index(link.Names(), c.link)) << 48 }

// linkCases returns those of one workload. A million keys are left out where little is
// sent of them, and where it is most.
func linkCases(w datasets.Workload) []linkCase {
	var cases []linkCase
	for _, name := range link.Names() {
		for _, c := range []linkCase{
			{strategy: engine.StrategyFuse},
			{strategy: engine.StrategyRibbon},
			{strategy: engine.StrategySegmented},
			{strategy: engine.StrategySegmented, again: true},
			{strategy: engine.StrategyList},
		} {
			if c.link, c.Workload = name, w; w.N < 1_000_000 || !c.again && c.strategy != engine.StrategyList {
				cases = append(cases, c)
			}
		}
	}
	return cases
}

// linkWorkloads are steady, and what is missing is scattered.
func linkWorkloads() []datasets.Workload {
	sizes := []int{1000, 10_000, 100_000}
	if *large {
		sizes = append(sizes, 1_000_000)
	}
	var all []datasets.Workload
	for _, n := range sizes {
		for _, d := range []int{0, 100} {
			all = append(all, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: n, D: d})
		}
	}
	return all
}

// BenchmarkLink: one operation is one pull over HTTP over a simulated link, in real
// time, with a new connection, of items of 1000 bytes that do not compress. Nodes share the
// secret and keep their keys in memory; neither disk nor signatures nor TLS take part, and package
// link says what else of a real network does not. The flag -seed fixes the salts of the
// i-th operation.
func BenchmarkLink(b *testing.B) {
	for _, w := range linkWorkloads() {
		p := sync.OnceValue(func() *linkPair { return newLinkPair(b, w) })
		for _, c := range linkCases(w) {
			b.Run(c.String(), func(b *testing.B) { benchLink(b, c, p()) })
		}
	}
}

func benchLink(b *testing.B, c linkCase, p *linkPair) {
	far := newFarNode(b, c.link)
	var rounds []int
	for b.Loop() {
		b.StopTimer()
		s, err := p.prepare(b.Context(), far, c, c.salts()^(*seed<<32+uint64(len(rounds))))
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		r, err := s(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if !r.Complete || r.Received != c.D {
			b.Fatalf("complete %t, %d items received, want %d", r.Complete, r.Received, c.D)
		}
		rounds = append(rounds, r.Rounds)
	}
	up, down := far.listener.Carried()
	b.ReportMetric(float64(up+down)/float64(b.N), "wire-B/op")
	b.ReportMetric(mean(rounds), "rounds/op")
}

// linkPair is what both sides hold before each pull.
type linkPair struct{ here, there engine.View }

func newLinkPair(tb testing.TB, w datasets.Workload) *linkPair {
	here, there := newSets(tb, w)
	return &linkPair{here, there}
}

// prepare makes both nodes ready for the i-th pull and returns what makes it.
func (p *linkPair) prepare(ctx context.Context, far *farNode, c linkCase, i uint64) (func(context.Context) (engine.Report, error), error) {
	here, there := loaded{newNode(p.here, secretOf(i))}, loaded{newNode(p.there, secretOf(i))}
	opt := engine.Options{Strategy: c.strategy, Direction: engine.Pull, Random: chacha(2 * i)}
	respond := engine.RespondOptions{Random: chacha(2*i + 1)}
	if c.again {
		// At the earlier sync both held what the initiator holds now.
		opt.Segments, respond.Segments = new(engine.SegmentMemory), engine.NewSegmentCache(1<<30)
		twin := loaded{newNode(p.here, secretOf(i))}
		if _, err := engine.Sync(ctx, here, engine.Direct{Replica: twin, Options: respond}, opt); err != nil {
			return nil, err
		}
	}
	far.answer.Store(&answer{there, respond})
	return func(ctx context.Context) (engine.Report, error) {
		defer far.client.CloseIdleConnections()
		return engine.Sync(ctx, here, post{far.client}, opt)
	}, nil
}

// farNode is an HTTP server at the other end of a link.
type farNode struct {
	listener *link.Listener
	client   *http.Client
	answer   atomic.Pointer[answer]
}

// answer is who answers, and how.
type answer struct {
	replica engine.Replica
	opt     engine.RespondOptions
}

func newFarNode(tb testing.TB, name string) *farNode {
	l, err := link.Named(name)
	if err != nil {
		tb.Fatal(err)
	}
	f := &farNode{listener: l.Listen()}
	transport := &http.Transport{DialContext: f.listener.Dial, DisableCompression: true}
	f.client = &http.Client{Transport: transport}
	server := &http.Server{Handler: f}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(f.listener) }) // always an error, that of Close
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		serving.Wait()
	})
	return f
}

// ServeHTTP answers a round, each frame as it is made.
func (f *farNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := f.answer.Load()
	reply, err := engine.Respond(r.Context(), a.replica, wire.Decode(r.Body), a.opt)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var buf []byte
	for frame, err := range reply {
		if err == nil {
			buf = frame.Append(buf[:0])
			_, err = w.Write(buf)
		}
		if err == nil {
			err = http.NewResponseController(w).Flush()
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the client finds the answer cut off
		}
	}
}

// post is a transport that posts each round.
type post struct{ client *http.Client }

var errPost = errors.New("unexpected answer")

// Exchange gathers the request before it is sent: that of a pull has no items, and all
// else is in memory already.
func (p post) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	var body []byte
	for f, err := range wire.Join(head, items) {
		if err != nil {
			return nil, err
		}
		body = f.Append(body)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://responder/v1/sync", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("%w: %s: %s", errPost, resp.Status, text)
	}
	return func(yield func(wire.Frame, error) bool) {
		defer resp.Body.Close()
		wire.Decode(resp.Body)(yield)
	}, nil
}

// loadedBytes is the length of the payload of a loaded item.
const loadedBytes = 1000

// loaded is a node whose items have bodies, which follow from their IDs and do not compress.
type loaded struct{ *node }

var errBody = errors.New("not the body of that ID")

// load returns a payload with its body.
func load(payload []byte, id engine.ID) []byte {
	whole := make([]byte, loadedBytes)
	n := copy(whole, payload)
	_, _ = rand.NewChaCha8(id).Read(whole[n:]) // never fails
	return whole
}

func (l loaded) View(ctx context.Context) (engine.View, error) {
	v, err := l.node.View(ctx)
	return loadedView{v}, err
}

// Put takes payloads whose bodies are those of their IDs.
func (l loaded) Put(ctx context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	bare := make([][]byte, len(payloads))
	for i, p := range payloads {
		key, err := keyOf(p[:min(len(p), len(payloadOf(engine.Key{})))])
		if err != nil || !bytes.Equal(p, load(payloadOf(key), key.ID)) {
			return nil, errBody // no other side sends one
		}
		bare[i] = payloadOf(key)
	}
	return l.node.Put(ctx, bare)
}

type loadedView struct{ engine.View }

func (v loadedView) Items(ctx context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		for item, err := range v.View.Items(ctx, keys) {
			if err == nil {
				item.Payload = load(item.Payload, item.Key.ID)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// TestLinkCases: both pulls, of nothing and of something, are measured of every strategy
// over every link, so that what grows with n can be told from what the items take.
func TestLinkCases(t *testing.T) {
	for _, w := range linkWorkloads() {
		if w.N > 100_000 {
			continue
		}
		got := map[string]bool{}
		for _, c := range linkCases(w) {
			got[c.String()] = true
		}
		for _, name := range []string{"lan", "50ms-20mbit", "200ms-1mbit"} {
			for _, strategy := range []string{"fuse", "ribbon", "segmented", "segmented-again", "list"} {
				if want := fmt.Sprintf("link=%s/strategy=%s/n=%d/d=%d", name, strategy, w.N, w.D); !got[want] {
					t.Errorf("%s is not measured", want)
				}
			}
		}
	}
}

// TestLink runs the smallest workloads once over each link: by each strategy where
// that is quick.
func TestLink(t *testing.T) {
	for _, w := range linkWorkloads() {
		if w.N > 1000 {
			continue
		}
		p := newLinkPair(t, w)
		for _, c := range linkCases(w) {
			if c.link != "200ms-1mbit" || c.strategy == engine.StrategyFuse || c.again && c.D == 0 {
				testLink(t, c, p)
			}
		}
	}
}

// testLink holds a pull to what its round trips and bytes take: never less, and the best of three
// attempts (the machine may be busy) not a quarter and 250 ms more. A pull of 100 items
// takes more than that over the slow link if it has half the bandwidth, and less than the
// least if its delay is a tenth.
func testLink(t *testing.T, c linkCase, p *linkPair) {
	t.Helper()
	l := map[string]struct {
		rtt           time.Duration
		bitsPerSecond float64
	}{
		"lan":         {200 * time.Microsecond, 1e9},
		"50ms-20mbit": {50 * time.Millisecond, 20e6},
		"200ms-1mbit": {200 * time.Millisecond, 1e6},
	}[c.link]
	var took, most time.Duration
	for range 3 {
		start := time.Now()
		m := once(t, c.String(), func(b *testing.B) { benchLink(b, c, p) })
		took = time.Since(start)
		linkMetrics(t, c, m)
		// Dialling is a round trip too. Up and down have the same bandwidth, and hardly overlap:
		// a summary is read to its end.
		least := time.Duration((1+m["rounds/op"])*float64(l.rtt) + m["wire-B/op"]*8e9/l.bitsPerSecond)
		if took < least {
			t.Errorf("%v takes %v, by arithmetic at least %v", c, took, least)
		}
		if most = least + least/4 + 250*time.Millisecond; took <= most {
			return
		}
	}
	t.Errorf("%v takes %v, want at most %v", c, took, most)
}

// linkMetrics: a filter at 2^-8 is no smaller than its keys, and what is remembered is not sent.
func linkMetrics(t *testing.T, c linkCase, m map[string]float64) {
	t.Helper()
	within(t, c.String(), m, "rounds/op", 1, 7)
	items := float64(c.D * loadedBytes)
	least, most := items+float64(c.N-c.D), items+8*float64(c.N)+8000*m["rounds/op"]
	if c.again {
		least, most = items, items+1300+4000*(m["rounds/op"]-1)
	}
	within(t, c.String(), m, "wire-B/op", least, most)
}
