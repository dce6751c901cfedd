package bench

import (
	"fmt"
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// filterCase is a kind of filter built for a false positive rate of 2^-bits.
type filterCase struct {
	kind filters.Kind
	bits int
}

func filterCases() []filterCase {
	return []filterCase{
		{filters.Bloom, 8},
		{filters.Xor8, 8},
		{filters.Fuse8, 8},
		{filters.List, 8},
		{filters.Bloom, 16},
		{filters.Fuse16, 16},
		{filters.List, 16},
		{filters.List, 40},
	}
}

func (c filterCase) String() string { return fmt.Sprintf("filter=%v/bits=%d", c.kind, c.bits) }

func (c filterCase) build(keys []uint64) (filters.Filter, error) {
	return filters.Build(c.kind, keys, filters.Options{FalsePositiveRate: math.Ldexp(1, -c.bits)})
}

func filterSizes() []int {
	if *large {
		return []int{1000, 100_000, 1_000_000}
	}
	return []int{1000, 100_000}
}

// BenchmarkFilterBuild: one operation builds one filter from keys in random order.
func BenchmarkFilterBuild(b *testing.B) {
	for _, n := range filterSizes() {
		keys := filterstest.Keys(1, n)
		for _, c := range filterCases() {
			b.Run(fmt.Sprintf("%v/n=%d", c, n), func(b *testing.B) { benchBuild(b, c, keys) })
		}
	}
}

func benchBuild(b *testing.B, c filterCase, keys []uint64) {
	var f filters.Filter
	var err error
	for b.Loop() {
		if f, err = c.build(keys); err != nil {
			b.Fatal(err)
		}
	}
	if f.Kind() != c.kind {
		b.Fatalf("got a %v", f.Kind())
	}
	reportPerKey(b, len(keys))
	b.ReportMetric(filters.BitsPerKey(f), "bits/key")
}

// BenchmarkFilterContains: one operation asks for the same 4096 keys.
func BenchmarkFilterContains(b *testing.B) {
	for _, n := range filterSizes() {
		keys := filterstest.Keys(1, n)
		for _, c := range filterCases() {
			b.Run(fmt.Sprintf("%v/n=%d/case=hit", c, n), func(b *testing.B) { benchHit(b, c, keys) })
			b.Run(fmt.Sprintf("%v/n=%d/case=miss", c, n), func(b *testing.B) { benchMiss(b, c, keys) })
		}
	}
}

// asked is how many keys one operation asks for.
const asked = 4096

func benchHit(b *testing.B, c filterCase, keys []uint64) {
	ask := make([]uint64, asked)
	for i := range ask {
		ask[i] = keys[i*997%len(keys)]
	}
	if found := benchContains(b, c, keys, ask); found != b.N*asked {
		b.Fatalf("%d of %d keys found", found, b.N*asked)
	}
}

// benchMiss asks for keys that were not put in. The share that is found of a
// million others, always the same, is the false positive rate.
func benchMiss(b *testing.B, c filterCase, keys []uint64) {
	benchContains(b, c, keys, filterstest.Keys(2, asked))
	f, err := c.build(keys)
	if err != nil {
		b.Fatal(err)
	}
	probes := filterstest.Keys(3, 1<<20)
	found := 0
	for _, k := range probes {
		if f.Contains(k) {
			found++
		}
	}
	b.ReportMetric(float64(found)/float64(len(probes)), "fpr")
}

func benchContains(b *testing.B, c filterCase, keys, ask []uint64) (found int) {
	f, err := c.build(keys)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for _, k := range ask {
			if f.Contains(k) {
				found++
			}
		}
	}
	reportPerKey(b, len(ask))
	return found
}

// reportPerKey reports the time for each of the n keys that one operation handles.
func reportPerKey(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
}

// TestFilters runs each benchmark of a filter once.
func TestFilters(t *testing.T) {
	keys := filterstest.Keys(1, 1000)
	for _, c := range filterCases() {
		name := c.String()
		built := once(t, name, func(b *testing.B) { benchBuild(b, c, keys) })
		// No filter is smaller than the bits of its rate; none here is 2.5 times that.
		within(t, name, built, "bits/key", float64(c.bits), 2.5*float64(c.bits))
		within(t, name, built, "ns/key", 0.01, math.Inf(1))
		hit := once(t, name, func(b *testing.B) { benchHit(b, c, keys) })
		within(t, name, hit, "ns/key", 0.01, math.Inf(1))
		miss := once(t, name, func(b *testing.B) { benchMiss(b, c, keys) })
		// Above five standard deviations of 2^20 probes is no chance.
		rate := math.Ldexp(1, -c.bits)
		within(t, name, miss, "fpr", 0, rate+5*math.Sqrt(rate/(1<<20))+1.0/(1<<20))
	}
}
