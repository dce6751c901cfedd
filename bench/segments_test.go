package bench

import (
	"fmt"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

const (
	buckets    = 1000
	additional = 100 // keys that come and go between two generations
)

// bucketed has n keys in the buckets, as many in each, and additional others in the
// newest bucket and in all of them.
type bucketed struct {
	keys, newest, scattered []uint64
}

func newBucketed(n int) bucketed {
	var s bucketed
	for i, key := range filterstest.Keys(1, n) {
		s.keys = append(s.keys, filters.SegmentKey(uint32(i%buckets), key))
	}
	for i, key := range filterstest.Keys(2, additional) {
		s.newest = append(s.newest, filters.SegmentKey(buckets-1, key))
		s.scattered = append(s.scattered, filters.SegmentKey(uint32(i*buckets/additional), key))
	}
	return s
}

// BenchmarkFilterSegmented: one operation builds a segmented filter from nothing and
// encodes it (case=whole); or adds 100 keys to the newest bucket or to all buckets
// and encodes the difference, and so does the next, which removes them again
// (case=newest, case=scattered); or applies such a difference (case=apply).
func BenchmarkFilterSegmented(b *testing.B) {
	sizes := []int{100_000, 1_000_000} // the larger is what a target is about
	if *huge {
		sizes = append(sizes, 10_000_000)
	}
	for _, n := range sizes {
		s := newBucketed(n)
		name := fmt.Sprintf("n=%d/buckets=%d/case=", n, buckets)
		b.Run(name+"whole", func(b *testing.B) { benchWhole(b, s) })
		b.Run(name+"newest", func(b *testing.B) { benchUpdate(b, s, s.newest) })
		b.Run(name+"scattered", func(b *testing.B) { benchUpdate(b, s, s.scattered) })
		b.Run(name+"apply", func(b *testing.B) { benchApply(b, s, s.newest) })
	}
}

func segmentsOf(tb testing.TB, keys []uint64) *filters.Segments {
	tb.Helper()
	s, err := filters.NewSegments(filters.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if added := s.Add(keys...); added != len(keys) {
		tb.Fatalf("%d of %d keys were new", added, len(keys))
	}
	return s
}

func benchWhole(b *testing.B, s bucketed) {
	var whole []byte
	b.ReportAllocs()
	for b.Loop() {
		whole = segmentsOf(b, s.keys).Filter().AppendTo(whole[:0])
	}
	reportPerKey(b, len(s.keys))
	b.ReportMetric(float64(len(whole)), "whole-B/op")
}

func benchUpdate(b *testing.B, s bucketed, change []uint64) {
	segments := segmentsOf(b, s.keys)
	last := segments.Filter()
	whole := len(last.AppendTo(nil))
	var delta []byte
	total := 0
	b.ReportAllocs()
	for b.Loop() {
		since := last.Generation()
		if last.Len() == len(s.keys) {
			segments.Add(change...)
		} else {
			segments.Remove(change...)
		}
		last = segments.Filter()
		var ok bool
		if delta, ok = segments.AppendDelta(delta[:0], since); !ok {
			b.Fatal("the last generation is forgotten")
		}
		total += len(delta)
	}
	b.ReportMetric(float64(total)/float64(b.N), "delta-B/op")
	b.ReportMetric(float64(whole), "whole-B/op")
}

func benchApply(b *testing.B, s bucketed, change []uint64) {
	segments := segmentsOf(b, s.keys)
	before := segments.Filter()
	segments.Add(change...)
	want := segments.Filter().Generation()
	delta, ok := segments.AppendDelta(nil, before.Generation())
	if !ok {
		b.Fatal("the last generation is forgotten")
	}
	b.ReportAllocs()
	for b.Loop() {
		after, err := before.Apply(delta, filters.Limits{MaxBytes: 1 << 30})
		if err != nil {
			b.Fatal(err)
		}
		if after.Generation() != want {
			b.Fatal("another generation")
		}
	}
}

// TestSegmented runs each benchmark of Segments once. Little is sent for keys in the
// newest bucket, much for keys everywhere.
func TestSegmented(t *testing.T) {
	s := newBucketed(50_000)
	whole := once(t, "whole", func(b *testing.B) { benchWhole(b, s) })
	within(t, "whole", whole, "whole-B/op", 50_000, 3*50_000)
	all := whole["whole-B/op"]
	newest := once(t, "newest", func(b *testing.B) { benchUpdate(b, s, s.newest) })
	within(t, "newest", newest, "delta-B/op", 100, all/20)
	within(t, "newest", newest, "whole-B/op", all, all)
	scattered := once(t, "scattered", func(b *testing.B) { benchUpdate(b, s, s.scattered) })
	within(t, "scattered", scattered, "delta-B/op", all/20, 1.2*all)
	once(t, "apply", func(b *testing.B) { benchApply(b, s, s.newest) })
}
