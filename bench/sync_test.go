package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// syncCase is a pull by an initiator that lacks d messages of the responder's.
type syncCase struct {
	name  string
	here  []datasets.Message // what the initiator has
	d     int
	data  int  // bytes of record data of the d messages
	first bool // the nodes share no secret yet
}

func (c syncCase) String() string {
	return fmt.Sprintf("case=%s/n=%d/d=%d", c.name, len(c.here)+c.d, c.d)
}

// syncCases splits messages, which are in the order of their keys.
func syncCases(all []datasets.Message) []syncCase {
	newest := len(all) - len(all)/20
	odd := func(i int) bool { return i%2 == 1 }
	return []syncCase{
		newSyncCase("equal", all, func(int) bool { return false }),
		newSyncCase("recent", all, func(i int) bool { return i >= newest }),
		newSyncCase("half", all, odd),
		newSyncCase("half-first", all, odd),
		newSyncCase("empty", all, func(int) bool { return true }),
	}
}

func newSyncCase(name string, all []datasets.Message, missing func(i int) bool) syncCase {
	c := syncCase{name: name, first: name == "half-first"}
	for i, m := range all {
		if missing(i) {
			c.d++
			c.data += len(m.Data)
		} else {
			c.here = append(c.here, m)
		}
	}
	return c
}

// BenchmarkSync: one operation is one pull over HTTP on loopback between two nodes
// that keep their messages in Badger, and their summaries. Opening the initiator's store in
// the state of the case is not timed. None remembers a sync before, so there is no cursor.
func BenchmarkSync(b *testing.B) {
	w := newWorld(b, 0)
	for _, c := range syncCases(w.all) {
		w.prepare(b, c)
		for _, strategy := range syncStrategies() {
			b.Run(fmt.Sprintf("strategy=%s/%v", strategy, c), func(b *testing.B) { w.bench(b, c, strategy) })
		}
	}
}

func syncStrategies() []engine.Strategy {
	return slices.DeleteFunc(engine.Strategies(), func(s engine.Strategy) bool { return s == engine.StrategyCursor })
}

func (w *world) bench(b *testing.B, c syncCase, strategy engine.Strategy) {
	var sum refserver.SyncResult
	var rounds []int
	var here refserver.Node
	remove := func() {}
	w.tcp.Store(0)
	for b.Loop() {
		if here.Store == nil || c.d > 0 || c.first {
			b.StopTimer()
			remove()
			here, remove = w.open(b, c)
			b.StartTimer()
		}
		r, err := w.client.Sync(b.Context(), here, refserver.SyncOptions{Strategy: strategy, Direction: engine.Pull})
		if err != nil {
			b.Fatal(err)
		}
		if !r.Complete || !r.RootsEqual || r.MessagesReceived != c.d || len(r.Refused) != 0 {
			b.Fatalf("the sync should have brought %d messages: %+v", c.d, r)
		}
		rounds = append(rounds, r.Rounds)
		sum.BytesUp += r.BytesUp
		sum.BytesDown += r.BytesDown
		sum.MetadataBytes += r.MetadataBytes
		sum.MessagesReceived += r.MessagesReceived
	}
	remove()
	n := float64(b.N)
	b.ReportMetric(float64(sum.BytesUp+sum.BytesDown)/n, "wire-B/op")
	b.ReportMetric(float64(w.tcp.Load())/n, "tcp-B/op")
	b.ReportMetric(float64(sum.MetadataBytes)/n, "metadata-B/op")
	b.ReportMetric(float64(sum.MessagesReceived)/n, "messages/op")
	b.ReportMetric(float64(c.data), "data-B/op")
	b.ReportMetric(mean(rounds), "rounds/op")
}

// world is a responder that holds all retained messages of one tenant of the
// shipped set and is served on loopback, a client of it, and prepared stores.
type world struct {
	dir    string
	tenant string
	all    []datasets.Message // ascending by key
	secret store.Secret
	client *refserver.Client
	tcp    atomic.Int64 // bytes that the client's connections carried, both ways
}

// newWorld takes no more than so many messages, the oldest, if most is not 0.
func newWorld(tb testing.TB, most int) *world {
	w := &world{dir: tb.TempDir(), tenant: datasets.CorpusTenants()[0], secret: store.Secret{Generation: 1}}
	w.secret.Key[0] = 1 // any key that is no other's
	for m, err := range datasets.Corpus() {
		if err != nil {
			tb.Fatal(err)
		}
		if m.Tenant == w.tenant && m.Retained {
			w.all = append(w.all, m)
		}
	}
	slices.SortFunc(w.all, func(a, b datasets.Message) int { return a.Message.Key().Compare(b.Message.Key()) })
	if most > 0 {
		w.all = w.all[:most]
	}
	there := w.create(tb, "responder", w.all, &w.secret)
	keeper := summaries.Open(there, summaries.Options{})
	tb.Cleanup(func() {
		if err := keeper.Close(); err != nil {
			tb.Error(err)
		}
		w.close(tb, there)
	})
	server := httptest.NewUnstartedServer(nil)
	origin := "http://" + server.Listener.Addr().String()
	handler, err := refserver.NewServer(refserver.Node{Store: there, Keeper: keeper}, refserver.ServerOptions{Origins: []string{origin}})
	if err != nil {
		tb.Fatal(err)
	}
	server.Config.Handler = handler
	server.Start()
	tb.Cleanup(server.Close)
	w.connect(tb, origin)
	return w
}

