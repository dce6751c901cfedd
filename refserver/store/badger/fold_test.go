package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// foldOf returns the fold of these tests that covers the log to a position: of 1
// byte to 3 MiB.
func foldOf(position uint64) []byte {
	rng := rand.NewChaCha8([32]byte{byte(position), byte(position >> 8)})
	data := make([]byte, 1+rng.Uint64()%(3<<20))
	_, _ = rng.Read(data)
	return data
}

func chunksOf(data []byte) int { return (len(data) + chunkSize - 1) / chunkSize }

// checkFold checks that the fold of a position is kept, and that there are no chunks
// but its own. Position 0 is none.
func checkFold(t *testing.T, s *Store, want uint64) {
	t.Helper()
	position, data, ok, err := s.Tenant("did").Fold(t.Context(), "f")
	if err != nil || position != want || ok != (want > 0) || ok && !bytes.Equal(data, foldOf(want)) {
		t.Fatalf("a fold of %d bytes at position %d (%v), want that of %d", len(data), position, err, want)
	}
	if n := len(rows(t, s, newKeyspace("did").prefix(kindChunk))); n != chunksOf(data) {
		t.Fatalf("%d chunks, the fold has %d", n, chunksOf(data))
	}
	if n := len(rows(t, s, []byte{rowUpload})); n != 0 {
		t.Fatalf("%d uploads are under way", n)
	}
}

func keepFold(t *testing.T, s *Store, position uint64) {
	t.Helper()
	if err := s.Tenant("did").KeepFold(t.Context(), "f", position, foldOf(position)); err != nil {
		t.Fatal(err)
	}
}

// TestFoldReplaced checks that a fold that is replaced or removed leaves nothing.
func TestFoldReplaced(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{})
	for position := range uint64(8) {
		keepFold(t, s, position+1)
		checkFold(t, s, position+1)
	}
	for range 2 {
		if err := s.Tenant("did").KeepFold(t.Context(), "f", 1, nil); err != nil {
			t.Fatal(err)
		}
		checkFold(t, s, 0)
	}
}

// TestFoldSteps ends the store after each step of saving a fold, and checks that
// the old or the new one is there when it is opened again, and nothing else.
func TestFoldSteps(t *testing.T) {
	dir := t.TempDir()
	data := bytes.Repeat([]byte("0123456789abcde\n"), 3<<16) // 3 MiB
	row := func(up *upload) *foldRow {
		return &foldRow{position: 9, size: int64(len(data)), upload: up.id, sum: foldSum("f", 9, data)}
	}
	steps := []struct {
		name string
		run  func(t *testing.T, up *upload)
		new  bool
	}{
		{"one transaction written", func(t *testing.T, up *upload) { write(t, up, data[:flushSize+1]) }, false},
		{"all transactions but the last written", func(t *testing.T, up *upload) { write(t, up, data) }, false},
		{"replaced, the old one not removed", func(t *testing.T, up *upload) {
			write(t, up, data)
			if before, err := up.replaceFold("f", row(up)); err != nil || before == (uploadID{}) {
				t.Fatalf("replaced %x (%v)", before, err)
			}
		}, true},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			s := openTest(t, dir, Options{})
			keepFold(t, s, 4)
			up, err := s.Tenant("did").(*tenant).newUpload(t.Context(), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			step.run(t, up)
			if n := len(rows(t, s, []byte{rowUpload})); n != 1 {
				t.Fatalf("%d uploads are marked: this test shows nothing", n)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openTest(t, dir, Options{})
			if !step.new {
				checkFold(t, s, 4)
			} else if position, got, _, err := s.Tenant("did").Fold(t.Context(), "f"); position != 9 || !bytes.Equal(got, data) || err != nil {
				t.Fatalf("position %d (%v)", position, err)
			} else if n := len(rows(t, s, newKeyspace("did").prefix(kindChunk))); n != chunksOf(data) {
				t.Fatalf("%d chunks, the fold has %d", n, chunksOf(data))
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func write(t *testing.T, up *upload, data []byte) {
	t.Helper()
	if _, err := up.Write(data); err != nil {
		t.Fatal(err)
	}
}

// TestFoldFull fills the disk at each of a fold's transactions.
func TestFoldFull(t *testing.T) {
	left := math.MaxInt // transactions until the disk is full
	s := openTest(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) {
		if left--; left < 0 {
			return 0, nil
		}
		return math.MaxUint64, nil
	}})
	keepFold(t, s, 4)
	const transactions = 3
	data := bytes.Repeat([]byte{1}, transactions*flushSize)
	for n := range transactions {
		left = n
		if err := s.Tenant("did").KeepFold(t.Context(), "f", 9, data); !errors.Is(err, store.ErrFull) {
			t.Fatalf("full after %d transactions: %v", n, err)
		}
		checkFold(t, s, 4)
	}
	left = transactions
	if err := s.Tenant("did").KeepFold(t.Context(), "f", 9, data); err != nil {
		t.Fatal(err)
	}
}

// TestFoldRemovedFull removes a fold on a disk that is full: that is how room is made.
func TestFoldRemovedFull(t *testing.T) {
	free := uint64(math.MaxUint64)
	s := openTest(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) { return free, nil }})
	keepFold(t, s, 4)
	free = 0
	if err := s.Tenant("did").KeepFold(t.Context(), "f", 9, []byte{}); !errors.Is(err, store.ErrFull) {
		t.Fatalf("a fold of no bytes: got %v, want %v", err, store.ErrFull)
	}
	checkFold(t, s, 4)
	if err := s.Tenant("did").KeepFold(t.Context(), "f", 9, nil); err != nil {
		t.Fatal(err)
	}
	checkFold(t, s, 0)
}

// TestFoldCanceled gives a fold up while it is written.
func TestFoldCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancelAt := math.MaxInt
	s := openTest(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) {
		if cancelAt--; cancelAt == 0 {
			cancel()
		}
		return math.MaxUint64, nil
	}})
	keepFold(t, s, 4)
	cancelAt = 2
	if err := s.Tenant("did").KeepFold(ctx, "f", 9, make([]byte, 3*flushSize)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	checkFold(t, s, 4)
}

