package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
)

// saving is a strategy, and whether its nodes have synced before.
type saving struct {
	strategy engine.Strategy
	again    bool
}

func savings() []saving {
	return []saving{
		{engine.StrategyFuse, false},
		{engine.StrategyRibbon, false},
		{engine.StrategySegmented, false},
		{engine.StrategySegmented, true},
	}
}

func (s saving) String() string {
	if s.again {
		return fmt.Sprintf("strategy=%s-again", s.strategy)
	}
	return fmt.Sprintf("strategy=%s", s.strategy)
}

// savesWorkloads have every shape with every divergence; a hundredth of the keys is
// missing, or all of them where nothing else is possible.
func savesWorkloads() []datasets.Workload {
	sizes := []int{10_000}
	if *large {
		sizes = append(sizes, 100_000)
	}
	var all []datasets.Workload
	for _, n := range sizes {
		for _, shape := range datasets.Shapes() {
			for _, divergence := range datasets.Divergences() {
				all = append(all, savesWorkload(shape, divergence, n))
			}
		}
	}
	return all
}

func savesWorkload(shape datasets.Shape, divergence datasets.Divergence, n int) datasets.Workload {
	d := n / 100
	if divergence == datasets.Fresh || divergence == datasets.Disjoint {
		d = n
	}
	return datasets.Workload{Shape: shape, Divergence: divergence, N: n, D: d}
}

func savesName(s saving, w datasets.Workload) string {
	return fmt.Sprintf("%v/shape=%s/divergence=%s/n=%d/d=%d", s, w.Shape, w.Divergence, w.N, w.D)
}

// history is how two nodes came to differ.
type history struct {
	*pair
	// synced are the sets that both held when they synced before, in turn. What the
	// initiator remembers is of the first.
	synced []keySet
	// salts sets this history's syncs apart from those of other shapes of time, so that
	// what all shapes have in common is not the luck of the same few salts.
	salts uint64
}

func newHistory(tb testing.TB, w datasets.Workload) history {
	synced, err := syncedBefore(w)
	if err != nil {
		tb.Fatalf("%v: %v", w, err)
	}
	return history{newPair(tb, w), synced, uint64(slices.Index(datasets.Shapes(), w.Shape)) << 56}
}

// syncedBefore returns the sets, each ascending, that two nodes held at their earlier
// syncs:
//
//   - scattered, replicas: all keys. What is missing was lost afterwards, on a damaged
//     disk, so the initiator's summary differs wherever one of them was.
//   - recent: what both hold but the newest 2*d. These came since, to the responder all,
//     to the initiator half.
//   - newest: what both hold. The initiator was off line while the responder went on.
//   - hole: at the time of the backup what there was then, and at the time of the loss
//     that and the d keys that were lost. Restoring the backup brings back what the
//     initiator remembered with it; the newer keys have reached both on other ways.
//   - partition: what both hold. Each wrote its own since.
//   - fresh, disjoint: nothing. They meet for the first time, so again says no more
//     than the first sync does.
func syncedBefore(w datasets.Workload) ([]keySet, error) {
	arrivals, err := w.Keys()
	if err != nil {
		return nil, err
	}
	var first, second keySet
	i, missed := 0, 0
	for k, holders := range arrivals {
		both := holders.Has(0) && holders.Has(1)
		if !both {
			missed++
		}
		held := both
		switch w.Divergence {
		case datasets.Scattered, datasets.Replicas:
			held = true
		case datasets.Recent:
			held = both && i < w.N-2*w.D
		case datasets.Hole:
			held = missed == 0
			if !both || missed < w.D {
				second = append(second, k)
			}
		}
		if held {
			first = append(first, k)
		}
		i++
	}
	synced := []keySet{first}
	if second != nil {
		synced = append(synced, second)
	}
	for _, set := range synced {
		slices.SortFunc(set, engine.Key.Compare)
	}
	return synced, nil
}

// memories returns what the initiator remembers by at each of its earlier syncs. What it
// will have at the next is last.
func (h history) memories(last *engine.SegmentMemory) []*engine.SegmentMemory {
	memories := []*engine.SegmentMemory{last}
	for len(memories) < len(h.synced) {
		memories = append(memories, new(engine.SegmentMemory)) // lost since
	}
	return memories
}

// sync is the i-th sync of the two nodes, both ways.
func (h history) sync(ctx context.Context, s saving, i uint64) (func() (engine.Report, error), error) {
	random := chacha(i ^ h.salts)
	memory := new(engine.SegmentMemory)
	var cache *engine.SegmentCache
	syncOf := func(here, there engine.View, memory *engine.SegmentMemory) (engine.Report, error) {
		return engine.Sync(ctx, newNode(here, secretOf(i)),
			engine.Direct{Replica: newNode(there, secretOf(i)), Options: engine.RespondOptions{Random: random, Segments: cache}},
			engine.Options{Strategy: s.strategy, Random: random, Segments: memory})
	}
	if s.again {
		cache = engine.NewSegmentCache(engine.DefaultSegmentBytes)
		for n, remembered := range h.memories(memory) {
			if _, err := syncOf(h.synced[n], h.synced[n], remembered); err != nil {
				return nil, err
			}
		}
	}
	return func() (engine.Report, error) { return syncOf(h.here, h.there, memory) }, nil
}

