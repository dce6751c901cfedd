package refserver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// logStub is a store of which the arrival log is told otherwise than it is.
type logStub struct {
	store.Store
	edit func(*store.LogEntry)
	last uint64 // 0: as it is
	read func() // before the log is
}

func (s *logStub) Tenant(did string) store.Tenant { return stubTenant{s.Store.Tenant(did), s} }

type stubTenant struct {
	store.Tenant
	stub *logStub
}

func (t stubTenant) Last(ctx context.Context) (uint64, error) {
	last, err := t.Tenant.Last(ctx)
	return max(last, t.stub.last), err
}

func (t stubTenant) Log(ctx context.Context, from uint64) iter.Seq2[store.LogEntry, error] {
	return func(yield func(store.LogEntry, error) bool) {
		if t.stub.read != nil {
			t.stub.read()
		}
		for e, err := range t.Tenant.Log(ctx, from) {
			if t.stub.edit != nil {
				t.stub.edit(&e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// loggingKeeper gives n a Keeper, and returns its log.
// loggedText is what was logged. It is safe for concurrent use: a Keeper's worker logs whenever
// it gets to it.
type loggedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *loggedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *loggedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func loggingKeeper(t *testing.T, n *Node) *loggedText {
	t.Helper()
	log := new(loggedText)
	n.Keeper = summaries.Open(n.Store, summaries.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	t.Cleanup(func() {
		if err := n.Keeper.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

// saveDrift saves summaries of a tenant that lack an item.
func saveDrift(t *testing.T, n Node, did string, secret store.Secret) {
	t.Helper()
	blind := &logStub{Store: n.Store, edit: func(e *store.LogEntry) {
		if e.Position == 50 {
			e.State = 0
		}
	}}
	k := summaries.Open(blind, summaries.Options{SaveEvery: 1})
	if err := k.Prepare(t.Context(), did, secret); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestWrongSummaries: a node whose summaries are wrong, or cannot be had, syncs all the
// same, in both roles, and says so.
func TestWrongSummaries(t *testing.T) {
	did, entries := someMessages(t, 120)
	for name, spoil := range map[string]func(t *testing.T, n *Node){
		"saved drift": func(t *testing.T, n *Node) {
			secret, err := n.Store.Tenant(did).KeepSecret(t.Context(), nil, store.Secret{Generation: 1})
			if err != nil {
				t.Fatal(err)
			}
			saveDrift(t, *n, did, secret)
		},
		"too long a log":  func(_ *testing.T, n *Node) { n.Store = &logStub{Store: n.Store, last: 1 << 32} },
		"a log that ends": func(_ *testing.T, n *Node) { n.Store = &logStub{Store: n.Store, last: 1 << 20} },
	} {
		t.Run(name, func(t *testing.T) {
			wrong, right := emptyNode(t), emptyNode(t)
			writeAll(t, wrong, did, entries[:80])
			writeAll(t, right, did, entries[40:100])
			spoil(t, &wrong)
			log := loggingKeeper(t, &wrong)
			syncHere(t, wrong.Replica(did, dwn.Scope{}), right.Replica(did, dwn.Scope{}))
			writeAll(t, right, did, entries[100:])
			syncHere(t, right.Replica(did, dwn.Scope{}), wrong.Replica(did, dwn.Scope{}))
			if a, b := scopedKeys(t, wrong, did, dwn.Scope{}), scopedKeys(t, right, did, dwn.Scope{}); len(a) != 120 || len(b) != 120 {
				t.Errorf("%d and %d messages, want 120", len(a), len(b))
			}
			if !strings.Contains(log.String(), "without summaries") {
				t.Error("nobody was told")
			}
			if err := wrong.Keeper.Check(t.Context(), did); err == nil {
				t.Error("the check finds nothing")
			}
			checkDisowned(t, wrong.Replica(did, dwn.Scope{}))
			if _, err := wrong.Rotate(t.Context(), did); err != nil {
				t.Error(err)
			}
		})
	}
}

// checkDisowned wants a view that is not of the keys that it found stored to keep no root.
func checkDisowned(t *testing.T, r engine.Replica) {
	t.Helper()
	view, err := r.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if keys, err := view.Keys(t.Context()); len(keys) != 120 || err != nil {
			t.Errorf("%d keys, want 120 (%v)", len(keys), err)
		}
	}
	secret, _, err := r.Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := view.(engine.Summarised); ok {
		if root, kept, err := s.Root(t.Context(), secret); kept || err != nil {
			t.Errorf("a root of %d items is kept (%v)", root.Count, err)
		}
	}
}

// TestSecretTakenOver: while the summaries under a secret that a peer has brought are
// made, everybody else is served under the one before; then they are there.
func TestSecretTakenOver(t *testing.T) {
	did, entries := someMessages(t, 50)
	stub := &logStub{Store: emptyNode(t).Store}
	n := Node{Store: stub}
	log := loggingKeeper(t, &n)
	writeAll(t, n, did, entries)
	r := n.Replica(did, dwn.Scope{})
	first, next := secretOf(1), secretOf(2)
	if _, err := r.KeepSecret(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	begun, rest, reads := make(chan struct{}), make(chan struct{}), new(atomic.Int64)
	stub.read = func() {
		if reads.Add(1) == 1 {
			close(begun)
			<-rest
		}
	}
	kept := make(chan error, 1)
	go func() {
		_, err := r.KeepSecret(t.Context(), next)
		kept <- err
	}()
	<-begun
	checkRoot(t, r, first)
	close(rest)
	if err := <-kept; err != nil {
		t.Fatal(err)
	}
	checkRoot(t, r, next)
	if reads.Load() != 1 {
		t.Errorf("the log was read %d times, want once", reads.Load())
	}
	// One that is not taken over makes nothing.
	if got, err := r.KeepSecret(t.Context(), secretOf(0)); got != next || err != nil || reads.Load() != 1 {
		t.Errorf("kept %v (%v), the log was read %d times", got.SecretName, err, reads.Load())
	}
	// Who gives up meanwhile changes nothing, and that is nothing to tell.
	over, cancel := context.WithCancel(t.Context())
	stub.read = cancel
	if _, err := r.KeepSecret(over, secretOf(3)); !errors.Is(err, context.Canceled) || log.String() != "" {
		t.Errorf("given up: %v, and in the log: %s", err, log)
	}
	checkRoot(t, r, next)
}

func secretOf(generation uint64) engine.Secret {
	return engine.Secret{SecretName: wire.SecretName{Generation: generation}, Key: [32]byte{byte(generation)}}
}

// checkRoot wants the replica's secret to be this one, and a root kept under it.
func checkRoot(t *testing.T, r engine.Replica, want engine.Secret) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	view, err := r.View(ctx)
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := r.Secret(ctx)
	if err != nil || secret != want {
		t.Fatalf("secret %v, want %v (%v)", secret.SecretName, want.SecretName, err)
	}
	if _, ok, err := view.(engine.Summarised).Root(ctx, want); !ok || err != nil {
		t.Errorf("no root is kept under %v (%v)", want.SecretName, err)
	}
}

// TestSecretTooFarAhead: what a peer offers is at most 2^32 generations ahead, so there
// is always a next one.
func TestSecretTooFarAhead(t *testing.T) {
	n := emptyNode(t)
	for i, c := range []struct {
		held, offered, want uint64 // generations, 0 for none
	}{
		{5, 5 + 1<<32, 5 + 1<<32},
		{5, 6 + 1<<32, 5},
		{5, math.MaxUint64, 5},
		{5, 4, 5},
		{0, 1 << 32, 1 << 32},
		{0, 1<<32 + 1, 1},
		{0, math.MaxUint64, 1},
		{math.MaxUint64 - 1, math.MaxUint64, math.MaxUint64},
	} {
		did := fmt.Sprint("did:example:", i)
		r := n.Replica(did, dwn.Scope{})
		holdGeneration(t, n, did, c.held)
		got, err := r.KeepSecret(t.Context(), secretOf(c.offered))
		if err != nil || got.Generation != c.want || (c.want == c.offered) != (got == secretOf(c.offered)) {
			t.Errorf("%d offered to %d: kept %d, want %d (%v)", c.offered, c.held, got.Generation, c.want, err)
		}
		if held, _, err := r.Secret(t.Context()); held != got || err != nil {
			t.Errorf("holds %v, said %v (%v)", held.SecretName, got.SecretName, err)
		}
	}
}

// holdGeneration gives a tenant a secret of a generation, unless that is 0.
func holdGeneration(t *testing.T, n Node, did string, generation uint64) {
	t.Helper()
	if generation == 0 {
		return
	}
	if _, err := n.Store.Tenant(did).KeepSecret(t.Context(), nil, store.Secret{Generation: generation}); err != nil {
		t.Fatal(err)
	}
}

// TestSyncTooFarAhead: nodes of which one holds a secret that the other does not take over
// sync all the same, and the other's can be rotated.
func TestSyncTooFarAhead(t *testing.T) {
	did, entries := someMessages(t, 30)
	for _, held := range []uint64{0, 3} {
		far, near := emptyNode(t), emptyNode(t)
		holdGeneration(t, far, did, math.MaxUint64)
		holdGeneration(t, near, did, held)
		writeAll(t, far, did, entries[:20])
		writeAll(t, near, did, entries[10:])
		syncHere(t, far.Replica(did, dwn.Scope{}), near.Replica(did, dwn.Scope{}))
		syncHere(t, near.Replica(did, dwn.Scope{}), far.Replica(did, dwn.Scope{}))
		if n := len(scopedKeys(t, near, did, dwn.Scope{})); n != 30 {
			t.Errorf("%d messages, want 30", n)
		}
		if next, err := near.Rotate(t.Context(), did); err != nil || next.Generation != max(held, 1)+1 {
			t.Errorf("generation %d after the next rotation (%v)", next.Generation, err)
		}
	}
}
