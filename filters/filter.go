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
	Ribbon Kind = 6 // the solution of linear equations
	Golomb Kind = 7 // the sorted places of the keys, Rice-coded

	Segmented Kind = 8 // a filter for each interval of at most 1024 keys
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
	// faster by the kinds that are sorted, List, Golomb and Segmented. Golomb and Segmented
	// take as long for keys in no order as Contains does.
	ContainsBatch(keys, in []uint64)
	// AppendTo appends the encoding that [Decode] reads to dst and returns the
	// extended slice. Equal filters have equal encodings.
	AppendTo(dst []byte) []byte
}

// Options say how a filter is to be built. The zero value is the kind's default.
type Options struct {
	// FalsePositiveRate is the largest acceptable chance, in (0,1), that a key
	// outside the set is reported as inside. Zero asks for the default: 2^-40 for
	// List, 2^-16 for Fuse16, 2^-8 for the others and for Smallest. Xor8, Fuse8 and
	// Fuse16 give just their default, also to whoever accepts more; Bloom goes down
	// to 2^-24, List to zero. Ribbon, Golomb and Segmented go down to 2^-32, and
	// give the power of two at or below what is asked for.
	FalsePositiveRate float64

	// Bits is another way to ask for the rate 2^-Bits, 1 to 32; zero asks for
	// nothing. At most one of Bits and FalsePositiveRate may be set.
	Bits int

	// Distinct promises that no key repeats, which spares Build from sorting them.
	// Salted keys of distinct IDs are distinct but for a chance of n^2/2^65. Where
	// the promise is broken nothing is denied that is in the set; Len may count
	// repeated keys, the filter may depend on the order of the keys, and Xor8, Fuse8
	// and Fuse16 may take ten times as long.
	Distinct bool

	// Workers is the number of goroutines that a large build may use; below 2 it
	// uses one. They share the sorting of keys, Ribbon and Segmented; the libraries
	// behind Bloom, Xor8, Fuse8 and Fuse16 use one. The result does not depend on it.
	Workers int
}

// maxKeys is the most keys of any filter. It keeps the 32-bit arithmetic of
// the fuse construction and the counts on the wire far from their ends.
const maxKeys = 1 << 28

// maxRateBits is the most bits that a rate can be asked for by.
const maxRateBits = 32

// scheme is what the package has to know about a kind. A new kind is one file
// with these functions, the constant with the next number, and one line in schemeOf.
type scheme struct {
	name  string
	rate  float64 // the default
	least float64 // the lowest that the kind can give

	// build makes a filter of at least one key, with the memory of b. The keys ascend
	// and are distinct where b.sorted says so, else the caller promised that they are
	// distinct. It neither changes nor keeps them.
	build func(b *Builder, keys []uint64, rate float64) (Filter, error)
	// decode reads a filter of n keys, n in 1..maxKeys, from the bytes between
	// header and checksum, of which there are less than maxEncoding. It must not keep
	// them, and must not hold more than maxBytes bytes of memory.
	decode func(n int, body []byte, maxBytes int) (Filter, error)
	// size returns the number of bytes between header and checksum of a filter of n
	// distinct keys: exactly where it follows from n and rate, else the expected
	// number for uniform keys; -1 where build would refuse. Nil keeps the kind
	// from being the smallest.
	size func(n int, rate float64) int
}

func schemeOf(kind Kind) (scheme, bool) {
	switch kind {
	case Bloom:
		return scheme{name: "bloom", rate: 0x1p-8, least: 0x1p-24, build: buildBloom, decode: decodeBloom, size: bloomBytes}, true
	case Xor8:
		return scheme{name: "xor8", rate: 0x1p-8, least: 0x1p-8, build: buildXor8, decode: decodeXor8, size: xor8Bytes}, true
	case Fuse8:
		return scheme{name: "fuse8", rate: 0x1p-8, least: 0x1p-8, build: buildFuse8, decode: decodeFuse8, size: fuse8Bytes}, true
	case Fuse16:
		return scheme{name: "fuse16", rate: 0x1p-16, least: 0x1p-16, build: buildFuse16, decode: decodeFuse16, size: fuse16Bytes}, true
	case List:
		return scheme{name: "list", rate: 0x1p-40, least: 0, build: buildList, decode: decodeList, size: listBytes}, true
	case Ribbon:
		return scheme{name: "ribbon", rate: 0x1p-8, least: 0x1p-32, build: buildRibbon, decode: decodeRibbon, size: ribbonBytes}, true
	case Segmented:
		return scheme{name: "segmented", rate: 0x1p-8, least: 0x1p-32, build: buildSegmented, decode: decodeSegmented}, true
	case Golomb:
		return scheme{name: "golomb", rate: 0x1p-8, least: 0x1p-32, build: buildGolomb, decode: decodeGolomb, size: golombBytes}, true
	}
	return scheme{}, false
}

// Kinds returns all kinds in the order of their numbers, in a slice of its own.
func Kinds() []Kind {
	var kinds []Kind
	for kind := Kind(1); ; kind++ { // they are numbered without a gap
		if _, ok := schemeOf(kind); !ok {
			return kinds
		}
		kinds = append(kinds, kind)
	}
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

// String returns the name of the kind: the name of its constant in lower case.
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
// The result is of the kind asked for. With Smallest it is of the one that has the
// shortest encoding for so many keys, of those that can give the rate; lengths that
// depend on the keys count as for uniform ones, and Segmented is never chosen. No
// known input reaches two exceptions: where the construction of Xor8, Fuse8 or Fuse16
// fails some thousand times in a row, Build returns a List of the same rate, and
// where keys of a Ribbon resist every seed, a Golomb.
//
// It returns ErrUnknownKind, ErrRate, or ErrTooLarge if there are more than 2^28
// keys, a Bloom filter would need 2^32 bits or, where an int has 32 bits, the encoding
// might exceed 2^28 bytes. O(n) time. Besides the filter it needs
// 16 bytes of memory per key to sort them, and in all, with and without Distinct:
// Bloom 0 and 16, List and Segmented 16, Golomb 8 and 20 or, if n exceeds 2^32 times the
// rate, 16, Ribbon 9 and 25, Fuse8 and Fuse16 32 and 40, Xor8 64 and 72.
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
	case o.Bits < 0 || o.Bits > maxRateBits:
		return 0, fmt.Errorf("%w: %d bits, 1 to %d are possible", ErrRate, o.Bits, maxRateBits)
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

// rateBits returns the least whole number r with 2^-r <= rate.
func rateBits(rate float64) int {
	_, exp := math.Frexp(rate) // rate in [2^(exp-1), 2^exp)
	return 1 - exp
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

func (e empty) ContainsBatch(keys, in []uint64) { clear(answerWords(keys, in)) }

func (e empty) AppendTo(dst []byte) []byte {
	return sealFrame(openFrame(dst, Kind(e), 0, 0))
}
