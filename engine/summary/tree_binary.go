package summary

import (
	"encoding/binary"
	"fmt"
	"math"
)

// treeVersion is the first byte of an encoded tree.
const treeVersion = 1

// AppendBinary appends the encoding of t, overfull leaves included: about 36 bytes per
// leaf. It is version byte and leaf size, then the root's branch. All numbers are
// unsigned varints in their shortest form.
//
//	branch    leaf | inner
//	leaf      2 * count, and if that is not 0, 32 bytes of fingerprint
//	inner     2 * skipped + 1, bits, lower branch, upper branch
//	bits      those that the node's bucket has beyond the bucket that its branch covers,
//	          skipped in number, highest first, the last byte filled up with zeros
//
// Equal trees have equal encodings. Sums of inner nodes are not in it.
func (t *Tree) AppendBinary(dst []byte) []byte {
	dst = append(dst, treeVersion)
	dst = binary.AppendUvarint(dst, t.leaf)
	return t.root.appendTo(dst, 0)
}

// appendTo appends a branch that covers a bucket of so many bits.
func (b *branch) appendTo(dst []byte, covered int) []byte {
	if b.node == nil {
		dst = binary.AppendUvarint(dst, 2*b.count())
		if b.count() > 0 {
			dst = append(dst, b.fingerprint[:]...)
		}
		return dst
	}
	bucket := &b.node.bucket
	dst = binary.AppendUvarint(dst, 2*uint64(bucket.Bits()-covered)+1)
	for at := covered; at < bucket.Bits(); at += 8 {
		dst = append(dst, bucket.prefix.octet(at))
	}
	for side := range b.node.children {
		dst = b.node.children[side].appendTo(dst, bucket.Bits()+1)
	}
	return dst
}

// DecodeTree returns the tree that AppendBinary encoded as data, all of it. Whatever it
// cannot have written is ErrEncoding: no other shape than the one that the leaves' counts
// allow, no number in another than its shortest form. Whether the fingerprints are right
// the root tells. The tree takes at most 5 times as much memory as data has bytes.
func DecodeTree(data []byte) (*Tree, error) {
	if len(data) == 0 || data[0] != treeVersion {
		return nil, fmt.Errorf("%w: no tree of version %d", ErrEncoding, treeVersion)
	}
	r := treeReader{data: data[1:]}
	leaf, err := r.number()
	if err != nil {
		return nil, err
	}
	if leaf < 1 || leaf > maxLeaf {
		return nil, fmt.Errorf("%w: leaf size %d", ErrEncoding, leaf)
	}
	r.tree = NewTree(int(leaf))
	r.tree.own()
	if r.tree.root, err = r.branch(Bucket{}); err != nil {
		return nil, err
	}
	if len(r.data) != 0 {
		return nil, fmt.Errorf("%w: %d bytes after the tree", ErrEncoding, len(r.data))
	}
	return r.tree, nil
}

// treeReader reads a tree; data is what is left.
type treeReader struct {
	data []byte
	tree *Tree
}

// number reads an unsigned varint.
func (r *treeReader) number() (uint64, error) {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || n > 1 && r.data[n-1] == 0 {
		return 0, fmt.Errorf("%w: no varint in its shortest form", ErrEncoding)
	}
	r.data = r.data[n:]
	return v, nil
}

// take reads n bytes.
func (r *treeReader) take(n int) ([]byte, error) {
	if n > len(r.data) {
		return nil, fmt.Errorf("%w: %d bytes left, want %d", ErrEncoding, len(r.data), n)
	}
	taken := r.data[:n]
	r.data = r.data[n:]
	return taken, nil
}

// branch reads a branch that covers a bucket. Each recursion is one bit further on in
// the key at least, so it ends.
func (r *treeReader) branch(covers Bucket) (branch, error) {
	v, err := r.number()
	if err != nil {
		return branch{}, err
	}
	if v%2 == 0 {
		return r.leaf(covers, v/2)
	}
	return r.inner(covers, v/2)
}

func (r *treeReader) leaf(covers Bucket, count uint64) (branch, error) {
	left := MaxBucketBits - covers.Bits()
	switch {
	case count == 0 && covers.Bits() == 0:
		return branch{}, nil
	case count == 0 || left < 64 && count-1 > math.MaxUint64>>(64-left):
		return branch{}, fmt.Errorf("%w: leaf %v of %d items", ErrEncoding, covers, count)
	}
	f, err := r.take(len(Fingerprint{}))
	if err != nil {
		return branch{}, err
	}
	b := branch{tally: 2 * count, fingerprint: Fingerprint(f)}
	b.tell(count > r.tree.leaf)
	return b, nil
}

func (r *treeReader) inner(covers Bucket, skipped uint64) (branch, error) {
	// A bucket of one key has no halves.
	if skipped >= uint64(MaxBucketBits-covers.Bits()) {
		return branch{}, fmt.Errorf("%w: node of %d bits below bucket %v", ErrEncoding, skipped, covers)
	}
	bucket, err := r.bucket(covers, int(skipped))
	if err != nil {
		return branch{}, err
	}
	var children [2]branch
	for side := range children {
		if children[side], err = r.branch(bucket.half(side)); err != nil {
			return branch{}, err
		}
	}
	low, high := children[0].count(), children[1].count()
	// Counts are below 2^63, so the sum of two cannot wrap.
	if sum := low + high; sum <= r.tree.leaf || sum > math.MaxInt64 {
		return branch{}, fmt.Errorf("%w: node %v of %d and %d items", ErrEncoding, bucket, low, high)
	}
	r.tree.nodes++
	n := &node{children: children, bucket: bucket, owner: r.tree.owner}
	return n.sum(), nil
}

// bucket reads the bits by which a node's bucket is longer than the one that its branch covers.
func (r *treeReader) bucket(covers Bucket, skipped int) (Bucket, error) {
	octets, err := r.take((skipped + 7) / 8)
	if err != nil {
		return Bucket{}, err
	}
	b := covers
	b.bits += uint16(skipped)
	for i, octet := range octets {
		b.prefix.setOctet(covers.Bits()+8*i, octet)
	}
	if rest := skipped % 8; rest != 0 && octets[len(octets)-1]<<rest != 0 {
		return Bucket{}, fmt.Errorf("%w: more than %d bits in node %v", ErrEncoding, skipped, b)
	}
	return b, nil
}
