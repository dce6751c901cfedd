package filters

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/FastFilter/xorfilter"
)

// Binary fuse filters on the wire, between header and checksum:
//
//	0   8                seed
//	8   1                log2 of the segment length L, 2..18
//	9   2                number of segments c in which a key's first place may lie, at least 1
//	11  (c+2)*L*w        fingerprints of w = 1 (Fuse8) or 2 (Fuse16) bytes
//
// With log the natural logarithm, L is 2 to the power of log n / log 3.33 + 2.25, rounded
// down, at most 18. There are max(3, ceil(e / L)) L fingerprints, where e is n max(1.125,
// 0.875 + 0.25 log 10^6 / log n), rounded, halves up, and 0 if n = 1. All of these are
// doubles, and no n is so near an edge that the last bits of a logarithm matter. If
// 4 < n < 10^6, L may also be half as long, for as many fingerprints: the library tries
// that when a construction fails.
//
// With x the murmur64 finaliser of key + seed, the first place is p = x * c L div
// 2^64, the second p + L with (x >> 18) mod L exclusive-ored into it, the third p +
// 2 L with x mod L exclusive-ored into it; a key is let through if the low 8 w bits
// of x xor (x >> 32) equal the xor of the three fingerprints. Graf and Lemire,
// "Binary Fuse Filters", 2022.
const (
	fuseHeader        = 11
	fuseMaxSegmentLog = 18
)

// fingerprint is an entry of a fuse filter's table.
type fingerprint interface{ uint8 | uint16 }

type fuseFilter[T fingerprint] struct {
	n     int
	table xorfilter.BinaryFuse[T]
}

func buildFuse8(b *Builder, keys []uint64, rate float64) (Filter, error) {
	return buildFuse(b, again(&b.lastFuse8), keys, rate)
}

func buildFuse16(b *Builder, keys []uint64, rate float64) (Filter, error) {
	return buildFuse(b, again(&b.lastFuse16), keys, rate)
}

// buildFuse fills f, whose fingerprints then lie in memory of b.fuse.
func buildFuse[T fingerprint](b *Builder, f *fuseFilter[T], keys []uint64, rate float64) (Filter, error) {
	return b.peel(keys, rate, func(keys []uint64, shift uint64) (Filter, error) {
		table, err := xorfilter.BuildBinaryFuse[T](&b.fuse, keys)
		if err != nil {
			return nil, err
		}
		table.Seed += shift
		f.n, f.table = len(keys), table
		return f, nil
	})
}

// fuse8Bytes is the size of scheme.
func fuse8Bytes(n int, _ float64) int { return fuseBytes[uint8](n) }

// fuse16Bytes is the size of scheme.
func fuse16Bytes(n int, _ float64) int { return fuseBytes[uint16](n) }

func fuseBytes[T fingerprint](n int) int {
	_, entries := fuseSize(n)
	return fuseHeader + entries*int(fingerprintSize[T]())
}

// fuseSize returns the binary logarithm of the segment length that the library
// computes for n keys, and the number of fingerprints that it makes of them, whether
// or not it halves its segments.
func fuseSize(n int) (segmentLog, entries int) { return fuseSizeOf(n, math.Log(float64(n))) }

// fuseSizeOf is fuseSize with the natural logarithm of n.
func fuseSizeOf(n int, log float64) (segmentLog, entries int) {
	segmentLog = min(fuseMaxSegmentLog, int(log/math.Log(3.33)+2.25))
	wanted := 0
	if n > 1 {
		wanted = int(math.Round(float64(n) * max(1.125, 0.875+0.25*math.Log(1e6)/log)))
	}
	segment := 1 << segmentLog
	return segmentLog, max(3, (wanted+segment-1)/segment) * segment
}

// fuseHalves reports whether the library may halve the segments for n keys.
func fuseHalves(n int) bool { return n > 4 && n < 1_000_000 }

func decodeFuse8(n int, body []byte, _ int) (Filter, error)  { return decodeFuse[uint8](n, body) }
func decodeFuse16(n int, body []byte, _ int) (Filter, error) { return decodeFuse[uint16](n, body) }

