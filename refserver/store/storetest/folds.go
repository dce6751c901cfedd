package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// checkFold compares the fold of a name with what was saved; nil is none.
func checkFold(t *testing.T, have store.Folds, name string, position uint64, want []byte) {
	t.Helper()
	at, got, ok, err := have.Fold(t.Context(), name)
	if err != nil || ok != (want != nil) || ok && (at != position || got == nil) || !bytes.Equal(got, want) {
		t.Fatalf("fold %.70q: %d bytes at position %d, found %v (%v); want %d bytes at %d, found %v",
			name, len(got), at, ok, err, len(want), position, want != nil)
	}
}

func keepFold(t *testing.T, have store.Folds, name string, position uint64, data []byte) {
	t.Helper()
	if err := have.KeepFold(t.Context(), name, position, data); err != nil {
		t.Fatal(err)
	}
}

// testFolds saves folds of sizes around every boundary there is, one in the place
// of another, under names of which one begins like another.
func testFolds(t *testing.T, b *bed) {
	const chunk = 256 << 10
	have := b.Tenant(alice)
	checkFold(t, have, "a", 0, nil)
	sizes := []int{0, 1, chunk - 1, chunk, chunk + 1, 4*chunk - 1, 4 * chunk, 4*chunk + 1, 0, 1, 13*chunk + 7}
	for i, size := range sizes {
		data := randomData(uint64(i), size)
		keepFold(t, have, "a", uint64(i), data)
		checkFold(t, have, "a", uint64(i), data)
	}
	whole := randomData(uint64(len(sizes)-1), 13*chunk+7)
	names := []string{"aa", "\x00", "a\x00", strings.Repeat("a", store.MaxFoldName), "\xff"}
	for i, name := range names {
		keepFold(t, have, name, math.MaxUint64-uint64(i), []byte(name))
	}
	b.reopen()
	have = b.Tenant(alice)
	checkFold(t, have, "a", uint64(len(sizes)-1), whole)
	checkFold(t, b.Tenant("did:example:other"), "a", 0, nil)
	for i, name := range names {
		checkFold(t, have, name, math.MaxUint64-uint64(i), []byte(name))
	}
	checkOwnership(t, have)
	for range 2 {
		keepFold(t, have, "a", 7, nil)
		checkFold(t, have, "a", 0, nil)
	}
	checkFold(t, have, "aa", math.MaxUint64, []byte("aa"))
	for _, name := range []string{"", strings.Repeat("a", store.MaxFoldName+1)} {
		_, _, ok, err := have.Fold(t.Context(), name)
		if kept := have.KeepFold(t.Context(), name, 1, nil); !errors.Is(kept, store.ErrFoldName) || !errors.Is(err, store.ErrFoldName) || ok {
			t.Errorf("a name of %d bytes: %v, %v", len(name), kept, err)
		}
	}
	if dids := tenantsOf(t, b); len(dids) != 0 {
		t.Errorf("folds made the tenants %q", dids)
	}
}

// checkOwnership changes what was given to and got from the store.
func checkOwnership(t *testing.T, have store.Folds) {
	t.Helper()
	data := []byte("mine")
	keepFold(t, have, "own", 1, data)
	clear(data)
	_, got, _, err := have.Fold(t.Context(), "own")
	if err != nil || string(got) != "mine" {
		t.Fatalf("got %q (%v)", got, err)
	}
	clear(got)
	checkFold(t, have, "own", 1, []byte("mine"))
}

// testFoldsTogether saves and reads folds of one name at the same time: what is
// read is always one of them, whole.
func testFoldsTogether(t *testing.T, b *bed) {
	const rounds, writers = 6, 3
	have := b.Tenant(alice)
	var folds [rounds * writers][]byte
	for i := range folds {
		folds[i] = randomData(uint64(i), i%5*300_000+1)
	}
	keepFold(t, have, "f", 0, folds[0])
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			for i := range rounds {
				position := uint64(w*rounds + i)
				if err := have.KeepFold(t.Context(), "f", position, folds[position]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				position, data, ok, err := have.Fold(t.Context(), "f")
				if err != nil || !ok || !bytes.Equal(data, folds[position]) {
					t.Error(fmt.Errorf("fold of %d bytes at position %d, found %v: %w", len(data), position, ok, err))
					return
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
}
