package summary

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// MaxBucketBits is the length in bits of a whole key, and so of the smallest bucket.
const MaxBucketBits = 8 * keySize

// Bucket is an aligned interval of keys: those whose first bits are the same. The bits
// of a key are those of its time plus 2^63, from the highest down, then those of its ID
// in the order of its bytes, so a bucket of up to 64 bits is an aligned power of two of
// microseconds, and one of more bits a part of the items of one microsecond.
//
// The zero Bucket holds every key. Equal buckets are equal under ==.
type Bucket struct {
	prefix path // zero after bits
	bits   uint16
}

// BucketOf returns the bucket of all keys that agree with k in the first bits bits.
// What is below 0 counts as 0, what is above MaxBucketBits as MaxBucketBits.
func BucketOf(k Key, bits int) Bucket {
	bits = min(max(bits, 0), MaxBucketBits)
	return bucketAt(pathOf(k), bits)
}

func bucketAt(p path, bits int) Bucket { return Bucket{prefix: p.cut(bits), bits: uint16(bits)} }

// Bits returns how many bits the keys of b share: 0 to MaxBucketBits.
func (b Bucket) Bits() int { return int(b.bits) }

// First returns the smallest key that b may hold.
func (b Bucket) First() Key { return b.prefix.key() }

// Last returns the largest key that b may hold.
func (b Bucket) Last() Key { return b.prefix.fill(b.Bits()).key() }

// Contains reports whether k belongs into b.
func (b Bucket) Contains(k Key) bool { return bucketAt(pathOf(k), b.Bits()) == b }

// Covers reports whether every key that belongs into c belongs into b.
func (b Bucket) Covers(c Bucket) bool {
	return b.bits <= c.bits && bucketAt(c.prefix, b.Bits()) == b
}

// Compare orders buckets by their first keys, the wider before the narrower.
func (b Bucket) Compare(c Bucket) int {
	if order := slices.Compare(b.prefix[:], c.prefix[:]); order != 0 {
		return order
	}
	return int(b.bits) - int(c.bits)
}

// String returns the bits in hexadecimal, the last digit filled up with zeros, and
// their number: "80061/19".
func (b Bucket) String() string {
	p := &b.prefix
	digits := fmt.Sprintf("%016x%016x%016x%016x%016x", p[0], p[1], p[2], p[3], p[4])
	return fmt.Sprintf("%s/%d", digits[:(b.bits+3)/4], b.bits)
}

// half returns the lower (0) or the upper (1) half of b, which has more than one key.
func (b Bucket) half(side int) Bucket {
	b.prefix.set(b.Bits(), side)
	b.bits++
	return b
}

// path is a key as the bits by which the tree branches. Paths are ordered as keys are.
type path [MaxBucketBits / 64]uint64

func pathOf(k Key) path {
	return path{
		uint64(k.Time) ^ 1<<63,
		binary.BigEndian.Uint64(k.ID[0:8]), binary.BigEndian.Uint64(k.ID[8:16]),
		binary.BigEndian.Uint64(k.ID[16:24]), binary.BigEndian.Uint64(k.ID[24:32]),
	}
}

func (p path) key() Key {
	k := Key{Time: int64(p[0] ^ 1<<63)}
	for i, word := range p[1:] {
		binary.BigEndian.PutUint64(k.ID[8*i:], word)
	}
	return k
}

// bit returns the bit at a place, of which 0 is the highest.
func (p *path) bit(at int) int { return int(p[uint(at)/64]>>(63-uint(at)%64)) & 1 }

// set makes the bit at a place, which is 0, the one given.
func (p *path) set(at, bit int) { p[at/64] |= uint64(bit) << (63 - at%64) }

// common returns how many bits p and q begin with alike.
func (p *path) common(q *path) int {
	for i := range p {
		if differ := p[i] ^ q[i]; differ != 0 {
			return 64*i + bits.LeadingZeros64(differ)
		}
	}
	return MaxBucketBits
}

// cut returns p with zeros after its first n bits.
func (p path) cut(n int) path {
	for i := range p {
		p[i] &^= after(n - 64*i)
	}
	return p
}

// fill returns p with ones after its first n bits.
func (p path) fill(n int) path {
	for i := range p {
		p[i] |= after(n - 64*i)
	}
	return p
}

// after masks what follows the first n bits of a word; n may lie outside of it.
func after(n int) uint64 {
	if n < 0 {
		return math.MaxUint64
	}
	return uint64(math.MaxUint64) >> n
}

// next returns the path after p; false after the last.
func (p path) next() (path, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i]++; p[i] != 0 {
			return p, true
		}
	}
	return p, false
}

// previous returns the path before p; false before the first.
func (p path) previous() (path, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i]--; p[i] != math.MaxUint64 {
			return p, true
		}
	}
	return p, false
}

// octet returns the eight bits from a place on; those beyond the end are zero.
func (p *path) octet(at int) byte {
	word, shift := at/64, at%64
	b := p[word] << shift >> 56
	if shift > 56 && word+1 < len(p) {
		b |= p[word+1] >> (120 - shift)
	}
	return byte(b)
}

// setOctet puts eight bits in from a place on, where there are zeros. Those beyond the
// end are zero.
func (p *path) setOctet(at int, b byte) {
	word, shift := at/64, at%64
	p[word] |= uint64(b) << 56 >> shift
	if shift > 56 && word+1 < len(p) {
		p[word+1] |= uint64(b) << (120 - shift)
	}
}