func (w *world) connect(tb testing.TB, origin string) {
	jwk, _ := datasets.CorpusKey(w.tenant)
	signer, err := auth.ParseSigner(jwk)
	if err != nil {
		tb.Fatal(err)
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return countingConn{conn, &w.tcp}, err
	}
	transport := &http.Transport{DialContext: dial, DisableCompression: true}
	tb.Cleanup(transport.CloseIdleConnections)
	if w.client, err = refserver.NewClient(origin, w.tenant, signer, &http.Client{Transport: transport}); err != nil {
		tb.Fatal(err)
	}
}

// countingConn adds what it carries to bytes.
type countingConn struct {
	net.Conn
	bytes *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func (c countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

// create makes a store with messages, their data and, if it is not nil, a secret.
func (w *world) create(tb testing.TB, name string, messages []datasets.Message, secret *store.Secret) *badger.Store {
	s := openStore(tb, filepath.Join(w.dir, name))
	for batch := range slices.Chunk(messages, store.MaxBatch/2) { // half, so that the bytes fit as well
		w.write(tb, s, batch)
	}
	if secret != nil {
		if _, err := s.Tenant(w.tenant).KeepSecret(tb.Context(), nil, *secret); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

func (w *world) write(tb testing.TB, s *badger.Store, batch []datasets.Message) {
	var entries []store.Entry
	for _, m := range batch {
		entries = append(entries, store.Entry{Message: m.Message, Data: m.Data}) // no data of this tenant's is above the inline limit
	}
	results, err := refserver.Node{Store: s}.Write(tb.Context(), w.tenant, entries)
	if err != nil {
		tb.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			tb.Fatal(r.Err)
		}
	}
}

// prepare makes the store that the initiator of the case starts from.
func (w *world) prepare(tb testing.TB, c syncCase) {
	secret := &w.secret
	if c.first {
		secret = nil
	}
	w.close(tb, w.create(tb, c.name, c.here, secret))
}

// open opens a copy of the store that prepare made, with its summaries.
func (w *world) open(tb testing.TB, c syncCase) (n refserver.Node, remove func()) {
	dir, err := os.MkdirTemp(w.dir, c.name+"-")
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(filepath.Join(w.dir, c.name)))
	}
	if err != nil {
		tb.Fatal(err)
	}
	s := openStore(tb, dir)
	n = refserver.Node{Store: s, Keeper: summaries.Open(s, summaries.Options{})}
	if !c.first {
		if _, err := n.Keeper.View(tb.Context(), w.tenant, wholeScope, w.secret); err != nil {
			tb.Fatal(err)
		}
	}
	return n, func() {
		if err := n.Keeper.Close(); err != nil {
			tb.Error(err)
		}
		w.close(tb, s)
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	}
}

func (w *world) close(tb testing.TB, s *badger.Store) {
	if err := s.Close(); err != nil {
		tb.Error(err)
	}
}

func openStore(tb testing.TB, dir string) *badger.Store {
	s, err := badger.Open(dir, badger.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestSync runs every case once by one strategy, and one case by every strategy, of
// a part of the messages: verifying them takes long where races are looked for.
func TestSync(t *testing.T) {
	w := newWorld(t, 100)
	for _, c := range syncCases(w.all) {
		w.prepare(t, c)
		for _, strategy := range syncStrategies() {
			if strategy != engine.StrategyFuse && c.name != "recent" {
				continue
			}
			name := fmt.Sprintf("strategy=%s/%v", strategy, c)
			m := once(t, name, func(b *testing.B) { w.bench(b, c, strategy) })
			within(t, name, m, "messages/op", float64(c.d), float64(c.d))
			within(t, name, m, "rounds/op", 1, 8)
			within(t, name, m, "metadata-B/op", float64(len(c.here)), 100*float64(len(w.all)))
			// A token each round; and the first request twice, because it has no nonce yet.
			within(t, name, m, "wire-B/op", m["metadata-B/op"], 1000*(m["rounds/op"]+1)+2*m["metadata-B/op"]+1000*float64(c.d)+float64(c.data))
			// What the connections carried is more by HTTP headers and the framing of
			// bodies, some 1500 bytes a call.
			within(t, name, m, "tcp-B/op", m["wire-B/op"], 1.05*m["wire-B/op"]+1500*(m["rounds/op"]+10))
		}
	}
}
