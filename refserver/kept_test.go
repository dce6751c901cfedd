package refserver

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// keptNode returns an empty node that keeps summaries, and how often its keys are read.
func keptNode(t *testing.T) (Node, *atomic.Int64) {
	t.Helper()
	n, read := emptyNode(t), new(atomic.Int64)
	n.Store = readStore{n.Store, read}
	n.Keeper = summaries.Open(n.Store, summaries.Options{})
	t.Cleanup(func() {
		if err := n.Keeper.Close(); err != nil {
			t.Error(err)
		}
	})
	return n, read
}

// readStore is a store that counts how often all keys of a scope are read.
type readStore struct {
	store.Store
	read *atomic.Int64
}

func (s readStore) Tenant(did string) store.Tenant { return readTenant{s.Store.Tenant(did), s.read} }

type readTenant struct {
	store.Tenant
	read *atomic.Int64
}

func (t readTenant) Keys(ctx context.Context, scope dwn.Scope) ([]dwn.Key, uint64, error) {
	t.read.Add(1)
	return t.Tenant.Keys(ctx, scope)
}

// someMessages returns n generated messages of one tenant.
func someMessages(t *testing.T, n int) (did string, entries []store.Entry) {
	t.Helper()
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: n, Deletes: 0.3, Protocol: 0.5}) {
		if err != nil {
			t.Fatal(err)
		}
		did, entries = m.Tenant, append(entries, store.Entry{Message: m.Message, Data: m.Data})
	}
	return did, entries
}

// TestKeptReplica holds the replica of a node with a Keeper to what the engine is promised.
func TestKeptReplica(t *testing.T) {
	did, entries := someMessages(t, 300)
	var payloads [][]byte
	for _, e := range entries {
		payloads = append(payloads, appendPayload(nil, e))
	}
	enginetest.TestReplica(t, enginetest.Fixture{
		Open: func(t *testing.T) engine.Replica {
			n, _ := keptNode(t)
			return n.Replica(did, dwn.Scope{})
		},
		Payloads: payloads, Bad: payloadOf(forge(t, entries[0].Message)), KeepsRoot: true,
	})
}

// TestKeptSync: nodes sync to the same whether they keep summaries or not, in any scope;
// where nothing is new, the responder that keeps them reads no keys.
func TestKeptSync(t *testing.T) {
	did, entries := someMessages(t, 400)
	for _, text := range []string{`{}`, `{"interface":"Records"}`, `{"method":"Delete"}`} {
		scope, err := dwn.ParseScope([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(text, func(t *testing.T) {
			here, _ := keptNode(t)
			there, read := keptNode(t)
			plain := emptyNode(t)
			writeAll(t, here, did, entries[:250])
			writeAll(t, there, did, entries[200:])
			for _, n := range []Node{there, plain, there} {
				syncHere(t, here.Replica(did, scope), n.Replica(did, scope))
			}
			want := scopedKeys(t, plain, did, scope)
			if len(want) < 20 || !slices.Equal(scopedKeys(t, here, did, scope), want) || !slices.Equal(scopedKeys(t, there, did, scope), want) {
				t.Fatalf("nodes hold different messages: %d, %d and %d", len(scopedKeys(t, here, did, scope)), len(scopedKeys(t, there, did, scope)), len(want))
			}
			before := read.Load()
			report := syncHere(t, here.Replica(did, scope), there.Replica(did, scope))
			if n := read.Load() - before; n != 0 || report.Received+report.Sent != 0 || report.Rounds != 1 {
				t.Errorf("the responder read its keys %d times: %+v", n, report)
			}
			writeAll(t, there, did, entries[:1]) // a duplicate changes nothing
			syncHere(t, here.Replica(did, scope), there.Replica(did, scope))
			if n := read.Load() - before; n != 0 {
				t.Errorf("the responder read its keys %d times after a duplicate", n)
			}
		})
	}
}

func syncHere(t *testing.T, here, there engine.Replica) engine.Report {
	t.Helper()
	report, err := engine.Sync(t.Context(), here, engine.Direct{Replica: there}, engine.Options{})
	if err != nil || !report.RootsEqual {
		t.Fatalf("%v: %+v", err, report)
	}
	return report
}

func writeAll(t *testing.T, n Node, did string, entries []store.Entry) {
	t.Helper()
	for batch := range slices.Chunk(entries, store.MaxBatch) {
		results, err := n.Write(t.Context(), did, batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	}
}

func scopedKeys(t *testing.T, n Node, did string, scope dwn.Scope) []dwn.Key {
	t.Helper()
	keys, _, err := n.Store.Tenant(did).Keys(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestKeptClosed: a node whose Keeper is closed takes no part in a sync.
func TestKeptClosed(t *testing.T) {
	did, entries := someMessages(t, 30)
	n, _ := keptNode(t)
	writeAll(t, n, did, entries)
	syncHere(t, emptyNode(t).Replica(did, dwn.Scope{}), n.Replica(did, dwn.Scope{}))
	if err := n.Keeper.Close(); err != nil {
		t.Fatal(err)
	}
	for name, sync := range map[string]func() (engine.Report, error){
		"initiator": func() (engine.Report, error) {
			return engine.Sync(t.Context(), n.Replica(did, dwn.Scope{}), engine.Direct{Replica: emptyNode(t).Replica(did, dwn.Scope{})}, engine.Options{})
		},
		"responder": func() (engine.Report, error) {
			return engine.Sync(t.Context(), emptyNode(t).Replica(did, dwn.Scope{}), engine.Direct{Replica: n.Replica(did, dwn.Scope{})}, engine.Options{})
		},
	} {
		if report, err := sync(); !errors.Is(err, store.ErrClosed) || report.Complete {
			t.Errorf("%s: %v: %+v", name, err, report)
		}
	}
}
