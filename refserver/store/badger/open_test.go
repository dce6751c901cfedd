package badger

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/storetest"
)

// refusal is a folder that cannot be opened.
type refusal struct {
	name    string
	prepare func(t *testing.T, dir string) string // returns what to open
	opt     Options
	want    error
}

func refusals() []refusal {
	return []refusal{
		{"open here already", prepareOpen, Options{}, store.ErrLocked},
		{"open in Badger", prepareBadger(contentName), Options{}, store.ErrLocked},
		{"foreign files", func(t *testing.T, dir string) string {
			overwrite(t, filepath.Join(dir, "letter.txt"), []byte("x"))
			return dir
		}, Options{}, store.ErrForeign},
		{"another Badger store", prepareBadger(""), Options{}, store.ErrForeign},
		{"a file", func(t *testing.T, dir string) string {
			overwrite(t, filepath.Join(dir, "file"), []byte("x"))
			return filepath.Join(dir, "file")
		}, Options{}, store.ErrForeign},
		{"a newer layout", func(t *testing.T, dir string) string {
			setLayout(t, dir, binary.AppendUvarint(nil, layoutVersion+1))
			return dir
		}, Options{}, store.ErrLayout},
		{"a damaged layout", func(t *testing.T, dir string) string {
			setLayout(t, dir, []byte{0x80})
			return dir
		}, Options{}, store.ErrCorrupt},
		{
			"a full disk", func(_ *testing.T, dir string) string { return dir },
			Options{FreeSpace: func(string) (uint64, error) { return minFreeToOpen - 1, nil }},
			store.ErrFull,
		},
	}
}

func prepareOpen(t *testing.T, dir string) string {
	openTest(t, dir, Options{})
	return dir
}

// prepareBadger opens a folder inside of a folder in Badger itself: of a store of ours, if
// it is named as there.
func prepareBadger(inside string) func(t *testing.T, dir string) string {
	return func(t *testing.T, dir string) string {
		if inside == contentName {
			if err := openTest(t, dir, Options{}).Close(); err != nil {
				t.Fatal(err)
			}
		}
		db, err := dgraph.Open(settings(filepath.Join(dir, inside), nil))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return dir
	}
}

// TestOpenRefuses opens folders that cannot be opened, and checks that the error
// has its kind and names the folder.
func TestOpenRefuses(t *testing.T) {
	for _, test := range refusals() {
		t.Run(test.name, func(t *testing.T) {
			dir := test.prepare(t, t.TempDir())
			before := names(t, filepath.Dir(dir), dir)
			_, err := Open(dir, test.opt)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), dir) && test.want != store.ErrCorrupt {
				t.Fatalf("got %v, want %v with the folder", err, test.want)
			}
			if after := names(t, filepath.Dir(dir), dir); test.want == store.ErrForeign && after != before {
				t.Errorf("a foreign folder was changed from %s to %s", before, after)
			}
		})
	}
}

// names returns what is in folders.
func names(t *testing.T, dirs ...string) string {
	t.Helper()
	var all []string
	for _, dir := range dirs {
		if entries, err := os.ReadDir(dir); err == nil {
			for _, entry := range entries {
				all = append(all, entry.Name())
			}
		}
	}
	return strings.Join(all, " ")
}

