package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/dwn-sync/dwnsync/bench/internal/cold"
	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

var fixturesDir = flag.String("fixtures", "", "the `folder` that keeps stores to measure with, for the next run too (default: made each time)")

// fixtureLayout is the storage layout that fixtures are made with. TestFixture
// compares it with what the store writes.
const fixtureLayout = 1

// fixtureBytes is more than a message of a fixture takes on the disk, with what
// compaction needs besides while the fixture is made.
const fixtureBytes = 2000

// errFixture: a folder with the name of a fixture cannot be made into one.
var errFixture = errors.New("fixture")

// fixture is a closed store with generated messages of one tenant, in a folder named
// by what is in it.
type fixture struct {
	dir string
	opt datasets.GenerateOptions
}

// fixtureData is the most bytes of record data, and fixtureMean about what it comes to
// a message: data is small.
const (
	fixtureData = 400
	fixtureMean = 90
)

// newFixture describes a store of n messages in the folder base.
func newFixture(base string, n int) fixture {
	opt := datasets.GenerateOptions{N: n, MaxData: fixtureData}
	name := fmt.Sprintf("generated-layout=%d-seed=%d-maxdata=%d-n=%d", fixtureLayout, opt.Seed, opt.MaxData, n)
	return fixture{dir: filepath.Join(base, name), opt: opt}
}

// fixtures returns the folder that fixtures are in: that of the flag, or one that is
// removed with the benchmark.
func fixtures(tb testing.TB) string {
	if *fixturesDir == "" {
		return tb.TempDir()
	}
	if err := os.MkdirAll(*fixturesDir, 0o700); err != nil {
		tb.Fatal(err)
	}
	return *fixturesDir
}

func (f fixture) store() string  { return filepath.Join(f.dir, "store") }
func (f fixture) marker() string { return filepath.Join(f.dir, "COMPLETE") }

func (f fixture) tenant() string {
	did, _ := datasets.GeneratedKey(f.opt.Seed)
	return did
}

