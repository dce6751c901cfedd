package summary

import (
	"fmt"
	"slices"
	"sort"
)

// TreeItem is an item as a Tree is given it.
type TreeItem struct {
	Key         Key
	Fingerprint Fingerprint
}

// Overfull returns at most so many of the leaves that hold more items than the leaf
// size, ascending: the buckets that Refine is to be called for. It takes time in
// proportion to the depth and to what it returns; where there are none, no time.
func (t *Tree) Overfull(most int) []Bucket { return t.root.collect(nil, Bucket{}, most) }

func (b *branch) collect(found []Bucket, covers Bucket, most int) []Bucket {
	switch {
	case !b.overfull() || len(found) >= most:
		return found
	case b.node == nil:
		return append(found, covers)
	}
	for side := range b.node.children {
		found = b.node.children[side].collect(found, b.node.bucket.half(side), most)
	}
	return found
}

// Refine splits an overfull leaf: b is its bucket and items are all that it holds. It
// sorts items, unless they ascend by key already, and keeps none of them. If b is no leaf,
// or items lie outside of it, repeat a key, or do not add up to what the leaf holds,
// Refine returns ErrMismatch and nothing has changed: then what the caller read is wrong
// or of another time, or the tree is. A leaf that is not overfull stays as it is. O(n log n)
// time in the number of items.
func (t *Tree) Refine(b Bucket, items []TreeItem) error {
	if !slices.IsSortedFunc(items, compareItems) {
		slices.SortFunc(items, compareItems)
	}
	if err := t.agree(b, items); err != nil {
		return err
	}
	mine, at := t.own(), &t.root
	for at.node != nil {
		n := at.write(mine)
		at = &n.children[b.prefix.bit(n.bucket.Bits())]
	}
	if at.count() <= t.leaf {
		return nil
	}
	*at = t.build(items)
	t.retell(&t.root, &b.prefix)
	return nil
}

func compareItems(a, b TreeItem) int { return a.Key.Compare(b.Key) }

// agree returns nil if b is a leaf and items, which ascend, may be what it holds.
func (t *Tree) agree(b Bucket, items []TreeItem) error {
	leaf := t.leafAt(b)
	if leaf == nil {
		return fmt.Errorf("%w: bucket %v is no leaf", ErrMismatch, b)
	}
	if have, want := uint64(len(items)), leaf.count(); have != want {
		return fmt.Errorf("%w: %d items for bucket %v of %d", ErrMismatch, have, b, want)
	}
	var sum Fingerprint
	for i := range items {
		if i > 0 && items[i-1].Key == items[i].Key {
			return fmt.Errorf("%w: bucket %v twice with time %d, ID %x", ErrMismatch, b, items[i].Key.Time, items[i].Key.ID)
		}
		sum.add(&items[i].Fingerprint)
	}
	if n := len(items); n > 0 && !(b.Contains(items[0].Key) && b.Contains(items[n-1].Key)) {
		return fmt.Errorf("%w: items outside of bucket %v", ErrMismatch, b)
	}
	if sum != leaf.fingerprint {
		return fmt.Errorf("%w: fingerprint of bucket %v: have %x, want %x", ErrMismatch, b, sum, leaf.fingerprint)
	}
	return nil
}

// leafAt returns the leaf that covers b and nothing else, nil if there is none.
func (t *Tree) leafAt(b Bucket) *branch {
	at, covered := &t.root, 0
	for at.node != nil {
		width := at.node.bucket.Bits()
		if width >= b.Bits() || at.node.bucket.prefix.common(&b.prefix) < width {
			return nil
		}
		at, covered = &at.node.children[b.prefix.bit(width)], width+1
	}
	if covered != b.Bits() {
		return nil
	}
	return at
}

// build returns the branch that holds items, which ascend without repetition.
func (t *Tree) build(items []TreeItem) branch {
	if uint64(len(items)) <= t.leaf {
		var leaf branch
		for i := range items {
			leaf.add(&items[i].Fingerprint)
		}
		return leaf
	}
	first, last := pathOf(items[0].Key), pathOf(items[len(items)-1].Key)
	width := first.common(&last)
	middle := sort.Search(len(items), func(i int) bool {
		p := pathOf(items[i].Key)
		return p.bit(width) == 1
	})
	n := &node{bucket: bucketAt(first, width), owner: t.owner}
	n.children = [2]branch{t.build(items[:middle]), t.build(items[middle:])}
	t.nodes++
	return n.sum()
}

// sum returns the branch whose node is n.
func (n *node) sum() branch {
	low, high := &n.children[0], &n.children[1]
	both := branch{node: n}
	both.join(low)
	both.join(high)
	both.tell(low.overfull() || high.overfull())
	return both
}
