package summary

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unsafe"
)

// Tree tells count and fingerprint of any bucket, and of any range of keys that cuts no
// leaf in two. Inserting, removing and asking take time in proportion to its depth:
// about log2(n / leaf size) where keys are spread evenly, at most MaxBucketBits for any.
//
// It is a trie over the bits of keys in which no node has one child. A leaf is the
// widest bucket that holds no more items than the leaf size while its parent, the bucket
// of one bit less, holds more. So the shape follows from the set alone, whatever the
// order in which it came to be. Leaves are the view's segments.
//
// A leaf keeps no items, which is what makes the tree small: 2.5 to 5 bytes per item at a
// leaf size of 64 where keys are spread evenly, at most a node of 160 bytes per item for
// keys chosen to that end. For the same reason it cannot split by itself: a leaf with more
// items than the leaf size is overfull until Refine is given them. Until then all sums are
// right, but it cannot be looked into, and the shape is not the one of the set.
//
// A Tree that no one writes may be read by any number of goroutines; see Snapshot.
type Tree struct {
	root  branch
	leaf  uint64 // most items of a leaf
	nodes int
	owner *owner // of the nodes that may be written in place; nil if there are none
}

// owner marks the nodes that belong to one tree alone. It has a size because Go may give
// values of no size one address.
type owner struct{ _ byte }

// node joins two branches, neither of them empty.
type node struct {
	bucket   Bucket // the narrowest that holds everything below
	owner    *owner
	children [2]branch
}

// branch is what hangs below one side of a node, or the whole. It covers the bucket that
// is one bit longer than the node's, or all keys. The bucket of the node in it may be
// narrower: what lies between is empty.
type branch struct {
	tally       uint64 // twice the count, and 1 if a leaf below is overfull
	fingerprint Fingerprint
	node        *node // nil in a leaf
}

// NewTree returns an empty tree with a leaf size from 1 to 2^16. What is below 1 counts
// as 64, what is above as 2^16.
func NewTree(leaf int) *Tree {
	if leaf < 1 {
		leaf = defaultLeaf
	}
	return &Tree{leaf: uint64(min(leaf, maxLeaf))}
}

// Insert adds an item. That it is not in the tree yet is for the caller to know: a leaf
// keeps no items, and what is inserted twice counts twice until it is removed twice.
func (t *Tree) Insert(k Key, f Fingerprint) {
	p, mine := pathOf(k), t.own()
	at := &t.root
	for n := at.node; n != nil; {
		// Both ways on are read before it is known which to go, which the bucket says:
		// they are in another cache line.
		low, high := n.children[0].node, n.children[1].node
		shared, width := n.bucket.prefix.common(&p), n.bucket.Bits()
		if shared < width {
			t.fork(at, bucketAt(p, shared), p.bit(shared))
			low, high, width = nil, nil, shared // the new branch is a leaf
		}
		at.add(&f)
		side := p.bit(width)
		at = &at.write(mine).children[side]
		if n = low; side == 1 {
			n = high
		}
	}
	at.add(&f)
	if at.count() == t.leaf+1 {
		t.retell(&t.root, &p)
	}
}

// fork puts a node above the one at a branch, with an empty leaf on the side given.
func (t *Tree) fork(at *branch, bucket Bucket, side int) {
	n := &node{bucket: bucket, owner: t.owner}
	n.children[1-side] = *at
	at.node = n
	t.nodes++
}

// Remove takes an item out. It returns ErrAbsent, and changes nothing, if it can tell
// that the item is not in the tree: no leaf is where it would be, or that leaf has one
// item and another fingerprint. Of a leaf of several items the tree knows only count
// and sum, so there the caller must know that the item is one of them.
func (t *Tree) Remove(k Key, f Fingerprint) error {
	p := pathOf(k)
	if !t.mayHold(&p, &f) {
		return fmt.Errorf("%w: time %d, ID %x", ErrAbsent, k.Time, k.ID)
	}
	mine, at := t.own(), &t.root
	at.subtract(&f)
	for at.node != nil {
		if at.count() <= t.leaf {
			at.node = nil
			t.nodes--
			return nil
		}
		n := at.write(mine)
		side := p.bit(n.bucket.Bits())
		next := &n.children[side]
		if next.count() == 1 {
			// Its sibling holds what is left, and takes the place of both.
			at.node = n.children[1-side].node
			t.nodes--
			return nil
		}
		next.subtract(&f)
		at = next
	}
	if at.count() == t.leaf {
		t.retell(&t.root, &p)
	}
	return nil
}