// setLayout makes a store whose layout row is value.
func setLayout(t *testing.T, dir string, value []byte) {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Update(func(txn *dgraph.Txn) error { return txn.Set(layoutKey(), value) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOpenAfterRefusal checks that a refused Open leaves the store usable.
func TestOpenAfterRefusal(t *testing.T) {
	dir := t.TempDir()
	setLayout(t, dir, binary.AppendUvarint(nil, layoutVersion+1))
	if _, err := Open(dir, Options{}); !errors.Is(err, store.ErrLayout) {
		t.Fatal(err)
	}
	db, err := dgraph.Open(dgraph.DefaultOptions(filepath.Join(dir, contentName)).WithLogger(nil))
	if err != nil {
		t.Fatalf("still locked: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLocksBadger checks that Badger itself, as older versions use it, cannot open
// what is open here.
func TestLocksBadger(t *testing.T) {
	dir := t.TempDir()
	openTest(t, dir, Options{})
	db, err := dgraph.Open(settings(filepath.Join(dir, contentName), nil))
	if err == nil {
		_ = db.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "directory lock") {
		t.Errorf("got %v", err)
	}
}

// TestFolder checks what Open makes and what it puts up with.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := openTest(t, dir, Options{})
	for _, d := range []string{dir, filepath.Join(dir, contentName)} {
		info, err := os.Stat(d)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v (%v)", d, info.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	volume := t.TempDir()
	for _, name := range []string{"lost+found", ".Trash"} {
		if err := os.Mkdir(filepath.Join(volume, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	openTest(t, volume, Options{})
	// A crash right after the mark was made.
	marked := t.TempDir()
	if err := os.WriteFile(filepath.Join(marked, markName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	openTest(t, marked, Options{})
}

// TestOpenAfterEmptyLogs opens what a crash leaves between making a memtable's log and
// giving it a size.
func TestOpenAfterEmptyLogs(t *testing.T) {
	dir := t.TempDir()
	entries := samples(t)[:200]
	s := openTest(t, dir, Options{})
	if !s.lock.held() {
		t.Skip("logs are verified where there is a lock")
	}
	if _, err := s.Tenant("did").Put(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00099.mem", "00100.mem"} {
		overwrite(t, filepath.Join(dir, contentName, name), nil)
	}
	s = openTest(t, dir, Options{})
	if keys, _, err := s.Tenant("did").Keys(t.Context(), dwn.Scope{}); err != nil || len(keys) != len(entries) {
		t.Fatalf("%d keys (%v), want %d", len(keys), err, len(entries))
	}
}

// TestFull checks that writes stop before the disk is full, that reads go on, and
// that writes go on when there is room again.
func TestFull(t *testing.T) {
	free := uint64(math.MaxUint64)
	s := openTest(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) { return free, nil }})
	have, entries := s.Tenant("did"), samples(t)
	put := func(n int) error {
		_, err := have.Put(t.Context(), entries[:n])
		return err
	}
	if err := put(10); err != nil {
		t.Fatal(err)
	}
	free = DefaultMinFree - 1
	if err := put(20); !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), s.dir) {
		t.Errorf("Put: got %v, want %v", err, store.ErrFull)
	}
	if err := have.KeepFold(t.Context(), "f", 1, []byte("fold")); !errors.Is(err, store.ErrFull) {
		t.Errorf("KeepFold: got %v, want %v", err, store.ErrFull)
	}
	if keys, _, err := have.Keys(t.Context(), dwn.Scope{}); err != nil || len(keys) != 10 {
		t.Errorf("%d keys (%v), want 10", len(keys), err)
	}
	free = DefaultMinFree
	if err := put(20); err != nil {
		t.Errorf("with room again: %v", err)
	}
	free = 0
	s.opt.MinFree = -1
	if err := put(30); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

// TestFreeSpace asks the operating system.
func TestFreeSpace(t *testing.T) {
	free, err := freeSpace(t.TempDir())
	if err != nil || free == 0 {
		t.Errorf("%d bytes free (%v)", free, err)
	}
	s := &Store{dir: filepath.Join(t.TempDir(), "absent"), opt: Options{FreeSpace: freeSpace}}
	if err := s.room(math.MaxInt64); err == nil {
		t.Error("room in a folder that is not there")
	}
}

// samples returns the corpus as entries.
func samples(tb testing.TB) []store.Entry {
	tb.Helper()
	var entries []store.Entry
	for _, s := range storetest.Corpus(tb) {
		entries = append(entries, s.Entry)
	}
	return entries
}
