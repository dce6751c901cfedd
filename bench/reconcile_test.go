package bench

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/bench/internal/baseline"
	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
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

// system is one way to reconcile: a strategy of the engine, or a baseline.
type system struct {
	name string
	// prepare does, for both sides, what is done once and kept up to date between syncs.
	prepare func(p *pair) reconcile
	// keeps is whether prepare does anything.
	keeps bool
}

// reconcile finds the difference between two prepared sides, with the i-th choice of
// salts where there is one.
type reconcile func(ctx context.Context, i uint64) (baseline.Outcome, error)

func systems() []system {
	var all []system
	for _, s := range engine.Strategies() {
		all = append(all, system{name: string(s), prepare: func(p *pair) reconcile { return p.byEngine(s) }})
	}
	for _, s := range []baseline.System{baseline.RIBLT{}, baseline.Negentropy{}, baseline.MST{}} {
		all = append(all, system{name: s.Name(), prepare: func(p *pair) reconcile { return p.byBaseline(s) }, keeps: true})
	}
	return all
}

// pair is what both sides hold, and what each alone does.
type pair struct {
	here, there engine.View
	have, need  []engine.ID // held here alone, and there alone; ascending
}

func newPair(tb testing.TB, w datasets.Workload) *pair {
	here, there := newSets(tb, w)
	return &pair{here, there, without(here.Keys(), there.Keys()), without(there.Keys(), here.Keys())}
}

// without returns the IDs of the keys of a that are not of b, ascending; a and b ascend.
func without(a, b []engine.Key) []engine.ID {
	var only []engine.ID
	for _, k := range a {
		for len(b) > 0 && b[0].Compare(k) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != k {
			only = append(only, k.ID)
		}
	}
	slices.SortFunc(only, compareIDs)
	return only
}

func compareIDs(a, b engine.ID) int { return slices.Compare(a[:], b[:]) }

// byEngine pulls in one process, without disk, network or signatures, between nodes
// that share the secret and remember nothing else of each other. What packs, moves and
// stores the items that are missing is no part of the outcome.
func (p *pair) byEngine(strategy engine.Strategy) reconcile {
	return func(ctx context.Context, i uint64) (baseline.Outcome, error) {
		here, there := newNode(p.here, secretOf(i)), newNode(p.there, secretOf(i))
		var m meter
		here.pause = m.pause
		r, err := m.sync(ctx, here, engine.Direct{Replica: there, Options: engine.RespondOptions{Random: chacha(2*i + 1)}},
			engine.Options{Strategy: strategy, Direction: engine.Pull, Random: chacha(2 * i)})
		if err == nil && !r.Complete {
			err = fmt.Errorf("the sync is not complete: %+v", r)
		}
		o := baseline.Outcome{
			Up: r.Up.Metadata, Down: r.Down.Metadata, Rounds: r.Rounds,
			Here: m.spent[initiator], There: m.spent[responder],
			Have: p.have, // a pull does not ask for them
		}
		for k := range here.put {
			o.Need = append(o.Need, k.ID)
		}
		return o, err
	}
}

// byBaseline reconciles by a baseline, which has no choice of salts.
func (p *pair) byBaseline(s baseline.System) reconcile {
	here, there := s.Prepare(p.here.Keys()), s.Prepare(p.there.Keys())
	return func(context.Context, uint64) (baseline.Outcome, error) { return here.Reconcile(there) }
}

// check compares the numbers of IDs in an outcome with the truth, and with all the IDs.
func (p *pair) check(o baseline.Outcome, all bool) error {
	if len(o.Have) != len(p.have) || len(o.Need) != len(p.need) {
		return fmt.Errorf("%d IDs are said to be here alone and %d there, want %d and %d", len(o.Have), len(o.Need), len(p.have), len(p.need))
	}
	if !all {
		return nil
	}
	for _, side := range []struct{ got, want []engine.ID }{{o.Have, p.have}, {o.Need, p.need}} {
		if got := slices.SortedFunc(slices.Values(side.got), compareIDs); !slices.Equal(got, side.want) {
			return fmt.Errorf("%d IDs are said to be on one side alone, not the right ones", len(got))
		}
	}
	return nil
}

// BenchmarkReconcile: one operation finds out what the initiator lacks of what the
// responder holds. here-ns and there-ns are CPU time of the sides; prepare-ns is what
// each took before, once: systems that keep a summary up to date are as warm as they can
// be, and filters keep none. The flag -seed fixes the salts of the i-th operation, so
// that all but times repeats with -benchtime Nx.
func BenchmarkReconcile(b *testing.B) {
	for _, w := range reconcileWorkloads() {
		p := sync.OnceValue(func() *pair { return newPair(b, w) })
		for _, s := range systems() {
			b.Run(reconcileName(s, w), func(b *testing.B) { benchReconcile(b, s, p()) })
		}
	}
}

