package summary

import (
	"encoding/binary"
	"fmt"
)

// MaxRanges is the most segments of one list of ranges: some 350 kB.
const MaxRanges = 4096

// The form of a list of ranges: "DR", a version, the number of segments (uvarint), each as its
// bucket, its count (uvarint) and, unless that is zero, its fingerprint. Whole fingerprints
// travel: half of one would save a third of the bytes, and who knows the secret and writes
// items would have it easier to make two buckets equal here than two roots.
const (
	rangesMagic   = "DR"
	rangesVersion = 1
)

// AppendRanges appends the form of at most MaxRanges segments, ascending and disjoint.
func AppendRanges(dst []byte, segments []Segment) []byte {
	dst = append(append(dst, rangesMagic...), rangesVersion)
	dst = binary.AppendUvarint(dst, uint64(len(segments)))
	for _, s := range segments {
		dst = binary.AppendUvarint(s.Bucket.appendTo(dst), s.Root.Count)
		if s.Root.Count > 0 {
			dst = append(dst, s.Root.Fingerprint[:]...)
		}
	}
	return dst
}

// DecodeRanges reads what AppendRanges wrote. Other bytes are ErrEncoding. It allocates in
// proportion to data.
func DecodeRanges(data []byte) ([]Segment, error) {
	if len(data) < 4 || string(data[:2]) != rangesMagic || data[2] != rangesVersion {
		return nil, fmt.Errorf("%w: no ranges of version %d in %d bytes", ErrEncoding, rangesVersion, len(data))
	}
	r := probeReader{treeReader{data: data[3:]}}
	n, err := r.number()
	if err != nil || n > MaxRanges {
		return nil, fmt.Errorf("%w: number of ranges", ErrEncoding)
	}
	var segments []Segment
	for i := range int(n) {
		s, err := r.segment()
		if err != nil {
			return nil, err
		}
		if i > 0 && !segments[i-1].Bucket.before(s.Bucket) {
			return nil, fmt.Errorf("%w: range %d does not ascend", ErrEncoding, i)
		}
		segments = append(segments, s)
	}
	if len(r.data) != 0 {
		return nil, fmt.Errorf("%w: %d bytes after ranges", ErrEncoding, len(r.data))
	}
	return segments, nil
}

func (r *probeReader) segment() (s Segment, err error) {
	if s.Bucket, err = r.bucket(); err != nil {
		return s, err
	}
	if s.Root.Count, err = r.number(); err != nil || s.Root.Count == 0 {
		return s, err
	}
	print, err := r.take(len(Fingerprint{}))
	if err == nil {
		s.Root.Fingerprint = Fingerprint(print)
	}
	return s, err
}
