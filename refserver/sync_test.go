package refserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestConverge: random sets on two nodes, every strategy and direction over HTTP,
// end as the direction promises; a second sync moves nothing.
func TestConverge(t *testing.T) {
	all := generated(t, 400)
	signer := tenantKey(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, strategy := range engine.Strategies() {
		for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			for n := range 2 {
				a, b := split(random, all[:random.IntN(len(all)+1)])
				t.Run(fmt.Sprintf("%s/%s/%d", strategy, direction, n), func(t *testing.T) {
					t.Parallel()
					here, there := openNode(t), openNode(t)
					fill(t, here, signer.DID(), a)
					fill(t, there, signer.DID(), b)
					client := clientOf(t, listen(t, there, refserver.ServerOptions{}), signer.DID(), signer, nil)
					wantHere, wantThere := keysOfEntries(a...), keysOfEntries(b...)
					union := keysOfEntries(slices.Concat(a, b)...)
					received, sent := len(union)-len(wantHere), len(union)-len(wantThere)
					if direction.Pulls() {
						wantHere = union
					} else {
						received = 0
					}
					if direction.Pushes() {
						wantThere = union
					} else {
						sent = 0
					}
					for second := range 2 {
						r, err := client.Sync(t.Context(), here, refserver.SyncOptions{Strategy: strategy, Direction: direction})
						if err != nil {
							t.Fatal(err)
						}
						if !r.Complete || r.MessagesReceived != received*(1-second) || r.MessagesSent != sent*(1-second) {
							t.Errorf("sync %d: %+v, want %d received, %d sent", second, r, received, sent)
						}
						if r.RootsEqual != slices.Equal(wantHere, wantThere) {
							t.Errorf("roots equal: %t", r.RootsEqual)
						}
						if !slices.Equal(keysOf(t, here, signer.DID()), wantHere) || !slices.Equal(keysOf(t, there, signer.DID()), wantThere) {
							t.Fatal("the nodes do not hold what they must")
						}
					}
				})
			}
		}
	}
}

// split puts entries on either side or both.
func split(random *rand.Rand, entries []store.Entry) (a, b []store.Entry) {
	inA, inB := random.Float64(), random.Float64()
	for _, e := range entries {
		if random.Float64() < inA {
			a = append(a, e)
		}
		if random.Float64() < inB {
			b = append(b, e)
		}
	}
	return a, b
}

// retained returns the 1431 retained messages of a corpus tenant, without data.
func retained(t testing.TB) (did string, entries []store.Entry, jsonBytes int) {
	t.Helper()
	for _, did := range datasets.CorpusTenants() {
		entries, jsonBytes = nil, 0
		for m, err := range datasets.Corpus() {
			if err != nil {
				t.Fatal(err)
			}
			if m.Tenant == did && m.Retained {
				entries = append(entries, store.Entry{Message: m.Message})
				jsonBytes += len(m.Message.AppendJSON(nil))
			}
		}
		if len(entries) == 1431 {
			return did, entries, jsonBytes
		}
	}
	t.Fatal("no tenant has 1431 retained messages")
	return "", nil, 0
}

// TestPullBytes: all messages of a real tenant take at most 0.5 MB.
func TestPullBytes(t *testing.T) {
	did, entries, jsonBytes := retained(t)
	jwk, _ := datasets.CorpusKey(did)
	here, there := openNode(t), openNode(t)
	fill(t, there, did, entries)
	client := clientOf(t, listen(t, there, refserver.ServerOptions{}), did, signerOf(t, jwk), nil)
	r, err := client.Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Pull})
	if err != nil || r.MessagesReceived != len(entries) || r.Rounds != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	t.Logf("%d bytes up and %d down for %d messages, %d bytes of JSON", r.BytesUp, r.BytesDown, len(entries), jsonBytes)
	if total := r.BytesUp + r.BytesDown; total > 500_000 {
		t.Errorf("%d bytes, at most 500000", total)
	}
}

// TestLargeData: record data above the inline limit follows its message in both
// directions, and only once.
func TestLargeData(t *testing.T) {
	signer := tenantKey(t)
	var entries []store.Entry
	large := map[string][]byte{}
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: 40, MaxData: 400_000}) {
		if err != nil {
			t.Fatal(err)
		}
		e := store.Entry{Message: m.Message, Data: m.Data}
		if len(m.Data) > dwn.MaxInlineData {
			c, _ := m.Message.Data()
			large[c.CID.String()] = m.Data
			e.Data = nil
		}
		entries = append(entries, e)
	}
	if len(large) < 4 {
		t.Fatalf("%d large data", len(large))
	}
	here, there := openNode(t), openNode(t)
	put := func(n refserver.Node, part []store.Entry) {
		fill(t, n, signer.DID(), part)
		for w, err := range n.Store.Tenant(signer.DID()).WantedData(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Store.Tenant(signer.DID()).PutData(t.Context(), w.CID, bytes.NewReader(large[w.CID.String()])); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(here, entries[:len(entries)/2])
	put(there, entries[len(entries)/2:])
	client := clientOf(t, listen(t, there, refserver.ServerOptions{}), signer.DID(), signer, nil)
	for second := range 2 {
		r, err := client.Sync(t.Context(), here, refserver.SyncOptions{})
		if err != nil || r.DataMissing != 0 || (r.DataReceived == 0) != (second == 1) || (r.DataSent == 0) != (second == 1) {
			t.Fatalf("sync %d: %+v, %v", second, r, err)
		}
	}
	for _, n := range []refserver.Node{here, there} {
		for _, e := range entries {
			c, ok := e.Message.Data()
			if want := large[c.CID.String()]; ok && want != nil {
				checkData(t, n.Store.Tenant(signer.DID()), e, want)
			}
		}
	}
}

func checkData(t *testing.T, tenant store.Tenant, e store.Entry, want []byte) {
	t.Helper()
	c, _ := e.Message.Data()
	r, _, err := tenant.OpenData(t.Context(), c.CID)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v", c.CID, len(got), err)
	}
}

