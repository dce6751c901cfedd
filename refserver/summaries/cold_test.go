package summaries

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// longOpen returns a Keeper to which a log of more than 56 entries is a long one.
func longOpen(t *testing.T, s store.Store, opt Options) *Keeper {
	t.Helper()
	k := openKeeper(t, s, opt)
	k.batch = 7
	return k
}

// TestColdGivenUp: a request that gives up in the middle of a cold build leaves it
// running, and the next finds it done.
func TestColdGivenUp(t *testing.T) {
	watched := &spy{Store: openStore(t, t.TempDir())}
	put(t, watched, alice, messages(rand.New(rand.NewPCG(7, 1)), 600))
	for _, scope := range []dwn.Scope{{}, scopes(t)[0]} {
		k := longOpen(t, watched, small())
		ctx, cancel := context.WithCancel(t.Context())
		gone, left := make(chan struct{}), 100
		watched.entry = func() {
			if left--; left == 0 {
				cancel()
				<-gone // the rest is read when nobody waits any more
			}
		}
		if _, err := k.View(ctx, alice, scope, secretA); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want %v", err, context.Canceled)
		}
		close(gone)
		k.work.Wait()
		watched.entry = nil
		if s := k.lruOf(k.find(alice, scope, secretA)); s.size < 10<<10 {
			t.Errorf("%d bytes are accounted for what was made when nobody waited", s.size)
		}
		watched.logged.Store(0)
		if viewOf(t, k, alice, scope, secretA); watched.logged.Load() != 0 {
			t.Errorf("%d entries of the log read by the request after the one that gave up", watched.logged.Load())
		}
		checkView(t, k, watched, alice, scope, secretA)
	}
}

// TestColdAtOnce: of many cold builds only so many are under way at a time, and all end.
func TestColdAtOnce(t *testing.T) {
	const most = 2
	bending := &bent{Store: openStore(t, t.TempDir())}
	watched := &spy{Store: bending}
	put(t, watched, alice, generated()[:200])
	k := longOpen(t, watched, small())
	k.builds = make(chan struct{}, most)
	var under atomic.Int64
	var full atomic.Bool
	watched.entry = func() {
		if len(k.builds) == most {
			full.Store(true)
		}
	}
	bending.begun = func() func() {
		if n := under.Add(1); n > most {
			t.Errorf("%d logs are read at once, want %d at most", n, most)
		}
		return func() { under.Add(-1) }
	}
	var asking sync.WaitGroup
	for i := range 20 {
		asking.Go(func() {
			if _, err := k.View(t.Context(), alice, manyScopes(t, i), secretA); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if !full.Load() {
		t.Errorf("never were %d logs read at once", most)
	}
}

// TestColdWaits: who waits for a place among cold builds gives up with its context, and
// leaves the view to others. A short log needs no place.
func TestColdWaits(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, alice, generated()[:100])
	put(t, s, "did:example:brief", generated()[:50])
	k := longOpen(t, s, small())
	for range cap(k.builds) {
		k.builds <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	v := k.find(alice, manyScopes(t, 100), secretA)
	go func() {
		for len(v.turn) == 0 { // until it waits for a place
			runtime.Gosched()
		}
		cancel()
	}()
	if _, err := k.View(ctx, alice, manyScopes(t, 100), secretA); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	viewOf(t, k, "did:example:brief", dwn.Scope{}, secretA)
	for range cap(k.builds) {
		<-k.builds
	}
	viewOf(t, k, alice, manyScopes(t, 100), secretA) // the turn was given back
}

// TestColdWhich: what may read the whole of a long log is cold, and nothing else.
func TestColdWhich(t *testing.T) {
	k := longOpen(t, openStore(t, t.TempDir()), Options{})
	v := k.find(alice, dwn.Scope{}, secretA)
	if !v.cold(57) || v.cold(56) {
		t.Errorf("nothing is kept of 57 entries: %t, of 56: %t", v.cold(57), v.cold(56))
	}
	set, err := v.build(nil, 1000, summary.Params{})
	if err != nil {
		t.Fatal(err)
	}
	v.replace(set)
	for last, want := range map[uint64]bool{900: false, 1000: false, 2000: false, 2002: true} {
		if got := v.cold(last); got != want {
			t.Errorf("at position 1000 of %d: %t, want %t", last, got, want)
		}
	}
	if v.broken = true; !v.cold(1000) {
		t.Error("what contradicts the store is not made again by the Keeper")
	}
	v.broken = false
	set.SetPosition(15_000_000) // of views that do not hold much of it
	if v.cold(16_000_000) || !v.cold(25_000_001) {
		t.Errorf("short IDs may get too many: %t and %t", v.cold(16_000_000), v.cold(25_000_001))
	}
}