// mayHold reports whether an item can be in the tree, as far as the tree can tell.
func (t *Tree) mayHold(p *path, f *Fingerprint) bool {
	at := &t.root
	for at.node != nil {
		width := at.node.bucket.Bits()
		if at.node.bucket.prefix.common(p) < width {
			return false
		}
		at = &at.node.children[p.bit(width)]
	}
	return at.count() > 1 || at.count() == 1 && at.fingerprint == *f
}

// retell sets anew which branches along a path say that a leaf below is overfull.
// The nodes on the path belong to t.
func (t *Tree) retell(at *branch, p *path) {
	if at.node == nil {
		at.tell(at.count() > t.leaf)
		return
	}
	sides := &at.node.children
	t.retell(&sides[p.bit(at.node.bucket.Bits())], p)
	at.tell(sides[0].overfull() || sides[1].overfull())
}

// Root returns the sum over all items.
func (t *Tree) Root() Root { return t.root.root() }

// LeafSize returns how many items a leaf holds at most.
func (t *Tree) LeafSize() int { return int(t.leaf) }

// Snapshot returns a tree of the same items, in constant time. Each of the two may be
// written without the other noticing: a write copies the nodes on its path that are as
// old as the last snapshot, 160 bytes each. Snapshot counts as a write of a tree that
// was written since its last snapshot; of one that no one writes it may be called at
// any time.
func (t *Tree) Snapshot() *Tree {
	if t.owner != nil {
		t.owner = nil
	}
	s := *t
	return &s
}

// Size returns the bytes of memory that t takes, those it shares with snapshots included.
func (t *Tree) Size() int { return treeMemory + t.nodes*nodeMemory }

// What the runtime allocates for a Tree and for a node, in steps of 16 bytes at that size. A
// test holds them to it.
const (
	treeMemory = int(unsafe.Sizeof(Tree{})+15) &^ 15
	nodeMemory = int(unsafe.Sizeof(node{})+15) &^ 15
)

// own returns the mark of the nodes that t may write in place.
func (t *Tree) own() *owner {
	if t.owner == nil {
		t.owner = new(owner)
	}
	return t.owner
}

// write returns the node at b, or a copy of it in its place if mine is not its owner.
func (b *branch) write(mine *owner) *node {
	if b.node.owner != mine {
		n := *b.node
		n.owner = mine
		b.node = &n
	}
	return b.node
}

func (b *branch) add(f *Fingerprint) {
	b.tally += 2
	b.fingerprint.add(f)
}

func (b *branch) subtract(f *Fingerprint) {
	b.tally -= 2
	b.fingerprint.subtract(f)
}

// join adds what c holds, but not whether a leaf in it is overfull.
func (b *branch) join(c *branch) {
	b.tally += c.tally &^ 1
	b.fingerprint.add(&c.fingerprint)
}

func (b *branch) count() uint64  { return b.tally / 2 }
func (b *branch) overfull() bool { return b.tally%2 == 1 }
func (b *branch) root() Root     { return Root{Count: b.count(), Fingerprint: b.fingerprint} }

func (b *branch) tell(overfull bool) {
	b.tally &^= 1
	if overfull {
		b.tally |= 1
	}
}

// add is Add in place, in a third of the time: a write of the tree does it at every node
// on its path.
func (f *Fingerprint) add(g *Fingerprint) {
	w0, carry := bits.Add64(f.word(0), g.word(0), 0)
	w1, carry := bits.Add64(f.word(1), g.word(1), carry)
	w2, carry := bits.Add64(f.word(2), g.word(2), carry)
	w3, _ := bits.Add64(f.word(3), g.word(3), carry)
	f.set(w0, w1, w2, w3)
}

// subtract is Sub in place.
func (f *Fingerprint) subtract(g *Fingerprint) {
	w0, borrow := bits.Sub64(f.word(0), g.word(0), 0)
	w1, borrow := bits.Sub64(f.word(1), g.word(1), borrow)
	w2, borrow := bits.Sub64(f.word(2), g.word(2), borrow)
	w3, _ := bits.Sub64(f.word(3), g.word(3), borrow)
	f.set(w0, w1, w2, w3)
}

func (f *Fingerprint) word(i int) uint64 { return binary.LittleEndian.Uint64(f[8*i : 8*i+8]) }

func (f *Fingerprint) set(w0, w1, w2, w3 uint64) {
	binary.LittleEndian.PutUint64(f[0:8], w0)
	binary.LittleEndian.PutUint64(f[8:16], w1)
	binary.LittleEndian.PutUint64(f[16:24], w2)
	binary.LittleEndian.PutUint64(f[24:32], w3)
}
