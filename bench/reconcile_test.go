package bench

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/bench/internal/baseline"
	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// reconcileWorkloads have steady keys, of which the initiator lacks d of the
// responder's n and holds no others. Nothing and one key are missing nowhere in
// particular, so they are measured once for each n.
func reconcileWorkloads() []datasets.Workload {
	sizes := []int{1000, 10_000, 100_000}
	if *large {
		sizes = append(sizes, 1_000_000)
	}
	var all []datasets.Workload
	for _, n := range sizes {
		missing := slices.DeleteFunc([]int{0, 1, 100, 1000, 10_000, n / 10}, func(d int) bool { return d > n/10 })
		slices.Sort(missing)
		for _, d := range slices.Compact(missing) {
			w := datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: n, D: d}
			all = append(all, w)
			if w.Divergence = datasets.Recent; d > 1 {
				all = append(all, w)
			}
		}
	}
	return all
}

// reconcileName is the label of a system and a workload, without the shape, which is always the same.
func reconcileName(s system, w datasets.Workload) string {
	return fmt.Sprintf("system=%s/divergence=%s/n=%d/d=%d", s.name, w.Divergence, w.N, w.D)
}

// BenchmarkReconcile: one operation finds out what the initiator lacks of what the
// responder holds. here-ns and there-ns are CPU time of the sides, and transfer-ns is that
// of both for reading, packing and storing the items that the engine moves, which
// baselines do not. prepare-ns is what each side took before, once: systems that keep a
// summary up to date are as warm as they can be, and filters keep none. The flag -seed
// fixes the salts of the i-th operation, so that all but times repeats with -benchtime Nx.
func BenchmarkReconcile(b *testing.B) {
	for _, w := range reconcileWorkloads() {
		p := sync.OnceValue(func() *pair { return newPair(b, w) })
		for _, s := range systems() {
			b.Run(reconcileName(s, w), func(b *testing.B) { benchReconcile(b, s, p()) })
		}
	}
}

func benchReconcile(b *testing.B, s system, p *pair) {
	runtime.GC() // what was left behind is nobody's CPU time
	start := cputime.Now()
	reconcile := s.prepare(p)
	prepared := 0.0
	if s.keeps {
		prepared = float64(cputime.Now()-start) / 2
	}
	runtime.GC() // what prepare left neither
	var t tally
	for b.Loop() {
		o, err := reconcile(b.Context(), *seed<<32+uint64(len(t.rounds)))
		if err == nil {
			err = p.check(o.Outcome, false)
		}
		if err != nil {
			b.Fatal(err)
		}
		t.add(o)
	}
	if err := p.check(t.last, true); err != nil {
		b.Fatal(err)
	}
	t.report(b)
	b.ReportMetric(prepared, "prepare-ns/op")
}

// BenchmarkRoot: one operation is the root of n keys, which each side of a sync computes
// in each round.
func BenchmarkRoot(b *testing.B) {
	sizes := []int{1000, 10_000, 100_000}
	if *large {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			keys := allOf(newPair(b, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: n}).there)
			hasher := summary.NewHasher([32]byte{1})
			for b.Loop() {
				if root := hasher.Root(keys); root.Count != uint64(n) {
					b.Fatalf("the root counts %d", root.Count)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/key")
		})
	}
}

// tally is what some reconciliations came to.
type tally struct {
	sum    outcome // of all but IDs and rounds
	last   baseline.Outcome
	rounds []int
}

func (t *tally) add(o outcome) {
	t.sum.Up += o.Up
	t.sum.Down += o.Down
	t.sum.Here += o.Here
	t.sum.There += o.There
	t.sum.transfer += o.transfer
	t.last = o.Outcome
	t.rounds = append(t.rounds, o.Rounds)
}

// report reports the means.
func (t *tally) report(b *testing.B) {
	n := float64(len(t.rounds))
	b.ReportMetric(float64(t.sum.Up+t.sum.Down)/n, "metadata-B/op")
	b.ReportMetric(float64(t.sum.Up)/n, "up-B/op")
	b.ReportMetric(float64(t.sum.Down)/n, "down-B/op")
	b.ReportMetric(mean(t.rounds), "rounds/op")
	b.ReportMetric(float64(percentile(t.rounds, 99)), "rounds-p99")
	b.ReportMetric(float64(t.sum.Here)/n, "here-ns/op")
	b.ReportMetric(float64(t.sum.There)/n, "there-ns/op")
	b.ReportMetric(float64(t.sum.transfer)/n, "transfer-ns/op")
}

func mean(values []int) float64 {
	sum := 0
	for _, v := range values {
		sum += v
	}
	return float64(sum) / float64(len(values))
}

// TestReconcile runs the smallest workloads once by each system.
func TestReconcile(t *testing.T) {
	for _, w := range reconcileWorkloads() {
		if w.N > 1000 {
			continue
		}
		p := newPair(t, w)
		for _, s := range systems() {
			testReconcile(t, reconcileName(s, w), s, p)
		}
	}
}

