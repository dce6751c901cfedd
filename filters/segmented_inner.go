package filters

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/dwn-sync/dwnsync/filters/internal/ribbon"
)

// segment is the filter of the keys of one interval. It is immutable.
type segment struct {
	Interval
	n     int    // keys, 1..segmentKeys
	sum   uint64 // of the mixed keys, modulo 2^64; of one key it is that key
	inner Filter // of the mixed keys; nil if n = 1
	bytes int    // length of the body of inner

	digest uint64 // what the segment adds to the generation of a filter
}

// mix is a bijection of keys, the finaliser of splitmix64. The keys of a segment
// share their upper bits, and the filter inside wants them uniform. Steele, Lea and
// Flood, "Fast splittable pseudorandom number generators", 2014.
func mix(key uint64) uint64 {
	key = (key ^ key>>30) * 0xbf58476d1ce4e5b9
	key = (key ^ key>>27) * 0x94d049bb133111eb
	return key ^ key>>31
}

// unmix is the inverse of mix.
func unmix(mixed uint64) uint64 {
	mixed = (mixed ^ mixed>>31 ^ mixed>>62) * 0x319642b2d24d8ec3
	mixed = (mixed ^ mixed>>27 ^ mixed>>54) * 0x96de1b173f119089
	return mixed ^ mixed>>30 ^ mixed>>60
}

// digestOf returns the digest of a segment of n keys in a filter of so many bits.
func digestOf(i Interval, n int, sum uint64, bits int) uint64 {
	const odd = 0x9e3779b97f4a7c15
	h := mix(i.Prefix + odd)
	h = mix(h ^ uint64(bits)<<32 ^ uint64(i.Bits)<<16 ^ uint64(n))
	return mix(h + sum)
}

// passes reports whether key, of the interval of s, may be in the set.
func (s *segment) passes(key uint64) bool {
	if s.inner == nil {
		return mix(key) == s.sum
	}
	return s.inner.Contains(mix(key))
}

// passesRun returns the answers for up to 64 keys of the interval of s.
func (s *segment) passesRun(keys []uint64) (answers uint64) {
	const fewest = 8 // keys for which a batch pays
	if f, ok := s.inner.(*ribbonFilter); ok && len(keys) >= fewest {
		var mixed [64]uint64
		var in [1]uint64
		for i, key := range keys {
			mixed[i] = mix(key)
		}
		f.ContainsBatch(mixed[:len(keys)], in[:])
		return in[0]
	}
	for i, key := range keys {
		if s.passes(key) {
			answers |= 1 << i
		}
	}
	return answers
}

const (
	// segmentMemory is what a segment takes in memory but for the filter inside.
	segmentMemory = int(unsafe.Sizeof(segment{}) + unsafe.Sizeof(entry{}))
	// memoryNotCounted is what a filter may take beyond a limit.
	memoryNotCounted = 512
)

// memory returns an upper bound of the bytes of memory that s and its entry take.
func (s *segment) memory(bits int) int {
	if s.inner == nil {
		return segmentMemory
	}
	return segmentMemory + innerMemory(s.inner.Kind(), s.n, s.bytes, bits)
}

// innerMemory returns an upper bound of the memory of a filter inside a segment.
func innerMemory(kind Kind, n, bytes, bits int) int {
	const fixed = 192 // its fields, and what an allocator rounds up short slices by
	size := golombMemory(bytes)
	if kind == Ribbon {
		size = int(ribbon.Memory(8*bytes/bits, ribbon.Shards(n), bits))
	}
	return fixed + size + size/8 // allocators round up by an eighth
}

// isInner reports whether a segment may have a filter of the kind inside. Ribbon is
// the smallest for all n and rates; where it cannot be built, Golomb takes its place.
func isInner(kind Kind) bool { return kind == Ribbon || kind == Golomb }

// innerBits returns the rate that a body of one of these kinds states, as r of 2^-r.
func innerBits(kind Kind, body []byte) int {
	if kind == Ribbon {
		return int(body[0])%ribbon.MaxBits + 1
	}
	return int(body[0])
}

// pending is a segment that is to be built of keys, which ascend.
type pending struct {
	Interval
	keys []uint64
}

// segmentBuilder builds one segment after the other in the same memory.
type segmentBuilder struct {
	builder Builder
	mixed   []uint64
	scratch []byte
}

func (b *segmentBuilder) build(p pending, bits int) *segment {
	s := &segment{Interval: p.Interval, n: len(p.keys)}
	b.mixed = b.mixed[:0]
	for _, key := range p.keys {
		mixed := mix(key)
		s.sum += mixed
		b.mixed = append(b.mixed, mixed)
	}
	s.digest = digestOf(s.Interval, s.n, s.sum, bits)
	if s.n == 1 {
		return s
	}
	// The filter lies in memory that the next build takes, so it is decoded into its own.
	f, err := b.builder.Build(Ribbon, b.mixed, Options{Bits: bits, Distinct: true})
	if err != nil {
		panic(fmt.Sprintf("filters: segment of %d keys: %v", s.n, err))
	}
	b.scratch = f.AppendTo(b.scratch[:0])
	body := b.scratch[headerSize : len(b.scratch)-checksumSize]
	of, _ := schemeOf(f.Kind())
	if s.inner, err = of.decode(s.n, body, math.MaxInt); err != nil {
		panic(fmt.Sprintf("filters: segment of %d keys: %v", s.n, err))
	}
	s.bytes = len(body)
	return s
}

// buildSegments builds all of work, in the order of work, by up to so many workers.
func buildSegments(work []pending, bits, workers int, own *segmentBuilder) []*segment {
	const fewest = 8 // segments for which another goroutine pays
	segments := make([]*segment, len(work))
	workers = min(workers, len(work)/fewest)
	if workers <= 1 {
		for i, p := range work {
			segments[i] = own.build(p, bits)
		}
		return segments
	}
	var group sync.WaitGroup
	var next atomic.Int64
	for range workers {
		group.Go(func() {
			var b segmentBuilder
			for i := next.Add(1) - 1; i < int64(len(work)); i = next.Add(1) - 1 {
				segments[i] = b.build(work[i], bits)
			}
		})
	}
	group.Wait()
	return segments
}
