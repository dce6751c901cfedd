package badger

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// fullBed is a store whose disk is as full as free says, with a tenant that has made grants, and
// deleted and revoked none of them yet.
type fullBed struct {
	free      uint64
	have      *tenant
	ends      []store.Entry // what is always taken
	rest      []store.Entry // what is not
	lent      []string      // grants that are live for good
	notStored store.Entry   // the end of a record that is not stored
}

func newFullBed(t *testing.T) *fullBed {
	t.Helper()
	b := &fullBed{free: math.MaxUint64}
	did, entries := permissionSamples(t)
	s := openTest(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) { return b.free, nil }})
	b.have = tenantOf(s, did)
	ended, grants := make(map[string]bool), map[string]bool{}
	for _, e := range entries {
		if store.IsGrant(e.Message) {
			grants[e.Message.RecordID()] = true
		}
	}
	var before []store.Entry
	for _, e := range entries {
		record, ends := store.Ends(e.Message, did)
		if ends && !ended[record] && grants[record] {
			ended[record] = true
			b.ends = append(b.ends, e)
		} else if !ends && len(b.rest) < 5 && e.Data != nil && e.Message.IsInitialWrite() && !store.IsGrant(e.Message) {
			b.rest = append(b.rest, e)
		} else if !ends {
			before = append(before, e)
		}
	}
	putSamples(t, b.have, before)
	b.ends = slices.DeleteFunc(b.ends, func(e store.Entry) bool {
		record, _ := store.Ends(e.Message, did)
		_, found, err := b.have.Initial(t.Context(), record)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			b.notStored = e
		}
		return !found
	})
	for _, e := range before {
		if store.IsGrant(e.Message) && !ended[e.Message.RecordID()] {
			b.lent = append(b.lent, e.Message.RecordID())
		}
	}
	if len(b.ends) < 3 || len(b.rest) < 5 || len(b.lent) < 3 {
		t.Fatalf("%d ends, %d others, %d grants: too few to test with", len(b.ends), len(b.rest), len(b.lent))
	}
	return b
}

// TestFullAlways: on a disk that is nearly full the tenant can end what it once allowed, for as
// long as the store could be opened; of a batch with more than that, nothing is stored and the
// rest is named.
func TestFullAlways(t *testing.T) {
	b := newFullBed(t)
	put := func(batch ...store.Entry) error {
		_, err := b.have.Put(t.Context(), batch)
		return err
	}
	before := len(logIDs(t, b.have))
	b.free = DefaultMinFree - 1
	mixed := []store.Entry{b.rest[0], b.ends[0], b.rest[1], b.ends[1]}
	full, ok := errors.AsType[*store.FullError](put(mixed...))
	if !ok || !slices.Equal(full.Over, []int{0, 2}) || !errors.Is(full, store.ErrFull) {
		t.Errorf("a mixed batch: %v", full)
	}
	if _, err := b.have.PutUnder(t.Context(), b.ends[:1], b.lent[:1]); !errors.Is(err, store.ErrFull) {
		t.Errorf("under a grant: %v", err)
	}
	b.free = minFreeToOpen - 1
	if err := put(b.ends[0]); !errors.Is(err, store.ErrFull) {
		t.Errorf("with less than opening takes: %v", err)
	}
	if got := len(logIDs(t, b.have)); got != before {
		t.Errorf("%d messages of what was refused are stored", got-before)
	}
	b.free = minFreeToOpen
	for range 2 {
		if err := put(b.ends...); err != nil {
			t.Errorf("ends alone, and again: %v", err)
		}
	}
	if got := len(logIDs(t, b.have)); got != before+len(b.ends) {
		t.Errorf("%d messages more, want %d", got-before, len(b.ends))
	}
	if b.notStored.Message != nil {
		if err := put(b.notStored); !errors.Is(err, store.ErrFull) {
			t.Errorf("the end of what is not stored: %v", err)
		}
	}
	known := b.ends[0]
	known.Data = nil
	if err := put(known); err != nil {
		t.Errorf("what is stored: %v", err)
	}
}

// TestFullKnown: on a disk that is nearly full a known message is known, and its missing data is
// not added.
func TestFullKnown(t *testing.T) {
	b := newFullBed(t)
	e := b.rest[0]
	bare := e
	bare.Data = nil
	if _, err := b.have.Put(t.Context(), []store.Entry{bare}); err != nil {
		t.Fatal(err)
	}
	b.free = DefaultMinFree - 1
	if got, err := b.have.Put(t.Context(), []store.Entry{bare}); err != nil || got[0] != store.Duplicate {
		t.Errorf("without its data: %v, %v", got, err)
	}
	if _, err := b.have.Put(t.Context(), []store.Entry{e}); !errors.Is(err, store.ErrFull) {
		t.Errorf("with its data: %v", err)
	}
	b.free = DefaultMinFree
	if got, err := b.have.Put(t.Context(), []store.Entry{e}); err != nil || got[0] != store.DataAdded {
		t.Errorf("with room: %v, %v", got, err)
	}
	b.free = DefaultMinFree - 1
	if got, err := b.have.Put(t.Context(), []store.Entry{e}); err != nil || got[0] != store.Duplicate {
		t.Errorf("held: %v, %v", got, err)
	}
}

// TestFullLend: what reading depends on is written for as long as the store could be opened.
func TestFullLend(t *testing.T) {
	b := newFullBed(t)
	b.free = minFreeToOpen - 1
	if err := b.have.Lend(t.Context(), b.lent[:2]); !errors.Is(err, store.ErrFull) {
		t.Errorf("Lend: %v", err)
	}
	if _, err := b.have.KeepSecret(t.Context(), nil, store.Secret{Generation: 1}); !errors.Is(err, store.ErrFull) {
		t.Errorf("KeepSecret: %v", err)
	}
	b.free = minFreeToOpen
	if err := b.have.Lend(t.Context(), b.lent[:2]); err != nil {
		t.Errorf("Lend: %v", err)
	}
	if _, err := b.have.KeepSecret(t.Context(), nil, store.Secret{Generation: 1}); err != nil {
		t.Errorf("KeepSecret: %v", err)
	}
	b.free = 0
	if err := b.have.Lend(t.Context(), b.lent[:2]); err != nil {
		t.Errorf("Lend of what is noted: %v", err)
	}
}
