package summaries

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

const bob = "did:example:bob"

// disk is a store that notes which summaries are saved, and asks first.
type disk struct {
	*spy
	mu    sync.Mutex
	saves []uint64     // positions, 0 where something is removed
	ask   atomic.Value // func(position uint64, data []byte) error, before each
}

func newDisk(t *testing.T, entries []store.Entry) *disk {
	t.Helper()
	d := &disk{spy: &spy{Store: openStore(t, t.TempDir())}}
	d.before(func(uint64, []byte) error { return nil })
	if _, err := d.Tenant(alice).KeepSecret(t.Context(), nil, secretA); err != nil {
		t.Fatal(err)
	}
	put(t, d, alice, entries)
	return d
}

func (d *disk) before(ask func(position uint64, data []byte) error) { d.ask.Store(ask) }

func (d *disk) noted() []uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.saves)
}

func (d *disk) Tenant(did string) store.Tenant { return diskTenant{d.spy.Tenant(did), d} }

type diskTenant struct {
	store.Tenant
	disk *disk
}

func (t diskTenant) KeepFold(ctx context.Context, name string, position uint64, data []byte) error {
	if name == foldName(0) || name == foldName(1) {
		if err := t.disk.ask.Load().(func(uint64, []byte) error)(position, data); err != nil {
			return err
		}
		t.disk.mu.Lock()
		t.disk.saves = append(t.disk.saves, position)
		t.disk.mu.Unlock()
	}
	return t.Tenant.KeepFold(ctx, name, position, data)
}

// savedPosition returns the position that is saved under a secret, and wants the note
// beside it to say the same.
func savedPosition(t *testing.T, s store.Store, secret store.Secret) uint64 {
	t.Helper()
	at, _, ok, err := s.Tenant(alice).Fold(t.Context(), foldName(secret.Generation))
	if err != nil || !ok {
		at = 0
	}
	noted, err := notedPosition(t.Context(), s.Tenant(alice), secret)
	if err != nil || noted != at {
		t.Errorf("%d is noted, %d saved (%v)", noted, at, err)
	}
	return at
}

// TestSaveUnderWay: while summaries are being saved, others do not wait for it, and what
// Rebuild saves comes after it.
func TestSaveUnderWay(t *testing.T) {
	d := newDisk(t, generated()[:200])
	k := openKeeper(t, d, small())
	started, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.before(func(uint64, []byte) error {
		once.Do(func() { close(started); <-finish })
		return nil
	})
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	<-started
	put(t, d, alice, generated()[200:300])
	if view := viewOf(t, k, alice, dwn.Scope{}, secretA); view.Position != 300 {
		t.Errorf("a view at %d, want 300", view.Position)
	}
	rebuilt := make(chan error)
	go func() { rebuilt <- k.Rebuild(t.Context(), alice) }()
	put(t, d, alice, generated()[300:310])
	close(finish)
	if err := <-rebuilt; err != nil {
		t.Fatal(err)
	}
	k.work.Wait()
	if got, want := d.noted(), []uint64{200, 0, 0, 310}; !slices.Equal(got, want) {
		t.Errorf("saved at %d, want %d", got, want)
	}
	if at := savedPosition(t, d, secretA); at != 310 {
		t.Errorf("saved at %d, want 310", at)
	}
}

// evicted returns a Keeper that has dropped a view of alice at position 200, and saves it
// when the returned function is called, and waits for it.
func evicted(t *testing.T, d *disk) (k *Keeper, dropped *kept, save func()) {
	t.Helper()
	put(t, d, bob, generated()[:50])
	opt := small()
	opt.MaxWholeBytes = 1
	opt.SaveEvery = 300
	k = openKeeper(t, d, opt)
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	dropped = k.find(alice, dwn.Scope{}, secretA)
	if err := dropped.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	viewOf(t, k, bob, dwn.Scope{}, secretA)
	if !dropped.dropped || len(d.noted()) != 0 {
		t.Fatal("the view was not dropped, or saved before")
	}
	return k, dropped, func() {
		dropped.release()
		k.work.Wait()
	}
}

