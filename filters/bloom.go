package filters

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

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
	n     int
	bits  *bloom.BloomFilter
	words []uint64 // of bits
}

func buildBloom(b *Builder, keys []uint64, rate float64) (Filter, error) {
	m, k, err := bloomSize(len(keys), rate)
	if err != nil {
		return nil, err
	}
	f := again(&b.lastBloom)
	f.reset(len(keys), m, k)
	var hashes bloomHashes
	for ; len(keys) > 0; keys = keys[min(64, len(keys)):] {
		hashes.of(keysOf(keys, 0))
		f.set(&hashes, min(64, len(keys)))
	}
	return f, nil
}

// reset makes f a filter of n keys with no bit set. The library can empty a filter
// only as it is; one with another m or k has to be a new object.
func (f *bloomFilter) reset(n int, m, k uint) {
	f.n = n
	words := int((m + 63) / 64)
	f.words = slices.Grow(f.words[:0], words)[:words]
	clear(f.words)
	if f.bits == nil || f.bits.Cap() != m || f.bits.K() != k {
		f.bits = bloom.FromWithM(f.words, m, k)
	}
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

// bloomBytes is the size of scheme.
func bloomBytes(n int, rate float64) int {
	m, _, err := bloomSize(n, rate)
	if err != nil {
		return -1
	}
	return bloomHeader + int((m+63)/64)*8
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
	words, ones := decodeBits(payload)
	if unused := -m % 64; unused > 0 && words[len(words)-1]>>(64-unused) != 0 {
		return nil, malformed("bloom: bits set beyond the last")
	}
	// More ones than the keys can have set would let everything through.
	if ones < 1 || ones > uint64(k)*uint64(n) {
		return nil, malformed("bloom: %d bits set by %d keys", ones, n)
	}
	return &bloomFilter{n: n, bits: bloom.FromWithM(words, uint(m), k), words: words}, nil
}

func decodeBits(payload []byte) (words []uint64, ones uint64) {
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

func (f *bloomFilter) ContainsBatch(keys, in []uint64) {
	in = answerWords(keys, in)
	var hashes bloomHashes
	for w := range in {
		word := keysOf(keys, w)
		hashes.of(word)
		in[w] = f.passed(&hashes, math.MaxUint64>>(64-len(word)))
	}
}

func (f *bloomFilter) AppendTo(dst []byte) []byte {
	dst, start := openFrame(dst, Bloom, f.n, bloomHeader+8*len(f.words))
	dst = append(dst, byte(f.bits.K()))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(f.bits.Cap()))
	for _, word := range f.words {
		dst = binary.LittleEndian.AppendUint64(dst, word)
	}
	return sealFrame(dst, start)
}

// bloomHashes are the words that the positions of up to 64 keys derive from. The
// library keeps them to itself, and handles one key after the other; one position
// of all keys after the other lets their misses overlap, which is up to three
// times as fast.
type bloomHashes [64][4]uint64

func (h *bloomHashes) of(keys []uint64) {
	for i, key := range keys {
		h[i%64] = bloomHash(key)
	}
}

// set is the library's Add of n keys.
func (f *bloomFilter) set(hashes *bloomHashes, n int) {
	m, k := uint64(f.bits.Cap()), uint64(f.bits.K())
	for i := range k {
		from, step := bloomWordsOf(i)
		for key := range n {
			h := &hashes[key%64]
			place := (h[from%4] + i*h[step%4]) % m
			f.words[place/64] |= 1 << (place % 64)
		}
	}
}

// passed returns which keys of the set of bits asked the filter lets through. A
// key that one position turned away is not asked for again.
func (f *bloomFilter) passed(hashes *bloomHashes, asked uint64) uint64 {
	m, k := uint64(f.bits.Cap()), uint64(f.bits.K())
	for i := range k {
		from, step := bloomWordsOf(i)
		for left := asked; left != 0; left &= left - 1 {
			key := bits.TrailingZeros64(left)
			h := &hashes[key%64]
			place := (h[from%4] + i*h[step%4]) % m
			asked &^= (^f.words[place/64] >> (place % 64) & 1) << key
		}
	}
	return asked
}

// bloomWordsOf returns which two words position i derives from.
func bloomWordsOf(i uint64) (from, step uint64) { return i % 2, 2 + (i+i%2)%4/2 }

// bloomHash returns the four words of a key. MurmurHash3 is written out for 8
// and 9 bytes, neither of which fills a block: the second word of the block is
// nothing or the 1 alone.
func bloomHash(key uint64) (h [4]uint64) {
	const c1, c2 = 0x87c37b91114253d5, 0x4cf5ad432745937f
	first := bits.RotateLeft64(key*c1, 31) * c2
	one := bits.RotateLeft64(c2, 33)
	one *= c1
	h[0], h[1] = bloomFinish(first^8, 8)
	h[2], h[3] = bloomFinish(first^9, one^9)
	return h
}

// bloomFinish is the end of MurmurHash3 of 128 bits.
func bloomFinish(h1, h2 uint64) (uint64, uint64) {
	h1 += h2
	h2 += h1
	h1, h2 = murmur64(h1), murmur64(h2)
	h1 += h2
	return h1, h1 + h2
}
