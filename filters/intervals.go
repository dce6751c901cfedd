package filters

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"sort"
)

// Interval is a dyadic interval of segment keys, a node of the binary trie over
// them: all keys whose upper Bits bits, 0 to 64, are those of Prefix. The other
// bits of Prefix are zero, so Prefix is the first key of the interval.
type Interval struct {
	Prefix uint64
	Bits   int
}

// Last returns the last key of the interval; the first is Prefix.
func (i Interval) Last() uint64 { return i.Prefix | ^uint64(0)>>i.Bits }

// Contains reports whether key lies in the interval.
func (i Interval) Contains(key uint64) bool { return i.Prefix <= key && key <= i.Last() }

// around returns the interval of the given number of bits in which key lies.
func around(key uint64, bits int) Interval {
	return Interval{Prefix: key &^ (^uint64(0) >> bits), Bits: bits}
}

// parent returns the interval twice as long; i.Bits must not be zero.
func (i Interval) parent() Interval { return around(i.Prefix, i.Bits-1) }

// covers reports whether all keys of other lie in i. Of two dyadic intervals one
// covers the other, or they are disjoint.
func (i Interval) covers(other Interval) bool {
	return i.Bits <= other.Bits && i.Contains(other.Prefix)
}

// before reports whether i ends before other begins.
func (i Interval) before(other Interval) bool { return i.Last() < other.Prefix }

// siblings reports whether a and b, a before b, are the halves of one interval.
func siblings(a, b Interval) bool { return a.Bits == b.Bits && a.Bits > 0 && a.parent() == b.parent() }

// commonBits returns how many leading bits a and b share.
func commonBits(a, b uint64) int { return bits.LeadingZeros64(a ^ b) }

// Intervals is a set of segment keys as dyadic intervals: ascending, disjoint, and
// as few as possible, so no two of them are the halves of one. A set has one such
// form. [SegmentedFilter.Doubtful] and [DecodeIntervals] return no other.
type Intervals []Interval

// Contains reports whether key lies in one of the intervals.
func (i Intervals) Contains(key uint64) bool {
	at := sort.Search(len(i), func(at int) bool { return i[at].Last() >= key })
	return at < len(i) && i[at].Prefix <= key
}

// with returns i with one more interval, which must lie behind all others.
func (i Intervals) with(last Interval) Intervals {
	for len(i) > 0 && siblings(i[len(i)-1], last) {
		last = last.parent()
		i = i[:len(i)-1]
	}
	return append(i, last)
}

// Intervals on the wire:
//
//	offset  length  meaning
//	0       2       the letters "DI"
//	2       1       version, 1
//	3       ...     the intervals in ascending order, as positions
//	end-4   4       CRC-32C of everything before it
//
// A position is that of an interval behind the ones before it: a byte whose low
// seven bits are Bits and whose highest says that a gap follows. The gap is the
// number of intervals of just this length, aligned, that fit between the end of
// the interval before, or 0, and this one: less one, as an unsigned LEB128 number
// in its shortest form. A gap of zero is not written.
const (
	intervalsMagic    = "DI"
	intervalsHeader   = 3
	intervalsSize     = intervalsHeader + checksumSize
	positionHasGap    = 0x80
	bytesOfAnInterval = 16 // in memory
)

// AppendTo appends the encoding that [DecodeIntervals] reads to dst and returns
// the extended slice. Intervals that are not ascending, disjoint and as few as
// possible give bytes that DecodeIntervals refuses.
func (i Intervals) AppendTo(dst []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, intervalsSize+2*len(i))
	dst = append(append(dst, intervalsMagic...), version)
	var p positions
	for _, interval := range i {
		dst = p.append(dst, interval)
	}
	return sealFrame(dst, start)
}

// DecodeIntervals returns the intervals that data is the encoding of. It neither
// changes nor keeps data. MaxBytes bounds the length of data and the memory for the
// result, 16 bytes for each interval; MaxKeys does not matter. It returns
// ErrTooLarge, ErrVersion, or ErrMalformed.
func DecodeIntervals(data []byte, limits Limits) (Intervals, error) {
	limits = limits.orDefault()
	if len(data) > limits.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(data), limits.MaxBytes)
	}
	rest, err := unseal(data, intervalsMagic, intervalsSize)
	if err != nil {
		return nil, err
	}
	count, err := countPositions(rest)
	if err != nil {
		return nil, err
	}
	if count > limits.MaxBytes/bytesOfAnInterval {
		return nil, fmt.Errorf("%w: %d intervals need %d bytes, at most %d", ErrTooLarge, count, bytesOfAnInterval*count, limits.MaxBytes)
	}
	intervals := make(Intervals, 0, count)
	var p positions
	for len(rest) > 0 {
		var next Interval
		if next, rest, err = p.read(rest); err != nil {
			return nil, err
		}
		if len(intervals) > 0 && siblings(intervals[len(intervals)-1], next) {
			return nil, malformed("intervals %d and %d are halves of one", len(intervals)-1, len(intervals))
		}
		intervals = append(intervals, next)
	}
	return intervals, nil
}

// countPositions returns the number of positions in data.
func countPositions(data []byte) (count int, err error) {
	var p positions
	for len(data) > 0 {
		if _, data, err = p.read(data); err != nil {
			return 0, err
		}
		count++
	}
	return count, nil
}

// positions writes or reads the positions of ascending intervals.
type positions struct {
	next uint64 // the first key behind the last interval
	full bool   // there is none
}

// first returns the index, among all intervals of so many bits, of the first that
// begins at p.next or later. It may be one beyond the last.
func (p *positions) first(bits int) uint64 {
	shift := 64 - bits
	first := p.next >> shift
	if first<<shift != p.next {
		first++
	}
	return first
}

func (p *positions) append(dst []byte, i Interval) []byte {
	gap := i.Prefix>>(64-i.Bits) - p.first(i.Bits)
	p.step(i)
	if gap == 0 {
		return append(dst, byte(i.Bits))
	}
	return binary.AppendUvarint(append(dst, byte(i.Bits)|positionHasGap), gap-1)
}

func (p *positions) step(i Interval) {
	p.next = i.Last() + 1
	p.full = p.next == 0
}

func (p *positions) read(data []byte) (i Interval, rest []byte, err error) {
	if len(data) == 0 {
		return i, nil, malformed("no position")
	}
	bits, hasGap := int(data[0]&^positionHasGap), data[0]&positionHasGap != 0
	rest = data[1:]
	if bits > 64 || p.full {
		return i, nil, malformed("interval of %d bits behind %#x", bits, p.next-1)
	}
	index, top := p.first(bits), ^uint64(0)>>(64-bits)
	if index > top {
		return i, nil, malformed("interval of %d bits behind %#x", bits, p.next-1)
	}
	if hasGap {
		var gap uint64
		if gap, rest, err = readUvarint(rest); err != nil {
			return i, nil, err
		}
		if gap >= top-index {
			return i, nil, malformed("gap of %d intervals of %d bits behind %#x", gap, bits, p.next-1)
		}
		index += gap + 1
	}
	i = Interval{Prefix: index << (64 - bits), Bits: bits}
	p.step(i)
	return i, rest, nil
}

// readUvarint reads an unsigned LEB128 number in its shortest form.
func readUvarint(data []byte) (value uint64, rest []byte, err error) {
	value, n := binary.Uvarint(data)
	if n <= 0 || n > 1 && data[n-1] == 0 {
		return 0, nil, malformed("a number of variable length")
	}
	return value, data[n:], nil
}