// TestDroppedSavedLate: what was dropped and could not be saved at once does not take the
// place of what was saved meanwhile: by its successor, by Rebuild, or under a later secret
// of the same slot. Where nothing was, it is saved.
func TestDroppedSavedLate(t *testing.T) {
	secretD := store.Secret{Generation: secretA.Generation + maxEpochs, Key: [32]byte{4}}
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, d *disk, k *Keeper, dropped *kept)
		secret    store.Secret
		want      uint64
	}{
		"nothing": {func(*testing.T, *disk, *Keeper, *kept) {}, secretA, 200},
		"its successor": {func(t *testing.T, d *disk, k *Keeper, _ *kept) {
			put(t, d, alice, generated()[200:450])
			viewOf(t, k, alice, dwn.Scope{}, secretA)
		}, secretA, 450},
		"its successor, in the tables no more": {func(t *testing.T, d *disk, k *Keeper, _ *kept) {
			put(t, d, alice, generated()[200:450])
			viewOf(t, k, alice, dwn.Scope{}, secretA)
			viewOf(t, k, bob, dwn.Scope{}, secretA)
		}, secretA, 450},
		"a rebuild": {func(t *testing.T, _ *disk, k *Keeper, dropped *kept) {
			key := dwn.Key{Time: 1 << 60}
			if err := dropped.set.Insert(key, 1<<20, func(uint32) (bool, error) { return false, nil }); err != nil {
				t.Fatal(err)
			}
			if err := k.Rebuild(t.Context(), alice); err != nil {
				t.Fatal(err)
			}
		}, secretA, 200},
		"the next secret but one": {func(t *testing.T, d *disk, k *Keeper, _ *kept) {
			keep(t, d, alice, secretD)
			put(t, d, alice, generated()[200:450])
			viewOf(t, k, alice, dwn.Scope{}, secretD)
		}, secretD, 450},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t, generated()[:200])
			k, dropped, save := evicted(t, d)
			c.meanwhile(t, d, k, dropped)
			save()
			if at := savedPosition(t, d, c.secret); at != c.want {
				t.Errorf("saved at %d, want %d; all saves: %d", at, c.want, d.noted())
			}
			d.logged.Store(0)
			checkLoads(t, d, c.secret)
		})
	}
}

// checkLoads wants what is saved to be loaded, and right.
func checkLoads(t *testing.T, d *disk, secret store.Secret) {
	t.Helper()
	k := openKeeper(t, d, small())
	d.logged.Store(0)
	viewOf(t, k, alice, dwn.Scope{}, secret)
	if n := d.logged.Load(); n != 0 {
		t.Errorf("%d entries of the log were read", n)
	}
	checkView(t, k, d, alice, dwn.Scope{}, secret)
}

// TestSaveFails: a save that failed is tried again with the 32nd part of SaveEvery, and by
// Close.
func TestSaveFails(t *testing.T) {
	d, log := newDisk(t, generated()[:100]), &record{}
	opt := small()
	opt.Logger, opt.SaveEvery = log.logger(), 40*32
	k := Open(d, opt)
	put(t, d, alice, generated()[100:900])
	var tries []uint64
	d.before(func(position uint64, _ []byte) error { tries = append(tries, position); return store.ErrFull })
	for i := range 100 {
		put(t, d, alice, generated()[900+i:901+i])
		viewOf(t, k, alice, dwn.Scope{}, secretA)
		k.work.Wait()
	}
	if want := []uint64{960, 1000}; !slices.Equal(tries, want) || !log.has(store.ErrFull.Error()) {
		t.Errorf("tried at %d, want %d: %s", tries, want, log.text.String())
	}
	d.before(func(uint64, []byte) error { return nil })
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if at := savedPosition(t, d, secretA); at != 1000 {
		t.Errorf("saved at %d, want 1000", at)
	}
}

