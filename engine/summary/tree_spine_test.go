package summary_test

import (
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestTreeSpine: the buckets of a spine hold all items, ascend, and, whatever the clock says where the
// newest begin, those that are not leaves hold few items for each newer one.
func TestTreeSpine(t *testing.T) {
	const n = 20_000
	for _, start := range []int64{0, 1 << 40, 1<<40 - n*600_000, 1<<40 - n*990, 1_700_000_000_000_000} {
		tree := summary.NewTree(64)
		var model treeModel
		for i := range int64(n) {
			item := itemOf(summary.Key{Time: start + i*1000, ID: summary.ID{byte(i), byte(i >> 8)}})
			model.insert(item)
			tree.Insert(item.Key, item.Fingerprint)
		}
		refine(t, tree, model)
		for _, most := range []int{1, 2, 24, 64} {
			spine := tree.Spine(most)
			if len(spine) > most || len(spine) == 0 {
				t.Fatalf("%d buckets, at most %d", len(spine), most)
			}
			newer := uint64(0)
			for i := len(spine) - 1; i >= 0; i-- {
				s := spine[i]
				if root, known := tree.Sum(s.Bucket); !known || root.Count != s.Root.Count || i > 0 && spine[i-1].Bucket.Last().Compare(s.Bucket.First()) >= 0 {
					t.Fatalf("bucket %d of %d: %v of %d, %d are in it", i, len(spine), s.Bucket, s.Root.Count, root.Count)
				}
				if most >= 24 && s.Root.Count > 3*(newer+64) {
					t.Errorf("from %d: bucket %d of %d has %d items, newer are %d", start, i, len(spine), s.Root.Count, newer)
				}
				newer += s.Root.Count
			}
			if newer != n {
				t.Errorf("from %d: %d items in %d buckets", start, newer, len(spine))
			}
		}
	}
	if spine := summary.NewTree(64).Spine(24); spine != nil {
		t.Errorf("the spine of nothing: %v", spine)
	}
}
