package summaries

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestHalfLog: a tail of up to half of the log is folded in, of a longer one the whole log
// is read; what comes out is the same.
func TestHalfLog(t *testing.T) {
	entries := messages(rand.New(rand.NewPCG(5, 1)), 241)
	watched := &spy{Store: openStore(t, t.TempDir())}
	put(t, watched, alice, entries[:60])
	half, more := openKeeper(t, watched, small()), openKeeper(t, watched, small())
	viewOf(t, more, alice, dwn.Scope{}, secretA) // at 60 of 121
	more.work.Wait()                             // saving may catch up
	put(t, watched, alice, entries[60:61])
	viewOf(t, half, alice, dwn.Scope{}, secretA) // at 61 of 121
	half.work.Wait()
	put(t, watched, alice, entries[61:121])
	log := 0
	for _, err := range watched.Tenant(alice).Log(t.Context(), 0) {
		if log++; err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		k     *Keeper
		whole bool
	}{{half, false}, {more, true}} {
		watched.logged.Store(0)
		viewOf(t, c.k, alice, dwn.Scope{}, secretA)
		if read := int(watched.logged.Load()); read == log != c.whole || read > log {
			t.Errorf("%d entries of %d were read, want all: %v", read, log, c.whole)
		}
		checkView(t, c.k, watched, alice, dwn.Scope{}, secretA)
	}
}

// TestResolveOrder: keys come in the order of the short IDs that were asked for, all of
// one together, and each short ID is known or not for itself.
func TestResolveOrder(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, alice, generated()[:300])
	k := openKeeper(t, s, small()) // short IDs of 10 bits: some have several items, some none
	view := viewOf(t, k, alice, dwn.Scope{}, secretA)
	expander := summary.NewExpander(summary.Derive(secretA.Key, nil), view.Params())
	have := make(map[uint64]int)
	for _, key := range storedKeys(t, s, alice, dwn.Scope{}) {
		have[expander.Key(key).Short]++
	}
	var asked, want, wantUnknown []uint64
	for short := uint64(1 << 10); short > 0; short-- {
		asked = append(asked, short-1)
		want = append(want, slices.Repeat([]uint64{short - 1}, have[short-1])...)
		if have[short-1] == 0 {
			wantUnknown = append(wantUnknown, short-1)
		}
	}
	keys, unknown, err := view.Resolve(t.Context(), asked)
	var got []uint64
	for _, key := range keys {
		got = append(got, expander.Key(key).Short)
	}
	if err != nil || !slices.Equal(got, want) || !slices.Equal(unknown, wantUnknown) {
		t.Errorf("%d keys, want %d; %d unknown, want %d (%v)", len(keys), len(want), len(unknown), len(wantUnknown), err)
	}
	if len(wantUnknown) == 0 || len(have) == len(want) {
		t.Error("no short ID has several items, or none: this test shows nothing")
	}
}
