package filters

import (
	"errors"
	"fmt"
	"math"
)

// Kind names a family of filters. Its numbers travel: they are never changed
// nor given away again.
type Kind uint8

// The kinds of this version. The package comment compares them.
const (
	Bloom  Kind = 1 // bits set at k positions of each key
	Xor8   Kind = 2 // xor filter with 8-bit fingerprints
	Fuse8  Kind = 3 // binary fuse filter with 8-bit fingerprints
	Fuse16 Kind = 4 // binary fuse filter with 16-bit fingerprints
	List   Kind = 5 // the sorted keys themselves, shortened
)

// Smallest is no kind of its own: it asks [Build] for the kind with the smallest
// encoding for the number of keys and the rate.
const Smallest Kind = 0

// The errors of this package, to be tested for with [errors.Is].
var (
	// ErrUnknownKind: a kind or its name is none of this version.
	ErrUnknownKind = errors.New("filters: unknown kind")
	// ErrRate: a false positive rate is not in (0,1), or lower than the kind can give.
	ErrRate = errors.New("filters: false positive rate")
	// ErrTooLarge: more keys or bytes than the limits, or the format, allow.
	ErrTooLarge = errors.New("filters: too large")
	// ErrVersion: an encoding is of a version that this package does not read.
	ErrVersion = errors.New("filters: unknown version")
	// ErrMalformed: bytes are no encoding of a filter.
	ErrMalformed = errors.New("filters: malformed encoding")
	// ErrChecksum: the checksum of an encoding does not fit it. It is a kind of ErrMalformed.
	ErrChecksum = fmt.Errorf("%w: checksum", ErrMalformed)
)

// A Filter answers whether a key is in a set: always yes for a key of the set,
// and yes with a small chance, the false positive rate, for any other. It is
// immutable and safe for concurrent use.
type Filter interface {
	// Kind returns the kind of the filter.
	Kind() Kind
	// Len returns the number of distinct keys of the set.
	Len() int
	// Contains reports whether key may be in the set. It does not allocate.
	Contains(key uint64) bool
	// ContainsBatch asks for all keys at once, which lets the misses of the cache
	// overlap. Bit i mod 64 of in[i/64] becomes the answer for keys[i], and the bits
	// of that word beyond the last key become zero. It panics if in is shorter than
	// len(keys)/64, rounded up. It does not allocate. Ascending keys are answered
	// faster by the kinds that are sorted lists.
	ContainsBatch(keys, in []uint64)
	// AppendTo appends the encoding that [Decode] reads to dst and returns the
	// extended slice. Equal filters have equal encodings.
	AppendTo(dst []byte) []byte
}

// Options say how a filter is to be built. The zero value is the kind's default.
type Options struct {
	// FalsePositiveRate is the largest acceptable chance, in (0,1), that a key
	// outside the set is reported as inside. Zero asks for the default: 2^-40
	// for List, 2^-16 for Fuse16, 2^-8 for the others. Xor8, Fuse8 and Fuse16
	// give just their default; Bloom goes down to 2^-24, List to zero.
	FalsePositiveRate float64

	// Bits is another way to ask for the rate 2^-Bits, 1 to 32; zero asks for
	// nothing. At most one of Bits and FalsePositiveRate may be set.
	Bits int

	// Distinct promises that no key repeats, which spares Build from sorting them.
	// Salted keys of distinct IDs are distinct but for a chance of n^2/2^65. Where
	// the promise is broken nothing is denied that is in the set; Len may count
	// repeated keys, and the filter may depend on the order of the keys.
	Distinct bool

	// Workers is the number of goroutines that a large build may use; below 2 it
	// uses one. The result does not depend on it.
	Workers int
}

// maxKeys is the most keys of any filter. It keeps the 32-bit arithmetic of
// the fuse construction and the counts on the wire far from their ends.
const maxKeys = 1 << 28

// scheme is what the package has to know about a kind. A new kind is one file
// with these functions, and one line in schemeOf.
type scheme struct {
	name  string
	rate  float64 // the default
	least float64 // the lowest that the kind can give

	// build makes a filter of at least one key, with the memory of b. The keys are
	// distinct, and ascend where b.sorted says so. It neither changes nor keeps them.
	build func(b *Builder, keys []uint64, rate float64) (Filter, error)
	// decode reads a filter of n keys, n in 1..maxKeys, from the bytes between
	// header and checksum. It must not keep them, and must not hold more than
	// maxBytes bytes of memory.
	decode func(n int, body []byte, maxBytes int) (Filter, error)
}

