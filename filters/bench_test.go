package filters_test

import (
	"fmt"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// benchmark runs bench for each kind and number of keys, over keys and a filter of them.
func benchmark(b *testing.B, bench func(b *testing.B, kind filters.Kind, keys []uint64, f filters.Filter)) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		keys := filterstest.Keys(1, n)
		for _, kind := range filters.Kinds() {
			f, err := filters.Build(kind, keys, filters.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("filter=%v/n=%d", kind, n), func(b *testing.B) { bench(b, kind, keys, f) })
		}
	}
}

// perKey reports the time of one of n keys, of which every operation handled all.
func perKey(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
}

func BenchmarkBuild(b *testing.B) {
	benchmark(b, func(b *testing.B, kind filters.Kind, keys []uint64, f filters.Filter) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := filters.Build(kind, keys, filters.Options{}); err != nil {
				b.Fatal(err)
			}
		}
		perKey(b, len(keys))
		b.ReportMetric(filters.BitsPerKey(f), "bits/key")
	})
}

func BenchmarkContains(b *testing.B) {
	const asked = 4096
	others := filterstest.Keys(2, asked)
	for _, hit := range []bool{true, false} {
		b.Run(fmt.Sprintf("hit=%v", hit), func(b *testing.B) {
			benchmark(b, func(b *testing.B, _ filters.Kind, keys []uint64, f filters.Filter) {
				found, next := 0, 0
				for b.Loop() {
					ask := others
					if hit {
						ask = keys[next:min(next+asked, len(keys))]
						next = (next + asked) % max(1, len(keys)-asked)
					}
					for i := range asked {
						if f.Contains(ask[i%len(ask)]) {
							found++
						}
					}
				}
				if hit && found != b.N*asked {
					b.Fatalf("%d of %d found", found, b.N*asked)
				}
				perKey(b, asked)
				b.ReportMetric(filters.BitsPerKey(f), "bits/key")
			})
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	benchmark(b, func(b *testing.B, _ filters.Kind, keys []uint64, f filters.Filter) {
		var buf []byte
		for b.Loop() {
			buf = f.AppendTo(buf[:0])
		}
		perKey(b, len(keys))
		b.ReportMetric(float64(8*len(buf))/float64(len(keys)), "bits/key")
	})
}

func BenchmarkDecode(b *testing.B) {
	benchmark(b, func(b *testing.B, _ filters.Kind, keys []uint64, f filters.Filter) {
		encoding := f.AppendTo(nil)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := filters.Decode(encoding, filters.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
		perKey(b, len(keys))
		b.ReportMetric(float64(8*len(encoding))/float64(len(keys)), "bits/key")
	})
}

func BenchmarkKey(b *testing.B) {
	var salt filters.Salt
	var id [32]byte
	for b.Loop() {
		id[0] = byte(salt.Key(id))
	}
}
