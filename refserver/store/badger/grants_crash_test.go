package badger

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestCrashGrantsChild is the process that is killed: it puts grants, revocations and what
// is between them, while the rows that they are found by are made anew from the log, over
// and over, in small transactions.
func TestCrashGrantsChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("runs as a child of TestCrashGrants")
	}
	from, err := strconv.Atoi(os.Getenv(crashFrom))
	if err != nil {
		t.Fatal(err)
	}
	did, all := permissionSamples(t)
	have := tenantOf(openTest(t, dir, Options{}), did)
	batches := slices.Collect(slices.Chunk(all, crashBatch))
	go func() {
		for t.Context().Err() == nil {
			if err := forget(t.Context(), have, 0); err != nil {
				t.Error(err)
			}
			if err := have.indexGrants(t.Context(), 16); err != nil {
				t.Error(err)
			}
		}
	}()
	for batch := from; ; batch++ {
		batch = min(batch, len(batches)-1)
		if _, err := have.PutUnder(t.Context(), batches[batch], []string{"bafylive"}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stdout.WriteString("acked " + strconv.Itoa(batch) + "\n"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrashGrants kills that process at random moments. Whenever that is, the rows are
// those of the log up to the position that row i has, at least, and the first question makes
// them those of all of it.
func TestCrashGrants(t *testing.T) {
	const kills, seed = 5, 12
	rng := rand.New(rand.NewPCG(seed, 0))
	dir, next, partly := t.TempDir(), 0, 0
	for range kills {
		acked := killChild(t, "TestCrashGrantsChild", dir, next, time.Duration(rng.IntN(300))*time.Millisecond)
		next = max(next, acked+1)
		if checkGrantsCrash(t, dir, next*crashBatch) {
			partly++
		}
	}
	t.Logf("%d kills, %d batches; after %d kills the rows were those of a part of the log", kills, next, partly)
}

// checkGrantsCrash checks a store that has at least so many messages of
// permissionSamples, and reports whether its rows were those of a part of the log.
func checkGrantsCrash(t *testing.T, dir string, messages int) (partly bool) {
	t.Helper()
	did, all := permissionSamples(t)
	s := openTest(t, dir, Options{})
	have := tenantOf(s, did)
	ids := logIDs(t, have)
	if len(ids) < min(messages, len(all)) {
		t.Fatalf("%d messages, %d were acknowledged", len(ids), messages)
	}
	checkWhole(t, have, ids, 0)
	got, to := grantRows(t, have)
	whole := wantRows(t, have, uint64(len(ids)))
	for key := range wantRows(t, have, to) {
		if _, ok := got[key]; !ok {
			t.Fatalf("no row %q, which belongs to the log up to position %d", key[33:], to)
		}
	}
	for key := range got {
		if _, ok := whole[key]; !ok {
			t.Fatalf("row %q of nothing", key[33:])
		}
	}
	partly = !maps.Equal(got, whole)
	checkAsked(t, have)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return partly
}

// checkAsked asks for all grants and compares them with the log.
func checkAsked(t *testing.T, have *tenant) {
	t.Helper()
	grants, dead := 0, 0
	for g, err := range have.Grants(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if !store.IsGrant(g.Message) {
			t.Fatalf("%s is no grant", g.Message.CID())
		}
		grants++
		if g.Revoked {
			dead++
		}
	}
	checkGrantRows(t, have)
	if found := len(rows(t, have.store, have.keys.prefix(kindGrant))); grants != found {
		t.Fatalf("%d grants, want %d", grants, found)
	}
	if found := len(rows(t, have.store, have.keys.prefix(kindRevoked))); dead > found {
		t.Fatalf("%d are revoked, want at most %d", dead, found)
	}
}
