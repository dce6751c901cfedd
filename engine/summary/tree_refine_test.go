package summary_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// overfullTree returns a tree with one overfull leaf, and what is in that.
func overfullTree(t *testing.T) (*summary.Tree, treeModel, summary.Bucket) {
	t.Helper()
	m := modelOf(keysAt(40, func(i int) int64 { return int64(i) << 30 }))
	tree := m.build(t, 8)
	for i := range 30 {
		item := itemOf(summary.Key{Time: 5<<30 + int64(i), ID: idOf(100 + i)})
		m.insert(item)
		tree.Insert(item.Key, item.Fingerprint)
	}
	overfull := tree.Overfull(2)
	if len(overfull) != 1 {
		t.Fatalf("overfull: %v", overfull)
	}
	return tree, m.in(overfull[0]), overfull[0]
}

// TestTreeRefineWrong: what does not add up to the leaf is ErrMismatch, and nothing has
// changed.
func TestTreeRefineWrong(t *testing.T) {
	tree, items, b := overfullTree(t)
	want := tree.AppendBinary(nil)
	wider := summary.BucketOf(b.First(), b.Bits()-1)
	low, _ := halvesOf(b)
	cases := map[string]struct {
		b     summary.Bucket
		items treeModel
	}{
		"no items":                    {b, nil},
		"an item less":                {b, items[1:]},
		"an item more":                {b, append(slices.Clone(items), itemOf(b.Last()))},
		"an item more, of no weight":  {b, append(slices.Clone(items), summary.TreeItem{Key: b.Last()})},
		"an item for another":         {b, append(slices.Clone(items[1:]), itemOf(b.Last()))},
		"an item twice":               {b, append(slices.Clone(items[1:]), items[3])},
		"fingerprints changed over":   {b, overlaid(items, summary.TreeItem{Key: items[0].Key, Fingerprint: items[1].Fingerprint})},
		"an item outside":             {b, overlaid(items, summary.TreeItem{Key: summary.Key{Time: -1}, Fingerprint: items[0].Fingerprint})},
		"the last item outside":       {b, overlaid(items, summary.TreeItem{Key: summary.Key{Time: 1 << 60}, Fingerprint: items[0].Fingerprint})},
		"the node above the leaf":     {wider, items},
		"a part of the leaf":          {low, items.in(low)},
		"the whole tree":              {summary.Bucket{}, items},
		"a bucket between the leaves": {summary.BucketOf(summary.Key{Time: -1}, 40), nil},
		"a bucket of one key":         {summary.BucketOf(items[0].Key, 320), items[:1]},
	}
	for name, c := range cases {
		if err := tree.Refine(c.b, c.items); !errors.Is(err, summary.ErrMismatch) {
			t.Errorf("%s: got %v", name, err)
		}
		if got := tree.AppendBinary(nil); !bytes.Equal(got, want) {
			t.Errorf("%s: the tree has changed", name)
		}
	}
}

// TestTreeRefineTwice: a leaf of one key that was inserted twice is not built, though its
// items add up.
func TestTreeRefineTwice(t *testing.T) {
	item := itemOf(summary.Key{Time: 9})
	tree := summary.NewTree(1)
	tree.Insert(item.Key, item.Fingerprint)
	tree.Insert(item.Key, item.Fingerprint)
	if err := tree.Refine(summary.Bucket{}, treeModel{item, item}); !errors.Is(err, summary.ErrMismatch) {
		t.Errorf("got %v", err)
	}
	if err := tree.Remove(item.Key, item.Fingerprint); err != nil || tree.Overfull(1) != nil {
		t.Errorf("one taken out: %v, overfull %v", err, tree.Overfull(1))
	}
	sound(t, tree, treeModel{item}, 1)
}

// overlaid returns items with another in place of the first.
func overlaid(items treeModel, first summary.TreeItem) treeModel {
	return append(treeModel{first}, items[1:]...)
}

