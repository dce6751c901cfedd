package summary_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// treeModel is the slow reference of a Tree: its items, ascending.
type treeModel []summary.TreeItem

// itemOf gives a key a fingerprint of its own.
func itemOf(k summary.Key) summary.TreeItem {
	form := binary.BigEndian.AppendUint64(nil, uint64(k.Time))
	return summary.TreeItem{Key: k, Fingerprint: sha256.Sum256(append(form, k.ID[:]...))}
}

func modelOf(keys []summary.Key) treeModel {
	var m treeModel
	for _, k := range keys {
		m.insert(itemOf(k))
	}
	return m
}

func (m treeModel) find(k summary.Key) (int, bool) {
	return slices.BinarySearchFunc(m, k, func(item summary.TreeItem, k summary.Key) int { return item.Key.Compare(k) })
}

func (m *treeModel) insert(item summary.TreeItem) {
	at, _ := m.find(item.Key)
	*m = slices.Insert(*m, at, item)
}

func (m *treeModel) remove(k summary.Key) {
	at, _ := m.find(k)
	*m = slices.Delete(*m, at, at+1)
}

// between returns the items from a key to a key, both included.
func (m treeModel) between(from, to summary.Key) treeModel {
	var found treeModel
	for _, item := range m {
		if item.Key.Compare(from) >= 0 && item.Key.Compare(to) <= 0 {
			found = append(found, item)
		}
	}
	return found
}

func (m treeModel) in(b summary.Bucket) treeModel { return m.between(b.First(), b.Last()) }

func (m treeModel) root() summary.Root {
	var sum summary.Root
	for _, item := range m {
		sum = sum.Add(summary.Root{Count: 1, Fingerprint: item.Fingerprint})
	}
	return sum
}

func halvesOf(b summary.Bucket) (low, high summary.Bucket) {
	return summary.BucketOf(b.First(), b.Bits()+1), summary.BucketOf(b.Last(), b.Bits()+1)
}

// segments returns the leaves that a tree of the items of b has by definition: halve
// what holds more than the leaf size.
func (m treeModel) segments(b summary.Bucket, leaf int) []summary.Segment {
	switch {
	case len(m) == 0:
		return nil
	case len(m) <= leaf:
		return []summary.Segment{{Bucket: b, Root: m.root()}}
	}
	low, high := halvesOf(b)
	middle := 0
	for middle < len(m) && m[middle].Key.Compare(high.First()) < 0 {
		middle++
	}
	return append(m[:middle].segments(low, leaf), m[middle:].segments(high, leaf)...)
}

// cut is the slow reference of Cut.
func (m treeModel) cut(leaf, most int) []summary.Segment {
	cut := []summary.Segment{{Root: m.root()}}
	for len(cut) < most {
		largest := 0
		for i := range cut {
			if cut[i].Root.Count > cut[largest].Root.Count {
				largest = i
			}
		}
		if cut[largest].Root.Count <= uint64(leaf) {
			break
		}
		low, high := halvesOf(cut[largest].Bucket)
		cut = slices.Replace(cut, largest, largest+1,
			summary.Segment{Bucket: low, Root: m.in(low).root()}, summary.Segment{Bucket: high, Root: m.in(high).root()})
	}
	return cut
}

// build returns the tree that is made of m in one go.
func (m treeModel) build(t *testing.T, leaf int) *summary.Tree {
	t.Helper()
	tree := summary.NewTree(leaf)
	for _, item := range m {
		tree.Insert(item.Key, item.Fingerprint)
	}
	if err := tree.Refine(summary.Bucket{}, slices.Clone(m)); err != nil {
		t.Fatal(err)
	}
	return tree
}

func segmentsOf(tree *summary.Tree) []summary.Segment {
	var found []summary.Segment
	for b, root := range tree.Segments() {
		found = append(found, summary.Segment{Bucket: b, Root: root})
	}
	return found
}

// refine hands a tree all that it wants to be handed.
func refine(t *testing.T, tree *summary.Tree, m treeModel) {
	t.Helper()
	for {
		overfull := tree.Overfull(3)
		if len(overfull) == 0 {
			return
		}
		for _, b := range overfull {
			if err := tree.Refine(b, m.in(b)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// sound fails unless a tree, refined or not, is in order and holds what m does.
func sound(t *testing.T, tree *summary.Tree, m treeModel, leaf int) {
	t.Helper()
	if _, err := tree.Check(); err != nil {
		t.Fatal(err)
	}
	if got, want := tree.Root(), m.root(); got != want {
		t.Fatalf("root: got %v, want %v", got, want)
	}
	var overfull []summary.Bucket
	var total uint64
	for b, root := range tree.Segments() {
		if want := m.in(b).root(); root != want {
			t.Fatalf("segment %v: got %v, want %v", b, root, want)
		}
		if root.Count > uint64(leaf) {
			overfull = append(overfull, b)
		}
		total += root.Count
	}
	if total != uint64(len(m)) {
		t.Fatalf("segments of %d items, want %d", total, len(m))
	}
	if got := tree.Overfull(len(m)); !slices.Equal(got, overfull) {
		t.Fatalf("overfull: got %v, want %v", got, overfull)
	}
}

// settled fails unless a refined tree is, node by node, the one that m is built into.
func settled(t *testing.T, tree *summary.Tree, m treeModel, leaf int) {
	t.Helper()
	sound(t, tree, m, leaf)
	if got, want := segmentsOf(tree), m.segments(summary.Bucket{}, leaf); !slices.Equal(got, want) {
		t.Fatalf("segments: got %v, want %v", got, want)
	}
	if got, want := tree.AppendBinary(nil), m.build(t, leaf).AppendBinary(nil); !bytes.Equal(got, want) {
		t.Fatalf("encoded: got %x, rebuilt %x", got, want)
	}
}