// cutter ends every reply of a sync after so many bytes.
type cutter struct{ after int64 }

func (c *cutter) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && c.after >= 0 {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, c.after), resp.Body}
	}
	return resp, err
}

// TestCut: a reply that ends early never counts as complete, what arrived is whole
// messages, and the next sync brings the rest without sending a stored one again.
func TestCut(t *testing.T) {
	entries := generated(t, 300)
	signer := tenantKey(t)
	there := openNode(t)
	fill(t, there, signer.DID(), entries)
	url := listen(t, there, refserver.ServerOptions{})
	whole, err := clientOf(t, url, signer.DID(), signer, nil).Sync(t.Context(), openNode(t), refserver.SyncOptions{Direction: engine.Pull})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 12 {
		here := openNode(t)
		cut := &cutter{random.Int64N(whole.BytesDown)}
		if n == 0 {
			cut.after = whole.BytesDown - 1
		}
		client := clientOf(t, url, signer.DID(), signer, cut)
		first, err := client.Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Pull})
		if err == nil || first.Complete {
			t.Fatalf("cut after %d bytes: %+v, %v", cut.after, first, err)
		}
		stored := len(keysOf(t, here, signer.DID()))
		if stored != first.MessagesReceived {
			t.Errorf("%d stored, %d reported", stored, first.MessagesReceived)
		}
		cut.after = -1
		second, err := client.Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Pull})
		if err != nil || !second.Complete || second.MessagesReceived != len(entries)-stored {
			t.Errorf("after %d stored: %+v, %v", stored, second, err)
		}
	}
}

// TestScope: a scoped sync moves what is in scope, deletes with their record, and
// nothing else; what a peer sends outside of it is refused.
func TestScope(t *testing.T) {
	entries := generated(t, 300)
	signer := tenantKey(t)
	scope, err := dwn.ParseScope([]byte(`{"protocol":"` + entries[0].Message.Attributes().Protocol + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	here, there := openNode(t), openNode(t)
	fill(t, there, signer.DID(), entries)
	client := clientOf(t, listen(t, there, refserver.ServerOptions{}), signer.DID(), signer, nil)
	r, err := client.Sync(t.Context(), here, refserver.SyncOptions{Scope: scope})
	if err != nil || !r.RootsEqual {
		t.Fatalf("%+v, %v", r, err)
	}
	want, _, err := there.Store.Tenant(signer.DID()).Keys(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	if got := keysOf(t, here, signer.DID()); !slices.Equal(got, want) || len(got) == 0 || len(got) == len(entries) {
		t.Errorf("%d messages here, %d in scope there, %d in all", len(got), len(want), len(entries))
	}
	deletes := 0
	for _, e := range entries {
		if _, in := slices.BinarySearchFunc(want, e.Message.Key(), dwn.Key.Compare); in && e.Message.Method() == "Delete" {
			deletes++
		}
	}
	if deletes == 0 {
		t.Error("no delete is in scope: the test tests nothing")
	}
	// A replica of the scope takes nothing else.
	everything := there.Replica(signer.DID(), dwn.Scope{})
	report, err := engine.Sync(t.Context(), openNode(t).Replica(signer.DID(), scope), engine.Direct{Replica: relabelled{everything, scope}}, engine.Options{Direction: engine.Pull})
	if !errors.Is(err, engine.ErrIncomplete) || report.Received != len(want) || len(report.Refused) == 0 {
		t.Errorf("got %d items of %d in scope, %d refused, %v", report.Received, len(want), len(report.Refused), err)
	}
}

// relabelled is a replica whose views pretend to be of a scope.
type relabelled struct {
	engine.Replica
	scope dwn.Scope
}

type relabelledView struct {
	engine.View
	label []byte
}

func (v relabelledView) Label() []byte { return v.label }

func (r relabelled) View(ctx context.Context) (engine.View, error) {
	v, err := r.Replica.View(ctx)
	return relabelledView{v, r.scope.AppendJSON(nil)}, err
}

// TestInterleaved: two nodes sync with a third at the same time, and with each
// other's messages they all end equal.
func TestInterleaved(t *testing.T) {
	entries := generated(t, 300)
	signer := tenantKey(t)
	hub := openNode(t)
	url := listen(t, hub, refserver.ServerOptions{})
	nodes := []refserver.Node{openNode(t), openNode(t), openNode(t)}
	for i, n := range nodes {
		fill(t, n, signer.DID(), entries[i*100:i*100+100])
	}
	client := clientOf(t, url, signer.DID(), signer, nil)
	for range 2 {
		errs := make(chan error, len(nodes))
		for _, n := range nodes {
			go func() {
				_, err := client.Sync(context.Background(), n, refserver.SyncOptions{})
				errs <- err
			}()
		}
		for range nodes {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	}
	for _, n := range append(nodes, hub) {
		if got := len(keysOf(t, n, signer.DID())); got != len(entries) {
			t.Errorf("%d messages, want %d", got, len(entries))
		}
	}
}