func decodeFuse[T fingerprint](n int, body []byte) (Filter, error) {
	if len(body) < fuseHeader {
		return nil, malformed("fuse: %d bytes", len(body))
	}
	log, segments := int(body[8]), int(binary.LittleEndian.Uint16(body[9:]))
	most, entries := fuseSize(n)
	if log != most && (log != most-1 || !fuseHalves(n)) {
		return nil, malformed("fuse: segments of length 2^%d for %d keys", log, n)
	}
	if segments != entries>>log-2 {
		return nil, malformed("fuse: %d segments, want %d of length 2^%d", segments, entries>>log-2, log)
	}
	payload := body[fuseHeader:]
	if want := entries * int(fingerprintSize[T]()); len(payload) != want {
		return nil, malformed("fuse: %d bytes of fingerprints, want %d", len(payload), want)
	}
	return &fuseFilter[T]{n: n, table: xorfilter.BinaryFuse[T]{
		Seed:               binary.LittleEndian.Uint64(body),
		SegmentLength:      1 << log,
		SegmentLengthMask:  1<<log - 1,
		SegmentCount:       uint32(segments),
		SegmentCountLength: uint32(segments << log),
		Fingerprints:       decodeFingerprints[T](payload),
	}}, nil
}

func (f *fuseFilter[T]) Kind() Kind {
	if fingerprintSize[T]() == 1 {
		return Fuse8
	}
	return Fuse16
}

func (f *fuseFilter[T]) Len() int                 { return f.n }
func (f *fuseFilter[T]) Contains(key uint64) bool { return f.table.Contains(key) }

func (f *fuseFilter[T]) ContainsBatch(keys, in []uint64) {
	in = answerWords(keys, in)
	if uint64(len(f.table.Fingerprints))*fingerprintSize[T]() > nearBytes {
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
func (f *fuseFilter[T]) answer(keys []uint64) (word uint64) {
	seed, table := f.table.Seed, f.table.Fingerprints
	length, mask, all := f.table.SegmentLength, f.table.SegmentLengthMask, uint64(f.table.SegmentCountLength)
	for _, key := range keys {
		x := murmur64(key + seed)
		first, second, third := fusePlaces(x, length, mask, all)
		word = shiftIn(word, T(x^x>>32)^table[first]^table[second]^table[third])
	}
	return word >> (64 - len(keys))
}

func (f *fuseFilter[T]) locate(keys []uint64, at *places) {
	seed := f.table.Seed
	length, mask, all := f.table.SegmentLength, f.table.SegmentLengthMask, uint64(f.table.SegmentCountLength)
	for i, key := range keys {
		x, p := murmur64(key+seed), &at[i%64]
		first, second, third := fusePlaces(x, length, mask, all)
		p.first, p.second, p.third, p.print = first, second, third, uint32(x^x>>32)
	}
}

// fusePlaces returns where the fingerprints of a key with hash x lie.
func fusePlaces(x uint64, length, mask uint32, all uint64) (first, second, third uint32) {
	high, _ := bits.Mul64(x, all)
	first = uint32(high)
	return first, (first + length) ^ uint32(x>>18)&mask, (first + 2*length) ^ uint32(x)&mask
}

func (f *fuseFilter[T]) AppendTo(dst []byte) []byte {
	t := &f.table
	dst, start := openFrame(dst, f.Kind(), f.n, fuseHeader+len(t.Fingerprints)*int(fingerprintSize[T]()))
	dst = binary.LittleEndian.AppendUint64(dst, t.Seed)
	dst = append(dst, byte(bits.TrailingZeros32(t.SegmentLength)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(t.SegmentCount))
	return sealFrame(appendFingerprints(dst, t.Fingerprints), start)
}

// fingerprintSize returns the length of T in bytes.
func fingerprintSize[T fingerprint]() uint64 {
	return uint64(bits.Len16(uint16(^T(0)))) / 8
}

func decodeFingerprints[T fingerprint](payload []byte) []T {
	table := make([]T, uint64(len(payload))/fingerprintSize[T]())
	switch table := any(table).(type) {
	case []uint8:
		copy(table, payload)
	case []uint16:
		for i := range table {
			table[i] = binary.LittleEndian.Uint16(payload[2*i:])
		}
	}
	return table
}

func appendFingerprints[T fingerprint](dst []byte, table []T) []byte {
	switch table := any(table).(type) {
	case []uint8:
		return append(dst, table...)
	case []uint16:
		for _, print := range table {
			dst = binary.LittleEndian.AppendUint16(dst, print)
		}
	}
	return dst
}
