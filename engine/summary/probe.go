package summary

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// Limits of a Probe.
const (
	// MaxSpine is the most buckets of a Probe's spine.
	MaxSpine = 64
	// MaxDense is the most buckets that a filter in a Probe is about.
	MaxDense = 64
)

// Probe is what one side says of its set, so that the other can find the difference: a
// sketch, and what helps where the sketch is too small.
type Probe struct {
	Params Params
	// Salt is zero for the view's own summaries. Otherwise short IDs and cells are those
	// under Salted(secret, Salt).
	Salt [16]byte
	// Last is the greatest key of the set, zero where Spine is empty.
	Last Key
	// Level is that of Estimator.
	Level     int
	Estimator Estimator
	// Spine are buckets, ascending and disjoint, that hold all of the set, with how many
	// items are in each, at least one. Their fingerprints do not travel.
	Spine []Segment
	// Dense are the buckets, ascending and disjoint, of whose items Filter is; without
	// any there is no Filter. Its encoding and its salt are for package filters.
	Dense  []Bucket
	Filter []byte
	// Sketch is of the whole set, in its wire form.
	Cells []byte
}

// The form of a Probe: "DK", a version, ShortBits, CheckBits, the level, the salt (16
// bytes), the estimator (256), the number of buckets of the spine (1 byte), each as its bucket
// and its count, and Last (40 bytes) if there are any; the dense buckets, their number (uvarint)
// first, and the length of the filter (uvarint) and the filter if there are any;
// cells to the end. A bucket is the number of its bits (uvarint), and these in as few bytes
// as hold them, the rest zero.
const (
	probeMagic   = "DK"
	probeVersion = 1
	probeHead    = len(probeMagic) + 4 + 16 + len(Estimator{})
)

// AppendBinary appends the form of p.
func (p *Probe) AppendBinary(dst []byte) []byte {
	params := p.Params.filled()
	dst = append(dst, probeMagic...)
	dst = append(dst, probeVersion, byte(params.ShortBits), byte(params.CheckBits), byte(p.Level))
	dst = append(dst, p.Salt[:]...)
	dst = append(dst, p.Estimator[:]...)
	dst = append(dst, byte(len(p.Spine)))
	for _, s := range p.Spine {
		dst = binary.AppendUvarint(s.Bucket.appendTo(dst), s.Root.Count)
	}
	if len(p.Spine) > 0 {
		dst = appendKey(dst, p.Last)
	}
	dst = AppendBuckets(dst, p.Dense)
	if len(p.Dense) > 0 {
		dst = append(binary.AppendUvarint(dst, uint64(len(p.Filter))), p.Filter...)
	}
	return append(dst, p.Cells...)
}

// DecodeProbe reads what AppendBinary wrote; it keeps parts of data. Other bytes are
// ErrEncoding. What is in Filter and Cells is not looked at, but that Cells are whole cells.
func DecodeProbe(data []byte) (*Probe, error) {
	if len(data) < probeHead || string(data[:2]) != probeMagic || data[2] != probeVersion {
		return nil, fmt.Errorf("%w: no probe of version %d in %d bytes", ErrEncoding, probeVersion, len(data))
	}
	p := &Probe{Params: Params{int(data[3]), int(data[4])}, Level: int(data[5])}
	if data[3] == 0 || data[4] == 0 || p.Params.Validate() != nil || p.Level >= EstimatorLevels {
		return nil, fmt.Errorf("%w: probe of widths %v, level %d", ErrEncoding, p.Params, p.Level)
	}
	data = data[6:]
	data = data[copy(p.Salt[:], data):]
	data = data[copy(p.Estimator[:], data):]
	r := probeReader{treeReader{data: data}}
	if err := r.spine(p); err != nil {
		return nil, err
	}
	if err := r.filter(p); err != nil {
		return nil, err
	}
	p.Cells = r.data
	if cells := len(p.Cells) / p.Params.CellSize(); cells*p.Params.CellSize() != len(p.Cells) || cells < MinCells || cells > MaxCells {
		return nil, fmt.Errorf("%w: %d bytes of cells in a probe", ErrEncoding, len(p.Cells))
	}
	return p, nil
}

// probeReader takes a Probe apart from the front.
type probeReader struct{ treeReader }

func (r *probeReader) spine(p *Probe) error {
	n, err := r.take(1)
	if err != nil || n[0] > MaxSpine {
		return fmt.Errorf("%w: spine of a probe", ErrEncoding)
	}
	total := uint64(0)
	for i := range int(n[0]) {
		b, err := r.bucket()
		if err != nil {
			return err
		}
		count, err := r.number()
		if err != nil {
			return err
		}
		var carry uint64
		if total, carry = bits.Add64(total, count, 0); count == 0 || carry != 0 || i > 0 && !p.Spine[i-1].Bucket.before(b) {
			return fmt.Errorf("%w: bucket %d of a spine: %v of %d", ErrEncoding, i, b, count)
		}
		p.Spine = append(p.Spine, Segment{Bucket: b, Root: Root{Count: count}})
	}
	if len(p.Spine) == 0 {
		return nil
	}
	last, err := r.take(keySize)
	if err != nil {
		return err
	}
	p.Last = Key{Time: int64(binary.BigEndian.Uint64(last)), ID: ID(last[8:])}
	if p.Last.Compare(p.Spine[len(p.Spine)-1].Bucket.First()) < 0 {
		return fmt.Errorf("%w: the last key of a probe lies below its last bucket", ErrEncoding)
	}
	return nil
}

