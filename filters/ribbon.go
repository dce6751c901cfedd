package filters

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/dwn-sync/dwnsync/filters/internal/ribbon"
)

// Ribbon filters on the wire, between header and checksum:
//
//	0     1    low 5 bits: r-1, where r is the number of bits of a fingerprint, 1..32;
//	           upper 3 bits: a if S = 1 and a < 7; 7 if S = 1 and a is larger; 0 if S > 1
//	1     ...  metadata: if S = 1 and a >= 7, one byte, a; if S > 1, as below
//	...   ...  the solution, ceil(r M / 8) bytes
//
// All divisions of integers round down, all arithmetic on keys is modulo 2^64, x >> k
// and x << k shift in zeros.
//
// Keys are spread over S = max(1, (n + 256) / 512) shards. Shard i has n_i keys, which
// are n together, and is solved by attempt a_i, 0..63; of a single shard a_0 is a. It
// has m_i slots, the sum of n_i and of
//
//   - 0 if S = 1 and n <= 64; 1 if S = 1 and n > 64; 3 if S > 1
//   - (n_i - 1024) / 8 if n_i > 1024
//   - 4^k + (n_i >> (5-k)) if k = a_i / 16 is not 0
//
// M is the sum of all m_i. The slots of shard i have the numbers from m_0 + ... +
// m_(i-1) on.
//
// The metadata of S > 1 shards is a sequence of bits, filled up with zeros to whole
// bytes. For each shard in turn it has, but for the last one, whose n_i follows from
// n, the surplus d = n_i - n/S as z = 2d if d >= 0, else -2d-1: z >> 5 zeros, a one and
// the low 5 bits of z; and then a_i zeros and a one. Bits fill bytes from the lowest
// up, numbers likewise.
//
// The equation of a key, multiplications modulo 2^64:
//
//	h = key;       h ^= h >> 32;  h *= 0xd6e8feb86659fd93;  h ^= h >> 32
//	               h *= 0xd6e8feb86659fd93;  h ^= h >> 32
//	i = ((h >> 32) * S) >> 32, the shard; m = m_i
//	g = h * (0x9e3779b97f4a7c15 + a_i * 0xa0761d6478bd642e)
//	s = (((g >> 32) * m) >> 32) - 30; if s > m - 64, s = m - 64; if then s < 0, s = 0
//	g ^= g >> 32;  c = g * 0xc28f82822b650bed;  c ^= c >> 32
//	f = (c * 0x9fb21c651e98df25) >> (64 - r)
//	if m < 64, c = c >> (64 - m)
//
// The key is let through if the sum, that is exclusive or, of the r-bit values of those
// slots s + j of shard i for which bit j of c is set is f. Dillinger and Walzer,
// "Ribbon filter: practically smaller than Bloom and Xor", arXiv 2103.02515, whose
// standard ribbon of width 64 each shard is, with starts that are clamped to the shard.
//
// A builder takes the first attempt for which the equations of all keys of the shard
// have a solution, and of the solutions the one in which every slot that can be chosen
// freely, given those above it, is zero. So equal sets have equal encodings.
//
// The solution is a sequence of bits: for each block of 64 slots, bit 0 of the values
// of its slots in their order, then bit 1, and so on to bit r-1. Of the last block, if
// 64 does not divide M, there are just the bits of the slots that there are; zeros fill
// the last byte.

// ribbonBuilder is the memory of a Builder for ribbon filters.
type ribbonBuilder struct {
	ribbon.Builder
	last *ribbonFilter // not a part of it, lest a filter that outlives it keep all of its memory
}

type ribbonFilter struct {
	n     int
	table *ribbon.Filter
}

func buildRibbon(b *Builder, keys []uint64, rate float64) (Filter, error) {
	width := rateBits(rate)
	table := b.ribbon.Build(keys, width, b.workers)
	if table == nil {
		return buildGolomb(b, keys, math.Ldexp(1, -width))
	}
	f := again(&b.ribbon.last)
	f.n, f.table = len(keys), table
	return f, nil
}

// ribbonBytes is the size of a body whose shards have about as many keys as the mean
// and are solved by one of their first attempts.
func ribbonBytes(n int, rate float64) int {
	shards, width := ribbon.Shards(n), rateBits(rate)
	metadata, slots := 0, ribbon.Slots(n, 1, 0)
	if shards > 1 {
		metadata = shards * 33 / 32 // 8.25 bits each
		slots = n + shards*ribbon.Slots(0, shards, 0)
	}
	return 1 + metadata + int(solutionBytes(slots, width))
}

// solutionBytes returns the length of the solution of slots slots. A caller with
// bytes in hand may compare it with their number; it may be more than an int holds.
func solutionBytes(slots, width int) int64 {
	return (int64(slots)*int64(width) + 7) / 8
}

func decodeRibbon(n int, body []byte, maxBytes int) (Filter, error) {
	if len(body) < 1 {
		return nil, malformed("ribbon: no parameters")
	}
	width := int(body[0])%ribbon.MaxBits + 1
	if least := 1 + solutionBytes(n, width); int64(len(body)) < least {
		return nil, malformed("ribbon: %d bytes for %d keys of %d bits, at least %d", len(body), n, width, least)
	}
	table := ribbon.New(width, ribbon.Shards(n))
	metadata, err := decodeShards(table, n, body)
	if err != nil {
		return nil, err
	}
	payload := body[metadata:]
	if want := solutionBytes(table.Slots(), width); int64(len(payload)) != want {
		return nil, malformed("ribbon: %d bytes for %d slots, want %d", len(payload), table.Slots(), want)
	}
	if size := ribbon.Memory(table.Slots(), table.Shards(), width); size > int64(maxBytes) {
		return nil, fmt.Errorf("%w: a ribbon filter of %d slots needs %d bytes, at most %d", ErrTooLarge, table.Slots(), size, maxBytes)
	}
	if !decodeSolution(table.MakeWords(), payload, table.Slots(), width) {
		return nil, malformed("ribbon: bits beyond the last slot")
	}
	return &ribbonFilter{n: n, table: table}, nil
}

// decodeSolution fills words and reports whether the bits beyond the last slot are zero.
func decodeSolution(words []uint64, payload []byte, slots, width int) bool {
	whole := slots / 64 * width
	for i := range words[:whole] {
		words[i] = binary.LittleEndian.Uint64(payload[8*i:])
	}
	r := bitReader{data: payload[8*whole:]}
	for i := range words[whole:] {
		words[whole+i] = r.bits(slots % 64)
	}
	return r.atEnd()
}

func (f *ribbonFilter) Kind() Kind               { return Ribbon }
func (f *ribbonFilter) Len() int                 { return f.n }
func (f *ribbonFilter) Contains(key uint64) bool { return f.table.Contains(key) }

func (f *ribbonFilter) ContainsBatch(keys, in []uint64) {
	f.table.ContainsBatch(keys, answerWords(keys, in))
}

func (f *ribbonFilter) AppendTo(dst []byte) []byte {
	slots, width := f.table.Slots(), f.table.Bits()
	dst, start := openFrame(dst, Ribbon, f.n, 16+2*f.table.Shards()+int(solutionBytes(slots, width)))
	dst = appendShards(dst, f.table, f.n)
	words := f.table.Words()
	whole := slots / 64 * width
	for _, word := range words[:whole] {
		dst = binary.LittleEndian.AppendUint64(dst, word)
	}
	w := bitWriter{dst: dst}
	for _, word := range words[whole:] {
		w.bits(word, slots%64)
	}
	return sealFrame(w.flush(), start)
}
