package badger

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// testOpened opens stores with logs that a crash left, or that are damaged, and with
// what the file acknowledged may say then. It counts the messages that are there.
func (log memLogOf) testOpened(t *testing.T) {
	whole, early := log.data[:log.end()], log.ends[5]
	cut := log.data[: early+100 : early+100]
	lost := log.data[:log.ends[len(log.ends)-2]] // but for the last transaction
	zeros := make([]byte, 4096)
	newest, now := log.notes[len(log.notes)-1], len(log.notes)-1
	torn := bytes.Clone(newest)
	clear(torn[(now-1)%slots*slotAt:][:slotSize])
	tests := []struct {
		name string
		logs [][]byte
		note []byte
		want int // messages, -1: refused
	}{
		{"whole", [][]byte{whole}, newest, 201},
		{"whole, zeros", [][]byte{log.data}, newest, 201},
		{"whole, an empty one", [][]byte{log.data, zeros}, newest, 201},
		{"whole, some of no size", [][]byte{nil, nil, log.data, nil, nil}, newest, 201},
		{"cut", [][]byte{cut}, newest, -1},
		{"cut, noted before", [][]byte{cut}, log.notes[5], 81},
		{"cut, noted long before", [][]byte{append(cut, zeros...)}, log.notes[1], 81},
		{"cut, noted soon after", [][]byte{cut}, log.notes[6], -1},
		{"cut, an empty one", [][]byte{cut, zeros}, log.notes[1], -1},
		{"the last lost", [][]byte{lost}, newest, -1},
		{"the last lost, noted in part", [][]byte{lost}, torn, 201},
		{"cut, a note of garbage", [][]byte{cut}, bytes.Repeat([]byte{7}, 9000), 81},
		{"cut, a short note", [][]byte{cut}, newest[:5], 81},
		{"cut, an empty note", [][]byte{cut}, []byte{}, 81},
		{"cut, no note", [][]byte{cut}, nil, 81},
		{"nothing whole", [][]byte{bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0xff}, 99)}, nil, 0},
		{"older content", nil, newest, -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := crashed(t, log.dir, test.logs, test.note)
			if test.want < 0 {
				_, err := Open(dir, Options{})
				if !errors.Is(err, store.ErrCorrupt) {
					t.Fatalf("got %v, want %v", err, store.ErrCorrupt)
				}
				return
			}
			checkCrashed(t, openTest(t, dir, Options{}), test.want)
		})
	}
}

// testOpenFlipped opens stores with a bit of the newest log flipped: all that was
// acknowledged is there, or the store is refused, and stays so, until the loss is accepted.
func (log memLogOf) testOpenFlipped(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 0))
	for range 600 / long(120) {
		at := log.ends[0] + rng.IntN(log.end()-log.ends[0])
		data := bytes.Clone(log.data)
		data[at] ^= 1 << rng.IntN(8)
		dir := crashed(t, log.dir, [][]byte{data}, log.notes[len(log.notes)-1])
		note, aside := filepath.Join(dir, acknowledgedName), filepath.Join(dir, asideName)
		for range 2 {
			_, err := Open(dir, Options{})
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), note) || !strings.Contains(err.Error(), aside) {
				t.Fatalf("a bit of byte %d: got %v", at, err)
			}
		}
		if kept, err := os.ReadFile(aside); err != nil || !bytes.Equal(kept, data[:min(len(data), len(kept))]) || len(kept) < log.end()-4 {
			t.Errorf("%d bytes are kept of %d (%v)", len(kept), log.end(), err)
		}
		if err := os.Remove(note); err != nil {
			t.Fatal(err)
		}
		s := openTest(t, dir, Options{})
		checkCrashed(t, s, log.messages(log.wholeIn(data)))
		if _, err := os.Stat(aside); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left (%v)", aside, err)
		}
	}
}

