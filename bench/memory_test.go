package bench

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// heap returns the bytes of all objects on the heap, garbage included.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// settled collects the garbage and returns the bytes of what is left.
func settled() int64 {
	runtime.GC()
	runtime.GC() // what the first took out of pools
	return heap()
}

// memorySizes are numbers of keys and items.
func memorySizes() []int {
	sizes := []int{10_000, 100_000}
	if *large {
		sizes = append(sizes, 1_000_000)
	}
	return sizes
}

// BenchmarkMemory with filter=K: heap-B/key is what a filter takes as long as it is used, the
// difference of the heap after collecting all garbage, with many filters and without;
// build-B/key is all that is allocated to build one.
//
// With strategy=X: one operation is one sync of two sides that hold the same items, in one
// process. peak-B/item is what both sides together need besides what was there before. It
// is found with the collector off but for some fixed moments: before a side takes its
// view, between a request and its answer, and between frames of that. In between, the heap can only grow, so
// it was largest just before one of them. What a step leaves behind as garbage
// counts until the step is over: no luck of a sampler is in the figure, and it is at least what
// is needed at any time. A process with the default GOGC takes up to twice as much. kept-B/item
// is retained between syncs: engine.SegmentMemory here, with the 40 bytes of a key, and engine.SegmentCache there.
func BenchmarkMemory(b *testing.B) {
	for _, n := range memorySizes() {
		for _, c := range kindCases() {
			b.Run(fmt.Sprintf("filter=%v/n=%d", c.kind, n), func(b *testing.B) { benchFilterMemory(b, c, n) })
		}
		both := sync.OnceValue(func() engine.View { return memoryView(b, n) })
		for _, s := range engine.Strategies() {
			b.Run(fmt.Sprintf("strategy=%s/n=%d", s, n), func(b *testing.B) { benchSyncMemory(b, s, both()) })
		}
	}
}

// memoryView returns n items that both sides hold.
func memoryView(tb testing.TB, n int) engine.View {
	here, _ := newSets(tb, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: n})
	return here
}

func benchFilterMemory(b *testing.B, c filterCase, n int) {
	keys := filterstest.Keys(1, n)
	copies := max(2, 200_000/n) // so many that some other object does not matter
	var kept, built int64
	for b.Loop() {
		made := make([]any, copies)
		k, all := retained(func() {
			for i := range made {
				made[i] = c.build(b, keys)
			}
		})
		runtime.KeepAlive(made)
		kept, built = kept+k, built+all
	}
	per := float64(n) * float64(copies) * float64(b.N)
	b.ReportMetric(float64(kept)/per, "heap-B/key")
	b.ReportMetric(float64(built)/per, "build-B/key")
}

// retained returns by how much f makes the heap grow for good, and how much it allocates.
func retained(f func()) (kept, allocated int64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return settled() - int64(before.HeapAlloc), int64(after.TotalAlloc - before.TotalAlloc)
}

func benchSyncMemory(b *testing.B, strategy engine.Strategy, both engine.View) {
	var peak, kept int64
	i := *seed << 32
	if _, _, err := syncMemory(b.Context(), strategy, both, i); err != nil { // what is made once in a process is made here
		b.Fatal(err)
	}
	for b.Loop() {
		p, k, err := syncMemory(b.Context(), strategy, both, i)
		if err != nil {
			b.Fatal(err)
		}
		peak, kept, i = peak+p, kept+k, i+1
	}
	per := float64(len(allOf(both))) * float64(b.N)
	b.ReportMetric(float64(peak)/per, "peak-B/item")
	b.ReportMetric(float64(kept)/per, "kept-B/item")
}

// syncMemory syncs two sides that hold the same, and returns by how much the heap grew in between,
// and for good.
func syncMemory(ctx context.Context, strategy engine.Strategy, both engine.View, seed uint64) (peak, kept int64, err error) {
	there := newNode(both, secretOf(seed))
	before := settled()
	here := newNode(keySet(slices.Clone(allOf(both))), secretOf(seed)) // as if read for this sync
	opt := engine.Options{Strategy: strategy, Direction: engine.Pull, Random: chacha(2 * seed)}
	respond := engine.RespondOptions{Random: chacha(2*seed + 1)}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	mark := newHighWater()
	if strategy == engine.StrategySegmented {
		opt.Segments, respond.Segments = new(engine.SegmentMemory), engine.NewSegmentCache(math.MaxInt64)
	}
	transport := steppedTransport{engine.Direct{Replica: steppedNode{there, mark.step}, Options: respond}, mark.step}
	r, err := engine.Sync(ctx, steppedNode{here, mark.step}, transport, opt)
	if err == nil && !r.RootsEqual {
		err = fmt.Errorf("the two sides do not hold the same: %+v", r)
	}
	mark.step()
	kept = settled() - before
	for _, live := range []any{there, opt.Segments, respond.Segments} {
		runtime.KeepAlive(live)
	}
	return mark.most, kept, err
}

