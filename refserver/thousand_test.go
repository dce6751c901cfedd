package refserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// heldStore lets nobody read keys until it is opened, and counts who waits.
type heldStore struct {
	store.Store
	inside *atomic.Int64
	open   chan struct{}
}

func (s heldStore) Tenant(did string) store.Tenant { return heldTenant{s.Store.Tenant(did), s} }

type heldTenant struct {
	store.Tenant
	of heldStore
}

func (t heldTenant) Keys(ctx context.Context, scope dwn.Scope) ([]dwn.Key, uint64, error) {
	t.of.inside.Add(1)
	defer t.of.inside.Add(-1)
	<-t.of.open
	return t.Tenant.Keys(ctx, scope)
}

// TestThousandSyncs: of a thousand syncs at once as many are worked on as ServerOptions allow
// one tenant; the others are told that the server is busy. It has room again afterwards.
func TestThousandSyncs(t *testing.T) {
	t.Parallel()
	const syncs, allowed = 1000, 4
	signer, entries := tenantKey(t), generated(t, 30)
	did, there := signer.DID(), openNode(t)
	fill(t, there, did, entries)
	held := heldStore{there.Store, new(atomic.Int64), make(chan struct{})}
	url := listen(t, refserver.Node{Store: held}, refserver.ServerOptions{MaxSyncs: 8 * allowed})
	client, here := clientOf(t, url, did, signer, nil), openNode(t)
	results := make(chan error, syncs)
	start := func() {
		r, err := client.Sync(context.Background(), here, refserver.SyncOptions{Direction: engine.Pull})
		if err == nil && !r.RootsEqual {
			err = fmt.Errorf("%+v", r)
		}
		results <- err
	}
	for range syncs {
		go start()
	}
	for until := time.Now().Add(30 * time.Second); held.inside.Load()+int64(len(results)) < syncs && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	at := held.inside.Load()
	if at != allowed || len(results) != syncs-allowed {
		t.Errorf("%d syncs at work, %d over, want %d and %d", at, len(results), allowed, syncs-allowed)
	}
	for range len(results) {
		if p, err := (*refserver.Problem)(nil), <-results; !errors.As(err, &p) || p.Code != "busy" || p.Status != http.StatusServiceUnavailable {
			t.Errorf("%v, want to be told that the server is busy", err)
		}
	}
	close(held.open)
	for range at {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if start(); <-results != nil || len(keysOf(t, here, did)) != len(entries) {
		t.Errorf("%d messages, want %d", len(keysOf(t, here, did)), len(entries))
	}
}
