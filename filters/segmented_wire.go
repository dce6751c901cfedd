package filters

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Segmented filters on the wire, between header and checksum:
//
//	0  1    r, the binary logarithm of one over the rate of the filters inside, 1..32
//	1  ...  the segments, in ascending order of their intervals
//
// A segment is
//
//	...  position of its interval, as in the encoding of Intervals
//	2    the number of its keys n, 1..1024, in the low 11 bits, its kind in the others
//	8    the sum of its mixed keys, modulo 2^64
//	...  length of the body of the filter inside, less n r / 8 rounded up, as an
//	     unsigned LEB128 number in its shortest form; absent if n = 1
//	...  that body; absent if n = 1
//
// The kind is Ribbon or Golomb, or 0 if n = 1. The body is what an encoding of that
// kind and of n keys at rate 2^-r has between header and checksum; its keys are the keys
// of the segment, mixed. With x = (x ^ x>>30) * 0xbf58476d1ce4e5b9, then
// x = (x ^ x>>27) * 0x94d049bb133111eb, mixed is x ^ x>>31. A segment of
// one key lets through the key that, mixed, is its sum.
//
// The segments are all that the definition gives for the keys: the parent of each
// interval has more than 1024 keys, so that a lone segment is the interval of all keys,
// and none has more than 54 bits. The one key of a segment lies in it.
//
// The generation of a filter is the sum of the digests of its segments, modulo 2^64.
// With mix as above and b the bits of the interval that are fixed, the digest is
//
//	mix(mix(mix(first key + 0x9e3779b97f4a7c15) xor (r 2^32 + b 2^16 + n)) + sum)
const (
	segmentedHeader = 1
	recordHeader    = 2 + 8 // n and kind, sum
	recordKind      = 11    // n takes the bits below

	// segmentBits is the most leading bits of the interval of a segment: 54. The parent
	// of a longer one has no room for more than segmentKeys keys.
	segmentBits = 64 - recordKind + 1
)

// leastBytes returns the length that the body of a filter inside a segment has at least.
func leastBytes(n, bits int) int { return (n*bits + 7) / 8 }

// recordSize returns the length of the record: exactly, but for a very long body.
func (s *segment) recordSize() int {
	if s.inner == nil {
		return recordHeader
	}
	return recordHeader + 1 + s.bytes
}

// appendRecord appends all that the wire has of s but its position.
func (s *segment) appendRecord(dst []byte, bits int) []byte {
	var kind Kind
	if s.inner != nil {
		kind = s.inner.Kind()
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(s.n)|uint16(kind)<<recordKind)
	dst = binary.LittleEndian.AppendUint64(dst, s.sum)
	if s.inner == nil {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(s.bytes-leastBytes(s.n, bits)))
	start := len(dst)
	dst = s.inner.AppendTo(dst)
	copy(dst[start:], dst[start+headerSize:])
	return dst[:len(dst)-frameSize]
}

// record is a segment as the wire has it.
type record struct {
	Interval
	n    int // 0 in a delta only
	kind Kind
	sum  uint64
	body []byte // part of the encoding
}

// recordReader reads records. It copies nothing.
type recordReader struct {
	bits      int
	rest      []byte
	positions positions
}

func (r *recordReader) next() (s record, err error) {
	if s.Interval, r.rest, err = r.positions.read(r.rest); err != nil {
		return s, err
	}
	if len(r.rest) < 2 {
		return s, malformed("segment at %#x: cut off", s.Prefix)
	}
	head := binary.LittleEndian.Uint16(r.rest)
	s.n, s.kind = int(head&(1<<recordKind-1)), Kind(head>>recordKind)
	if head == 0 {
		r.rest = r.rest[2:]
		return s, nil
	}
	if len(r.rest) < recordHeader || s.n < 1 || s.n > segmentKeys {
		return s, malformed("segment at %#x: %d keys in %d bytes", s.Prefix, s.n, len(r.rest))
	}
	s.sum = binary.LittleEndian.Uint64(r.rest[2:])
	r.rest = r.rest[recordHeader:]
	if s.n == 1 && s.kind == 0 {
		if key := unmix(s.sum); !s.Contains(key) {
			return s, malformed("segment at %#x: of %d bits and key %#x", s.Prefix, s.Bits, key)
		}
		return s, nil
	}
	s.body, err = r.body(s)
	return s, err
}

func (r *recordReader) body(s record) ([]byte, error) {
	if s.n == 1 || !isInner(s.kind) {
		return nil, malformed("segment at %#x: kind %d of %d keys", s.Prefix, s.kind, s.n)
	}
	more, data, err := readUvarint(r.rest)
	if err != nil {
		return nil, err
	}
	least := leastBytes(s.n, r.bits)
	if least > len(data) || more > uint64(len(data)-least) {
		return nil, malformed("segment at %#x: %d+%d bytes, %d are left", s.Prefix, least, more, len(data))
	}
	length := least + int(more)
	r.rest = data[length:]
	if got := innerBits(s.kind, data); got != r.bits {
		return nil, malformed("segment at %#x: rate 2^-%d inside, want 2^-%d", s.Prefix, got, r.bits)
	}
	return data[:length:length], nil
}