// highWater finds out how much the heap grows where the collector runs in its steps only.
type highWater struct{ base, most int64 }

func newHighWater() *highWater { return &highWater{base: settled()} }

func (h *highWater) step() {
	h.most = max(h.most, heap()-h.base)
	runtime.GC()
}

// steppedNode makes a step before each view.
type steppedNode struct {
	*node
	step func()
}

func (n steppedNode) View(ctx context.Context) (engine.View, error) {
	n.step()
	return n.node.View(ctx)
}

// steppedTransport makes a step before each request, answer and frame of that, and
// copies frames, as they would be on another machine.
type steppedTransport struct {
	engine.Transport
	step func()
}

func (t steppedTransport) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	t.step()
	copied := make([]wire.Frame, len(head))
	for i, f := range head {
		copied[i] = copyOf(f)
	}
	reply, err := t.Transport.Exchange(ctx, copied, items)
	t.step()
	if err != nil {
		return nil, err
	}
	return func(yield func(wire.Frame, error) bool) {
		for f, err := range reply {
			if t.step(); !yield(copyOf(f), err) {
				return
			}
		}
	}, nil
}

func copyOf(f wire.Frame) wire.Frame { return wire.Frame{Type: f.Type, Body: bytes.Clone(f.Body)} }

// TestRetained: what is measured is what was allocated, and kept.
func TestRetained(t *testing.T) {
	const size = 1 << 20
	var keep [][]byte
	kept, allocated := retained(func() {
		for i := range 4 {
			b := make([]byte, size)
			b[0] = 1
			if i%2 == 0 {
				keep = append(keep, b)
			}
		}
	})
	if len(keep) != 2 || kept < 2*size || kept > 2*size+size/50 || allocated < 4*size || allocated > 4*size+size/50 {
		t.Errorf("%d slices kept, %d bytes, %d allocated", len(keep), kept, allocated)
	}
}

// TestHighWater: the most between two steps is found, with the garbage of that step only.
func TestHighWater(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	mark := newHighWater()
	const size = 1 << 20
	var held [][]byte
	for _, step := range []struct{ garbage, keep int }{{1, 1}, {3, 0}, {1, 1}, {0, 0}} {
		for range step.garbage {
			held = append(held, make([]byte, size))
		}
		held = held[:len(held)-step.garbage]
		clear(held[len(held):cap(held)])
		for range step.keep {
			held = append(held, make([]byte, size))
		}
		mark.step()
	}
	if want := int64(4 * size); len(held) != 2 || mark.most < want || mark.most > want+size/50 { // one held, three dropped
		t.Errorf("%d slices are held, the most was %d bytes, want %d", len(held), mark.most, want)
	}
}

// TestMemory measures everything at the smallest size, and syncs twice: the same within
// 5 %, and a filter takes no less than its encoding.
func TestMemory(t *testing.T) {
	const n = 10_000
	same := func(name string, a, b map[string]float64) {
		for unit := range a {
			slack := 0.05 * a[unit]
			if unit == "kept-B/item" {
				slack += 0.2 // 2000 bytes of the process, of which most strategies keep nothing
			}
			if math.Abs(a[unit]-b[unit]) > slack {
				t.Errorf("%s: %s is %v, then %v", name, unit, a[unit], b[unit])
			}
		}
	}
	for _, c := range kindCases() {
		name := fmt.Sprintf("filter=%v", c.kind)
		m := once(t, name, func(b *testing.B) { benchFilterMemory(b, c, n) })
		encoded := float64(len(c.build(t, filterstest.Keys(1, n)).AppendTo(nil))) / n
		most := 1.5 * encoded
		if c.kind == filters.List {
			most = 8.5 // it is decoded to be asked
		}
		within(t, name, m, "heap-B/key", 0.95*encoded, most)
		within(t, name, m, "build-B/key", m["heap-B/key"]*0.99, 100)
	}
	both := memoryView(t, n)
	before := slices.Clone(allOf(both))
	for _, s := range engine.Strategies() {
		name := fmt.Sprintf("strategy=%s", s)
		run := func() map[string]float64 { return once(t, name, func(b *testing.B) { benchSyncMemory(b, s, both) }) }
		m := run()
		same(name, m, run())
		// The initiator hashes its keys to 8 bytes each, and the filter is there twice. With
		// the race detector crypto/sha256 allocates for every key, and HMAC more than once.
		peak := 150.0
		if raceDetector {
			peak = 600
		}
		within(t, name, m, "peak-B/item", 10, peak)
		least, most := -0.5, 0.5
		if s == engine.StrategySegmented {
			least, most = 48, 80 // at least the key, and what it is hashed to
		}
		within(t, name, m, "kept-B/item", least, most)
	}
	if !slices.Equal(before, allOf(both)) {
		t.Error("the view has changed")
	}
}
