package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/bench/internal/cold"
	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// ioStage is a part of the first request of a node that sends a filter over everything.
type ioStage int

// The stages, in their order.
const (
	ioOpen      ioStage = iota // the store, from its files
	ioScan                     // the keys of all messages
	ioHash                     // a salted 64-bit key of each
	ioConstruct                // the filter
	ioSerialise                // to SUMMARY frames
	ioSend                     // over loopback, until the other side has read all
	ioStages
)

func (s ioStage) String() string {
	return [ioStages]string{"open", "scan", "hash", "construct", "serialise", "send"}[s]
}

// ioCost is what one stage took, in one operation or in several.
type ioCost struct {
	wall time.Duration
	cpu  int64 // nanoseconds of the process
	disk int64 // bytes read; zero where they are not counted
}

// wholeScope is everything.
var wholeScope = dwn.Scope{}

// linearKinds are the filters of which the first request is measured.
func linearKinds() []filters.Kind {
	return []filters.Kind{filters.Bloom, filters.Fuse8, filters.Ribbon}
}

// BenchmarkLinearIO: one operation is what a node does for a filter over everything in
// its first request after a start, from opening the store to the moment at which
// the other side has read the summary. Before each operation the store is closed and its
// files are dropped from the page cache: package cold says what that means and what
// not. The store was closed in order, so there is nothing to recover.
//
// Bytes from the disk are what the process caused to be read, read-ahead included. The
// CPU time of a stage is that of all threads, so it can exceed the stage's time; a stage
// that takes much longer waited for the disk, or for other processes.
func BenchmarkLinearIO(b *testing.B) {
	sizes := []int{1000, 10_000}
	if *large {
		sizes = append(sizes, 100_000, 1_000_000)
	}
	if *huge {
		sizes = append(sizes, 10_000_000)
	}
	base := fixtures(b)
	for _, n := range sizes {
		for _, kind := range linearKinds() {
			b.Run(fmt.Sprintf("filter=%v/n=%d", kind, n), func(b *testing.B) { benchLinearIO(b, newFixture(base, n), kind) })
		}
	}
}