// BenchmarkSegmentedSaves: one operation is one sync, both ways, after two nodes came to
// differ: the first that they ever make (fuse, ribbon, segmented), or one after earlier
// syncs of which both remember the segments (segmented-again; see syncedBefore). The
// flag -seed fixes the salts of the i-th operation. Rounds include those that only push.
func BenchmarkSegmentedSaves(b *testing.B) {
	for _, w := range savesWorkloads() {
		h := sync.OnceValue(func() history { return newHistory(b, w) })
		for _, s := range savings() {
			b.Run(savesName(s, w), func(b *testing.B) { benchSaves(b, s, h()) })
		}
	}
}

func benchSaves(b *testing.B, s saving, h history) {
	var rounds []int
	var sum engine.Traffic
	for b.Loop() {
		b.StopTimer()
		run, err := h.sync(b.Context(), s, *seed<<32+uint64(len(rounds)))
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		r, err := run()
		if err != nil {
			b.Fatal(err)
		}
		if !r.Complete || !r.RootsEqual || r.Received != len(h.need) || r.Sent != len(h.have) {
			b.Fatalf("complete %t, roots equal %t, %d items received and %d sent, want %d and %d",
				r.Complete, r.RootsEqual, r.Received, r.Sent, len(h.need), len(h.have))
		}
		rounds = append(rounds, r.Rounds)
		sum.Metadata += r.Up.Metadata + r.Down.Metadata
		sum.Summaries += r.Up.Summaries + r.Down.Summaries
	}
	b.ReportMetric(float64(sum.Metadata)/float64(b.N), "metadata-B/op")
	b.ReportMetric(float64(sum.Summaries)/float64(b.N), "summary-B/op")
	b.ReportMetric(mean(rounds), "rounds/op")
}

// TestSegmentedSaves runs each divergence once by each strategy, of so few keys that
// they are few segments, and some of so many that they are many.
func TestSegmentedSaves(t *testing.T) {
	for _, divergence := range datasets.Divergences() {
		saves(t, savesWorkload(datasets.Steady, divergence, 500))
	}
	m := saves(t, savesWorkload(datasets.Steady, datasets.Newest, 5000))
	if again, first := m["segmented-again"], m["segmented"]; again > first/2 {
		t.Errorf("%v bytes of metadata, %v for the first sync: the newest keys cost too much", again, first)
	}
	m = saves(t, savesWorkload(datasets.Steady, datasets.Hole, 5000))
	if again, first := m["segmented-again"], m["segmented"]; again > first*4/5 || again < first/5 {
		t.Errorf("%v bytes of metadata, %v for the first sync, want those of the newer half", again, first)
	}
	m = saves(t, savesWorkload(datasets.Steady, datasets.Fresh, 5000))
	if again, first := m["segmented-again"], m["segmented"]; again != first {
		t.Errorf("%v bytes of metadata, %v for the first sync, which both are", again, first)
	}
}

// saves returns the bytes of metadata by strategy.
func saves(t *testing.T, w datasets.Workload) map[string]float64 {
	t.Helper()
	metadata := map[string]float64{}
	h := newHistory(t, w)
	for _, s := range savings() {
		name := savesName(s, w)
		m := once(t, name, func(b *testing.B) { benchSaves(b, s, h) })
		within(t, name, m, "rounds/op", 1, 8)
		within(t, name, m, "summary-B/op", 1, 8*float64(w.N)) // of up to 3 rounds
		within(t, name, m, "metadata-B/op", m["summary-B/op"]+200, m["summary-B/op"]+1500*m["rounds/op"])
		metadata[strings.TrimPrefix(s.String(), "strategy=")] = m["metadata-B/op"]
	}
	return metadata
}

// TestSyncedBefore: what nodes held at earlier syncs is what the divergence left, or took.
func TestSyncedBefore(t *testing.T) {
	const n, d = 1000, 10
	for divergence, want := range map[datasets.Divergence][]int{
		datasets.Scattered: {n},
		datasets.Replicas:  {n},
		datasets.Recent:    {n - 2*d},
		datasets.Newest:    {n - d},
		datasets.Hole:      {(n - d) / 2, (n + d) / 2},
		datasets.Partition: {n - d},
		datasets.Fresh:     {0},
		datasets.Disjoint:  {0},
	} {
		sets, err := syncedBefore(savesWorkload(datasets.Late, divergence, n))
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, set := range sets {
			got = append(got, len(set))
			if !slices.IsSortedFunc(set, engine.Key.Compare) {
				t.Errorf("%s: keys do not ascend", divergence)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d keys at the earlier syncs, want %d", divergence, got, want)
		}
	}
}

// TestSavesMemories: a node that restored a backup remembers what it did at the
// first sync, and nothing of what came between that and the loss.
func TestSavesMemories(t *testing.T) {
	for divergence, syncs := range map[datasets.Divergence]int{datasets.Newest: 1, datasets.Hole: 2} {
		h := newHistory(t, savesWorkload(datasets.Steady, divergence, 500))
		last := new(engine.SegmentMemory)
		memories := h.memories(last)
		if len(memories) != syncs || memories[0] != last || slices.Contains(memories[1:], last) || slices.Contains(memories, nil) {
			t.Errorf("%s: memories %p, want %d, of which the first alone is %p", divergence, memories, syncs, last)
		}
	}
}
