package filters

import (
	"encoding/binary"
	"fmt"
)

// Deltas on the wire:
//
//	offset  length  meaning
//	0       2       the letters "DS"
//	2       1       version, 1
//	3       1       bits of the segments, 1..32
//	4       8       generation that the delta starts from
//	12      8       generation that it leads to
//	20      ...     intervals with their segments, as in the filter itself
//	end-4   4       CRC-32C of everything before it
//
// The intervals ascend and are disjoint. Each takes the place of all segments of the
// filter with which it shares keys. An interval of no keys, of which n and kind are
// the last field, only takes one away, of just this interval. A segment that the filter has
// is not repeated, that is one of the same interval, n and sum. The result has to be a
// filter that could be encoded as a whole, of the generation named.
const (
	deltaMagic  = "DS"
	deltaHeader = 1 + 8 + 8 // behind the version
	deltaSize   = 3 + deltaHeader + checksumSize
)

// change is an interval of a delta; without a segment it is emptied.
type change struct {
	Interval
	*segment
}

// appendDelta appends a delta of changes, which ascend and are disjoint.
func appendDelta(dst []byte, bits int, from, to uint64, changes []change) []byte {
	start := len(dst)
	dst = append(append(dst, deltaMagic...), version, byte(bits))
	dst = binary.LittleEndian.AppendUint64(dst, from)
	dst = binary.LittleEndian.AppendUint64(dst, to)
	var p positions
	for _, c := range changes {
		dst = p.append(dst, c.Interval)
		if c.segment == nil {
			dst = append(dst, 0, 0)
			continue
		}
		dst = c.appendRecord(dst, bits)
	}
	return sealFrame(dst, start)
}

// Apply returns the filter to which delta leads from f, which stays as it is; the
// two share what did not change. limits.MaxKeys bounds the keys of the result;
// limits.MaxBytes the length of delta, and the length and memory of the result, some
// hundred bytes not counted. Apply neither changes nor keeps delta.
//
// It returns ErrBase if the delta starts from another generation than f's, or
// ErrTooLarge, ErrVersion, or ErrMalformed, also if the result is not of the generation
// that delta names. It takes memory for the result only once delta is read to its end and
// all but the filters inside is known to be right. O(len(delta) + segments).
func (f *SegmentedFilter) Apply(delta []byte, limits Limits) (*SegmentedFilter, error) {
	limits = limits.orDefault()
	if len(delta) > limits.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(delta), limits.MaxBytes)
	}
	rest, err := unseal(delta, deltaMagic, deltaSize)
	if err != nil {
		return nil, err
	}
	bits := int(rest[0])
	from, to := binary.LittleEndian.Uint64(rest[1:]), binary.LittleEndian.Uint64(rest[9:])
	if from != f.generation {
		return nil, fmt.Errorf("%w: %016x, the filter is of %016x", ErrBase, from, f.generation)
	}
	if bits < 1 || bits > maxRateBits || f.n > 0 && bits != f.bits {
		return nil, malformed("delta of %d bits to a filter of %d", bits, f.bits)
	}
	r := recordReader{bits: bits, rest: rest[deltaHeader:]}
	all, err := f.tally(r)
	if err != nil {
		return nil, err
	}
	if err := all.within(limits); err != nil {
		return nil, err
	}
	if all.generation != to {
		return nil, malformed("delta to %016x leads to %016x", to, all.generation)
	}
	return f.replace(r, all.count)
}

// merge calls keep for each segment of f that stays and put for each that r reads in
// the place of others, in ascending order, until one of them returns an error.
func (f *SegmentedFilter) merge(r recordReader, keep func(entry) error, put func(record) error) error {
	old := f.entries
	for len(r.rest) > 0 {
		s, err := r.next()
		if err != nil {
			return err
		}
		for ; len(old) > 0 && old[0].before(s.Interval); old = old[1:] {
			if err := keep(old[0]); err != nil {
				return err
			}
		}
		gone := 0
		for gone < len(old) && !s.before(old[gone].Interval) {
			gone++
		}
		if err := s.replaces(old[:gone], r.bits); err != nil {
			return err
		}
		old = old[gone:]
		if s.n == 0 {
			continue
		}
		if err := put(s); err != nil {
			return err
		}
	}
	for _, e := range old {
		if err := keep(e); err != nil {
			return err
		}
	}
	return nil
}

// replaces checks that s has to be told where gone are the segments with which it
// shares keys. Two filters have one delta, therefore.
func (s record) replaces(gone []entry, bits int) error {
	same := len(gone) == 1 && gone[0].Interval == s.Interval
	switch {
	case s.n == 0 && !same:
		return malformed("delta empties %#x of %d bits, which is no segment", s.Prefix, s.Bits)
	case s.n > 0 && same && gone[0].digest == s.digest(bits):
		return malformed("delta repeats the segment at %#x", s.Prefix)
	}
	return nil
}

// tally reads all of r, and returns what f will be with the changes that it makes.
func (f *SegmentedFilter) tally(r recordReader) (all tally, err error) {
	keep := func(e entry) error { return all.add(e.Interval, e.n, e.memory(r.bits), e.digest) }
	put := func(s record) error { return all.add(s.Interval, s.n, s.memory(r.bits), s.digest(r.bits)) }
	if err := f.merge(r, keep, put); err != nil {
		return all, err
	}
	return all, all.shape.end()
}

// replace returns f with the changes that r makes, which then has so many segments.
func (f *SegmentedFilter) replace(r recordReader, count int) (*SegmentedFilter, error) {
	entries := make([]entry, 0, count)
	keep := func(e entry) error {
		entries = append(entries, e)
		return nil
	}
	put := func(s record) error {
		opened, err := s.open(r.bits)
		entries = append(entries, entry{s.Prefix, opened})
		return err
	}
	if err := f.merge(r, keep, put); err != nil {
		return nil, err
	}
	return newSegmentedFilter(r.bits, entries), nil
}
