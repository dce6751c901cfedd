package badger

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// The environment of the child process that is killed.
const (
	crashDir   = "DWNSYNC_CRASH_DIR"   // its folder
	crashFrom  = "DWNSYNC_CRASH_FROM"  // the first batch to put
	crashCount = "DWNSYNC_CRASHES"     // of the parent: how often to kill
	crashBatch = 7                     // messages per batch
	crashData  = "did:example:uploads" // the tenant that gets large data
)

// crashEntries returns the messages of a batch: those of the corpus, over and
// over, each batch for the tenant of its round.
func crashEntries(all []store.Entry, batch int) (did string, entries []store.Entry) {
	rounds := len(all) / crashBatch
	at := batch % rounds * crashBatch
	return fmt.Sprintf("did:example:%d", batch/rounds), all[at : at+crashBatch]
}

// TestCrashChild is the process that is killed: it puts batches until it dies
// and says on stdout which are on disk.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("runs as a child of TestCrash")
	}
	from, err := strconv.Atoi(os.Getenv(crashFrom))
	if err != nil {
		t.Fatal(err)
	}
	all := samples(t)
	s := openTest(t, dir, Options{})
	go uploadForever(t, s)
	for batch := from; ; batch++ {
		did, entries := crashEntries(all, batch)
		if _, err := s.Tenant(did).Put(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stdout.WriteString("acked " + strconv.Itoa(batch) + "\n"); err != nil {
			t.Fatal(err)
		}
	}
}

// uploadForever uploads data that turns out to be too short, so that at any
// moment there are chunks that nobody may see.
func uploadForever(t *testing.T, s *Store) {
	have := s.Tenant(crashData)
	entry, c := largeEntry(t)
	if _, err := have.Put(t.Context(), []store.Entry{entry}); err != nil {
		t.Error(err)
	}
	for t.Context().Err() == nil {
		if err := have.PutData(t.Context(), c.CID, io.LimitReader(zeros{}, c.Size-1)); err == nil {
			t.Error("data that is too short was taken")
		}
	}
}

// TestCrash kills a process that writes, at random moments, and checks after
// each kill that every batch that was acknowledged is there, whole, and no part of
// another.
func TestCrash(t *testing.T) {
	kills := 5
	if text := os.Getenv(crashCount); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	const seed = 8
	rng := rand.New(rand.NewPCG(seed, 0))
	dir, all, next := t.TempDir(), samples(t), 0
	for range kills {
		acked := killChild(t, "TestCrashChild", dir, next, time.Duration(rng.IntN(400))*time.Millisecond)
		next = checkCrash(t, dir, all, max(next, acked+1))
	}
	t.Logf("%d kills, %d batches", kills, next)
}

// killChild runs a test as a child, kills it a while after its first
// acknowledgement, and returns the last number that it acknowledged.
func killChild(t *testing.T, test, dir string, from int, after time.Duration) int {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$")
	child.Env = append(os.Environ(), crashDir+"="+dir, crashFrom+"="+strconv.Itoa(from))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acked, started := from-1, false
	var other []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !started {
			started = true
			time.AfterFunc(after, func() { _ = child.Process.Kill() })
		}
		text, ok := strings.CutPrefix(lines.Text(), "acked ")
		if n, err := strconv.Atoi(text); ok && err == nil {
			acked = n
		} else {
			other = append(other, lines.Text())
		}
	}
	if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child ended by itself (%v): %q", err, other)
	}
	return acked
}

// checkCrash checks the store and returns the number of the first batch that is
// not in it. Batches before acked have to be.
func checkCrash(t *testing.T, dir string, all []store.Entry, acked int) int {
	t.Helper()
	s := openTest(t, dir, Options{})
	for key := range rows(t, s, []byte{rowUpload}) {
		t.Errorf("upload %x is left", key)
	}
	if n := len(rows(t, s, newKeyspace(crashData).prefix(kindChunk))); n != 0 {
		t.Errorf("%d chunks are left", n)
	}
	stored := make(map[string][]dwn.ID)
	batch := 0
	for ; ; batch++ {
		did, entries := crashEntries(all, batch)
		if stored[did] == nil {
			stored[did] = logIDs(t, s.Tenant(did))
		}
		done := len(stored[did]) > 0 && slices.Contains(stored[did], entries[0].Message.ID())
		if !done {
			break
		}
		for _, entry := range entries {
			if !slices.Contains(stored[did], entry.Message.ID()) {
				t.Fatalf("batch %d is there in part", batch)
			}
		}
	}
	if batch < acked {
		t.Fatalf("batch %d was acknowledged and is not there", batch)
	}
	for did, ids := range stored {
		checkWhole(t, s.Tenant(did), ids, len(ids)%crashBatch)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return batch
}

// logIDs returns the IDs in the log, whose positions have to be dense.
func logIDs(t *testing.T, have store.Tenant) []dwn.ID {
	t.Helper()
	ids := []dwn.ID{}
	for e, err := range have.Log(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event == store.EventAccepted {
			ids = append(ids, e.Key.ID)
		}
		if int(e.Position) != len(ids) {
			t.Fatalf("position %d after %d entries", e.Position, len(ids))
		}
	}
	return ids
}

// checkWhole checks that log, keys and messages are the same set of whole batches.
func checkWhole(t *testing.T, have store.Tenant, ids []dwn.ID, part int) {
	t.Helper()
	keys, _, err := have.Keys(t.Context(), dwn.Scope{})
	if err != nil || len(keys) != len(ids) || part != 0 {
		t.Fatalf("%d keys, %d log entries, %d of a batch (%v)", len(keys), len(ids), part, err)
	}
	for _, err := range have.Get(t.Context(), ids) {
		if err != nil {
			t.Fatal(err)
		}
	}
}
