package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestValuesStayInTables stores messages of the greatest size, all of it in one
// attribute, and checks that no value is so long that Badger would put it elsewhere.
func TestValuesStayInTables(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, Options{})
	for _, length := range []int{chunkSize, 2*chunkSize - 400, dwn.MaxMessageSize - 600} {
		m := deleteOf(t, strings.Repeat("r", length))
		if _, err := s.Tenant("did").Put(t.Context(), []store.Entry{{Message: m}}); err != nil {
			t.Fatal(err)
		}
		for entry, err := range s.Tenant("did").Get(t.Context(), []dwn.ID{m.ID()}) {
			if err != nil || !bytes.Equal(entry.Message.CBOR(), m.CBOR()) {
				t.Fatalf("message of %d bytes: %v", len(m.CBOR()), err)
			}
		}
	}
	for key, size := range rows(t, s, []byte{rowOwned}) {
		if size > chunkSize+64 {
			t.Errorf("row %.40x has %d bytes", key, size)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, contentName, "*.vlog"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("value logs %q (%v)", logs, err)
	}
	for _, name := range logs {
		if info, err := os.Stat(name); err != nil || info.Size() > 1024 {
			t.Errorf("value log of %d bytes (%v)", info.Size(), err)
		}
	}
}

// deleteOf returns a RecordsDelete.
func deleteOf(t *testing.T, record string) *dwn.Message {
	t.Helper()
	m, err := dwn.ParseJSON(fmt.Appendf(nil, `{
		"descriptor": {"interface": "Records", "method": "Delete", "prune": false,
			"messageTimestamp": "2025-01-01T12:00:00.000000Z", "recordId": %q},
		"authorization": {"signature": {"payload": "eyJkZXNjcmlwdG9yQ2lkIjoieCJ9", "signatures": [
			{"protected": "eyJraWQiOiJkaWQ6ZXhhbXBsZTphbGljZSMwIiwiYWxnIjoiRWREU0EifQ", "signature": "AAAA"}]}}}`, record))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSecondUpload finishes two uploads of one piece of data and checks that the
// chunks of one are left, and can be read.
func TestSecondUpload(t *testing.T) {
	s := openTest(t, t.TempDir(), Options{})
	have := s.Tenant("did")
	entry, named := largeEntry(t)
	if _, err := have.Put(t.Context(), []store.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	inner := readerFunc(func([]byte) (int, error) {
		if err := have.PutData(t.Context(), named.CID, io.LimitReader(zeros{}, largeSize)); err != nil {
			t.Error(err)
		}
		return 0, io.EOF
	})
	outer := io.MultiReader(io.LimitReader(zeros{}, largeSize/2), inner, io.LimitReader(zeros{}, largeSize/2))
	if err := have.PutData(t.Context(), named.CID, outer); err != nil {
		t.Fatal(err)
	}
	if n := len(rows(t, s, newKeyspace("did").prefix(kindChunk))); n != largeSize/chunkSize {
		t.Errorf("%d chunks, want %d", n, largeSize/chunkSize)
	}
	r, size, err := have.OpenData(t.Context(), named.CID)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); n != size || err != nil {
		t.Errorf("%d bytes of %d (%v)", n, size, err)
	}
}

// TestCloseWaits checks that Close waits for a call under way, refuses new ones
// meanwhile, and that a call that waits for its turn can be given up.
func TestCloseWaits(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{}).db
	synctest.Test(t, func(t *testing.T) {
		s := &Store{db: db}
		if err := s.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		closed := false
		go func() {
			s.closing.Do(func() {}) // the store itself stays open
			_ = s.Close()
			closed = true
		}()
		synctest.Wait()
		if closed {
			t.Error("Close did not wait")
		}
		if err := s.enter(t.Context()); !errors.Is(err, store.ErrClosed) {
			t.Errorf("got %v, want %v", err, store.ErrClosed)
		}
		s.leave()
		synctest.Wait()
		if !closed {
			t.Error("Close goes on waiting")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := &Store{}
		have := &tenant{store: s, keys: newKeyspace("did")}
		s.writers[have.keys[0]] = make(chan struct{}, 1)
		s.writers[have.keys[0]] <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := have.write(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	})
}
