package refserver_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// TestRotateWhileSyncing: nodes sync while both rotate the secret again and again. Every
// sync is proved complete, and in the end both hold the newest secret and keep the same
// summaries under it. Case G89.
func TestRotateWhileSyncing(t *testing.T) {
	signer, entries := tenantKey(t), generated(t, 600)
	did := signer.DID()
	here, there := keepOpen(t, openNode(t)), keepOpen(t, openNode(t))
	fill(t, here, did, entries[:200])
	fill(t, there, did, entries[100:300])
	client := clientOf(t, listen(t, there, refserver.ServerOptions{}), did, signer, nil)
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 12 && err == nil; i++ {
			_, err = []refserver.Node{here, there}[i%2].Rotate(t.Context(), did)
		}
		done <- err
	}()
	syncs := 0
	for rest, rotating := entries[300:], true; rotating || syncs < 3; syncs++ {
		select {
		case err := <-done:
			if rotating = false; err != nil {
				t.Fatal(err)
			}
		default:
		}
		if len(rest) > 0 {
			fill(t, []refserver.Node{there, here}[syncs%2], did, rest[:20])
			rest = rest[20:]
		}
		result, err := client.Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Both})
		if err != nil || !result.Complete || !result.RootsEqual {
			t.Fatalf("sync %d: %v: %+v", syncs, err, result)
		}
	}
	mine, theirs := viewKept(t, here, did), viewKept(t, there, did)
	if mine.Root != theirs.Root || mine.Root.Count < 300 {
		t.Errorf("roots after %d syncs: %v and %v", syncs, mine.Root, theirs.Root)
	}
	for _, n := range []refserver.Node{here, there} {
		if err := n.Keeper.Check(t.Context(), did); err != nil {
			t.Error(err)
		}
	}
	if a, b := secretOfNode(t, here, did), secretOfNode(t, there, did); a != b || a.Generation < 6 {
		t.Errorf("generations %d and %d", a.Generation, b.Generation)
	}
}

func viewKept(t *testing.T, n refserver.Node, did string) *summaries.View {
	t.Helper()
	v, err := n.Keeper.View(t.Context(), did, dwn.Scope{}, secretOfNode(t, n, did))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func secretOfNode(t *testing.T, n refserver.Node, did string) store.Secret {
	t.Helper()
	secret, ok, err := n.Store.Tenant(did).Secret(t.Context(), nil)
	if err != nil || !ok {
		t.Fatalf("no secret: %v", err)
	}
	return secret
}

// TestRotatePrepares: when the new secret is held, the summaries under it are there.
func TestRotatePrepares(t *testing.T) {
	did := tenantKey(t).DID()
	n := openNode(t)
	logs := new(atomic.Int64)
	n.Store = logStore{n.Store, logs}
	n = keepOpen(t, n)
	fill(t, n, did, generated(t, 50))
	for generation := uint64(1); generation < 4; generation++ {
		secret, err := n.Rotate(t.Context(), did)
		if err != nil || secret.Generation != generation || secret != secretOfNode(t, n, did) {
			t.Fatalf("generation %d (%v), want %d", secret.Generation, err, generation)
		}
		if viewKept(t, n, did); logs.Load() != 0 {
			t.Errorf("the log was read %d times after the rotation", logs.Load())
		}
	}
}

// logStore counts how often a log is read since a secret was kept.
type logStore struct {
	store.Store
	logs *atomic.Int64
}

func (s logStore) Tenant(did string) store.Tenant { return logTenant{s.Store.Tenant(did), s.logs} }

type logTenant struct {
	store.Tenant
	logs *atomic.Int64
}

func (t logTenant) Log(ctx context.Context, from uint64) iter.Seq2[store.LogEntry, error] {
	t.logs.Add(1)
	return t.Tenant.Log(ctx, from)
}

func (t logTenant) KeepSecret(ctx context.Context, label []byte, s store.Secret) (store.Secret, error) {
	t.logs.Store(0)
	return t.Tenant.KeepSecret(ctx, label, s)
}

// TestRotateNot: a rotation that cannot be leaves the secret as it is.
func TestRotateNot(t *testing.T) {
	did := tenantKey(t).DID()
	n := keepOpen(t, openNode(t))
	fill(t, n, did, generated(t, 20))
	before, err := n.Rotate(t.Context(), did)
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Rotate(over, did); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
	if err := n.Keeper.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Rotate(t.Context(), did); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a Keeper that is closed: %v", err)
	}
	if got := secretOfNode(t, n, did); got != before {
		t.Errorf("the secret changed: generation %d", got.Generation)
	}
	last := store.Secret{Generation: math.MaxUint64}
	if _, err := n.Store.Tenant(did).KeepSecret(t.Context(), nil, last); err != nil {
		t.Fatal(err)
	}
	n.Keeper = nil
	if _, err := n.Rotate(t.Context(), did); !errors.Is(err, refserver.ErrLastSecret) || secretOfNode(t, n, did) != last {
		t.Errorf("the last generation: %v", err)
	}
}

// TestRotateSaves: what is saved is of the secret in use, whether this node rotated or another
// brought the new one, at once.
func TestRotateSaves(t *testing.T) {
	did := tenantKey(t).DID()
	n := openNode(t)
	fill(t, n, did, generated(t, 50))
	n.Store = slowStore{n.Store}
	n.Keeper = summaries.Open(n.Store, summaries.Options{SaveEvery: 40})
	defer func() {
		if err := n.Keeper.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := n.Rotate(t.Context(), did); err != nil {
		t.Fatal(err)
	}
	awaitSaved(t, n, did, "summaries 1")
	offered := engine.Secret{Key: [32]byte{1}}
	offered.Generation = 2
	if _, err := n.Replica(did, dwn.Scope{}).KeepSecret(t.Context(), offered); err != nil {
		t.Fatal(err)
	}
	awaitSaved(t, n, did, "summaries 0")
}

// slowStore takes so long to keep a secret that the Keeper has seen that it is not kept.
type slowStore struct{ store.Store }

func (s slowStore) Tenant(did string) store.Tenant { return slowTenant{s.Store.Tenant(did)} }

type slowTenant struct{ store.Tenant }

func (t slowTenant) KeepSecret(ctx context.Context, label []byte, s store.Secret) (store.Secret, error) {
	time.Sleep(300 * time.Millisecond)
	return t.Tenant.KeepSecret(ctx, label, s)
}

func awaitSaved(t *testing.T, n refserver.Node, did, name string) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		at, _, ok, err := n.Store.Tenant(did).Fold(t.Context(), name)
		if ok && at == 50 {
			return
		}
		if err != nil || time.Since(begin) > 10*time.Second {
			t.Fatalf("%s: saved at %d, want 50 (%v)", name, at, err)
		}
	}
}
