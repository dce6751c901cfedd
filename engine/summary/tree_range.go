package summary

import "iter"

// Sum returns count and fingerprint of the items in b. It returns false if the tree does
// not know them: if b is a part of a leaf that is not empty. Around tells which leaf.
func (t *Tree) Sum(b Bucket) (Root, bool) {
	at, ok := t.within(b)
	return at.root(), ok
}

// within returns a branch that holds the items in b and no others; false if there is none.
func (t *Tree) within(b Bucket) (branch, bool) {
	at, covered := &t.root, 0
	for covered < b.Bits() {
		if at.node == nil {
			return branch{}, at.count() == 0
		}
		width := at.node.bucket.Bits()
		shared := at.node.bucket.prefix.common(&b.prefix)
		switch {
		case shared < min(width, b.Bits()):
			return branch{}, true
		case width >= b.Bits():
			return *at, true
		}
		at, covered = &at.node.children[b.prefix.bit(width)], width+1
	}
	return *at, true
}

// Between returns count and fingerprint of the items from the key from to the key to, both
// included; there are none if to is smaller. It returns false if the tree does not know
// them: if from or to cuts a leaf that is not empty in two. Whole buckets have whole
// leaves, and Around tells where those of two keys begin and end.
func (t *Tree) Between(from, to Key) (Root, bool) {
	if from.Compare(to) > 0 {
		return Root{}, true
	}
	upto, known := t.root, true
	if end, more := pathOf(to).next(); more {
		upto, known = t.below(&end)
	}
	start := pathOf(from)
	before, ok := t.below(&start)
	if !ok || !known {
		return Root{}, false
	}
	return upto.root().Sub(before.root()), true
}

// below returns what a branch with the items before a path would have; false if the path cuts a leaf in two.
func (t *Tree) below(p *path) (branch, bool) {
	var sum branch
	at, covered := &t.root, 0
	for at.node != nil {
		width := at.node.bucket.Bits()
		if shared := at.node.bucket.prefix.common(p); shared < width {
			if p.bit(shared) == 1 {
				sum.join(at)
			}
			return sum, true
		}
		side := p.bit(width)
		if side == 1 {
			sum.join(&at.node.children[0])
		}
		at, covered = &at.node.children[side], width+1
	}
	if at.count() == 0 || p.cut(covered) == *p {
		return sum, true
	}
	return branch{}, false
}

// Around returns the leaf into which k belongs, with what it holds, or the widest empty
// bucket, if k lies between leaves.
func (t *Tree) Around(k Key) (Bucket, Root) {
	p, at, covered := pathOf(k), &t.root, 0
	for at.node != nil {
		width := at.node.bucket.Bits()
		if shared := at.node.bucket.prefix.common(&p); shared < width {
			return bucketAt(p, shared+1), Root{}
		}
		at, covered = &at.node.children[p.bit(width)], width+1
	}
	return bucketAt(p, covered), at.root()
}

// Segments yields the leaves that hold something, ascending; between them lies nothing.
// The tree must not be written before the last was taken; a snapshot is not.
func (t *Tree) Segments() iter.Seq2[Bucket, Root] {
	return func(yield func(Bucket, Root) bool) { t.root.leaves(Bucket{}, yield) }
}

func (b *branch) leaves(covers Bucket, yield func(Bucket, Root) bool) bool {
	switch {
	case b.node != nil:
		low, high := &b.node.children[0], &b.node.children[1]
		return low.leaves(b.node.bucket.half(0), yield) && high.leaves(b.node.bucket.half(1), yield)
	case b.count() > 0:
		return yield(covers, b.root())
	}
	return true
}
