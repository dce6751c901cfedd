package summary

import "slices"

// Spine returns at most so many buckets, at least one unless the tree is empty, ascending,
// that hold every item once and are none of them empty. It halves, again and again, the
// bucket that has most items for each newer one, so that counts grow by about one factor from the newest
// bucket to the oldest. A bucket that is no leaf is the narrowest that holds its items:
// where no bucket lies, the set has nothing.
//
// It tells in a few hundred bytes where a view's items are, however many the newest are that
// matter: where another set has more of them, or some where this one has none, they differ.
// To follow the newest items down to a leaf first was rejected: where the newest bucket of a level is
// just beginning, the one before it then stays as wide as most of the time.
func (t *Tree) Spine(most int) []Segment {
	if t.root.count() == 0 {
		return nil
	}
	spine := []region{tight(Bucket{}, t.root)}
	for len(spine) < most {
		at, share, newer := -1, 0.0, t.LeafSize()
		for i, r := range slices.Backward(spine) {
			count := int(r.at.count())
			if s := float64(count) / float64(newer); r.at.node != nil && s > share {
				at, share = i, s
			}
			newer += count
		}
		if at < 0 {
			break
		}
		n := spine[at].at.node
		spine = slices.Replace(spine, at, at+1, tight(n.bucket.half(0), n.children[0]), tight(n.bucket.half(1), n.children[1]))
	}
	segments := make([]Segment, len(spine))
	for i, r := range spine {
		segments[i] = r.segment()
	}
	return segments
}

// tight returns the region of a branch that covers a bucket, as narrow as is known.
func tight(covers Bucket, at branch) region {
	if at.node != nil {
		covers = at.node.bucket
	}
	return region{bucket: covers, at: at}
}
