package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// savedFixture is a fixture with the summaries of its tenant, once as of the end of the
// log, once as of an earlier position. They lie in a copy, so that other benchmarks find
// the store as it was.
type savedFixture struct {
	fixture
	from fixture
	tail int // how many entries of the log came after the earlier position
}

func newSavedFixture(base string, n int) savedFixture {
	f := savedFixture{fixture: newFixture(base, n), from: newFixture(base, n), tail: min(100_000, n/10)}
	f.dir = fmt.Sprintf("%s-summaries-tail=%d", f.dir, f.tail)
	return f
}

// tails are the numbers of entries that have to be read from the log: none, some, and
// all of them, where nothing was saved.
func (f savedFixture) tails() []int { return []int{0, f.tail, f.opt.N} }

// secretAfter is the secret under which a tail of that length has to be read: its
// generation decides where summaries are saved.
func (f savedFixture) secretAfter(tail int) store.Secret {
	generation := uint64(1)
	switch tail {
	case 0:
		generation = 2
	case f.opt.N:
		generation = 3
	}
	return store.Secret{Generation: generation, ID: [16]byte{byte(generation)}, Key: [32]byte{byte(generation)}}
}

// make copies the fixture and saves both summaries, unless that was done.
func (f savedFixture) make(ctx context.Context) error {
	if _, err := os.Stat(f.marker()); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := errors.Join(f.from.make(ctx), f.clear(), os.MkdirAll(f.dir, 0o700)); err != nil {
		return err
	}
	if err := f.room(); err != nil {
		return err
	}
	if err := os.CopyFS(f.store(), os.DirFS(f.from.store())); err != nil {
		return err
	}
	for _, tail := range []int{f.tail, 0} {
		if err := f.save(ctx, tail); err != nil {
			return err
		}
	}
	return os.WriteFile(f.marker(), fmt.Appendf(nil, "%d messages of %s\n", f.opt.N, f.tenant()), 0o600)
}

// save has summaries saved as they were so many entries before the end.
func (f savedFixture) save(ctx context.Context, tail int) error {
	s, err := badger.Open(f.store(), badger.Options{})
	if err != nil {
		return err
	}
	secret := f.secretAfter(tail) // summaries are saved under the one that the tenant has
	if _, err := s.Tenant(f.tenant()).KeepSecret(ctx, nil, secret); err != nil {
		return errors.Join(err, s.Close())
	}
	keeper := summaries.Open(logs{s, uint64(tail), new(int)}, summaries.Options{SaveEvery: 1})
	_, err = keeper.View(ctx, f.tenant(), wholeScope, secret)
	return errors.Join(err, keeper.Close(), s.Close())
}

// logs is a store whose arrival logs end some entries earlier, and that counts the
// entries that are read of them.
type logs struct {
	store.Store
	earlier uint64
	entries *int
}

func (l logs) Tenant(did string) store.Tenant { return tenantLog{l.Store.Tenant(did), l} }

type tenantLog struct {
	store.Tenant
	logs
}

func (t tenantLog) Last(ctx context.Context) (uint64, error) {
	last, err := t.Tenant.Last(ctx)
	return last - t.earlier, err
}

func (t tenantLog) Log(ctx context.Context, from uint64) iter.Seq2[store.LogEntry, error] {
	return func(yield func(store.LogEntry, error) bool) {
		for e, err := range t.Tenant.Log(ctx, from) {
			*t.entries++
			if !yield(e, err) {
				return
			}
		}
	}
}

// storeSizes are numbers of messages in stores that are opened. To make one of 10^5 takes
// half a minute.
func storeSizes() []int {
	if *large {
		return []int{10_000, 100_000, 1_000_000}
	}
	return []int{10_000}
}

// BenchmarkSummaryOpen: one operation opens a node: the store from its files, and the
// summaries of all its tenant's n messages, of which the last tail came after they were
// saved and are read from the arrival log. Files are in the page cache. With a tail of n
// nothing was saved, and all summaries are made from the log. The parts are the store
// (open) and the summaries (view); entries are those read from the log.
func BenchmarkSummaryOpen(b *testing.B) {
	base := fixtures(b)
	for _, n := range storeSizes() {
		f := newSavedFixture(base, n)
		for _, tail := range f.tails() {
			b.Run(fmt.Sprintf("n=%d/tail=%d", n, tail), func(b *testing.B) { benchSummaryOpen(b, f, tail) })
		}
	}
}