// foldDamages are changes of the rows of a fold, by name.
func foldDamages() map[string]func(*dgraph.Txn, foldRow) error {
	space := newKeyspace("did")
	head := space.fold(nameDigest("f"))
	change := func(key []byte, f func([]byte) []byte) func(*dgraph.Txn, foldRow) error {
		return func(txn *dgraph.Txn, row foldRow) error {
			if key == nil {
				key = space.chunk(row.upload, 1)
			}
			value, err := read(txn, key)
			if err != nil {
				return err
			}
			return txn.Set(key, f(value))
		}
	}
	flip := func(i int) func([]byte) []byte {
		return func(value []byte) []byte {
			value[(i+len(value))%len(value)] ^= 1
			return value
		}
	}
	return map[string]func(*dgraph.Txn, foldRow) error{
		"a bit of a chunk":      change(nil, flip(1000)),
		"a chunk cut":           change(nil, func(value []byte) []byte { return value[:len(value)-1] }),
		"a chunk longer":        change(nil, func(value []byte) []byte { return append(value, 0) }),
		"the row's version":     change(head, flip(0)),
		"the position":          change(head, flip(1)),
		"the checksum":          change(head, flip(-1)),
		"the row cut":           change(head, func(value []byte) []byte { return value[:len(value)-1] }),
		"the row of other data": func(txn *dgraph.Txn, row foldRow) error { row.size -= chunkSize; return txn.Set(head, row.append(nil)) },
		"a size without end": func(txn *dgraph.Txn, row foldRow) error {
			row.size = math.MaxInt64
			return txn.Set(head, row.append(nil))
		},
		"a chunk lost": func(txn *dgraph.Txn, row foldRow) error { return txn.Delete(space.chunk(row.upload, 1)) },
		"the row of another name": func(txn *dgraph.Txn, row foldRow) error {
			row.sum = foldSum("g", row.position, foldOf(4))
			return txn.Set(head, row.append(nil))
		},
	}
}

// TestFoldDamaged changes the rows of a fold, and checks that it is told as damaged
// and can be replaced.
func TestFoldDamaged(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{})
	head := newKeyspace("did").fold(nameDigest("f"))
	for name, damage := range foldDamages() {
		keepFold(t, s, 4)
		err := s.db.Update(func(txn *dgraph.Txn) error {
			row, _, err := readFold(txn, head)
			if err != nil {
				return err
			}
			return damage(txn, row)
		})
		if err != nil {
			t.Fatal(err)
		}
		position, data, ok, err := s.Tenant("did").Fold(t.Context(), "f")
		if !errors.Is(err, store.ErrFoldDamaged) || ok || position != 0 || data != nil {
			t.Errorf("%s: %d bytes at position %d, found %v (%v)", name, len(data), position, ok, err)
		}
	}
	keepFold(t, s, 5)
	if position, data, ok, err := s.Tenant("did").Fold(t.Context(), "f"); position != 5 || !ok || err != nil || !bytes.Equal(data, foldOf(5)) {
		t.Errorf("a new one: %d bytes at position %d, found %v (%v)", len(data), position, ok, err)
	}
}

// TestCrashFoldChild is the process that is killed: it saves folds until it dies and
// says on stdout which are on disk.
func TestCrashFoldChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("runs as a child of TestCrashFold")
	}
	from, err := strconv.ParseUint(os.Getenv(crashFrom), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	s := openTest(t, dir, Options{})
	for position := from; ; position++ {
		keepFold(t, s, position)
		if _, err := fmt.Fprintln(os.Stdout, "acked", position); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrashFold kills a process that saves folds, at random moments, and checks
// after each kill that the one that was acknowledged last is there, or the next, whole,
// and no chunk of another.
func TestCrashFold(t *testing.T) {
	kills := 4
	if text := os.Getenv(crashCount); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(11, 0))
	dir, next := t.TempDir(), 1
	for range kills {
		acked := killChild(t, "TestCrashFoldChild", dir, next, time.Duration(rng.IntN(200))*time.Millisecond)
		s := openTest(t, dir, Options{})
		position, _, _, err := s.Tenant("did").Fold(t.Context(), "f")
		if err != nil || int(position) != acked && int(position) != acked+1 {
			t.Fatalf("the fold at position %d is there (%v), %d was acknowledged last", position, err, acked)
		}
		checkFold(t, s, position)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		next = int(position) + 1
	}
	t.Logf("%d kills, %d folds", kills, next-1)
}