// TestTreeRefineStale: items that were read before another one came are refused.
func TestTreeRefineStale(t *testing.T) {
	tree, items, b := overfullTree(t)
	late := itemOf(b.Last())
	tree.Insert(late.Key, late.Fingerprint)
	if err := tree.Refine(b, slices.Clone(items)); !errors.Is(err, summary.ErrMismatch) {
		t.Errorf("an item came: got %v", err)
	}
	if err := tree.Remove(late.Key, late.Fingerprint); err != nil {
		t.Fatal(err)
	}
	gone := items[4]
	if err := tree.Remove(gone.Key, gone.Fingerprint); err != nil {
		t.Fatal(err)
	}
	if err := tree.Refine(b, slices.Clone(items)); !errors.Is(err, summary.ErrMismatch) {
		t.Errorf("an item went: got %v", err)
	}
	tree.Insert(gone.Key, gone.Fingerprint)
	if err := tree.Refine(b, slices.Clone(items)); err != nil {
		t.Errorf("both undone: got %v", err)
	}
	if err := tree.Refine(b, slices.Clone(items)); !errors.Is(err, summary.ErrMismatch) {
		t.Errorf("refined already: got %v", err)
	}
}

// TestTreeRefineOrder: items may come in any order, and are not kept.
func TestTreeRefineOrder(t *testing.T) {
	tree, items, b := overfullTree(t)
	want := tree.Snapshot()
	if err := want.Refine(b, slices.Clone(items)); err != nil {
		t.Fatal(err)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	if err := tree.Refine(b, items); err != nil {
		t.Fatal(err)
	}
	clear(items)
	if !bytes.Equal(tree.AppendBinary(nil), want.AppendBinary(nil)) {
		t.Error("another order, another tree")
	}
}

// TestTreeRefineNothing: a leaf that is not overfull is left as it is.
func TestTreeRefineNothing(t *testing.T) {
	m := modelOf(keysAt(40, func(i int) int64 { return int64(i) << 30 }))
	tree := m.build(t, 8)
	want := tree.AppendBinary(nil)
	for b := range tree.Segments() {
		if err := tree.Refine(b, m.in(b)); err != nil {
			t.Errorf("%v: %v", b, err)
		}
	}
	if !bytes.Equal(tree.AppendBinary(nil), want) {
		t.Error("the tree has changed")
	}
	empty := summary.NewTree(8)
	if err := empty.Refine(summary.Bucket{}, nil); err != nil {
		t.Errorf("of an empty tree: %v", err)
	}
}

// TestTreeOverfullMost: no more buckets than asked for, the first ones, ascending.
func TestTreeOverfullMost(t *testing.T) {
	m := modelOf(keysAt(64, func(i int) int64 { return int64(i) << 30 }))
	tree := m.build(t, 2)
	for i := range 64 {
		item := itemOf(summary.Key{Time: int64(i) << 30, ID: summary.ID{byte(i)}})
		m.insert(item)
		tree.Insert(item.Key, item.Fingerprint)
	}
	all := tree.Overfull(1000)
	if len(all) != 32 || !slices.IsSortedFunc(all, summary.Bucket.Compare) {
		t.Fatalf("got %d: %v", len(all), all)
	}
	for _, most := range []int{-1, 0, 1, 5, 32, 33} {
		if got, want := tree.Overfull(most), all[:min(max(most, 0), 32)]; !slices.Equal(got, want) {
			t.Errorf("at most %d: got %v", most, got)
		}
	}
}

func TestNewTree(t *testing.T) {
	for leaf, want := range map[int]int{-1: 64, 0: 64, 1: 1, 64: 64, 1 << 16: 1 << 16, 1<<16 + 1: 1 << 16} {
		if got := summary.NewTree(leaf).LeafSize(); got != want {
			t.Errorf("NewTree(%d): leaf size %d, want %d", leaf, got, want)
		}
	}
}
