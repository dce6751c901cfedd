package badger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestLogShort takes the last rows of a log away, as a block does that Badger cannot
// read: whoever reads the log is told.
func TestLogShort(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{})
	have := s.Tenant("did").(*tenant)
	if _, err := have.Put(t.Context(), deletes(t, 30)); err != nil {
		t.Fatal(err)
	}
	err := s.db.Update(func(txn *dgraph.Txn) error {
		return errors.Join(txn.Delete(have.keys.log(30)), txn.Delete(have.keys.log(29)))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []uint64{0, 20, 29} {
		last, err := uint64(0), error(nil)
		for e, failed := range have.Log(t.Context(), from) {
			if err = failed; err == nil {
				last = e.Position
			}
		}
		if !errors.Is(err, store.ErrCorrupt) || from < 29 && last != 28 {
			t.Errorf("from %d: read to %d (%v), want 28 and %v", from, last, err, store.ErrCorrupt)
		}
	}
	scope, err := dwn.ParseScope([]byte(`{"interface": "Records"}`))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // it may go on for ever
	defer cancel()
	if keys, _, err := have.Keys(ctx, scope); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("%d keys in scope (%v), want %v", len(keys), err, store.ErrCorrupt)
	}
}

// TestAtInPages reads entries with attributes of 400 KiB each: a transaction collects
// pageBytes of them, and one more at most.
func TestAtInPages(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{})
	have := s.Tenant("did").(*tenant)
	const size, count = 400 << 10, 15
	positions := make([]uint64, count)
	for i := range positions {
		positions[i] = uint64(i + 1)
		m := deleteOf(t, fmt.Sprint(i, strings.Repeat("r", size)))
		if _, err := have.Put(t.Context(), []store.Entry{{Message: m}}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := have.reader(1).acceptances(t.Context(), positions)
	if want := pageBytes/size + 1; err != nil || len(page) != want {
		t.Errorf("a page of %d entries, want %d (%v)", len(page), want, err)
	}
	read := 0
	for e, err := range have.At(t.Context(), positions) {
		if read++; err != nil || e.Position != positions[read-1] {
			t.Fatalf("entry %d is that of position %d (%v)", read, e.Position, err)
		}
	}
	if read != count {
		t.Errorf("%d entries, want %d", read, count)
	}
}
