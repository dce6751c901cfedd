package filters_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// shape is a way in which keys lie in time, and what it may cost at 8 bits.
type shape struct {
	name   string
	n      int
	bucket func(r *rand.Rand, i int) uint32 // of the i-th key

	bits  float64 // per key of the whole filter
	delta int     // bytes of a delta of 100 more keys in the bucket of the last one
}

func shapes() []shape {
	return []shape{
		{"steady", 1_000_000, func(_ *rand.Rand, i int) uint32 { return uint32(i / 1000) }, 8.18, 1200},
		{"steady, but for chance", 1_000_000, func(r *rand.Rand, _ int) uint32 { return r.Uint32N(1000) }, 8.20, 1250},
		{"few a bucket", 1_000_000, func(r *rand.Rand, _ int) uint32 { return r.Uint32N(100_000) }, 8.20, 1200},
		{"over all time", 1_000_000, func(r *rand.Rand, _ int) uint32 { return r.Uint32N(filters.MaxBucket + 1) }, 8.20, 1200},
		{"one a bucket, years apart", 10_000, func(_ *rand.Rand, i int) uint32 { return uint32(i) * 1600 }, 8.22, 1200},
		{"in bursts", 1_000_000, func(r *rand.Rand, i int) uint32 {
			return uint32(i/50_000)*700_000 + uint32(r.ExpFloat64()*5)
		}, 8.21, 4600},
		// Where a bucket has many segments, a few keys change as many: a kilobyte for each.
		{"all in one bucket", 100_000, func(*rand.Rand, int) uint32 { return 1 << 20 }, 8.21, 62_000},
		{"each bucket half of the one before", 1_000_000, func(r *rand.Rand, _ int) uint32 {
			return uint32(r.ExpFloat64() * 1.44)
		}, 8.20, 84_000},
		// The worst for the form: segments of one key, here one beside each node above bucket 0.
		{"a lone key at each turn", 1100, func(_ *rand.Rand, i int) uint32 { return 1 << i & filters.MaxBucket }, 10.3, 1300},
	}
}

// TestSegmentedShapes: however keys lie in time, the filter is small, and what is
// sent for a few more is little.
func TestSegmentedShapes(t *testing.T) {
	for _, shape := range shapes() {
		t.Run(shape.name, func(t *testing.T) {
			if filters.RaceDetector && shape.n > 100_000 {
				t.Skip("nothing here runs at once")
			}
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 1))
			keys := make([]uint64, shape.n)
			for i := range keys {
				keys[i] = filters.SegmentKey(shape.bucket(r, i), r.Uint64())
			}
			s := newSegments(t, keys)
			before := s.Filter()
			bits := filters.BitsPerKey(before)
			newest := uint32(keys[len(keys)-1] >> 40)
			for _, key := range filterstest.Keys(9, 100) {
				s.Add(filters.SegmentKey(newest, key))
			}
			delta := checkedDelta(t, s, before)
			t.Logf("%.3f bits per key; %d bytes for 100 keys more", bits, delta)
			if bits > shape.bits {
				t.Errorf("%.3f bits per key, want at most %.2f", bits, shape.bits)
			}
			if delta > shape.delta {
				t.Errorf("a delta of 100 keys takes %d bytes, want at most %d", delta, shape.delta)
			}
		})
	}
}

// TestSegmentedLateArrivals: keys for old buckets cost as much as those for new ones.
func TestSegmentedLateArrivals(t *testing.T) {
	if filters.RaceDetector {
		t.Skip("nothing here runs at once")
	}
	s := newSegments(t, steadyKeys(1_000_000))
	late := filterstest.Keys(9, 100)
	for _, test := range []struct {
		name    string
		buckets uint32
		most    int // bytes
	}{
		{"to one bucket", 1, 1200},
		{"to ten buckets", 10, 10_600},
		{"each to another bucket", 100, 105_000},
	} {
		before := s.Filter()
		for i, key := range late {
			s.Add(filters.SegmentKey(100+7*(uint32(i)%test.buckets), ^key))
		}
		delta := checkedDelta(t, s, before)
		t.Logf("%s: %d bytes", test.name, delta)
		if delta > test.most {
			t.Errorf("100 keys %s take %d bytes, want at most %d", test.name, delta, test.most)
		}
	}
}

// checkedDelta returns the length of the delta from a filter to the next one, which
// a peer has applied.
func checkedDelta(t testing.TB, s *filters.Segments, before *filters.SegmentedFilter) int {
	t.Helper()
	after := s.Filter()
	delta, ok := s.AppendDelta(nil, before.Generation())
	if !ok {
		t.Fatal("no delta from the last filter")
	}
	got, err := before.Apply(delta, filters.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.AppendTo(nil), after.AppendTo(nil)) {
		t.Fatal("the delta leads to another filter")
	}
	return len(delta)
}
