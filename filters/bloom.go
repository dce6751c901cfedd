package filters

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/bits-and-blooms/bloom/v3"
)

// Bloom filters on the wire, between header and checksum:
//
//	0  1         k, the number of positions of a key, 1..32
//	1  4         m, the number of bits, 1..64 (n+16)
//	5  8*words   the bits; bit i is bit i mod 64 of word i div 64; words = ceil(m/64)
//
// Bits from m on are zero, and between 1 and k n of the others are one. The
// positions of a key are those of bits-and-blooms/bloom for its 8 bytes,
// little-endian: with h the four words of 128-bit MurmurHash3 of these bytes,
// and of these bytes with a 1 after them, position i is h[i mod 2] + i h[2 + ((i +
// i mod 2) mod 4) div 2] modulo 2^64, modulo m.
const (
	bloomHeader = 5
	bloomMaxK   = 32
)

type bloomFilter struct {
	n    int
	bits *bloom.BloomFilter
}

func buildBloom(b *Builder, keys []uint64, rate float64) (Filter, error) {
	m, k, err := bloomSize(len(keys), rate)
	if err != nil {
		return nil, err
	}
	f := bloom.New(m, k)
	var text [8]byte
	for _, key := range keys {
		binary.LittleEndian.PutUint64(text[:], key)
		f.Add(text[:])
	}
	return &bloomFilter{n: len(keys), bits: f}, nil
}

// bloomSize returns the number of positions and the fewest bits that give the
// rate, solved from (1 - e^(-kn/m))^k = rate, and some more for small sets.
//
// They need more because the formula takes positions for independent, while the
// library derives all of them from four words modulo m. Two keys agree in these
// with a chance of m^-4, which bounds m from below; a spare word or two make up for
// the weaker dependences; and m is odd, since in a power of two multiples of a
// word recur: 64 bits at rate 2^-20 let through 250 times as many keys. Measured
// over 1 to 80 keys at rates down to 2^-24, no set exceeds its rate.
func bloomSize(n int, rate float64) (m, k uint, err error) {
	positions := max(1, math.Round(-math.Log2(rate)))
	perKey := positions / -math.Log1p(-math.Pow(rate, 1/positions))
	words := math.Ceil(max(float64(n)*perKey, 8*math.Pow(rate, -0.25))/64) + 1 + math.Floor(positions/16)
	if words*64 > math.MaxUint32 {
		return 0, 0, fmt.Errorf("%w: %d keys at rate %v need %.0f bits", ErrTooLarge, n, rate, words*64)
	}
	return uint(words)*64 - 1, uint(positions), nil
}

func decodeBloom(n int, body []byte, _ int) (Filter, error) {
	if len(body) < bloomHeader {
		return nil, malformed("bloom: %d bytes", len(body))
	}
	k, m := uint(body[0]), uint64(binary.LittleEndian.Uint32(body[1:]))
	payload := body[bloomHeader:]
	switch {
	case k < 1 || k > bloomMaxK:
		return nil, malformed("bloom: %d positions per key", k)
	case m < 1 || m > 64*uint64(n+16):
		return nil, malformed("bloom: %d bits for %d keys", m, n)
	case uint64(len(payload)) != (m+63)/64*8:
		return nil, malformed("bloom: %d bytes for %d bits", len(payload), m)
	}
	words, ones := bloomWords(payload)
	if unused := -m % 64; unused > 0 && words[len(words)-1]>>(64-unused) != 0 {
		return nil, malformed("bloom: bits set beyond the last")
	}
	// More ones than the keys can have set would let everything through.
	if ones < 1 || ones > uint64(k)*uint64(n) {
		return nil, malformed("bloom: %d bits set by %d keys", ones, n)
	}
	return &bloomFilter{n: n, bits: bloom.FromWithM(words, uint(m), k)}, nil
}

func bloomWords(payload []byte) (words []uint64, ones uint64) {
	words = make([]uint64, len(payload)/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(payload[8*i:])
		ones += uint64(bits.OnesCount64(words[i]))
	}
	return words, ones
}

func (f *bloomFilter) Kind() Kind { return Bloom }
func (f *bloomFilter) Len() int   { return f.n }

func (f *bloomFilter) Contains(key uint64) bool {
	var text [8]byte
	binary.LittleEndian.PutUint64(text[:], key)
	return f.bits.Test(text[:])
}

func (f *bloomFilter) ContainsBatch(keys, in []uint64) { containsEach(f.Contains, keys, in) }

func (f *bloomFilter) AppendTo(dst []byte) []byte {
	words := f.bits.BitSet().Words()
	dst, start := openFrame(dst, Bloom, f.n, bloomHeader+8*len(words))
	dst = append(dst, byte(f.bits.K()))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(f.bits.Cap()))
	for _, word := range words {
		dst = binary.LittleEndian.AppendUint64(dst, word)
	}
	return sealFrame(dst, start)
}
