package peers

import (
	"flag"
	"fmt"
	"testing"

	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

var (
	large = flag.Bool("large", false, "measure with a million keys too")
	huge  = flag.Bool("huge", false, "measure with ten million keys too")
)

func sizes() []int {
	n := []int{100, 1000, 10_000, 100_000}
	if *large {
		n = append(n, 1_000_000)
	}
	if *huge {
		n = append(n, 10_000_000)
	}
	return n
}

const (
	asked = 4096     // keys for which one operation asks
	pool  = 64 << 12 // keys from which operations take theirs in turn: too many for a cache or a branch predictor to learn
)

// each runs bench for each size and contender, in the order in which measurements
// are to be compared.
func each(b *testing.B, bench func(b *testing.B, c contender, keys []uint64)) {
	for _, n := range sizes() {
		keys := filterstest.Keys(1, n)
		for _, bits := range rates() {
			for _, c := range contenders(bits) {
				b.Run(fmt.Sprintf("%v/n=%d", c, n), func(b *testing.B) { bench(b, c, keys) })
			}
		}
	}
}

// BenchmarkFilterBuild: one operation builds one filter from distinct keys in
// random order. The first build, which gets the memory, is not measured.
func BenchmarkFilterBuild(b *testing.B) { each(b, benchBuild) }

func benchBuild(b *testing.B, c contender, keys []uint64) {
	build := c.start(len(keys), c.bits)
	if _, err := build(keys); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := build(keys); err != nil {
			b.Fatal(err)
		}
	}
	reportPerKey(b, len(keys))
}

// BenchmarkFilterContains: one operation asks for 4096 keys, one by one or, where
// there is such a call, all at once.
func BenchmarkFilterContains(b *testing.B) { each(b, benchContains) }

func benchContains(b *testing.B, c contender, keys []uint64) {
	if c.buildOnly() {
		b.Skip("as without -new")
	}
	f, err := c.start(len(keys), c.bits)(keys)
	if err != nil {
		b.Fatal(err)
	}
	hit, miss := hits(keys), misses()
	b.Run("case=hit/by=one", func(b *testing.B) { benchAsk(b, f.ask, hit, !c.lossy()) })
	b.Run("case=miss/by=one", func(b *testing.B) { benchAsk(b, f.ask, miss, false) })
	if f, ok := f.(batcher); ok {
		b.Run("case=hit/by=batch", func(b *testing.B) { benchAsk(b, f.askBatch, hit, true) })
		b.Run("case=miss/by=batch", func(b *testing.B) { benchAsk(b, f.askBatch, miss, false) })
	}
}

func benchAsk(b *testing.B, ask func(keys []uint64) int, from []uint64, all bool) {
	found, next := 0, 0
	for b.Loop() {
		found += ask(from[next : next+asked])
		next = (next + asked) % pool
	}
	if all && found != b.N*asked {
		b.Fatalf("%d of %d keys found", found, b.N*asked)
	}
	reportPerKey(b, asked)
}

// hits returns keys of the set in an order of no pattern.
func hits(keys []uint64) []uint64 {
	ask := make([]uint64, pool)
	for i := range ask {
		ask[i] = keys[i*997%len(keys)]
	}
	return ask
}

// misses returns keys that are in no set of a benchmark.
func misses() []uint64 { return filterstest.Keys(2, pool) }

// BenchmarkFilterQuality reports what does not depend on time: the size, the share
// that is let through of 2^20 other keys, always the same, and how many keys of the
// set are denied.
func BenchmarkFilterQuality(b *testing.B) { each(b, benchQuality) }

func benchQuality(b *testing.B, c contender, keys []uint64) {
	if c.buildOnly() {
		b.Skip("as without -new")
	}
	var f built
	var err error
	build := c.start(len(keys), c.bits)
	for b.Loop() {
		if f, err = build(keys); err != nil {
			b.Fatal(err)
		}
	}
	probes := filterstest.Keys(3, 1<<20)
	b.ReportMetric(8*float64(f.size())/float64(len(keys)), "bits/key")
	b.ReportMetric(float64(f.ask(probes))/float64(len(probes)), "fpr")
	b.ReportMetric(float64(len(keys)-f.ask(keys)), "denied/op")
}

// reportPerKey reports the time for each of the n keys that one operation handles.
func reportPerKey(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
}