func benchSummaryOpen(b *testing.B, f savedFixture, tail int) {
	if err := f.make(b.Context()); err != nil {
		b.Fatal(err)
	}
	o := opening{fixture: f.fixture, secret: f.secretAfter(tail)}
	if err := o.run(b.Context()); err != nil { // into the page cache
		b.Fatal(err)
	}
	o = opening{fixture: o.fixture, secret: o.secret, stop: o.stop}
	for b.Loop() {
		b.StopTimer()
		if err := o.stop(); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		b.StartTimer()
		if err := o.run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	o.report(b)
	if err := o.stop(); err != nil {
		b.Fatal(err)
	}
}

// opening opens a node again and again.
type opening struct {
	fixture fixture
	secret  store.Secret
	stop    func() error // closes what run opened

	open, view time.Duration // of all operations
	cpu        int64
	entries    int
}

// run is one operation.
func (o *opening) run(ctx context.Context) error {
	start, cpu := time.Now(), cputime.Now()
	s, err := badger.Open(o.fixture.store(), badger.Options{})
	if err != nil {
		return err
	}
	opened := time.Now()
	// Nothing is saved, or the next operation would find another tail.
	keeper := summaries.Open(logs{s, 0, &o.entries}, summaries.Options{SaveEvery: 1 << 60})
	o.stop = func() error { return errors.Join(keeper.Close(), s.Close()) }
	view, err := keeper.View(ctx, o.fixture.tenant(), wholeScope, o.secret)
	if err != nil {
		return errors.Join(err, o.stop())
	}
	o.cpu += cputime.Now() - cpu
	o.open, o.view = o.open+opened.Sub(start), o.view+time.Since(opened)
	if have, want := view.Root.Count, uint64(o.fixture.opt.N); have != want {
		return errors.Join(fmt.Errorf("%w: summaries of %d messages, want %d", errFixture, have, want), o.stop())
	}
	return nil
}

func (o *opening) report(b *testing.B) {
	ops := float64(b.N)
	b.ReportMetric(float64(o.open.Nanoseconds())/ops, "open-ns/op")
	b.ReportMetric(float64(o.view.Nanoseconds())/ops, "view-ns/op")
	b.ReportMetric(float64(o.cpu)/ops, "cpu-ns/op")
	b.ReportMetric(float64(o.entries)/ops, "entries")
}

// BenchmarkSummaryScoped: one operation makes the summaries of a scoped view for the first
// time, from the log of a store that is open and in the page cache: of all records
// (scope=records), which is nearly everything, and of the deletes (scope=deletes).
func BenchmarkSummaryScoped(b *testing.B) {
	base := fixtures(b)
	for _, n := range storeSizes() {
		f := newSavedFixture(base, n)
		for _, scope := range scopedViews() {
			b.Run(fmt.Sprintf("scope=%s/n=%d", scope[0], n), func(b *testing.B) { benchSummaryScoped(b, f, scope[1]) })
		}
	}
}

// scopedViews are names of scopes, and what they are.
func scopedViews() [][2]string {
	return [][2]string{{"records", `{"interface":"Records"}`}, {"deletes", `{"interface":"Records","method":"Delete"}`}}
}

func benchSummaryScoped(b *testing.B, f savedFixture, text string) {
	if err := f.make(b.Context()); err != nil {
		b.Fatal(err)
	}
	scope, err := dwn.ParseScope([]byte(text))
	if err != nil {
		b.Fatal(err)
	}
	s, err := badger.Open(f.store(), badger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	items, err := scopedView(b.Context(), s, f, scope) // into the page cache
	if err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	start := cputime.Now()
	for b.Loop() {
		if items, err = scopedView(b.Context(), s, f, scope); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cputime.Now()-start)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(items), "items")
}

// scopedView returns how many items a scoped view has.
func scopedView(ctx context.Context, s store.Store, f savedFixture, scope dwn.Scope) (uint64, error) {
	keeper := summaries.Open(s, summaries.Options{})
	view, err := keeper.View(ctx, f.tenant(), scope, f.secretAfter(0))
	if err != nil {
		return 0, errors.Join(err, keeper.Close())
	}
	return view.Root.Count, keeper.Close()
}

// TestSummaryOpen: each tail is read and no more, again and again, and the store that was
// copied stays as it was.
func TestSummaryOpen(t *testing.T) {
	const n = 1000
	f := newSavedFixture(t.TempDir(), n)
	for range 2 { // the second time nothing is to be made
		if err := f.make(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.from.check(t); got != n {
		t.Errorf("%d messages are in the store that was copied, want %d", got, n)
	}
	for _, tail := range f.tails() {
		name := fmt.Sprintf("tail=%d", tail)
		m := times(t, name, 2, func(b *testing.B) { benchSummaryOpen(b, f, tail) })
		within(t, name, m, "entries", float64(tail), float64(tail))
		within(t, name, m, "open-ns/op", 1e4, 60e9)
		within(t, name, m, "view-ns/op", 1e4, 60e9)
		within(t, name, m, "cpu-ns/op", 0, 2*float64(runtime.NumCPU())*(m["open-ns/op"]+m["view-ns/op"]))
	}
}

// TestSummaryScoped: a view of records has more items than one of deletes, and both have
// some.
func TestSummaryScoped(t *testing.T) {
	const n = 1000
	f := newSavedFixture(t.TempDir(), n)
	for _, scope := range scopedViews() {
		m := once(t, scope[0], func(b *testing.B) { benchSummaryScoped(b, f, scope[1]) })
		share := map[string][2]float64{"records": {0.9, 1}, "deletes": {0.02, 0.12}}[scope[0]]
		within(t, scope[0], m, "items", share[0]*n, share[1]*n)
	}
}