// make makes the store unless it is there, whole. What an interrupted make left is
// made again, and so is what has a name of ours and no marker.
func (f fixture) make(ctx context.Context) error {
	if _, err := os.Stat(f.marker()); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := f.clear(); err != nil {
		return err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	if err := f.room(); err != nil {
		return err
	}
	if err := f.fill(ctx); err != nil {
		return err
	}
	// The store is closed, and so on the disk, before the marker is.
	return os.WriteFile(f.marker(), fmt.Appendf(nil, "%d messages of %s\n", f.opt.N, f.tenant()), 0o600)
}

// clear removes what is half made. Opening it first tells whether another process is
// making it right now.
func (f fixture) clear() error {
	if _, err := os.Stat(f.store()); err == nil {
		s, err := badger.Open(f.store(), badger.Options{})
		switch {
		case err == nil:
			err = s.Close()
		case !errors.Is(err, store.ErrLocked) && !errors.Is(err, store.ErrForeign):
			err = nil // it is broken, and goes
		}
		if err != nil {
			return fmt.Errorf("%w: %s is not whole, and cannot be made again: %w", errFixture, f.dir, err)
		}
	}
	return os.RemoveAll(f.dir)
}

// room returns an error if the disk has too little for the store.
func (f fixture) room() error {
	free, err := cold.Free(f.dir)
	if errors.Is(err, cold.ErrUnsupported) {
		return nil // the store itself stops before the disk is full
	} else if err != nil {
		return err
	}
	if need := int64(f.opt.N)*fixtureBytes + badger.DefaultMinFree; free < need {
		return fmt.Errorf("%w: %d messages need %d MB in %s, %d MB are free: name another folder by -fixtures",
			store.ErrFull, f.opt.N, need/1e6, f.dir, free/1e6)
	}
	return nil
}

// fill generates the messages in one goroutine and stores them in another.
func (f fixture) fill(ctx context.Context) error {
	s, err := badger.Open(f.store(), badger.Options{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	batches := make(chan []store.Entry, 8)
	var generator sync.WaitGroup
	generator.Go(func() {
		defer close(batches)
		if err := f.generate(ctx, batches); err != nil {
			cancel(err)
		}
	})
	for batch := range batches {
		if _, err := s.Tenant(f.tenant()).Put(ctx, batch); err != nil {
			cancel(err) // the generator ends, and with it the batches
		}
	}
	generator.Wait()
	err = context.Cause(ctx)
	cancel(nil)
	return errors.Join(err, s.Close())
}

// generate sends all messages in batches until ctx is done.
func (f fixture) generate(ctx context.Context, to chan<- []store.Entry) error {
	var batch []store.Entry
	send := func() {
		select {
		case to <- batch:
		case <-ctx.Done():
		}
		batch = nil
	}
	for m, err := range datasets.Generate(f.opt) {
		if err != nil || ctx.Err() != nil {
			return err
		}
		batch = append(batch, store.Entry{Message: m.Message, Data: m.Data})
		if len(batch) == store.MaxBatch {
			send()
		}
	}
	if len(batch) > 0 {
		send()
	}
	return nil
}

// TestFixture makes a store in several attempts.
func TestFixture(t *testing.T) {
	f := newFixture(t.TempDir(), 300) // more than a batch
	complete := func() time.Time {
		t.Helper()
		info, err := os.Stat(f.marker())
		if err != nil {
			t.Fatal(err)
		}
		if got := f.check(t); got != f.opt.N {
			t.Errorf("%d messages, want %d", got, f.opt.N)
		}
		return info.ModTime()
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.make(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("an attempt that was broken off: %v", err)
	}
	if _, err := os.Stat(f.marker()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that is not whole is marked: %v", err)
	}
	if err := f.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := complete()
	if err := f.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !complete().Equal(first) {
		t.Error("a whole store was made again")
	}
	// Without a marker it is not whole, whatever it looks like.
	if err := errors.Join(os.Remove(f.marker()), os.WriteFile(filepath.Join(f.store(), "messages", "MANIFEST"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := f.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	complete()
}

// TestFixtureData: a message brings as much data as is said.
func TestFixtureData(t *testing.T) {
	f := newFixture(t.TempDir(), 2000)
	sum, n := 0, 0
	for m, err := range datasets.Generate(f.opt) {
		if err != nil {
			t.Fatal(err)
		}
		sum += len(m.Data)
		n++
	}
	mean := float64(sum) / float64(n)
	if n != f.opt.N || mean < fixtureMean*0.7 || mean > fixtureMean*1.3 {
		t.Errorf("%d messages with %.1f bytes of data each, want %d with %d +-30 %%", n, mean, f.opt.N, fixtureMean)
	}
}

// check returns how many messages the tenant has, and compares the layout.
func (f fixture) check(t *testing.T) int {
	t.Helper()
	s := openStore(t, f.store())
	keys, _, err := s.Tenant(f.tenant()).Keys(t.Context(), wholeScope)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := dgraph.Open(dgraph.DefaultOptions(filepath.Join(f.store(), "messages")).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(txn *dgraph.Txn) error {
		row, err := txn.Get([]byte{0})
		if err != nil {
			return err
		}
		return row.Value(func(value []byte) error {
			if layout, _ := binary.Uvarint(value); layout != fixtureLayout {
				t.Errorf("the store writes layout %d, fixtures are named after %d", layout, fixtureLayout)
			}
			return nil
		})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

// TestFixtureBusy: a store that another process is filling is left alone.
func TestFixtureBusy(t *testing.T) {
	f := newFixture(t.TempDir(), 10)
	s := openStore(t, f.store())
	if err := f.make(t.Context()); !errors.Is(err, errFixture) || !errors.Is(err, store.ErrLocked) {
		t.Errorf("a store that is open was taken for one to make: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	huge := newFixture(t.TempDir(), math.MaxInt32)
	if err := huge.make(t.Context()); !errors.Is(err, store.ErrFull) {
		t.Errorf("%d messages found room on the disk: %v", huge.opt.N, err)
	}
}
