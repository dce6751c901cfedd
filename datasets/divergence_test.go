package datasets_test

import (
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
)

// The numbers are exact for any n and d, not only in the mean.
func TestDivergenceCounts(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 19, 20, 41, 100, 1000, 4099} {
		for _, d := range []int{0, 1, 2, 3, 19, 20, 21, 41, 50, 100, 999, 1000, 2050, 4099} {
			for _, divergence := range datasets.Divergences() {
				w := datasets.Workload{Divergence: divergence, N: n, D: d, Seed: uint64(n + d)}
				if whole(divergence) {
					w.D = n
				}
				if d <= n && divergence != datasets.Replicas {
					checkCounts(t, w)
				}
			}
		}
	}
}

// tally counts the keys of w by who holds them.
func tally(t *testing.T, w datasets.Workload) map[datasets.Holders]int {
	t.Helper()
	count := map[datasets.Holders]int{}
	for _, k := range collect(t, w) {
		count[k.holders]++
	}
	return count
}

func checkCounts(t *testing.T, w datasets.Workload) {
	t.Helper()
	here := 0
	if w.Divergence == datasets.Partition || w.Divergence == datasets.Disjoint {
		here = w.D / 2
	}
	count := tally(t, w)
	if count[1] != here || count[2] != w.D-here || count[3] != w.N-w.D || count[1]+count[2]+count[3] != w.N {
		t.Errorf("%s: held here, there, on both: %v, want %d, %d, %d", w, count, here, w.D-here, w.N-w.D)
	}
}

func TestReplicas(t *testing.T) {
	for _, w := range []datasets.Workload{
		{N: 0, D: 0},
		{N: 2, D: 1, Replicas: 2},
		{N: 80, D: 10},
		{N: 1000, D: 3, Replicas: 5},
		{N: 64 * 7, D: 7, Replicas: 64},
		{N: 5000, D: 20, Replicas: 63},
		{N: 100, D: 0, Replicas: 64},
	} {
		w.Divergence = datasets.Replicas
		replicas := max(w.Replicas, 2)
		if w.Replicas == 0 {
			replicas = 8
		}
		all := ^datasets.Holders(0) >> (datasets.MaxReplicas - replicas)
		count := tally(t, w)
		if got, want := count[all], w.N-replicas*w.D; got != want {
			t.Errorf("%s: %d keys on all, want %d", w, got, want)
		}
		for r := range replicas {
			if got := count[all&^(1<<r)]; got != w.D {
				t.Errorf("%s: replica %d alone lacks %d keys, want %d", w, r, got, w.D)
			}
		}
	}
}

// lacked returns the positions of the keys that replica 0 does not hold.
func lacked(t *testing.T, w datasets.Workload) []int {
	t.Helper()
	var at []int
	for i, k := range collect(t, w) {
		if !k.holders.Has(0) {
			at = append(at, i)
		}
	}
	return at
}

// Where the missing keys are, where that is exact too.
func TestDivergencePlaces(t *testing.T) {
	const n, d = 10_000, 400
	for divergence, want := range map[datasets.Divergence]struct{ first, end, count int }{
		datasets.Newest:    {n - d, n, d},
		datasets.Hole:      {(n - d) / 2, (n + d) / 2, d},
		datasets.Recent:    {n - 2*d, n, d - d/20},
		datasets.Partition: {n - d, n, d - d/2},
		datasets.Fresh:     {0, n, n},
	} {
		w := datasets.Workload{Divergence: divergence, N: n, D: d}
		if whole(divergence) {
			w.D = n
		}
		in := 0
		for _, i := range lacked(t, w) {
			if want.first <= i && i < want.end {
				in++
			}
		}
		if in != want.count {
			t.Errorf("%s: %d of keys %d to %d are missing, want %d", w, in, want.first, want.end-1, want.count)
		}
	}
}

// What is at random is spread evenly: the missing keys of 64 equal parts, by
// chi-squared with 63 degrees of freedom, whose 99.99th percentile is 113.
func TestScatteredEvenly(t *testing.T) {
	const n, parts = 64_000, 64
	for _, w := range []datasets.Workload{
		{Divergence: datasets.Scattered, N: n, D: n / 10},
		{Divergence: datasets.Disjoint, N: n},
		{Divergence: datasets.Partition, N: n, D: n},
		{Divergence: datasets.Recent, N: n, D: n / 2},
		{Divergence: datasets.Replicas, N: n, D: n / 20},
	} {
		at := lacked(t, w)
		var counts [parts]int
		for _, i := range at {
			counts[i*parts/n]++
		}
		expected := float64(len(at)) / parts
		sum := 0.0
		for _, c := range counts {
			sum += (float64(c) - expected) * (float64(c) - expected) / expected
		}
		if sum > 113 {
			t.Errorf("%s: chi-squared %.0f, want at most 113: %v", w, sum, counts)
		}
	}
}

// Every choice of 2 of 5 keys is as likely as any other: chi-squared with 9 degrees
// of freedom over 2000 seeds, whose 99.99th percentile is 34.
func TestScatteredChoices(t *testing.T) {
	const seeds = 2000
	counts := map[[2]int]int{}
	for seed := range uint64(seeds) {
		counts[[2]int(lacked(t, datasets.Workload{N: 5, D: 2, Seed: seed}))]++
	}
	const expected = seeds / 10.0
	sum := 0.0
	for _, c := range counts {
		sum += (float64(c) - expected) * (float64(c) - expected) / expected
	}
	if len(counts) != 10 || sum > 34 {
		t.Errorf("chi-squared %.1f, want at most 34: %v", sum, counts)
	}
}
