package summary

import (
	"cmp"
	"container/heap"
	"slices"
)

// Segment is a bucket with the root of what it holds.
type Segment struct {
	Bucket Bucket
	Root   Root
}

// Cut returns at most so many buckets, at least one, ascending, that together cover every
// key once. It begins with the bucket of all keys and halves whichever holds most items,
// of equal ones the first, as long as one is left that is no leaf. So buckets that hold
// nothing are among them. The result follows from the set, as far as no leaf is overfull.
//
// Another tree is compared with it by Sum, bucket by bucket: the sets differ in the
// buckets whose roots differ, and nowhere else. Where Sum does not know, the other tree
// has a leaf that is wider, and few enough items to look at them.
func (t *Tree) Cut(most int) []Segment {
	return cut(region{at: t.root}, most)
}

// CutWithin is Cut for the keys of one bucket: what to do next about one that differs.
// Like Sum it returns false if b is a part of a leaf that is not empty.
func (t *Tree) CutWithin(b Bucket, most int) ([]Segment, bool) {
	at, ok := t.within(b)
	if !ok {
		return nil, false
	}
	return cut(region{bucket: b, at: at}, most), true
}

func cut(whole region, most int) []Segment {
	var open regions
	var done []Segment
	keep := func(r region) {
		if r.at.node == nil {
			done = append(done, r.segment())
		} else {
			heap.Push(&open, r)
		}
	}
	keep(whole)
	for len(open) > 0 && len(open)+len(done) < most {
		low, high := heap.Pop(&open).(region).halves()
		keep(low)
		keep(high)
	}
	for i := range open {
		done = append(done, open[i].segment())
	}
	return sortSegments(done)
}

func sortSegments(segments []Segment) []Segment {
	slices.SortFunc(segments, func(a, b Segment) int { return a.Bucket.Compare(b.Bucket) })
	return segments
}

// region is a bucket, with the branch that holds what is in it and no more.
type region struct {
	bucket Bucket
	at     branch
}

func (r *region) segment() Segment { return Segment{Bucket: r.bucket, Root: r.at.root()} }

// halves returns the halves of a region that is no leaf.
func (r region) halves() (low, high region) {
	n := r.at.node
	low.bucket, high.bucket = r.bucket.half(0), r.bucket.half(1)
	switch {
	case r.bucket == n.bucket:
		low.at, high.at = n.children[0], n.children[1]
	case n.bucket.prefix.bit(r.bucket.Bits()) == 0:
		low.at = r.at
	default:
		high.at = r.at
	}
	return low, high
}

// regions is a heap, the one that holds most on top.
type regions []region

func (r regions) Len() int { return len(r) }

func (r regions) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(r[j].at.count(), r[i].at.count()), r[i].bucket.Compare(r[j].bucket)) < 0
}

func (r regions) Swap(i, j int) { r[i], r[j] = r[j], r[i] }

func (r *regions) Push(x any) { *r = append(*r, x.(region)) }

func (r *regions) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}
