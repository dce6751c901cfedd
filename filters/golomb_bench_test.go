package filters

import (
	"fmt"
	"slices"
	"testing"
)

// benchmarkGolomb runs bench for golomb at several rates and numbers of keys, with
// a filter of the keys. An operation is about all keys.
func benchmarkGolomb(b *testing.B, bench func(b *testing.B, keys []uint64, f *golombFilter)) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		keys := uniformKeys(1, n)
		for _, r := range []int{5, 8, 16, 32} {
			f := golombOf(b, keys, r)
			b.Run(fmt.Sprintf("filter=golomb/bits=%d/n=%d", r, n), func(b *testing.B) {
				bench(b, keys, f)
				reportKeys(b, n, f)
			})
		}
	}
}

func reportKeys(b *testing.B, n int, f Filter) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
	b.ReportMetric(BitsPerKey(f), "bits/key")
}

// BenchmarkGolombBuild builds in reused memory, from keys in no order; fuse8 beside
// it is the peer.
func BenchmarkGolombBuild(b *testing.B) {
	benchmarkGolomb(b, func(b *testing.B, keys []uint64, f *golombFilter) {
		benchmarkBuilder(b, Golomb, keys, Options{Bits: f.r, Distinct: true})
	})
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("filter=fuse8/bits=8/n=%d", n), func(b *testing.B) {
			reportKeys(b, n, benchmarkBuilder(b, Fuse8, uniformKeys(1, n), Options{Distinct: true}))
		})
	}
}

func benchmarkBuilder(b *testing.B, kind Kind, keys []uint64, opt Options) (f Filter) {
	var builder Builder
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if f, err = builder.Build(kind, keys, opt); err != nil {
			b.Fatal(err)
		}
	}
	return f
}

func BenchmarkGolombDecode(b *testing.B) {
	benchmarkGolomb(b, func(b *testing.B, _ []uint64, f *golombFilter) {
		encoding := f.AppendTo(nil)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(encoding, Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkGolombBatch asks for as many keys as the filter has: its own ascending,
// others ascending, and others in no order.
func BenchmarkGolombBatch(b *testing.B) {
	ascending := func(keys []uint64) []uint64 { return slices.Sorted(slices.Values(keys)) }
	for name, ask := range map[string]func(keys []uint64) []uint64{
		"merge/hit=true":  ascending,
		"merge/hit=false": func(keys []uint64) []uint64 { return ascending(uniformKeys(2, len(keys))) },
		"seek/hit=false":  func(keys []uint64) []uint64 { return uniformKeys(2, len(keys)) },
	} {
		b.Run(name, func(b *testing.B) {
			benchmarkGolomb(b, func(b *testing.B, keys []uint64, f *golombFilter) {
				asked := ask(keys)
				in := make([]uint64, (len(keys)+63)/64)
				b.ResetTimer()
				for b.Loop() {
					f.ContainsBatch(asked, in)
				}
			})
		})
	}
}

func BenchmarkGolombContains(b *testing.B) {
	benchmarkGolomb(b, func(b *testing.B, keys []uint64, f *golombFilter) {
		others, found := uniformKeys(2, len(keys)), 0
		for b.Loop() {
			for _, key := range others {
				if f.Contains(key) {
					found++
				}
			}
		}
		if found == b.N*len(keys) {
			b.Fatal("everything is let through")
		}
	})
}
