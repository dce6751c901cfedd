package filters_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// steadyKeys returns n keys in as many buckets as a thousandth of them, the newest
// of which, bucket n/1000-1, was the last to be written to.
func steadyKeys(n int) []uint64 {
	keys := filterstest.Keys(1, n)
	for i, key := range keys {
		keys[i] = filters.SegmentKey(uint32(i/1000), key)
	}
	return keys
}

// BenchmarkSegmented measures what a sender pays for a delta: the whole filter the
// first time, and later the bucket that keys were added to.
func BenchmarkSegmented(b *testing.B) {
	const n, added = 1_000_000, 100
	keys := steadyKeys(n)
	name := fmt.Sprintf("filter=segmented/bits=8/n=%d/case=", n)
	b.Run(name+"whole", func(b *testing.B) {
		b.ReportAllocs()
		var size int
		for b.Loop() {
			s := newSegments(b, keys)
			size = len(s.Filter().AppendTo(nil))
		}
		perKey(b, n)
		b.ReportMetric(float64(size), "wire-B")
		b.ReportMetric(float64(8*size)/n, "bits/key")
	})
	b.Run(name+"one-bucket", func(b *testing.B) {
		b.ReportAllocs()
		s := newSegments(b, keys)
		var buf []byte
		newest := bucketKeys(n/1000-1, added)
		for b.Loop() {
			since := s.Filter().Generation()
			if s.Add(newest...) == 0 {
				s.Remove(newest...)
			}
			s.Filter()
			buf, _ = s.AppendDelta(buf[:0], since)
		}
		b.ReportMetric(float64(len(buf)), "wire-B")
	})
	b.Run(name+"add-one", func(b *testing.B) {
		s := newSegments(b, keys)
		more := filterstest.Keys(2, n)
		next := 0
		for b.Loop() {
			s.Add(filters.SegmentKey(uint32(next/1000)%1000, more[next%n]))
			next++
		}
	})
}

// BenchmarkSegmentedBuild is Build with the promise of distinct keys, beside the
// filter of the same keys in one piece.
func BenchmarkSegmentedBuild(b *testing.B) {
	const n = 1_000_000
	keys := steadyKeys(n)
	for _, kind := range []filters.Kind{filters.Segmented, filters.Ribbon, filters.Golomb} {
		b.Run(fmt.Sprintf("filter=%v/bits=8/n=%d", kind, n), func(b *testing.B) {
			var builder filters.Builder
			for b.Loop() {
				if _, err := builder.Build(kind, keys, filters.Options{Bits: 8, Distinct: true}); err != nil {
					b.Fatal(err)
				}
			}
			perKey(b, n)
		})
	}
}

// BenchmarkSegmentedContains asks for all keys in ascending order, as a reader does,
// and in no order.
func BenchmarkSegmentedContains(b *testing.B) {
	const n = 1_000_000
	keys := steadyKeys(n)
	f := segmented(b, keys, filters.Options{})
	in := make([]uint64, (n+63)/64)
	for _, order := range []string{"none", "ascending"} {
		b.Run(fmt.Sprintf("filter=segmented/bits=8/n=%d/order=%s", n, order), func(b *testing.B) {
			for b.Loop() {
				f.ContainsBatch(keys, in)
			}
			perKey(b, n)
		})
		slices.Sort(keys)
	}
}

func newSegments(t testing.TB, keys []uint64) *filters.Segments {
	t.Helper()
	s, err := filters.NewSegments(filters.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Add(keys...)
	return s
}