// memory returns an upper bound of the bytes of memory that the segment will take.
func (s record) memory(bits int) int {
	if s.n == 1 {
		return segmentMemory
	}
	return segmentMemory + innerMemory(s.kind, s.n, len(s.body), bits)
}

func (s record) digest(bits int) uint64 { return digestOf(s.Interval, s.n, s.sum, bits) }

// open decodes the filter inside, in s.memory bytes.
func (s record) open(bits int) (*segment, error) {
	opened := &segment{Interval: s.Interval, n: s.n, sum: s.sum, bytes: len(s.body), digest: s.digest(bits)}
	if s.n == 1 {
		return opened, nil
	}
	of, _ := schemeOf(s.kind)
	var err error
	if opened.inner, err = of.decode(s.n, s.body, math.MaxInt); err != nil {
		return nil, err
	}
	return opened, nil
}

func decodeSegmented(n int, body []byte, maxBytes int) (Filter, error) {
	if len(body) < segmentedHeader || body[0] < 1 || body[0] > maxRateBits {
		return nil, malformed("segmented: rate 2^-% x", body[:min(segmentedHeader, len(body))])
	}
	r := recordReader{bits: int(body[0]), rest: body[segmentedHeader:]}
	all, err := tallyOf(r)
	if err != nil {
		return nil, err
	}
	if all.keys != n {
		return nil, malformed("segmented: %d keys in the segments, %d in all", all.keys, n)
	}
	if err := all.within(Limits{MaxKeys: n, MaxBytes: maxBytes}); err != nil {
		return nil, err
	}
	entries := make([]entry, 0, all.count)
	for len(r.rest) > 0 {
		s, err := r.next()
		if err != nil {
			return nil, err
		}
		opened, err := s.open(r.bits)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{opened.Prefix, opened})
	}
	return newSegmentedFilter(r.bits, entries), nil
}

// tallyOf reads all segments of a filter.
func tallyOf(r recordReader) (all tally, err error) {
	for len(r.rest) > 0 {
		s, err := r.next()
		if err != nil {
			return all, err
		}
		if s.n == 0 {
			return all, malformed("segment at %#x: no keys", s.Prefix)
		}
		if err := all.add(s.Interval, s.n, s.memory(r.bits), s.digest(r.bits)); err != nil {
			return all, err
		}
	}
	return all, all.shape.end()
}

// tally is what a filter of some segments would be, before any of them is opened.
type tally struct {
	count, keys, memory int
	generation          uint64
	shape               shape
}

// add takes one more segment, which must lie behind the others.
func (t *tally) add(i Interval, keys, memory int, digest uint64) error {
	t.count++
	t.keys += keys
	t.memory += memory
	t.generation += digest
	return t.shape.next(i, keys)
}

func (t *tally) within(limits Limits) error {
	if t.keys > limits.MaxKeys || t.memory-memoryNotCounted > limits.MaxBytes {
		return fmt.Errorf("%w: %d keys in %d bytes of memory, at most %d in %d", ErrTooLarge, t.keys, t.memory, limits.MaxKeys, limits.MaxBytes)
	}
	return nil
}

// shape checks that intervals, which come in ascending order and are disjoint, are
// the segments of some set: that each node of the trie above one has more than
// segmentKeys keys, and room for them. That takes constant time for each.
type shape struct {
	// nodes above the last segment with segments in both halves, from the root down
	open  [segmentBits]struct{ bits, keys int }
	depth int
	last  Interval
	keys  int // of last
	any   bool
	bits  int // that last shares with the one before, -1 if there is none
}

// next takes one more interval, of so many keys.
func (s *shape) next(i Interval, keys int) error {
	if i.Bits > segmentBits {
		return malformed("segment at %#x: of %d bits, at most %d", i.Prefix, i.Bits, segmentBits)
	}
	if !s.any {
		s.any, s.bits, s.last, s.keys = true, -1, i, keys
		return nil
	}
	common := commonBits(s.last.Prefix, i.Prefix)
	if err := s.close(common); err != nil {
		return err
	}
	s.open[s.depth].bits, s.open[s.depth].keys = common, s.keys
	s.depth++
	s.bits, s.last, s.keys = common, i, keys
	return nil
}

// close makes s.keys those of the node whose other half the next segment is in, of
// which it shares so many bits with the last.
func (s *shape) close(common int) error {
	if want := max(s.bits, common) + 1; s.last.Bits != want {
		return malformed("segment at %#x: of %d bits, want %d", s.last.Prefix, s.last.Bits, want)
	}
	for ; s.depth > 0 && s.open[s.depth-1].bits > common; s.depth-- {
		s.keys += s.open[s.depth-1].keys
		if s.keys <= segmentKeys {
			return malformed("segment at %#x: one of %d keys in %d bits is split", s.last.Prefix, s.keys, s.open[s.depth-1].bits)
		}
	}
	return nil
}

// end checks the nodes that are still open.
func (s *shape) end() error {
	if !s.any {
		return nil
	}
	return s.close(-1)
}
