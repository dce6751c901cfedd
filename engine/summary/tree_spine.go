package summary

import "container/heap"

// Spine returns at most so many buckets, at least one unless the tree is empty, ascending,
// that hold every item once and are none of them empty. It follows the newest items down to
// their leaf first, so that the newest bucket is small, then halves whichever bucket holds
// most. A bucket that is no leaf is the narrowest that holds its items: where no bucket
// lies, the set has nothing.
//
// It tells in a few hundred bytes where a view's items are, densest about its newest end:
// where another set has more of them, or some where this one has none, they differ.
func (t *Tree) Spine(most int) []Segment {
	if t.root.count() == 0 {
		return nil
	}
	var open regions
	newest := tight(Bucket{}, t.root)
	for newest.at.node != nil && len(open)+1 < most {
		n := newest.at.node
		open = append(open, tight(n.bucket.half(0), n.children[0]))
		newest = tight(n.bucket.half(1), n.children[1])
	}
	open = append(open, newest)
	heap.Init(&open)
	var done []Segment
	for len(open) > 0 {
		r := heap.Pop(&open).(region)
		if r.at.node == nil || len(open)+len(done)+2 > most {
			done = append(done, r.segment())
			continue
		}
		n := r.at.node
		heap.Push(&open, tight(n.bucket.half(0), n.children[0]))
		heap.Push(&open, tight(n.bucket.half(1), n.children[1]))
	}
	return sortSegments(done)
}

// tight returns the region of a branch that covers a bucket, as narrow as is known.
func tight(covers Bucket, at branch) region {
	if at.node != nil {
		covers = at.node.bucket
	}
	return region{bucket: covers, at: at}
}