// crashed returns a folder with the files of a store but its logs, and these, and a file
// acknowledged unless note is nil.
func crashed(t *testing.T, store string, logs [][]byte, note []byte) string {
	t.Helper()
	dir := t.TempDir()
	content := filepath.Join(dir, contentName)
	if err := os.Mkdir(content, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{markName, contentName + "/MANIFEST", contentName + "/KEYREGISTRY"} {
		data, err := os.ReadFile(filepath.Join(store, name))
		if err != nil {
			t.Fatal(err)
		}
		overwrite(t, filepath.Join(dir, name), data)
	}
	for i, log := range logs {
		overwrite(t, filepath.Join(content, "0000"+strconv.Itoa(i+1)+".mem"), log)
	}
	if note != nil {
		overwrite(t, filepath.Join(dir, acknowledgedName), note)
	}
	return dir
}

// checkCrashed checks what is in a store that was opened after a crash.
func checkCrashed(t *testing.T, s *Store, messages int) {
	t.Helper()
	keys, last, err := s.Tenant("did").Keys(t.Context(), dwn.Scope{})
	if err != nil || len(keys) != messages || int(last) != messages {
		t.Fatalf("%d keys, the log ends at %d, want %d (%v)", len(keys), last, messages, err)
	}
	ids := make([]dwn.ID, len(keys))
	for i, key := range keys {
		ids[i] = key.ID
	}
	checkWhole(t, s.Tenant("did"), ids, 0)
}

// acknowledgedIn returns the number in the row.
func acknowledgedIn(t *testing.T, s *Store) (number uint64) {
	t.Helper()
	err := s.view(t.Context(), func(txn *dgraph.Txn) error {
		row, err := read(txn, acknowledgedKey())
		number = (&fields{rest: row}).number()
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return number
}

// TestAcknowledgedOrder writes for many tenants at a time: at any moment, the row has at
// least the number that is noted.
func TestAcknowledgedOrder(t *testing.T) {
	const writers, writes = 16, 12
	dir := t.TempDir()
	s := openTest(t, dir, Options{})
	a := &s.acknowledged
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range writes {
				if _, err := s.Tenant(fmt.Sprint(w)).KeepSecret(t.Context(), nil, store.Secret{Generation: uint64(i)}); err != nil {
					t.Error(err)
				}
				a.noting.Lock()
				noted := a.noted
				a.noting.Unlock()
				if row := acknowledgedIn(t, s); row < noted {
					t.Errorf("%d is noted, the row has %d", noted, row)
				}
			}
		})
	}
	running.Wait()
	row := acknowledgedIn(t, s)
	if row != a.noted || row != writers*writes {
		t.Errorf("%d is noted, the row has %d, want %d", a.noted, row, writers*writes)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir, Options{})
	if s.acknowledged.noted != row || s.acknowledged.last != row {
		t.Errorf("opened again: %d is noted, the row has %d, want %d", s.acknowledged.noted, s.acknowledged.last, row)
	}
}

// TestAcknowledgedOnly checks that what failed, or wrote nothing, is not noted.
func TestAcknowledgedOnly(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{})
	have, batch := s.Tenant("did"), deletes(t, 1)
	put := func() {
		t.Helper()
		if _, err := have.Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	put()
	put() // again: nothing to write
	if s.acknowledged.noted != 1 {
		t.Errorf("%d is noted after one write", s.acknowledged.noted)
	}
	key := []byte{rowOwned}
	err := s.update(t.Context(), 0, func(txn *dgraph.Txn) error {
		if _, err := read(txn, key); err != nil {
			return err
		}
		if err := s.db.Update(func(txn *dgraph.Txn) error { return txn.Set(key, key) }); err != nil {
			return err
		}
		return txn.Set(key, key)
	})
	if !errors.Is(err, dgraph.ErrConflict) || s.acknowledged.noted != 1 || acknowledgedIn(t, s) != 1 {
		t.Errorf("%d is noted after %v, the row has %d", s.acknowledged.noted, err, acknowledgedIn(t, s))
	}
	batch = deletes(t, 2)
	put()
	if row := acknowledgedIn(t, s); s.acknowledged.noted != row || row <= 1 {
		t.Errorf("%d is noted, the row has %d", s.acknowledged.noted, row)
	}
}

// TestAcknowledgedSlots tears either slot: the other one has the number before, also of
// a file that was closed meanwhile.
func TestAcknowledgedSlots(t *testing.T) {
	dir := t.TempDir()
	reopen := func() *acknowledged {
		a := new(acknowledged)
		if err := a.open(dir); err != nil {
			t.Fatal(err)
		}
		return a
	}
	for number := uint64(1); number < 8; number++ {
		a := reopen()
		a.note(number)
		a.note(number - 1) // late
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, acknowledgedName)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var left []uint64
		for slot := range slots {
			torn := bytes.Clone(data)
			if at := slot * slotAt; at < len(torn) {
				torn[at+7] ^= 1
			}
			overwrite(t, path, torn)
			a := reopen()
			left = append(left, a.noted)
			if err := a.close(); err != nil {
				t.Fatal(err)
			}
		}
		overwrite(t, path, data)
		if slices.Max(left) != number || slices.Min(left) != number-1 {
			t.Errorf("%d is noted, with a slot torn %d", number, left)
		}
	}
}