// TestCloseSaves: what Close saves counts from what is saved, not from when the process
// began. Case: a node that runs often and shortly.
func TestCloseSaves(t *testing.T) {
	d := newDisk(t, generated()[:100])
	opt := small()
	opt.SaveEvery = 1000 // Close leaves out up to 10 entries
	for next := 100; next <= 124; next += 6 {
		k := Open(d, opt)
		viewOf(t, k, alice, dwn.Scope{}, secretA)
		put(t, d, alice, generated()[next:next+6])
		viewOf(t, k, alice, dwn.Scope{}, secretA)
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := d.noted(), []uint64{106, 118, 130}; !slices.Equal(got, want) {
		t.Errorf("saved at %d, want %d", got, want)
	}
}

// TestForgotten: a tenant of which nothing is kept takes no memory.
func TestForgotten(t *testing.T) {
	d := newDisk(t, generated()[:100])
	opt := small()
	opt.MaxWholeBytes, opt.MaxBytes = 1, -1
	k := openKeeper(t, d, opt)
	for range 2 {
		viewOf(t, k, alice, dwn.Scope{}, secretA)
		viewOf(t, k, alice, scopes(t)[0], secretA)
		viewOf(t, k, "did:example:nobody", scopes(t)[0], secretA)
	}
	k.Wrote("did:example:someone", 5) // has no secret
	if err := k.Rebuild(t.Context(), "did:example:other"); err != nil {
		t.Fatal(err)
	}
	viewOf(t, k, bob, dwn.Scope{}, secretA)
	k.work.Wait()
	if len(k.tenants) != 1 || k.tenants[bob] == nil {
		t.Errorf("%d tenants are kept, want bob alone", len(k.tenants))
	}
	// Who still uses what was forgotten does not save: it would not know who else does.
	dropped := k.find(bob, dwn.Scope{}, secretA)
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	viewOf(t, k, bob, dwn.Scope{}, secretA)
	if err := dropped.rebuild(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if k.tenants[bob] == dropped.saving.tenant || dropped.begin() {
		t.Error("a view of a tenant that was forgotten may be saved")
	}
}

// TestRebuildFreesSlot: what Rebuild removed is in the way of nothing, also under a secret
// TestTornUnsaved: summaries that were given up in the middle of a batch are not saved, nor
// are those that contradict what is stored.
func TestTornUnsaved(t *testing.T) {
	d := newDisk(t, generated()[:40])
	k := Open(d, small())
	k.batch = 2
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	put(t, d, alice, generated()[40:70])
	ctx, cancel := context.WithCancel(t.Context())
	left := 10
	d.entry = func() {
		if left--; left < 0 {
			cancel()
		}
	}
	if _, err := k.View(ctx, alice, dwn.Scope{}, secretA); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	if err := k.Close(); err != nil || len(d.noted()) != 0 {
		t.Errorf("saved at %d (%v), want nothing", d.noted(), err)
	}
	d.entry = nil
	opt := small()
	opt.SaveEvery = 1000
	k = Open(d, opt)
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.find(alice, dwn.Scope{}, secretA).broken = true
	if err := k.Close(); err != nil || len(d.noted()) != 0 {
		t.Errorf("saved at %d (%v), want nothing", d.noted(), err)
	}
}

// TestWiderSaved: summaries that were made again with wider short IDs are saved, or every
// opening would make them again.
func TestWiderSaved(t *testing.T) {
	d := newDisk(t, generated()[:100])
	k := openKeeper(t, d, small())
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	k.opt.Set.Params = summary.Params{ShortBits: 40, CheckBits: 16}
	put(t, d, alice, generated()[100:101])
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	if got, want := d.noted(), []uint64{100, 101}; !slices.Equal(got, want) {
		t.Errorf("saved at %d, want %d", got, want)
	}
}
