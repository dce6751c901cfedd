package filters_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// rates lists the rates at which a kind goes through the suite; kinds that are
// not listed have only one.
var rates = map[filters.Kind][]float64{
	filters.Bloom:     {0.7, 0x1p-8, 0.000345, 0x1p-24},
	filters.Xor8:      {0x1p-8},
	filters.Fuse8:     {0x1p-8},
	filters.Fuse16:    {0x1p-16},
	filters.List:      {0.9, 0x1p-40, 0x1p-64},
	filters.Ribbon:    {0x1p-1, 0x1p-5, 0x1p-8, 0x1p-16, 0x1p-32},
	filters.Golomb:    {0x1p-1, 0x1p-5, 0x1p-8, 0x1p-16, 0x1p-32},
	filters.Segmented: {0x1p-4, 0x1p-8, 0x1p-16},
	filters.Smallest:  {0x1p-8},
}

// exact reports whether a kind has just the rate that it is asked for: Golomb does
// where hardly any two keys have one place.
func exact(kind filters.Kind, rate float64) bool {
	switch kind {
	case filters.Xor8, filters.Fuse8, filters.Fuse16, filters.Ribbon:
		return true
	case filters.Golomb:
		return rate <= 0x1p-8
	}
	return false
}

// steady reports whether a Builder that has the memory makes the kind without
// allocating. The library of the fuse kinds relies on a compiler that grows slices in
// place, which it does not for the race detector.
func steady(kind filters.Kind) bool {
	switch kind {
	case filters.Fuse8, filters.Fuse16, filters.Smallest:
		return !filters.RaceDetector
	case filters.List, filters.Ribbon, filters.Golomb:
		return true
	}
	return false
}

func TestConformance(t *testing.T) {
	for _, kind := range append(filters.Kinds(), filters.Smallest) {
		if len(rates[kind]) == 0 {
			t.Errorf("no rate to examine %v at", kind)
		}
		for _, rate := range rates[kind] {
			t.Run(fmt.Sprintf("%v/bits=%.4g", kind, -math.Log2(rate)), func(t *testing.T) {
				filterstest.Run(t, filterstest.Target{
					Kind: kind, Options: filters.Options{FalsePositiveRate: rate}, Rate: rate, Exact: exact(kind, rate), Steady: steady(kind),
				})
			})
		}
	}
}

// TestDefaultRate: a caller who names no rate gets that of the kind.
func TestDefaultRate(t *testing.T) {
	for kind, rate := range map[filters.Kind]float64{
		filters.Bloom: 0x1p-8, filters.Xor8: 0x1p-8, filters.Fuse8: 0x1p-8, filters.Fuse16: 0x1p-16, filters.List: 0x1p-40,
		filters.Ribbon: 0x1p-8, filters.Golomb: 0x1p-8, filters.Segmented: 0x1p-8, filters.Smallest: 0x1p-8,
	} {
		keys := filterstest.Keys(1, 1000)
		got := mustBuild(t, kind, keys, filters.Options{}).AppendTo(nil)
		want := mustBuild(t, kind, keys, filters.Options{FalsePositiveRate: rate}).AppendTo(nil)
		if string(got) != string(want) {
			t.Errorf("%v: the zero rate is not %g", kind, rate)
		}
	}
}

// TestFuseSizes builds the kinds of the xor family at sizes where constructions
// need several attempts: those near 11 500, and both sides of every step of the
// fuse filter's segment length, which grows where n passes a power of 3.33.
func TestFuseSizes(t *testing.T) {
	var sizes []int
	for n := 11_480; n <= 11_521; n++ {
		sizes = append(sizes, n)
	}
	for exponent := 3; ; exponent++ {
		edge := int(math.Pow(3.33, float64(exponent)-2.25))
		if edge > 1<<17 {
			break
		}
		for n := max(1, edge-1); n <= edge+1; n++ {
			sizes = append(sizes, n)
		}
	}
	most := sizes[len(sizes)-1]
	keys := filterstest.Keys(3, most)
	var builder filters.Builder
	in := make([]uint64, (most+63)/64)
	for _, kind := range []filters.Kind{filters.Xor8, filters.Fuse8, filters.Fuse16} {
		for _, n := range sizes {
			f, err := builder.Build(kind, keys[:n], filters.Options{Distinct: true})
			if err != nil {
				t.Fatal(err)
			}
			if f.Kind() != kind || f.Len() != n {
				t.Fatalf("built a %v of %d keys, want a %v of %d", f.Kind(), f.Len(), kind, n)
			}
			f.ContainsBatch(keys[:n], in)
			for i := range n {
				if in[i/64]>>(i%64)&1 == 0 {
					t.Fatalf("a %v of %d keys denies key %d", kind, n, i)
				}
			}
		}
	}
}

func mustBuild(t testing.TB, kind filters.Kind, keys []uint64, opt filters.Options) filters.Filter {
	t.Helper()
	f, err := filters.Build(kind, keys, opt)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
