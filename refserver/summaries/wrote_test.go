package summaries

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// often are options under which 15 entries of the log make a save begin.
func often() Options {
	opt := small()
	opt.SaveEvery = 20
	return opt
}

// write stores entries one at a time, as who writes and never syncs, and lets the Keeper
// do what it has to.
func write(t *testing.T, k *Keeper, d *disk, entries []store.Entry) {
	t.Helper()
	for _, e := range entries {
		put(t, d, alice, []store.Entry{e})
		k.Wrote(alice, 1)
		k.work.Wait()
	}
}

// TestWrote: who writes and never syncs is saved all the same, when as much came as is
// to come, and not before. What a sync saved meanwhile counts.
func TestWrote(t *testing.T) {
	d := newDisk(t, nil)
	k := openKeeper(t, d, often())
	write(t, k, d, generated()[:34])
	put(t, d, alice, generated()[34:50])
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	write(t, k, d, generated()[50:70])
	if got, want := d.noted(), []uint64{15, 30, 50, 65}; !slices.Equal(got, want) {
		t.Errorf("saved at %d, want %d", got, want)
	}
	k.Wrote("did:example:nobody", 1000)
	k.work.Wait()
}

// TestWroteShortly: it counts from what is saved, so that a node that runs shortly and
// often, and ends in whatever way, is saved as often as one that runs on. What is saved
// under another secret counts nothing.
func TestWroteShortly(t *testing.T) {
	d := newDisk(t, nil)
	for next := 0; next < 36; next += 4 {
		d.logged.Store(0)
		write(t, Open(d, often()), d, generated()[next:next+4]) // and is not closed
		if read, saves := d.logged.Load(), next == 12 || next == 28; read > 0 != saves {
			t.Errorf("after message %d: %d entries of the log were read", next, read)
		}
	}
	if got, want := d.noted(), []uint64{15, 30}; !slices.Equal(got, want) {
		t.Errorf("saved at %d, want %d", got, want)
	}
	other := store.Secret{Generation: secretA.Generation + maxEpochs, ID: [16]byte{9}}
	if _, err := d.Tenant(alice).KeepSecret(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	write(t, Open(d, often()), d, generated()[36:37])
	if got, want := d.noted(), []uint64{15, 30, 37}; !slices.Equal(got, want) {
		t.Errorf("saved at %d, want %d", got, want)
	}
}

// TestWroteWaitsForNothing: Wrote returns while the store does not, and what comes
// meanwhile is counted.
func TestWroteWaitsForNothing(t *testing.T) {
	d := newDisk(t, generated()[:30])
	stuck := stuckStore{d, make(chan struct{}), new(atomic.Int64)}
	k := openKeeper(t, stuck, often())
	k.Wrote(alice, 1000)
	for stuck.asked.Load() == 0 {
		runtime.Gosched()
	}
	for range 7 {
		k.Wrote(alice, 1000)
	}
	close(stuck.free)
	k.work.Wait()
	if asked, behind := stuck.asked.Load(), k.tenants[alice].behind; asked != 1 || behind != 7000 {
		t.Errorf("the store was asked %d times, want once; %d messages came since, want 7000", asked, behind)
	}
	if at := savedPosition(t, d, secretA); at != 30 {
		t.Errorf("saved at %d, want 30", at)
	}
}

// TestWroteAsksOnce: the store is asked by the first Wrote, then when enough came, and not
// after Close.
func TestWroteAsksOnce(t *testing.T) {
	s := stuckStore{newDisk(t, generated()[:30]), make(chan struct{}), new(atomic.Int64)}
	close(s.free)
	k := openKeeper(t, s, small())
	for i, want := range []int64{1, 1, 1, 2, 2} {
		k.Wrote(alice, 5)
		k.work.Wait()
		if n := s.asked.Load(); n != want {
			t.Errorf("call %d: the store was asked %d times, want %d", i, n, want)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k.Wrote(alice, 1000)
	k.work.Wait()
	if n := s.asked.Load(); n != 2 {
		t.Errorf("after Close the store was asked %d times more", n-2)
	}
}

// stuckStore is a store that answers for no secret until it is free, and counts how often
// it is asked for one.
type stuckStore struct {
	store.Store
	free  chan struct{}
	asked *atomic.Int64
}

func (s stuckStore) Tenant(did string) store.Tenant { return stuckTenant{s.Store.Tenant(did), s} }

type stuckTenant struct {
	store.Tenant
	stuck stuckStore
}

func (t stuckTenant) Secret(ctx context.Context) (store.Secret, bool, error) {
	t.stuck.asked.Add(1)
	<-t.stuck.free
	return t.Tenant.Secret(ctx)
}
