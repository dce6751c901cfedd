package filters

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/FastFilter/xorfilter"
)

// Xor filters on the wire, between header and checksum:
//
//	0  8     seed
//	8  3*b   8-bit fingerprints, three blocks of b = (32 + ceil(1.23 n)) div 3
//
// where 1.23 n is the product of two IEEE 754 doubles. With x the murmur64
// finaliser of key + seed, a key is let through if the low byte of x xor (x >>
// 32) equals the xor of one fingerprint of each block i = 0, 1, 2: that at place
// (low 32 bits of x rotated left by 21 i) times b, divided by 2^32. Graf and
// Lemire, "Xor Filters", 2020.
const xor8Header = 8

type xor8Filter struct {
	n     int
	table xorfilter.Xor8
}

func buildXor8(b *Builder, keys []uint64, rate float64) (Filter, error) {
	n := len(keys)
	return peel(b, keys, rate, xorfilter.Populate, func(table *xorfilter.Xor8, shift uint64) Filter {
		table.Seed += shift
		return &xor8Filter{n: n, table: *table}
	})
}

// xor8Block returns the length of a block as the library computes it.
func xor8Block(n int) int {
	return (32 + int(math.Ceil(1.23*float64(n)))) / 3
}

func decodeXor8(n int, body []byte, _ int) (Filter, error) {
	block := xor8Block(n)
	if len(body) != xor8Header+3*block {
		return nil, malformed("xor8: %d bytes for %d keys, want %d", len(body), n, xor8Header+3*block)
	}
	return &xor8Filter{n: n, table: xorfilter.Xor8{
		Seed:         binary.LittleEndian.Uint64(body),
		BlockLength:  uint32(block),
		Fingerprints: slices.Clone(body[xor8Header:]),
	}}, nil
}

func (f *xor8Filter) Kind() Kind               { return Xor8 }
func (f *xor8Filter) Len() int                 { return f.n }
func (f *xor8Filter) Contains(key uint64) bool { return f.table.Contains(key) }

func (f *xor8Filter) ContainsBatch(keys, in []uint64) { containsEach(f.Contains, keys, in) }

func (f *xor8Filter) AppendTo(dst []byte) []byte {
	dst, start := openFrame(dst, Xor8, f.n, xor8Header+len(f.table.Fingerprints))
	dst = binary.LittleEndian.AppendUint64(dst, f.table.Seed)
	dst = append(dst, f.table.Fingerprints...)
	return sealFrame(dst, start)
}
