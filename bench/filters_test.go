package bench

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// filterCase is a kind of filter built for a false positive rate of 2^-bits.
type filterCase struct {
	kind filters.Kind
	bits int
}

// kindCases has every kind once, at the 8 bits that most of them share.
func kindCases() []filterCase {
	var cases []filterCase
	for _, kind := range filters.Kinds() {
		c := filterCase{kind, 8}
		if kind == filters.Fuse16 {
			c.bits = 16
		}
		cases = append(cases, c)
	}
	return cases
}

// filterCases has every kind at all rates that it is measured at.
func filterCases() []filterCase {
	cases := kindCases()
	for _, bits := range []int{5, 16, 32} {
		for _, kind := range filters.Kinds() {
			switch kind {
			case filters.Xor8, filters.Fuse8, filters.Fuse16:
				continue // have a rate of their own
			case filters.Bloom:
				if bits > 24 {
					continue
				}
			}
			cases = append(cases, filterCase{kind, bits})
		}
	}
	return cases
}

func (c filterCase) String() string { return fmt.Sprintf("filter=%v/bits=%d", c.kind, c.bits) }

// options promise distinct keys, which spares Build from sorting them: a set of IDs
// has no others.
func (c filterCase) options() filters.Options {
	return filters.Options{Bits: c.bits, Distinct: true}
}

func (c filterCase) build(tb testing.TB, keys []uint64) filters.Filter {
	tb.Helper()
	f, err := filters.Build(c.kind, keys, c.options())
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func filterSizes() []int {
	sizes := []int{100, 1000, 10_000, 100_000}
	if *large {
		sizes = append(sizes, 1_000_000)
	}
	if *huge {
		sizes = append(sizes, 10_000_000)
	}
	return sizes
}

// benchFilters runs bench for each size and case, over distinct keys in random order.
func benchFilters(b *testing.B, cases []filterCase, bench func(b *testing.B, c filterCase, keys []uint64)) {
	for _, n := range filterSizes() {
		keys := filterstest.Keys(1, n)
		for _, c := range cases {
			b.Run(fmt.Sprintf("%v/n=%d", c, n), func(b *testing.B) { bench(b, c, keys) })
		}
	}
}

// BenchmarkFilterBuild: one operation builds one filter in new memory.
func BenchmarkFilterBuild(b *testing.B) { benchFilters(b, filterCases(), benchBuild) }

func benchBuild(b *testing.B, c filterCase, keys []uint64) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := filters.Build(c.kind, keys, c.options()); err != nil {
			b.Fatal(err)
		}
	}
	reportPerKey(b, len(keys))
}

// BenchmarkFilterBuildReused: one operation builds one filter in the memory of the
// one before.
func BenchmarkFilterBuildReused(b *testing.B) {
	benchFilters(b, kindCases(), func(b *testing.B, c filterCase, keys []uint64) { benchReused(b, c, keys, 1) })
}

// BenchmarkFilterBuildParallel is BenchmarkFilterBuildReused of large filters with one
// or two workers.
func BenchmarkFilterBuildParallel(b *testing.B) {
	benchFilters(b, kindCases(), func(b *testing.B, c filterCase, keys []uint64) {
		if len(keys) < 100_000 {
			return
		}
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) { benchReused(b, c, keys, workers) })
		}
	})
}

func benchReused(b *testing.B, c filterCase, keys []uint64, workers int) {
	var builder filters.Builder
	opt := c.options()
	opt.Workers = workers
	build := func() {
		if _, err := builder.Build(c.kind, keys, opt); err != nil {
			b.Fatal(err)
		}
	}
	build() // gets the memory
	b.ReportAllocs()
	for b.Loop() {
		build()
	}
	reportPerKey(b, len(keys))
}

// BenchmarkFilterContains: one operation asks for 4096 keys, one by one.
func BenchmarkFilterContains(b *testing.B) {
	benchFilters(b, kindCases(), func(b *testing.B, c filterCase, keys []uint64) {
		f := c.build(b, keys)
		b.Run("case=hit", func(b *testing.B) { benchAsk(b, one(f), hits(keys), asked, true) })
		b.Run("case=miss", func(b *testing.B) { benchAsk(b, one(f), misses(pool), asked, false) })
	})
}

// BenchmarkFilterContainsBatch: one operation asks for 4096 keys at once or, in
// ascending order, for as many as there are in the filter: that is how sorted lists
// are merged.
func BenchmarkFilterContainsBatch(b *testing.B) {
	benchFilters(b, kindCases(), func(b *testing.B, c filterCase, keys []uint64) {
		f := c.build(b, keys)
		b.Run("case=hit/order=random", func(b *testing.B) { benchAsk(b, batch(f), hits(keys), asked, true) })
		b.Run("case=miss/order=random", func(b *testing.B) { benchAsk(b, batch(f), misses(pool), asked, false) })
		others := misses(len(keys))
		b.Run("case=hit/order=ascending", func(b *testing.B) { benchAsk(b, batch(f), slices.Sorted(slices.Values(keys)), len(keys), true) })
		b.Run("case=miss/order=ascending", func(b *testing.B) { benchAsk(b, batch(f), slices.Sorted(slices.Values(others)), len(keys), false) })
	})
}

// BenchmarkFilterEncode: one operation encodes one filter into the same memory.
func BenchmarkFilterEncode(b *testing.B) { benchFilters(b, kindCases(), benchEncode) }

func benchEncode(b *testing.B, c filterCase, keys []uint64) {
	f := c.build(b, keys)
	buf := f.AppendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		buf = f.AppendTo(buf[:0])
	}
	reportPerKey(b, len(keys))
}

