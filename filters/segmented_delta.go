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
// the last field, only takes them away. The result has to be a filter that could be
// encoded as a whole, of the generation named.
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
// that delta names. O(len(delta) + segments).
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
	if bits < 1 || bits > maxBits || f.n > 0 && bits != f.bits {
		return nil, malformed("delta of %d bits to a filter of %d", bits, f.bits)
	}
	entries, err := f.replace(recordReader{bits: bits, rest: rest[deltaHeader:]}, limits.MaxBytes)
	if err != nil {
		return nil, err
	}
	next := newSegmentedFilter(bits, entries)
	if next.n > limits.MaxKeys || next.memory > limits.MaxBytes+memoryNotCounted {
		return nil, fmt.Errorf("%w: %d keys in %d bytes of memory, at most %d in %d", ErrTooLarge, next.n, next.memory, limits.MaxKeys, limits.MaxBytes)
	}
	if next.generation != to {
		return nil, malformed("delta to %016x leads to %016x", to, next.generation)
	}
	if err := checkEntries(entries); err != nil {
		return nil, err
	}
	return next, nil
}

// replace returns the entries of f with the changes that r reads, which take at most
// maxBytes of memory.
func (f *SegmentedFilter) replace(r recordReader, maxBytes int) (entries []entry, err error) {
	old := f.entries
	for len(r.rest) > 0 {
		s, err := r.next()
		if err != nil {
			return nil, err
		}
		for len(old) > 0 && old[0].before(s.Interval) {
			entries, old = append(entries, old[0]), old[1:]
		}
		for len(old) > 0 && !s.before(old[0].Interval) {
			old = old[1:]
		}
		if s.n == 0 {
			continue
		}
		opened, err := s.open(r.bits, maxBytes)
		if err != nil {
			return nil, err
		}
		maxBytes -= opened.memory(r.bits)
		entries = append(entries, entry{opened.Prefix, opened})
	}
	return append(entries, old...), nil
}

// checkEntries checks that entries are the segments of some set.
func checkEntries(entries []entry) error {
	var shape shape
	for _, e := range entries {
		if err := shape.next(e.Interval, e.n); err != nil {
			return err
		}
	}
	return shape.end()
}
