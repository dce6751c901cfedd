package summary_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestTreeSnapshot: a snapshot is what the tree was, whatever happens to either later.
func TestTreeSnapshot(t *testing.T) {
	type kept struct {
		tree *summary.Tree
		m    treeModel
	}
	var snapshots []kept
	tree, m := summary.NewTree(2), treeModel{}
	for i, k := range keysAt(150, func(i int) int64 { return int64(i%7) << 40 }) {
		item := itemOf(k)
		m.insert(item)
		tree.Insert(k, item.Fingerprint)
		if i%3 == 0 {
			refine(t, tree, m)
		}
		if i%10 == 0 {
			snapshots = append(snapshots, kept{tree.Snapshot(), slices.Clone(m)})
		}
		if i%4 == 0 {
			m.remove(k)
			if err := tree.Remove(k, item.Fingerprint); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, s := range snapshots {
		sound(t, s.tree, s.m, 2)
		before := s.tree.Snapshot()
		refine(t, s.tree, s.m)
		settled(t, s.tree, s.m, 2)
		sound(t, before, s.m, 2)
		if i%2 == 0 {
			for _, item := range s.m {
				if err := s.tree.Remove(item.Key, item.Fingerprint); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	sound(t, tree, m, 2)
}

// TestTreeSnapshotRead: snapshots are read by several goroutines while the tree goes on.
func TestTreeSnapshotRead(t *testing.T) {
	tree, m := summary.NewTree(4), treeModel{}
	var readers sync.WaitGroup
	defer readers.Wait()
	for i, k := range keysAt(400, func(i int) int64 { return int64(i%50) << 30 }) {
		item := itemOf(k)
		m.insert(item)
		tree.Insert(k, item.Fingerprint)
		if i%2 == 0 {
			refine(t, tree, m)
		}
		if i%5 == 0 {
			m.remove(k)
			if err := tree.Remove(k, item.Fingerprint); err != nil {
				t.Fatal(err)
			}
		}
		if i%20 != 0 {
			continue
		}
		snapshot, want := tree.Snapshot(), m.root()
		for range 3 {
			readers.Go(func() { readSnapshot(t, snapshot, want) })
		}
	}
}

func readSnapshot(t *testing.T, s *summary.Tree, want summary.Root) {
	for range 5 {
		var sum summary.Root
		for b, root := range s.Snapshot().Segments() {
			if got, ok := s.Sum(b); !ok || got != root {
				t.Errorf("%v: got %v, %v, want %v", b, got, ok, root)
			}
			sum = sum.Add(root)
		}
		if between, ok := s.Between(summary.Bucket{}.First(), summary.Bucket{}.Last()); sum != want || !ok || between != want {
			t.Errorf("got %v and %v, want %v", sum, between, want)
		}
		if decoded, err := summary.DecodeTree(s.AppendBinary(nil)); err != nil || decoded.Root() != want {
			t.Errorf("decoded: %v", err)
		}
	}
}