// testReconcile runs a system once.
func testReconcile(t *testing.T, name string, s system, p *pair) {
	t.Helper()
	held, need := float64(len(allOf(p.here))), float64(len(p.need))
	m := once(t, name, func(b *testing.B) { benchReconcile(b, s, p) })
	within(t, name, m, "rounds/op", 1, 14)
	within(t, name, m, "rounds-p99", m["rounds/op"], m["rounds/op"]) // of a single operation
	within(t, name, m, "up-B/op", 0, m["metadata-B/op"])
	within(t, name, m, "down-B/op", m["metadata-B/op"]-m["up-B/op"], m["metadata-B/op"]-m["up-B/op"])
	within(t, name, m, "here-ns/op", 1, math.Inf(1))
	if s.keeps {
		within(t, name, m, "there-ns/op", 0, math.Inf(1))                            // a root that is equal costs nothing
		within(t, name, m, "metadata-B/op", 1, 800*(need+float64(len(p.have)))+4000) // two whole paths of a tree for each
		within(t, name, m, "prepare-ns/op", 1, math.Inf(1))
		if !keepsSummaries(engine.Strategy(s.name)) { // baselines move nothing
			within(t, name, m, "transfer-ns/op", 0, 0)
		}
		return
	}
	within(t, name, m, "there-ns/op", 1, math.Inf(1))
	// A filter of n keys at 2^-8 is no smaller than n bytes.
	within(t, name, m, "metadata-B/op", held, 100*held)
	within(t, name, m, "prepare-ns/op", 0, 0)
	within(t, name, m, "transfer-ns/op", min(need, 1), math.Inf(1))
}

// forced returns how many garbage collections were asked for so far.
func forced() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumForcedGC
}

// TestReconcileReports: what is reported of three operations is what each of them said.
func TestReconcileReports(t *testing.T) {
	said := []outcome{
		{baseline.Outcome{Up: 1, Down: 100, Rounds: 1, Here: 10_000, There: 1_000_000}, 100_000_000},
		{baseline.Outcome{Up: 2, Down: 300, Rounds: 2, Here: 40_000, There: 5_000_000}, 300_000_000},
		{baseline.Outcome{Up: 6, Down: 200, Rounds: 6, Here: 70_000, There: 3_000_000}, 800_000_000},
	}
	var before, preparing, prepared, reconciling uint32 // collections
	var took int64
	fake := system{name: "fake", keeps: true, prepare: func(*pair) reconcile {
		preparing = forced()
		start := cputime.Now()
		burn(50 * time.Millisecond)
		took = cputime.Now() - start
		prepared = forced()
		return func(_ context.Context, i uint64) (outcome, error) {
			if i == *seed<<32 {
				reconciling = forced()
			}
			return said[i-*seed<<32], nil
		}
	}}
	m := times(t, fake.name, len(said), func(b *testing.B) {
		before = forced()
		benchReconcile(b, fake, new(pair{here: keySet(nil), there: keySet(nil)}))
	})
	for unit, want := range map[string]float64{
		"metadata-B/op": 203, "up-B/op": 3, "down-B/op": 200, "rounds/op": 3, "rounds-p99": 6,
		"here-ns/op": 40_000, "there-ns/op": 3_000_000, "transfer-ns/op": 400_000_000,
	} {
		within(t, fake.name, m, unit, want, want)
	}
	half := float64(took) / 2 // of each side
	within(t, fake.name, m, "prepare-ns/op", half, 1.3*half)
	if preparing == before || reconciling == prepared {
		t.Errorf("garbage was collected %d times before prepare and %d times after", preparing-before, reconciling-prepared)
	}
}

// TestReconcileParties: what each side of a sync takes is reported as its own.
func TestReconcileParties(t *testing.T) {
	p := newPair(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: 1000, D: 100})
	const keys, items = 50 * time.Millisecond, 200 * time.Millisecond // more than the keys take in all
	var keysRead, itemsRead int64
	p.there = watched{p.there, func() { burn(keys); keysRead++ }, func() { burn(items); itemsRead++ }}
	runtime.GC() // what other tests left is no part of it
	o, err := p.byEngine(engine.StrategyFuse, engine.Pull)(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	there, moved := keysRead*keys.Nanoseconds(), itemsRead*items.Nanoseconds()
	if there == 0 || o.There < there || o.There > there+moved/2 {
		t.Errorf("%d ns are booked to the responder, which takes %d and some", o.There, there)
	}
	if moved < 2*there || o.transfer < moved {
		t.Errorf("%d ns are booked to the transfer, which takes %d and some", o.transfer, moved)
	}
	if o.Here == 0 || o.Here > keys.Nanoseconds() {
		t.Errorf("%d ns are booked to the initiator, which waits", o.Here)
	}
}
