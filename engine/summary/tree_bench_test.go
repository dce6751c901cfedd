package summary_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

const benchItems = 1_000_000

// secondly is a time per item: one a second, as in a view of eleven days.
func secondly(i int) int64 { return 1_735_689_600_000_000 + int64(i)*1_000_000 }

// benchTree returns a refined tree of so many items, ascending, and these.
func benchTree(tb testing.TB, n int) (*summary.Tree, []summary.TreeItem) {
	tb.Helper()
	items := evenItems(n, secondly)
	tree := summary.NewTree(0)
	insertAll(tb, tree, items)
	return tree, items
}

// insertAll inserts items, which ascend, and refines as it goes.
func insertAll(tb testing.TB, tree *summary.Tree, items []summary.TreeItem) {
	from := 0
	for i := range items {
		tree.Insert(items[i].Key, items[i].Fingerprint)
		for _, b := range tree.Overfull(1) {
			for items[from].Key.Compare(b.First()) < 0 {
				from++
			}
			if err := tree.Refine(b, items[from:i+1]); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// TestTreeMemory: at most 6 bytes of memory per item, and Size tells as many as there are.
func TestTreeMemory(t *testing.T) {
	for name, c := range map[string]struct {
		n  int
		at func(i int) int64
	}{
		"one a second": {manyItems, secondly},
		"one instant":  {100_000, func(int) int64 { return 5 }},
		"bursts":       {100_000, func(i int) int64 { return int64(i/500)<<36 + int64(i%500) }},
	} {
		items := evenItems(c.n, c.at)
		before := int64(summary.HeapBytes())
		tree := unrefined(items)
		if err := tree.Refine(summary.Bucket{}, items); err != nil {
			t.Fatal(err)
		}
		got := int64(summary.HeapBytes()) - before
		t.Logf("%s: %.2f bytes per item", name, float64(got)/float64(c.n))
		if perItem := float64(got) / float64(c.n); perItem > 6 || perItem < 1 {
			t.Errorf("%s: %.2f bytes per item", name, perItem)
		}
		if size := int64(tree.Size()); max(got-size, size-got) > 64<<10 {
			t.Errorf("%s: Size %d, measured %d", name, size, got)
		}
		runtime.KeepAlive(items)
	}
}

// BenchmarkTreeFill builds a tree one item at a time, in the order of time or in random
// order, and hands every leaf its items as soon as it is overfull. Reading these items is
// the store's, so it is done beforehand.
func BenchmarkTreeFill(b *testing.B) {
	for _, order := range []string{"time", "random"} {
		b.Run(fmt.Sprintf("order=%s/n=%d", order, benchItems), func(b *testing.B) {
			items := evenItems(benchItems, secondly)
			come := slices.Clone(items)
			if order == "random" {
				rand.New(rand.NewPCG(1, 1)).Shuffle(len(come), func(i, j int) { come[i], come[j] = come[j], come[i] })
			}
			plan := planRefining(b, items, come)
			runtime.GC()
			for b.Loop() {
				fill(b, come, plan)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchItems, "ns/item")
		})
	}
}

// refining says that after so many insertions a bucket is overfull, and what is in it.
type refining struct {
	after  int
	bucket summary.Bucket
	items  []summary.TreeItem
}

func fill(b *testing.B, come []summary.TreeItem, plan []refining) {
	tree := summary.NewTree(0)
	for i := range come {
		tree.Insert(come[i].Key, come[i].Fingerprint)
		for len(plan) > 0 && plan[0].after == i {
			if err := tree.Refine(plan[0].bucket, plan[0].items); err != nil {
				b.Fatal(err)
			}
			plan = plan[1:]
		}
	}
	if tree.Overfull(1) != nil {
		b.Fatal("overfull")
	}
}

// planRefining returns what fill is to do; items ascend, come is the order they come in.
func planRefining(b *testing.B, items, come []summary.TreeItem) []refining {
	var plan []refining
	tree, here := summary.NewTree(0), make([]bool, len(items))
	for i := range come {
		at, _ := treeModel(items).find(come[i].Key)
		here[at] = true
		tree.Insert(come[i].Key, come[i].Fingerprint)
		for _, bucket := range tree.Overfull(1) {
			held := make([]summary.TreeItem, 0, 70)
			from, _ := treeModel(items).find(bucket.First())
			for last := bucket.Last(); from < len(items) && items[from].Key.Compare(last) <= 0; from++ {
				if here[from] {
					held = append(held, items[from])
				}
			}
			if err := tree.Refine(bucket, held); err != nil {
				b.Fatal(err)
			}
			plan = append(plan, refining{i, bucket, held})
		}
	}
	return plan
}

// BenchmarkTreeWrite takes an item of a million out and puts it back, in place, and as
// the first write after a snapshot, which copies the path.
func BenchmarkTreeWrite(b *testing.B) {
	tree, items := benchTree(b, benchItems)
	random := rand.New(rand.NewPCG(2, 2))
	for _, snapshots := range []bool{false, true} {
		b.Run(fmt.Sprintf("snapshots=%v/n=%d", snapshots, benchItems), func(b *testing.B) {
			for b.Loop() {
				item := &items[random.IntN(len(items))]
				if snapshots {
					tree.Snapshot()
				}
				if err := tree.Remove(item.Key, item.Fingerprint); err != nil {
					b.Fatal(err)
				}
				tree.Insert(item.Key, item.Fingerprint)
			}
		})
	}
}

// BenchmarkTreeRead asks a tree of a million items.
func BenchmarkTreeRead(b *testing.B) {
	tree, items := benchTree(b, benchItems)
	var buckets []summary.Bucket
	for bucket := range tree.Segments() {
		buckets = append(buckets, bucket)
	}
	random := rand.New(rand.NewPCG(3, 3))
	pick := func() summary.Bucket { return buckets[random.IntN(len(buckets))] }
	form := tree.AppendBinary(nil)
	run := func(name string, call func() bool) {
		b.Run(fmt.Sprintf("%s/n=%d", name, len(items)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !call() {
					b.Fatal("unknown")
				}
			}
		})
	}
	run("Sum", func() bool { _, ok := tree.Sum(pick()); return ok })
	run("Between", func() bool {
		from, to := pick(), pick()
		if from.Compare(to) > 0 {
			from, to = to, from
		}
		_, ok := tree.Between(from.First(), to.Last())
		return ok
	})
	run("Around", func() bool { _, root := tree.Around(pick().First()); return root.Count > 0 })
	run("Cut64", func() bool { return len(tree.Cut(64)) == 64 })
	run("Snapshot", func() bool { return tree.Snapshot() != nil })
	run("Encode", func() bool { form = tree.AppendBinary(form[:0]); return len(form) > 0 })
	run("Decode", func() bool { _, err := summary.DecodeTree(form); return err == nil })
	run("Refine", func() bool {
		return unrefined(items).Refine(summary.Bucket{}, items) == nil
	})
	b.Logf("%.2f B/item in memory, %.2f B/item encoded, %d leaves", float64(tree.Size())/float64(len(items)),
		float64(len(form))/float64(len(items)), len(buckets))
}

// unrefined returns the tree of one overfull leaf that holds items.
func unrefined(items []summary.TreeItem) *summary.Tree {
	tree := summary.NewTree(0)
	for i := range items {
		tree.Insert(items[i].Key, items[i].Fingerprint)
	}
	return tree
}