// BenchmarkFilterDecode: one operation decodes one filter into new memory.
func BenchmarkFilterDecode(b *testing.B) { benchFilters(b, kindCases(), benchDecode) }

func benchDecode(b *testing.B, c filterCase, keys []uint64) {
	data := c.build(b, keys).AppendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := filters.Decode(data, filters.Limits{MaxKeys: 1 << 24, MaxBytes: 1 << 30}); err != nil {
			b.Fatal(err)
		}
	}
	reportPerKey(b, len(keys))
}

// BenchmarkFilterQuality reports what does not depend on time: the size of the
// encoding, and the share that is let through of 2^18 other keys, always the same.
// The module in bench/peers asks for more of them.
func BenchmarkFilterQuality(b *testing.B) {
	benchFilters(b, filterCases(), func(b *testing.B, c filterCase, keys []uint64) { benchQuality(b, c, keys, 1<<18) })
}

func benchQuality(b *testing.B, c filterCase, keys []uint64, probes int) {
	var f filters.Filter
	for b.Loop() {
		f = c.build(b, keys)
	}
	if f.Kind() != c.kind {
		b.Fatalf("got a %v", f.Kind())
	}
	b.ReportMetric(filters.BitsPerKey(f), "bits/key")
	b.ReportMetric(float64(batch(f)(filterstest.Keys(3, probes)))/float64(probes), "fpr")
}

const (
	asked = 4096     // keys for which one operation asks
	pool  = 64 << 12 // keys from which operations take theirs in turn: too many for a branch predictor to learn
)

// one returns a function that asks f for keys one by one and counts what it lets through.
func one(f filters.Filter) func(keys []uint64) int {
	return func(keys []uint64) (found int) {
		for _, key := range keys {
			if f.Contains(key) {
				found++
			}
		}
		return found
	}
}

// batch is like one, but asks for all keys at once.
func batch(f filters.Filter) func(keys []uint64) int {
	var in []uint64
	return func(keys []uint64) (found int) {
		if len(in) != (len(keys)+63)/64 {
			in = make([]uint64, (len(keys)+63)/64)
		}
		f.ContainsBatch(keys, in)
		for _, word := range in {
			found += bits.OnesCount64(word)
		}
		return found
	}
}

// benchAsk asks for size keys after the other of from, and expects all to be found
// if they are of the set.
func benchAsk(b *testing.B, ask func(keys []uint64) int, from []uint64, size int, member bool) {
	found, next := 0, 0
	for b.Loop() {
		found += ask(from[next : next+size])
		if next += size; next+size > len(from) {
			next = 0
		}
	}
	if member && found != b.N*size {
		b.Fatalf("%d of %d keys found", found, b.N*size)
	}
	reportPerKey(b, size)
}

// hits returns keys of the set in an order of no pattern.
func hits(keys []uint64) []uint64 {
	ask := make([]uint64, pool)
	for i := range ask {
		ask[i] = keys[i*997%len(keys)]
	}
	return ask
}

// misses returns n keys that are in no set of a benchmark.
func misses(n int) []uint64 { return filterstest.Keys(2, n) }

// reportPerKey reports the time for each of the n keys that one operation handles.
func reportPerKey(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
}

// TestFilters runs each benchmark of a filter once, at 8 bits only where races are
// looked for.
func TestFilters(t *testing.T) {
	keys := filterstest.Keys(1, 1000)
	hit, miss := hits(keys), misses(pool)
	cases, probes := filterCases(), 1<<20
	if raceDetector {
		cases, probes = kindCases(), 1<<16
	}
	for _, c := range cases {
		f := c.build(t, keys)
		for name, bench := range map[string]func(*testing.B){
			"build":         func(b *testing.B) { benchBuild(b, c, keys) },
			"build, reused": func(b *testing.B) { benchReused(b, c, keys, 2) },
			"encode":        func(b *testing.B) { benchEncode(b, c, keys) },
			"decode":        func(b *testing.B) { benchDecode(b, c, keys) },
			"hit":           func(b *testing.B) { benchAsk(b, one(f), hit, asked, true) },
			"miss":          func(b *testing.B) { benchAsk(b, one(f), miss, asked, false) },
			"batch of hits": func(b *testing.B) { benchAsk(b, batch(f), hit, asked, true) },
			"batch":         func(b *testing.B) { benchAsk(b, batch(f), slices.Sorted(slices.Values(keys)), len(keys), true) },
		} {
			name = c.String() + ", " + name
			within(t, name, once(t, name, bench), "ns/key", 0.01, math.Inf(1))
		}
		if got, want := batch(f)(miss), one(f)(miss); got != want {
			t.Errorf("%v: a batch has %d keys, one by one it is %d", c, got, want)
		}
		testQuality(t, c, keys, probes)
	}
}

func testQuality(t *testing.T, c filterCase, keys []uint64, probes int) {
	m := once(t, c.String(), func(b *testing.B) { benchQuality(b, c, keys, probes) })
	// No filter is smaller than the bits of its rate; none here is 2.5 times that.
	within(t, c.String(), m, "bits/key", float64(c.bits), 2.5*float64(c.bits))
	// Above five standard deviations of the probes is no chance, and none stays far
	// below what it was asked for.
	rate := math.Ldexp(1, -c.bits)
	sigma := math.Sqrt(rate / float64(probes))
	within(t, c.String(), m, "fpr", max(0, rate/4-5*sigma), rate+5*sigma+1/float64(probes))
}
