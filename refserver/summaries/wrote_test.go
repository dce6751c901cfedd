package summaries

import (
	"context"
	"runtime"
	"slices"
	"strconv"
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
	if _, err := d.Tenant(alice).KeepSecret(t.Context(), nil, other); err != nil {
		t.Fatal(err)
	}
	write(t, Open(d, often()), d, generated()[36:37])
	if got, want := d.noted(), []uint64{15, 30, 37}; !slices.Equal(got, want) {
		t.Errorf("saved at %d, want %d", got, want)
	}
}

// TestWroteWaitsForNothing: Wrote returns while the store does not, and for what comes
// meanwhile it is asked once more.
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
	if asked, behind := stuck.asked.Load(), k.followed.behind[alice]; asked != 3 || behind != 0 { // for the save too
		t.Errorf("the store was asked %d times, want three; %d messages are left, want none", asked, behind)
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

// TestWroteMany: tenants that write take one goroutine and bounded memory, however many
// they are, and those without a secret, or never asked for, nothing else: the store is not
// asked again for each message.
func TestWroteMany(t *testing.T) {
	s := stuckStore{newDisk(t, nil), make(chan struct{}), new(atomic.Int64)}
	k := openKeeper(t, s, small())
	before := runtime.NumGoroutine()
	did := func(i int) string { return "did:example:" + strconv.Itoa(i) }
	for i := range maxFollowed + 1000 {
		k.Wrote(did(i), 1)
	}
	if n := runtime.NumGoroutine() - before; n > 1 {
		t.Errorf("%d goroutines", n)
	}
	k.mu.Lock()
	waiting, queued := len(k.followed.waiting), len(k.followed.queue)
	k.mu.Unlock()
	if waiting != maxFollowed || queued > maxFollowed {
		t.Errorf("%d tenants wait, want %d", waiting, maxFollowed)
	}
	close(s.free)
	k.work.Wait()
	for i := range maxFollowed + 1000 {
		k.Wrote(did(i), 1)
	}
	k.work.Wait()
	if kept, behind := len(k.tenants), len(k.followed.behind); kept != 0 || behind != maxFollowed || len(k.followed.waiting) != 0 {
		t.Errorf("%d tenants are kept, %d counted, %d wait", kept, behind, len(k.followed.waiting))
	}
	asked := s.asked.Load()
	var some []string
	for did := range k.followed.behind {
		some = append(some, did)
	}
	for range 3 {
		for _, did := range some {
			k.Wrote(did, 1)
		}
	}
	k.work.Wait()
	if n := s.asked.Load() - asked; n != 0 {
		t.Errorf("the store was asked %d times more", n)
	}
}

// TestWroteFails: what was not saved is tried again soon, so that no more is lost by a crash than
// SaveEvery says.
func TestWroteFails(t *testing.T) {
	d := newDisk(t, nil)
	k := openKeeper(t, d, often())
	d.before(func(position uint64, _ []byte) error {
		if position < 18 {
			return store.ErrFull
		}
		return nil
	})
	write(t, k, d, generated()[:40])
	if got, want := d.noted(), []uint64{18, 33}; !slices.Equal(got, want) {
		t.Errorf("saved at %d, want %d", got, want)
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

func (t stuckTenant) Secret(ctx context.Context, label []byte) (store.Secret, bool, error) {
	t.stuck.asked.Add(1)
	<-t.stuck.free
	return t.Tenant.Secret(ctx, label)
}
