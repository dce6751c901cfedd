package summary

import (
	"fmt"
	"runtime"
)

// NodeCount returns how many nodes t has.
func (t *Tree) NodeCount() int { return t.nodes }

// Check returns what is wrong inside of t, if anything is: sums that do not follow from
// what is below, buckets that do not nest, nodes that should be leaves, marks of overfull
// leaves that are none. It does not know the items. Depth is that of the deepest leaf.
func (t *Tree) Check() (depth int, err error) {
	c := treeCheck{leaf: t.leaf}
	if err := c.branch(&t.root, Bucket{}, 0); err != nil {
		return c.depth, err
	}
	if c.nodes != t.nodes {
		return c.depth, fmt.Errorf("%d nodes, counted as %d", c.nodes, t.nodes)
	}
	if t.root.count() == 0 && t.root != (branch{}) {
		return c.depth, fmt.Errorf("no items with fingerprint %x", t.root.fingerprint)
	}
	return c.depth, nil
}

type treeCheck struct {
	leaf         uint64
	nodes, depth int
}

func (c *treeCheck) branch(b *branch, covers Bucket, depth int) error {
	c.depth = max(c.depth, depth)
	if b.node == nil {
		if b.overfull() != (b.count() > c.leaf) || depth > 0 && b.count() == 0 {
			return fmt.Errorf("leaf %v of %d items, overfull: %v", covers, b.count(), b.overfull())
		}
		return nil
	}
	c.nodes++
	n := b.node
	below := n.sum()
	switch {
	case below != *b:
		return fmt.Errorf("branch %v has %v, below it is %v", covers, *b, below)
	case b.count() <= c.leaf:
		return fmt.Errorf("node %v of %d items", n.bucket, b.count())
	case !covers.Covers(n.bucket) || n.bucket.prefix.cut(n.bucket.Bits()) != n.bucket.prefix:
		return fmt.Errorf("node %v in bucket %v", n.bucket, covers)
	}
	for side := range n.children {
		if err := c.branch(&n.children[side], n.bucket.half(side), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// HeapBytes returns the bytes of the heap in use, after a collection.
func HeapBytes() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