func (r *probeReader) filter(p *Probe) (err error) {
	if p.Dense, err = r.buckets(MaxDense); err != nil || len(p.Dense) == 0 {
		return err
	}
	length, err := r.number()
	if err != nil || length > uint64(len(r.data)) {
		return fmt.Errorf("%w: filter of a probe", ErrEncoding)
	}
	p.Filter, err = r.take(int(length))
	return err
}

// AppendBuckets appends buckets, their number (uvarint) before them.
func AppendBuckets(dst []byte, buckets []Bucket) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(buckets)))
	for _, b := range buckets {
		dst = b.appendTo(dst)
	}
	return dst
}

// DecodeBuckets reads what AppendBuckets wrote of at most so many buckets, ascending and
// disjoint, and nothing after them. Other bytes are ErrEncoding.
func DecodeBuckets(data []byte, most int) ([]Bucket, error) {
	r := probeReader{treeReader{data: data}}
	buckets, err := r.buckets(most)
	if err == nil && len(r.data) != 0 {
		err = fmt.Errorf("%w: %d bytes after buckets", ErrEncoding, len(r.data))
	}
	return buckets, err
}

func (r *probeReader) buckets(most int) ([]Bucket, error) {
	n, err := r.number()
	if err != nil || n > uint64(most) {
		return nil, fmt.Errorf("%w: number of buckets", ErrEncoding)
	}
	var buckets []Bucket
	for i := range int(n) {
		b, err := r.bucket()
		if err != nil {
			return nil, err
		}
		if i > 0 && !buckets[i-1].before(b) {
			return nil, fmt.Errorf("%w: buckets do not ascend", ErrEncoding)
		}
		buckets = append(buckets, b)
	}
	return buckets, nil
}

// before reports whether all of b lies below all of c.
func (b Bucket) before(c Bucket) bool { return b.Last().Compare(c.First()) < 0 }

func (b Bucket) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(b.Bits()))
	for at := 0; at < b.Bits(); at += 8 {
		dst = append(dst, b.prefix.octet(at))
	}
	return dst
}

func (r *probeReader) bucket() (Bucket, error) {
	n, err := r.number()
	if err != nil || n > uint64(MaxBucketBits) {
		return Bucket{}, fmt.Errorf("%w: bucket of %d bits", ErrEncoding, n)
	}
	octets, err := r.take((int(n) + 7) / 8)
	if err != nil {
		return Bucket{}, err
	}
	var p path
	for i, octet := range octets {
		p.setOctet(8*i, octet)
	}
	if p.cut(int(n)) != p {
		return Bucket{}, fmt.Errorf("%w: bucket with bits after its %d", ErrEncoding, n)
	}
	return bucketAt(p, int(n)), nil
}

// Salted returns the secret of summaries that are made for one exchange: for where two
// items have one short ID under a view's own.
func Salted(secret [32]byte, salt [16]byte) [32]byte {
	return derive(secret, "dwnsync exchange v1\x00", salt[:])
}

// AppendShorts appends short IDs, sorted, in as many whole bytes each as their width
// takes, little-endian. It sorts shorts.
func AppendShorts(dst []byte, shorts []uint64, p Params) []byte {
	slices.Sort(shorts)
	width := p.shortBytes()
	var word [8]byte
	for _, short := range shorts {
		binary.LittleEndian.PutUint64(word[:], short)
		dst = append(dst, word[:width]...)
	}
	return dst
}

// DecodeShorts reads what AppendShorts wrote of different short IDs. Other bytes are
// ErrEncoding.
func DecodeShorts(data []byte, p Params) ([]uint64, error) {
	width := p.shortBytes()
	if len(data)%width != 0 {
		return nil, fmt.Errorf("%w: %d bytes of short IDs", ErrEncoding, len(data))
	}
	limit := ^uint64(0) >> (64 - p.filled().ShortBits)
	shorts := make([]uint64, 0, len(data)/width)
	for ; len(data) > 0; data = data[width:] {
		var word [8]byte
		copy(word[:], data[:width])
		short := binary.LittleEndian.Uint64(word[:])
		if n := len(shorts); n > 0 && shorts[n-1] >= short || short > limit {
			return nil, fmt.Errorf("%w: short IDs do not ascend", ErrEncoding)
		}
		shorts = append(shorts, short)
	}
	return shorts, nil
}
