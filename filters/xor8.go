package filters

import (
	"encoding/binary"
	"math"
	"math/bits"
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
	return b.peel(keys, rate, func(keys []uint64, shift uint64) (Filter, error) {
		table, err := xorfilter.Populate(keys)
		if err != nil {
			return nil, err
		}
		table.Seed += shift
		return &xor8Filter{n: len(keys), table: *table}, nil
	})
}

// xor8Block returns the length of a block as the library computes it.
func xor8Block(n int) int {
	return (32 + int(math.Ceil(1.23*float64(n)))) / 3
}

// xor8Bytes is the size of scheme.
func xor8Bytes(n int, _ float64) int { return xor8Header + 3*xor8Block(n) }

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

func (f *xor8Filter) ContainsBatch(keys, in []uint64) {
	in = answerWords(keys, in)
	if len(f.table.Fingerprints) > nearBytes {
		var at places
		for w := range in {
			word := keysOf(keys, w)
			f.locate(word, &at)
			in[w] = answers(f.table.Fingerprints, &at, len(word))
		}
		return
	}
	for w := range in {
		in[w] = f.answer(keysOf(keys, w))
	}
}

// answer is the library's Contains for up to 64 keys.
func (f *xor8Filter) answer(keys []uint64) (word uint64) {
	seed, table, block := f.table.Seed, f.table.Fingerprints, uint64(f.table.BlockLength)
	for _, key := range keys {
		x := murmur64(key + seed)
		first, second, third := xor8Places(x, block)
		word = shiftIn(word, uint8(x^x>>32)^table[first]^table[second]^table[third])
	}
	return word >> (64 - len(keys))
}

func (f *xor8Filter) locate(keys []uint64, at *places) {
	seed, block := f.table.Seed, uint64(f.table.BlockLength)
	for i, key := range keys {
		x, p := murmur64(key+seed), &at[i%64]
		first, second, third := xor8Places(x, block)
		p.first, p.second, p.third, p.print = first, second, third, uint32(x^x>>32)
	}
}

// xor8Places returns where the fingerprints of a key with hash x lie.
func xor8Places(x, block uint64) (first, second, third uint32) {
	first = uint32(x & math.MaxUint32 * block >> 32)
	second = uint32(bits.RotateLeft64(x, 21)&math.MaxUint32*block>>32 + block)
	third = uint32(bits.RotateLeft64(x, 42)&math.MaxUint32*block>>32 + 2*block)
	return first, second, third
}

func (f *xor8Filter) AppendTo(dst []byte) []byte {
	dst, start := openFrame(dst, Xor8, f.n, xor8Header+len(f.table.Fingerprints))
	dst = binary.LittleEndian.AppendUint64(dst, f.table.Seed)
	dst = append(dst, f.table.Fingerprints...)
	return sealFrame(dst, start)
}