func benchReconcile(b *testing.B, s system, p *pair) {
	start := cputime.Now()
	reconcile := s.prepare(p)
	prepared := 0.0
	if s.keeps {
		prepared = float64(cputime.Now()-start) / 2
	}
	runtime.GC() // what was left behind is nobody's CPU time
	var sum, last baseline.Outcome
	var rounds []int
	for b.Loop() {
		o, err := reconcile(b.Context(), *seed<<32+uint64(len(rounds)))
		if err == nil {
			err = p.check(o, false)
		}
		if err != nil {
			b.Fatal(err)
		}
		rounds = append(rounds, o.Rounds)
		sum.Up += o.Up
		sum.Down += o.Down
		sum.Here += o.Here
		sum.There += o.There
		last = o
	}
	if err := p.check(last, true); err != nil {
		b.Fatal(err)
	}
	n := float64(b.N)
	b.ReportMetric(float64(sum.Up+sum.Down)/n, "metadata-B/op")
	b.ReportMetric(float64(sum.Up)/n, "up-B/op")
	b.ReportMetric(float64(sum.Down)/n, "down-B/op")
	b.ReportMetric(mean(rounds), "rounds/op")
	b.ReportMetric(float64(percentile(rounds, 99)), "rounds-p99")
	b.ReportMetric(float64(sum.Here)/n, "here-ns/op")
	b.ReportMetric(float64(sum.There)/n, "there-ns/op")
	b.ReportMetric(prepared, "prepare-ns/op")
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
			testReconcile(t, s, w, p)
		}
	}
}

func testReconcile(t *testing.T, s system, w datasets.Workload, p *pair) {
	name := reconcileName(s, w)
	m := once(t, name, func(b *testing.B) { benchReconcile(b, s, p) })
	within(t, name, m, "rounds/op", 1, 14)
	within(t, name, m, "rounds-p99", m["rounds/op"], m["rounds/op"]) // of a single operation
	within(t, name, m, "up-B/op", 0, m["metadata-B/op"])
	within(t, name, m, "down-B/op", m["metadata-B/op"]-m["up-B/op"], m["metadata-B/op"]-m["up-B/op"])
	within(t, name, m, "here-ns/op", 1, math.Inf(1))
	if s.keeps {
		within(t, name, m, "there-ns/op", 0, math.Inf(1))             // a root that is equal costs nothing
		within(t, name, m, "metadata-B/op", 1, 800*float64(w.D)+4000) // two whole paths of a tree for each
		within(t, name, m, "prepare-ns/op", 1, math.Inf(1))
		return
	}
	within(t, name, m, "there-ns/op", 1, math.Inf(1))
	// A filter of n keys at 2^-8 is no smaller than n bytes.
	within(t, name, m, "metadata-B/op", float64(w.N-w.D), 100*float64(w.N))
	within(t, name, m, "prepare-ns/op", 0, 0)
}

// TestReconcileRepeats: the i-th reconciliation costs the same whenever it is made.
func TestReconcileRepeats(t *testing.T) {
	p := newPair(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: 1000, D: 100})
	for i := range uint64(4) {
		var cost [2][3]int64
		for j := range cost {
			o, err := p.byEngine(engine.StrategyFuse)(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			cost[j] = [3]int64{o.Up, o.Down, int64(o.Rounds)}
		}
		if cost[0] != cost[1] {
			t.Errorf("operation %d: %d bytes up, down, and rounds, then %d", i, cost[0], cost[1])
		}
	}
}

// TestReconcileCheck: outcomes that are not the truth are no outcomes.
func TestReconcileCheck(t *testing.T) {
	p := newPair(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Partition, N: 1000, D: 100})
	if len(p.have) == 0 || len(p.need) == 0 {
		t.Fatalf("%d IDs are here alone, %d there", len(p.have), len(p.need))
	}
	swapped := slices.Clone(p.need)
	swapped[0] = p.have[0]
	for name, c := range map[string]struct {
		baseline.Outcome
		all, ok bool
	}{
		"the truth":  {baseline.Outcome{Have: p.have, Need: p.need}, true, true},
		"one less":   {baseline.Outcome{Have: p.have, Need: p.need[1:]}, false, false},
		"none here":  {baseline.Outcome{Need: p.need}, false, false},
		"one more":   {baseline.Outcome{Have: p.have, Need: append(swapped, engine.ID{})}, false, false},
		"another ID": {baseline.Outcome{Have: p.have, Need: swapped}, true, false},
		"not looked": {baseline.Outcome{Have: p.have, Need: swapped}, false, true},
	} {
		if err := p.check(c.Outcome, c.all); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
