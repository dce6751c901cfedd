package filters_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/FastFilter/xorfilter"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

var hugeRibbon = flag.Bool("huge", false, "measure ribbon filters of ten million keys too")

// ribbonBenchmark runs two things in turn, one of a ribbon filter and the same of
// xorfilter's 8-bit binary fuse filter, as the machine may be busy at times. It
// reports both medians by key, and the median of the ratios, below 1 if ribbon is faster.
func ribbonBenchmark(b *testing.B, keys int, ribbon, fuse func()) {
	ribbon()
	fuse()
	var ours, theirs, ratios []float64
	for b.Loop() {
		start := time.Now()
		ribbon()
		between := time.Now()
		fuse()
		our, their := float64(between.Sub(start)), float64(time.Since(between))
		ours, theirs, ratios = append(ours, our), append(theirs, their), append(ratios, our/their)
	}
	b.ReportMetric(middle(ours)/float64(keys), "ns/key")
	b.ReportMetric(middle(theirs)/float64(keys), "fuse8-ns/key")
	b.ReportMetric(middle(ratios), "x-fuse8")
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func ribbonNumbers() []int {
	numbers := []int{1000, 10_000, 100_000, 1_000_000}
	if *hugeRibbon {
		numbers = append(numbers, 10_000_000)
	}
	return numbers
}

func BenchmarkRibbonBuild(b *testing.B) {
	for _, n := range ribbonNumbers() {
		keys := filterstest.Keys(1, n)
		for _, bits := range []int{5, 8, 16, 32} {
			b.Run(fmt.Sprintf("filter=ribbon/bits=%d/n=%d", bits, n), func(b *testing.B) {
				var ours filters.Builder
				var theirs xorfilter.BinaryFuseBuilder
				var f filters.Filter
				var err error
				ribbonBenchmark(b, n, func() {
					if f, err = ours.Build(filters.Ribbon, keys, filters.Options{Bits: bits, Distinct: true}); err != nil {
						b.Fatal(err)
					}
				}, func() {
					if _, err := xorfilter.BuildBinaryFuse[uint8](&theirs, keys); err != nil {
						b.Fatal(err)
					}
				})
				b.ReportMetric(filters.BitsPerKey(f), "bits/key")
			})
		}
	}
}

// BenchmarkRibbonContains compares ContainsBatch with Contains of the fuse filter,
// which has no other way to ask; half of the keys are in the set.
func BenchmarkRibbonContains(b *testing.B) {
	const asked = 1 << 18
	for _, n := range ribbonNumbers() {
		keys := filterstest.Keys(1, n)
		ask := filterstest.Keys(2, asked)
		for i := 0; i < asked; i += 2 {
			ask[i] = keys[ask[i]%uint64(n)]
		}
		in := make([]uint64, asked/64)
		fuse, err := xorfilter.NewBinaryFuse[uint8](slices.Clone(keys))
		if err != nil {
			b.Fatal(err)
		}
		for _, bits := range []int{5, 8, 16, 32} {
			f, err := filters.Build(filters.Ribbon, keys, filters.Options{Bits: bits, Distinct: true})
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("filter=ribbon/bits=%d/n=%d", bits, n), func(b *testing.B) {
				found := 0
				ribbonBenchmark(b, asked, func() { f.ContainsBatch(ask, in) }, func() {
					for _, key := range ask {
						if fuse.Contains(key) {
							found++
						}
					}
				})
				if found == 0 {
					b.Fatal("nothing found")
				}
			})
		}
	}
}

// BenchmarkRibbonWorkers reports how many times faster two workers are than one.
func BenchmarkRibbonWorkers(b *testing.B) {
	n := 1_000_000
	if *hugeRibbon {
		n = 10_000_000
	}
	keys := filterstest.Keys(1, n)
	b.Run(fmt.Sprintf("filter=ribbon/bits=8/n=%d/workers=2", n), func(b *testing.B) {
		var one, two filters.Builder
		build := func(builder *filters.Builder, workers int) time.Duration {
			start := time.Now()
			if _, err := builder.Build(filters.Ribbon, keys, filters.Options{Distinct: true, Workers: workers}); err != nil {
				b.Fatal(err)
			}
			return time.Since(start)
		}
		build(&one, 1)
		build(&two, 2)
		var ratios []float64
		for b.Loop() {
			ratios = append(ratios, float64(build(&one, 1))/float64(build(&two, 2)))
		}
		b.ReportMetric(middle(ratios), "x-one-worker")
	})
}