func benchLinearIO(b *testing.B, f fixture, kind filters.Kind) {
	r := newFirstRequest(b, f, kind)
	for b.Loop() {
		b.StopTimer()
		r.chill(b)
		b.StartTimer()
		if err := r.run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	r.chill(b)
	r.report(b)
}

// firstRequest makes first requests from a store.
type firstRequest struct {
	fixture fixture
	kind    filters.Kind
	counts  bool // bytes read from the disk are counted
	conn    net.Conn
	store   *badger.Store // open between run and chill

	cost    [ioStages]ioCost // of all operations
	summary int              // bytes of the last one's frames
}

func newFirstRequest(b *testing.B, f fixture, kind filters.Kind) *firstRequest {
	if err := f.make(b.Context()); err != nil {
		b.Fatal(err)
	}
	r := &firstRequest{fixture: f, kind: kind, conn: dialSink(b)}
	var err error
	if r.counts, err = cold.Counts(f.dir); err != nil {
		b.Fatal(err)
	}
	if !r.counts {
		b.Logf("bytes from the disk are not reported, and the store may not be cold: nothing counts what is read under %s", f.dir)
	}
	return r
}

// chill closes the store, drops its files from the page cache, and leaves no garbage
// for the next operation.
func (r *firstRequest) chill(b *testing.B) {
	if r.store != nil {
		if err := r.store.Close(); err != nil {
			b.Fatal(err)
		}
		r.store = nil
	}
	if err := cold.Drop(r.fixture.dir); err != nil && !errors.Is(err, cold.ErrUnsupported) {
		b.Fatal(err)
	}
	runtime.GC()
}

// run is one operation.
func (r *firstRequest) run(ctx context.Context) error {
	var (
		keys   []dwn.Key
		hashed []uint64
		filter filters.Filter
		frames []byte
	)
	salt := filters.Salt{1} // as good as any other
	for s, f := range [ioStages]func() error{
		ioOpen: func() (err error) {
			r.store, err = badger.Open(r.fixture.store(), badger.Options{})
			return err
		},
		ioScan: func() (err error) {
			keys, _, err = r.store.Tenant(r.fixture.tenant()).Keys(ctx, wholeScope)
			return err
		},
		ioHash: func() error {
			hashed = make([]uint64, len(keys))
			for i, k := range keys {
				hashed[i] = salt.Key(k.ID)
			}
			return nil
		},
		ioConstruct: func() (err error) {
			filter, err = filters.Build(r.kind, hashed, filters.Options{Distinct: true})
			return err
		},
		ioSerialise: func() error {
			frames = appendSummary(nil, filter)
			return nil
		},
		ioSend: func() error { return send(r.conn, frames) },
	} {
		if err := r.measure(&r.cost[s], f); err != nil {
			return fmt.Errorf("%v: %w", ioStage(s), err)
		}
	}
	r.summary = len(frames)
	if len(keys) != r.fixture.opt.N {
		return fmt.Errorf("%w: %d messages, want %d", errFixture, len(keys), r.fixture.opt.N)
	}
	return nil
}

// measure runs a stage and books what it took.
func (r *firstRequest) measure(to *ioCost, stage func() error) error {
	before, err := r.read()
	if err != nil {
		return err
	}
	start, cpu := time.Now(), cputime.Now()
	err = stage()
	to.cpu += cputime.Now() - cpu
	to.wall += time.Since(start)
	after, last := r.read()
	to.disk += after - before
	return errors.Join(err, last)
}

// read returns the bytes read from the disk so far.
func (r *firstRequest) read() (int64, error) {
	if !r.counts {
		return 0, nil
	}
	return cold.ReadBytes()
}

// appendSummary appends the SUMMARY frames of a filter.
func appendSummary(dst []byte, f filters.Filter) []byte {
	for body := range slices.Chunk(f.AppendTo(nil), wire.MaxBody) {
		dst = wire.Frame{Type: wire.TypeSummary, Body: body}.Append(dst)
	}
	return dst
}

// report reports the means of all operations.
func (r *firstRequest) report(b *testing.B) {
	size, err := cold.Size(r.fixture.store())
	if err != nil {
		b.Fatal(err)
	}
	ops, n := float64(b.N), float64(r.fixture.opt.N)
	disk := 0.0
	for s, cost := range r.cost {
		name := ioStage(s).String()
		wall := float64(cost.wall.Nanoseconds()) / ops
		b.ReportMetric(wall, name+"-ns/op")
		b.ReportMetric(wall/n, name+"-ns/msg")
		if r.counts { // else it may be no CPU time either
			b.ReportMetric(float64(cost.cpu)/ops/n, name+"-cpu-ns/msg")
		}
		disk += float64(cost.disk) / ops
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/ops/n, "total-ns/msg")
	b.ReportMetric(float64(r.summary), "summary-B/op")
	b.ReportMetric(float64(size)/n, "store-B/msg")
	if !r.counts {
		return
	}
	for _, s := range []ioStage{ioOpen, ioScan} { // the others do not read
		b.ReportMetric(float64(r.cost[s].disk)/ops, s.String()+"-disk-B/op")
	}
	b.ReportMetric(disk/n, "disk-B/msg")
}

// TestLinearIOMeasures: a stage is booked what it reads, computes and waits, once.
func TestLinearIOMeasures(t *testing.T) {
	const (
		size = 4 << 20
		work = 20 * time.Millisecond
		wait = 50 * time.Millisecond
	)
	dir := t.TempDir()
	counts, err := cold.Counts(dir)
	if err != nil {
		t.Fatal(err)
	}
	file, content := filepath.Join(dir, "file"), make([]byte, size)
	_, _ = chacha(1).Read(content) // never fails
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	r := firstRequest{counts: counts}
	for _, reads := range []bool{true, false} {
		var cost ioCost
		runtime.GC()
		if err := cold.Drop(dir); err != nil && !errors.Is(err, cold.ErrUnsupported) {
			t.Fatal(err)
		}
		start, cpu := time.Now(), cputime.Now()
		err := r.measure(&cost, func() error {
			burn(work)
			time.Sleep(wait)
			if !reads {
				return nil
			}
			_, err := os.ReadFile(file)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{"cpu": float64(cost.cpu), "disk": float64(cost.disk), "wall": float64(cost.wall)}
		within(t, "work", got, "cpu", float64(work), float64(cputime.Now()-cpu))
		within(t, "work", got, "wall", float64(wait), float64(time.Since(start)))
		if counts && reads {
			within(t, "work", got, "disk", size, size*1.3)
		} else {
			within(t, "work", got, "disk", 0, size*0.3)
		}
	}
}

// TestLinearIOReports: what is reported of three operations is what they cost.
func TestLinearIOReports(t *testing.T) {
	const ops, n = 3, 1000
	f := newFixture(t.TempDir(), n)
	if err := errors.Join(os.MkdirAll(f.store(), 0o700), os.WriteFile(filepath.Join(f.store(), "file"), make([]byte, 1<<20), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := cold.Drop(f.dir); err != nil && !errors.Is(err, cold.ErrUnsupported) { // and with it written
		t.Fatal(err)
	}
	size, err := cold.Size(f.store())
	if err != nil {
		t.Fatal(err)
	}
	r := firstRequest{fixture: f, counts: true, summary: 12_345}
	for s := range ioStages {
		unit := ops * n * int64(1+s)
		r.cost[s] = ioCost{wall: time.Duration(10 * unit), cpu: 100 * unit, disk: 0}
	}
	r.cost[ioOpen].disk, r.cost[ioScan].disk = 7*ops*n, 4*ops*n
	m := times(t, "report", ops, func(b *testing.B) {
		for b.Loop() { // for the number of operations
		}
		r.report(b)
	})
	want := map[string]float64{
		"open-disk-B/op": 7 * n, "scan-disk-B/op": 4 * n, "disk-B/msg": 11,
		"summary-B/op": 12_345, "store-B/msg": float64(size) / n,
	}
	for s := range ioStages {
		x := float64(1 + s)
		want[s.String()+"-ns/op"], want[s.String()+"-ns/msg"], want[s.String()+"-cpu-ns/msg"] = 10*n*x, 10*x, 100*x
	}
	for unit, value := range want {
		within(t, "report", m, unit, value*(1-1e-9), value*(1+1e-9))
	}
}

// TestLinearIO runs the benchmark once for each kind.
func TestLinearIO(t *testing.T) {
	const n = 1000
	f := newFixture(fixtures(t), n)
	if err := f.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	counts, err := cold.Counts(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range linearKinds() {
		name := kind.String()
		m := once(t, name, func(b *testing.B) { benchLinearIO(b, f, kind) })
		sum := 0.0
		for s := range ioStages {
			within(t, name, m, s.String()+"-ns/op", 100, 60e9)
			op := m[s.String()+"-ns/op"]
			within(t, name, m, s.String()+"-ns/msg", op/n*0.999, op/n*1.001)
			sum += op / n
		}
		within(t, name, m, "total-ns/msg", sum*0.999, 2*sum+1e9/n) // between stages the machine may turn to others
		within(t, name, m, "summary-B/op", n, 2*n)
		within(t, name, m, "store-B/msg", 500, 5000)
		if counts {
			within(t, name, m, "open-disk-B/op", 1, 20e6) // a read-ahead of 8 MB included
			within(t, name, m, "scan-disk-B/op", 0, 20e6)
			within(t, name, m, "disk-B/msg", m["open-disk-B/op"]/n, 40e6/n)
			for s := range ioStages {
				within(t, name, m, s.String()+"-cpu-ns/msg", 1, 60e9/n)
			}
		} else if got, ok := m["disk-B/msg"]; ok {
			t.Errorf("%s: %v bytes a message from a disk that does not count", name, got)
		}
	}
}
