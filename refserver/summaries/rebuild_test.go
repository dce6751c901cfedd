package summaries

import (
	"errors"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestRebuildSaves: Rebuild removes and saves, also where nothing new came; on a disk that
// is full it makes the summaries in memory right and says so.
func TestRebuildSaves(t *testing.T) {
	d := newDisk(t, generated()[:200])
	k := openKeeper(t, d, small())
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	scope := scopes(t)[0]
	for range 2 {
		viewOf(t, k, alice, scope, secretA)
		drift(t, k, dwn.Scope{})
		drift(t, k, scope)
		if err := k.Rebuild(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		checkLoads(t, d, secretA)
	}
	if err := k.Prepare(t.Context(), alice, secretB); err != nil {
		t.Fatal(err)
	}
	k.work.Wait()
	if got, want := d.noted(), []uint64{200, 0, 0, 200, 0, 0, 200}; !slices.Equal(got, want) {
		t.Errorf("saved at %d, want %d", got, want)
	}
	noRoom := func(_ uint64, data []byte) error {
		if data == nil {
			return nil
		}
		return store.ErrFull
	}
	for _, c := range []struct {
		name string
		full func(uint64, []byte) error
	}{{"no room to save", noRoom}, {"nor to remove", func(uint64, []byte) error { return store.ErrFull }}} {
		drift(t, k, dwn.Scope{})
		drift(t, k, scope)
		d.before(c.full)
		if err := k.Rebuild(t.Context(), alice); !errors.Is(err, store.ErrFull) {
			t.Errorf("%s: %v, want %v", c.name, err, store.ErrFull)
		}
		checkView(t, k, d, alice, dwn.Scope{}, secretA)
		checkView(t, k, d, alice, scope, secretA)
		if at := savedPosition(t, d, secretA); at != 0 {
			t.Errorf("%s: what was wrong is still saved, at %d", c.name, at)
		}
	}
	d.before(func(uint64, []byte) error { return nil })
}

// TestSavedAfterRebuild: what is loaded after a Rebuild is saved like any other.
func TestSavedAfterRebuild(t *testing.T) {
	d := newDisk(t, generated()[:60])
	put(t, d, bob, generated()[:30])
	opt := small()
	opt.MaxWholeBytes = 1
	k := openKeeper(t, d, opt)
	viewOf(t, k, alice, scopes(t)[0], secretA) // stays, and with it what is known of alice
	if err := k.Rebuild(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	viewOf(t, k, bob, dwn.Scope{}, secretA)
	k.work.Wait()
	put(t, d, alice, generated()[60:110])
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	if at := savedPosition(t, d, secretA); at != 110 {
		t.Errorf("saved at %d, want 110", at)
	}
}

// TestClosedRebuild: after Close the store is left alone.
func TestClosedRebuild(t *testing.T) {
	d := newDisk(t, generated()[:100])
	k := Open(d, small())
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if err := k.Rebuild(t.Context(), alice); !errors.Is(err, store.ErrClosed) || len(d.noted()) != 0 {
		t.Errorf("%v, and %d saves or removals", err, len(d.noted()))
	}
}
