package badger

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

const largeSize = 40 << 20

// largeEntry returns a message that names largeSize zeros.
func largeEntry(tb testing.TB) (store.Entry, dwn.Data) {
	tb.Helper()
	c, size, err := datacid.Of(io.LimitReader(zeros{}, largeSize))
	if err != nil {
		tb.Fatal(err)
	}
	var body map[string]any
	for _, entry := range samples(tb) {
		if entry.Message.IsInitialWrite() {
			if err := json.Unmarshal(entry.Message.AppendJSON(nil), &body); err != nil {
				tb.Fatal(err)
			}
			break
		}
	}
	descriptor := body["descriptor"].(map[string]any)
	descriptor["dataCid"], descriptor["dataSize"] = c.String(), size
	text, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := dwn.ParseJSON(text)
	if err != nil {
		tb.Fatal(err)
	}
	return store.Entry{Message: m}, dwn.Data{CID: c, Size: size}
}

// rows returns the sizes of the rows under a prefix.
func rows(t *testing.T, s *Store, prefix []byte) map[string]int64 {
	t.Helper()
	all := make(map[string]int64)
	err := s.db.View(func(txn *dgraph.Txn) error {
		return scan(txn, prefix, nil, func(item *dgraph.Item) error {
			all[string(item.Key())] = item.ValueSize()
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestUploadLeavesNothing checks that an upload that fails leaves no row, that a
// disk that fills up during it is an ErrFull, and that what has been read is on
// disk, but for one buffer: memory does not grow with the data.
func TestUploadLeavesNothing(t *testing.T) {
	free := uint64(1 << 40)
	s := openTest(t, t.TempDir(), Options{FreeSpace: func(string) (uint64, error) { return free, nil }})
	have := s.Tenant("did")
	entry, named := largeEntry(t)
	if _, err := have.Put(t.Context(), []store.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	before := rows(t, s, []byte{rowOwned})
	chunks := newKeyspace("did").prefix(kindChunk)
	lost := errors.New("lost")
	during := 0
	peek := func(then error) io.Reader {
		return readerFunc(func([]byte) (int, error) {
			during = len(rows(t, s, chunks))
			if n := len(rows(t, s, newKeyspace("did").prefix(kindData))); n != 0 {
				t.Errorf("%d data rows during an upload", n)
			}
			return 0, then
		})
	}
	full := readerFunc(func([]byte) (int, error) {
		free = 0
		return 0, io.EOF
	})
	tests := []struct {
		name string
		last io.Reader
		want error
	}{
		{"too short", peek(io.EOF), store.ErrDataMismatch},
		{"broken", peek(lost), lost},
		{"full disk", io.MultiReader(full, zeros{}), store.ErrFull},
	}
	for _, test := range tests {
		err := have.PutData(t.Context(), named.CID, io.MultiReader(io.LimitReader(zeros{}, largeSize/2), test.last))
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
		if after := rows(t, s, []byte{rowOwned}); len(after) != len(before) {
			t.Errorf("%s: %d rows, %d before", test.name, len(after), len(before))
		}
		if marks := rows(t, s, []byte{rowUpload}); len(marks) != 0 {
			t.Errorf("%s: %d uploads are left", test.name, len(marks))
		}
	}
	if during < largeSize/2/chunkSize-flushSize/chunkSize {
		t.Errorf("%d chunks were written during an upload", during)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestSweep checks that opening removes what uploads left, and only that.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, Options{})
	have := s.Tenant("did").(*tenant)
	entry, named := largeEntry(t)
	if _, err := have.Put(t.Context(), []store.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	if err := have.PutData(t.Context(), named.CID, io.LimitReader(zeros{}, largeSize)); err != nil {
		t.Fatal(err)
	}
	before := rows(t, s, []byte{rowOwned})
	for i := range 3 {
		up := &upload{ctx: t.Context(), tenant: have, id: uploadID{byte(i)}}
		if _, err := up.Write(bytes.Repeat([]byte{1}, 3*flushSize)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(rows(t, s, []byte{rowUpload})); n != 3 {
		t.Fatalf("%d uploads under way, want 3", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir, Options{})
	if after := rows(t, s, []byte{rowOwned}); len(after) != len(before) {
		t.Errorf("%d rows, want %d", len(after), len(before))
	}
	if n := len(rows(t, s, []byte{rowUpload})); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
	r, size, err := s.Tenant("did").OpenData(t.Context(), named.CID)
	if err != nil {
		t.Fatal(err)
	}
	if c, n, err := datacid.Of(r); err != nil || n != size || !c.Equals(named.CID) {
		t.Errorf("data is %s of %d bytes (%v)", c, n, err)
	}
}