func schemeOf(kind Kind) (scheme, bool) {
	switch kind {
	case Bloom:
		return scheme{"bloom", 0x1p-8, 0x1p-24, buildBloom, decodeBloom}, true
	case Xor8:
		return scheme{"xor8", 0x1p-8, 0x1p-8, buildXor8, decodeXor8}, true
	case Fuse8:
		return scheme{"fuse8", 0x1p-8, 0x1p-8, buildFuse8, decodeFuse8}, true
	case Fuse16:
		return scheme{"fuse16", 0x1p-16, 0x1p-16, buildFuse16, decodeFuse16}, true
	case List:
		return scheme{"list", 0x1p-40, 0, buildList, decodeList}, true
	}
	return scheme{}, false
}

// Kinds returns all kinds in the order of their numbers, in a slice of its own.
func Kinds() []Kind {
	return []Kind{Bloom, Xor8, Fuse8, Fuse16, List}
}

// ParseKind returns the kind of which name is the String, or ErrUnknownKind.
func ParseKind(name string) (Kind, error) {
	for _, kind := range Kinds() {
		if kind.String() == name {
			return kind, nil
		}
	}
	return 0, fmt.Errorf("%w: %q", ErrUnknownKind, name)
}

// String returns the name of the kind in lower case: bloom, xor8, fuse8, fuse16 or list.
func (k Kind) String() string {
	if s, ok := schemeOf(k); ok {
		return s.name
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Build returns a filter over keys with a false positive rate of at most
// opt.FalsePositiveRate. Keys may repeat and come in any order; Build neither
// changes nor keeps the slice. The same set of keys gives the same filter.
//
// The result is of the kind asked for, with one exception that no known input
// reaches: where the construction of Xor8, Fuse8 or Fuse16 fails some thousand
// times in a row, Build returns a List of the same rate.
//
// It returns ErrUnknownKind, ErrRate, or ErrTooLarge if there are more than 2^28
// keys or a Bloom filter would need 2^32 bits. O(n) time; besides the filter it needs
// about 16 bytes of memory per key, 40 for fuse and 75 for xor filters.
func Build(kind Kind, keys []uint64, opt Options) (Filter, error) {
	return new(Builder).Build(kind, keys, opt)
}

// rate returns the rate to build with, or ErrRate. Comparisons are such that
// NaN fails them.
func (o Options) rate(s scheme) (float64, error) {
	rate := o.FalsePositiveRate
	switch {
	case o.Bits != 0 && rate != 0:
		return 0, fmt.Errorf("%w: both a rate and %d bits are asked for", ErrRate, o.Bits)
	case o.Bits < 0 || o.Bits > 32:
		return 0, fmt.Errorf("%w: %d bits, 1 to 32 are possible", ErrRate, o.Bits)
	case o.Bits != 0:
		return Options{FalsePositiveRate: math.Ldexp(1, -o.Bits)}.rate(s)
	case rate == 0:
		return s.rate, nil
	case !(rate > 0 && rate < 1):
		return 0, fmt.Errorf("%w: %v is not in (0,1)", ErrRate, rate)
	case rate < s.least:
		return 0, fmt.Errorf("%w: %v asked for, %s gives %v at best", ErrRate, rate, s.name, s.least)
	}
	return rate, nil
}

// BitsPerKey returns the size of f's encoding in bits, header and checksum
// included, divided by the number of its keys; 0 for the empty set. It encodes
// the filter to learn its size.
func BitsPerKey(f Filter) float64 {
	if f.Len() == 0 {
		return 0
	}
	return 8 * float64(len(f.AppendTo(nil))) / float64(f.Len())
}

// empty is the filter of the empty set, of any kind. It exists because the
// libraries either refuse the empty set or answer some keys with yes.
type empty Kind

func (e empty) Kind() Kind           { return Kind(e) }
func (e empty) Len() int             { return 0 }
func (e empty) Contains(uint64) bool { return false }

func (e empty) ContainsBatch(keys, in []uint64) { clear(in[:(len(keys)+63)/64]) }

func (e empty) AppendTo(dst []byte) []byte {
	return sealFrame(openFrame(dst, Kind(e), 0, 0))
}
