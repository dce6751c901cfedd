package summaries

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// TestOffered: summaries under a secret that was offered are not saved, so that one that
// is never kept takes the place of nothing; when it is the tenant's they are, at once.
func TestOffered(t *testing.T) {
	d := newDisk(t, generated()[:200])
	k := Open(d, small())
	viewOf(t, k, alice, dwn.Scope{}, secretA)
	k.work.Wait()
	if err := k.Prepare(t.Context(), alice, secretC); err != nil { // of the slot of secretA
		t.Fatal(err)
	}
	for next := 200; next < 500; next += 50 {
		put(t, d, alice, generated()[next:next+50])
		viewOf(t, k, alice, dwn.Scope{}, secretA)
		viewOf(t, k, alice, dwn.Scope{}, secretC)
		k.work.Wait()
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if at := savedPosition(t, d, secretA); at != 500 {
		t.Errorf("saved at %d, want 500; all saves: %d", at, d.noted())
	}
	checkLoads(t, d, secretA)
	k = openKeeper(t, d, small())
	viewOf(t, k, alice, dwn.Scope{}, secretC)
	keep(t, d, alice, secretC)
	k.Rotated(alice)
	k.work.Wait()
	if at := savedPosition(t, d, secretC); at != 500 {
		t.Errorf("after the rotation saved at %d, want 500", at)
	}
	checkLoads(t, d, secretC)
	put(t, d, alice, generated()[500:600])
	viewOf(t, k, alice, dwn.Scope{}, secretA) // who began under the old one
	k.work.Wait()
	if at := savedPosition(t, d, secretC); at != 600 {
		t.Errorf("saved at %d, want 600", at)
	}
	if got := d.noted(); slices.Contains(got, 0) {
		t.Errorf("something was removed: %d", got)
	}
}

// TestCheckHoldsNobodyUp: while Check reads and builds, views go on; it tells of what it
// began with.
func TestCheckHoldsNobodyUp(t *testing.T) {
	watched := &spy{Store: openStore(t, t.TempDir())}
	put(t, watched, alice, generated()[:100])
	k := openKeeper(t, watched, small())
	next, wrong := 100, false
	for _, wrong = range []bool{false, true} {
		viewOf(t, k, alice, dwn.Scope{}, secretA)
		if wrong {
			drift(t, k, dwn.Scope{})
		}
		var once sync.Once
		watched.keys = func(keys []dwn.Key) []dwn.Key {
			once.Do(func() {
				put(t, watched, alice, generated()[next:next+1])
				next++
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if view, err := k.View(ctx, alice, dwn.Scope{}, secretA); err != nil || view.Position != uint64(next) {
					t.Errorf("no view while it is checked: %v", err)
				}
			})
			return keys
		}
		if err := k.Check(t.Context(), alice); errors.Is(err, ErrDrift) != wrong || err != nil && !wrong {
			t.Errorf("got %v, want drift: %t", err, wrong)
		}
	}
	if next != 102 {
		t.Fatalf("%d checks read the keys, want 2", next-100)
	}
}
