package filters

import (
	"fmt"
	"math"

	"github.com/FastFilter/xorfilter"
)

// Builder builds one filter after the other in the same memory. The zero value
// works. It must not be used by two goroutines at once.
type Builder struct {
	keys    []uint64 // a copy of the keys, sorted or for a construction that changes them
	sorted  bool     // the keys of this build ascend
	workers int      // goroutines that this build may use, at least 1

	spare      []uint64 // scratch of sortDistinct and golomb
	small      []uint32 // of golomb: places, where they are below 2^32,
	smallSpare []uint32 // and scratch for sorting them

	fuse   xorfilter.BinaryFuseBuilder
	ribbon ribbonBuilder

	// The filters that b returned, to be filled again. They are not part of b itself
	// lest a filter that outlives its builder keep all of the memory above.
	lastBloom  *bloomFilter
	lastFuse8  *fuseFilter[uint8]
	lastFuse16 *fuseFilter[uint16]
	lastList   *listFilter
	lastGolomb *golombFilter
}

// Build is [Build], but for the memory: the filter that it returns is valid until
// the next call of b.Build, and a call that needs no more memory than the ones
// before allocates nothing. There are three exceptions. Xor8 is built in fresh
// memory every time, as its library offers nothing else, and so is Segmented, whose
// filters share their segments. A Bloom filter of another size or rate than the one
// before takes two small objects.
func (b *Builder) Build(kind Kind, keys []uint64, opt Options) (Filter, error) {
	s, ok := schemeOf(kind)
	if kind == Smallest {
		s, ok = scheme{name: "the smallest", rate: 0x1p-8}, true
	}
	if !ok {
		return nil, fmt.Errorf("%w: %d", ErrUnknownKind, uint8(kind))
	}
	rate, err := opt.rate(s)
	if err != nil {
		return nil, err
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("%w: %d keys, at most %d", ErrTooLarge, len(keys), maxKeys)
	}
	b.workers = max(1, opt.Workers)
	if b.sorted = !opt.Distinct; b.sorted {
		keys = b.sortDistinct(keys)
	}
	if kind == Smallest {
		kind, s = smallest(max(1, len(keys)), rate)
	}
	if len(keys) == 0 {
		return emptyFilter(kind), nil
	}
	if s.tooLarge(len(keys), rate) {
		return nil, fmt.Errorf("%w: a %s filter of %d keys at rate %v", ErrTooLarge, s.name, len(keys), rate)
	}
	return s.build(b, keys, rate)
}

// smallest returns the kind with the smallest encoding of n keys at the rate; the
// first of them if there are several.
func smallest(n int, rate float64) (best Kind, of scheme) {
	least := math.MaxInt
	for kind := Kind(1); ; kind++ {
		s, ok := schemeOf(kind)
		if !ok {
			return best, of
		}
		if s.size == nil || rate < s.least {
			continue
		}
		if size := s.size(n, rate); size >= 0 && size < least {
			best, of, least = kind, s, size
		}
	}
}

// tooLarge reports whether a filter of n keys might take more than maxEncoding. No key
// takes 16 bytes. Clustered keys make a List or a Golomb larger than its expected
// size, by less than half a bit each: an eighth of a byte is allowed for.
func (s scheme) tooLarge(n int, rate float64) bool {
	return n > maxEncoding/16 && s.size != nil && s.size(n, rate)+n/8 > maxEncoding
}

// copied returns keys in memory of b, for a build that changes them.
func (b *Builder) copied(keys []uint64) []uint64 {
	b.keys = append(b.keys[:0], keys...)
	return b.keys
}

// again returns the filter that last points to, and makes it point to a new one
// the first time.
func again[T any](last **T) *T {
	if *last == nil {
		*last = new(T)
	}
	return *last
}

// answerWords returns the words of in that answer keys. It panics if in is shorter
// than they, even if it has room for them.
func answerWords(keys, in []uint64) []uint64 {
	return in[: (len(keys)+63)/64 : len(in)]
}

// keysOf returns the keys that word w of the answers is about.
func keysOf(keys []uint64, w int) []uint64 {
	return keys[64*w : min(64*w+64, len(keys))]
}
