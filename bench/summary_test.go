package bench

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/dwn-sync/dwnsync/bench/internal/baseline"
	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// summarySizes are numbers of items of a view whose summaries are kept.
func summarySizes() []int {
	sizes := []int{10_000, 100_000}
	if *large {
		sizes = append(sizes, 1_000_000)
	}
	return sizes
}

// growing is a view that is being filled: keys that are in it, and a tenth more, spread
// over all times, that come in an order that has nothing to do with them.
type growing struct {
	keys []summary.Key // all that are ever in it, ascending
	late []arrival     // those that come, in their order
}

// arrival is a key that comes, and its index among all.
type arrival struct {
	key summary.Key
	at  int
}

// newGrowing returns a view of n items in the end. Of datasets.Growing, the rate at which
// they were written doubles eight times over the view. At a steady rate all leaves of a tree
// become dense at about the same time, once while the view doubles: n decides whether a
// tenth of it meets none of their refinements or up to thrice the average, and 10^6 is near
// the worst n.
func newGrowing(tb testing.TB, shape datasets.Shape, n int) *growing {
	p := newPair(tb, datasets.Workload{Shape: shape, Divergence: datasets.Scattered, N: n, D: n / 10})
	g := &growing{keys: allOf(p.there)}
	missing := make(map[summary.ID]bool, len(p.need))
	for _, id := range p.need {
		missing[id] = true
	}
	for i, k := range g.keys {
		if missing[k.ID] {
			g.late = append(g.late, arrival{k, i})
		}
	}
	rand.New(rand.NewPCG(1, uint64(n))).Shuffle(len(g.late), func(i, j int) { g.late[i], g.late[j] = g.late[j], g.late[i] })
	return g
}

// early yields the indices of the keys that are in the view at first.
func (g *growing) early(yield func(int) bool) {
	late := make([]bool, len(g.keys))
	for _, a := range g.late {
		late[a.at] = true
	}
	for i := range g.keys {
		if !late[i] && !yield(i) {
			return
		}
	}
}

// filling is what a system keeps of a growing view.
type filling interface {
	insert(a arrival) error
	// report reports what is retained, in bytes per item.
	report(b *testing.B, n int)
}

// keptSet is a Set and what its owner knows besides: which keys it holds, by which it is
// refined. A store has those on disk.
type keptSet struct {
	set  *summary.Set
	keys []summary.Key
	in   []bool

	some    []summary.Key // reused
	refined int           // keys given to Refine
}

func newKeptSet(g *growing) (filling, error) {
	set, err := summary.NewSet([32]byte{1}, summary.SetOptions{})
	if err != nil {
		return nil, err
	}
	k := &keptSet{set: set, keys: g.keys, in: make([]bool, len(g.keys))}
	items := make([]summary.SetItem, 0, len(g.keys))
	for i := range g.early {
		k.in[i] = true
		items = append(items, summary.SetItem{Key: g.keys[i], Position: uint32(i)})
	}
	return k, set.Build(items)
}

func (k *keptSet) insert(a arrival) error {
	k.in[a.at] = true
	// No two keys of these sets have one short ID but by a chance of 10^-3.
	err := k.set.Insert(a.key, uint32(a.at), func(position uint32) (bool, error) { return int(position) == a.at, nil })
	if err != nil {
		return err
	}
	for _, b := range k.set.Overfull(1) {
		if err := k.set.Refine(b, k.within(b, a.at)); err != nil {
			return err
		}
	}
	return nil
}

// within returns the keys of a bucket, of which the one with index at is one.
func (k *keptSet) within(b summary.Bucket, at int) []summary.Key {
	first, last := b.First(), b.Last()
	for at > 0 && k.keys[at-1].Compare(first) >= 0 {
		at--
	}
	k.some = k.some[:0]
	for ; at < len(k.keys) && k.keys[at].Compare(last) <= 0; at++ {
		if k.in[at] {
			k.some = append(k.some, k.keys[at])
		}
	}
	k.refined += len(k.some)
	return k.some
}

func (k *keptSet) report(b *testing.B, n int) {
	const fixed = 4 << 10 // as Set.Size says
	tree, table := k.set.Snapshot().Tree().Size(), 16*k.set.Snapshot().Cells()
	b.ReportMetric(float64(tree)/float64(n), "tree-B/item")
	b.ReportMetric(float64(table)/float64(n), "table-B/item")
	b.ReportMetric(float64(k.set.Size()-tree-table-fixed)/float64(n), "index-B/item")
}

// keptPrefix is what a rateless IBLT keeps, without the index that finds a symbol's ID.
type keptPrefix struct{ prefix *baseline.Prefix }

func newKeptPrefix(g *growing) (filling, error) {
	k := &keptPrefix{baseline.NewPrefix(baseline.RIBLTCells)}
	for i := range g.early {
		k.prefix.Insert(g.keys[i].ID)
	}
	return k, nil
}

func (k *keptPrefix) insert(a arrival) error {
	k.prefix.Insert(a.key.ID)
	return nil
}

func (k *keptPrefix) report(*testing.B, int) {}

// keepers are what is kept up to date on write, by system.
func keepers() map[string]func(*growing) (filling, error) {
	return map[string]func(*growing) (filling, error){"ours": newKeptSet, "riblt": newKeptPrefix}
}

// summarySystems are the labels of keepers, in the order of measurements.
func summarySystems() []string { return []string{"ours", "riblt"} }

// BenchmarkSummaryInsert: one operation inserts an item into the summaries of a view that
// has 0.9n to n items: its expansion, the fingerprint tree with the refinement of a leaf
// that became dense, the table, the estimators and the index of short IDs. Keys for the
// refinement are at hand, where a node reads them from its store. B/item is what all of
// it retains when n are in, by the heap; the parts are what their Size says. Beside it
// stands the prefix of a rateless IBLT, which has no index in it and no tree. ours-steady are
// items that were written at a steady rate. No table doubles between 0.9n and n: that
// takes 0.2 us an insert on average (summary.Table.Grow).
func BenchmarkSummaryInsert(b *testing.B) {
	for _, n := range summarySizes() {
		g := newGrowing(b, datasets.Growing, n)
		for _, system := range summarySystems() {
			b.Run(fmt.Sprintf("system=%s/n=%d", system, n), func(b *testing.B) { benchSummaryInsert(b, keepers()[system], g) })
		}
		g = newGrowing(b, datasets.Steady, n)
		b.Run(fmt.Sprintf("system=ours-steady/n=%d", n), func(b *testing.B) { benchSummaryInsert(b, newKeptSet, g) })
	}
}

func benchSummaryInsert(b *testing.B, prepare func(*growing) (filling, error), g *growing) {
	full, kept := filled(b, prepare, g)
	defer func() { // the loop forgets what was reported before it
		b.ReportMetric(float64(kept)/float64(len(g.keys)), "B/item")
		full.report(b, len(g.keys))
	}()
	f, next := full, len(g.late)
	cpu := -cputime.Now()
	for b.Loop() {
		if next == len(g.late) {
			b.StopTimer()
			cpu += cputime.Now()
			f, next = prepared(b, prepare, g), 0
			runtime.GC()
			cpu -= cputime.Now()
			b.StartTimer()
		}
		if err := f.insert(g.late[next]); err != nil {
			b.Fatal(err)
		}
		next++
	}
	b.ReportMetric(float64(cpu+cputime.Now())/float64(b.N), "cpu-ns/op")
}

func prepared(b *testing.B, prepare func(*growing) (filling, error), g *growing) filling {
	f, err := prepare(g)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// filled returns what holds all keys, and the bytes that it retains. What its owner
// knows besides is no part of them.
func filled(b *testing.B, prepare func(*growing) (filling, error), g *growing) (f filling, kept int64) {
	kept, _ = retained(func() {
		f = prepared(b, prepare, g)
		for _, a := range g.late {
			if err := f.insert(a); err != nil {
				b.Fatal(err)
			}
		}
		if k, ok := f.(*keptSet); ok {
			k.in, k.some = nil, nil
		}
	})
	runtime.KeepAlive(f)
	return f, kept
}

// BenchmarkSummaryRange: one operation is count and fingerprint of a bucket (query=sum) or
// of the items between two keys that cut no leaf (query=between), both chosen at random
// among those of a view of n items.
func BenchmarkSummaryRange(b *testing.B) {
	for _, n := range summarySizes() {
		g := newGrowing(b, datasets.Growing, n)
		for _, query := range []string{"sum", "between"} {
			b.Run(fmt.Sprintf("query=%s/n=%d", query, n), func(b *testing.B) { benchSummaryRange(b, query, g) })
		}
	}
}

func benchSummaryRange(b *testing.B, query string, g *growing) {
	f, _ := filled(b, newKeptSet, g)
	tree := f.(*keptSet).set.Snapshot().Tree()
	var leaves []summary.Bucket
	for leaf := range tree.Segments() {
		leaves = append(leaves, leaf)
	}
	random := rand.New(rand.NewPCG(2, uint64(len(g.keys))))
	items, asked := uint64(0), 0
	for b.Loop() {
		at, to := leaves[random.IntN(len(leaves))], leaves[random.IntN(len(leaves))]
		var root summary.Root
		ok := false
		if query == "sum" {
			root, ok = tree.Sum(summary.BucketOf(at.First(), random.IntN(at.Bits()+1)))
		} else {
			if at.Compare(to) > 0 {
				at, to = to, at
			}
			root, ok = tree.Between(at.First(), to.Last())
		}
		if !ok {
			b.Fatalf("the tree does not know %v to %v", at, to)
		}
		items += root.Count
		asked++
	}
	b.ReportMetric(float64(items)/float64(asked), "items/op")
}

// foldedCells are the cells of a first request that expects some hundred differences.
const foldedCells = 160

// BenchmarkSummaryFold: one operation folds the table that a view of n items keeps into
// foldedCells cells, as for a first request.
func BenchmarkSummaryFold(b *testing.B) {
	for _, n := range summarySizes() {
		g := newGrowing(b, datasets.Growing, n)
		b.Run(fmt.Sprintf("n=%d/cells=%d", n, foldedCells), func(b *testing.B) { benchSummaryFold(b, g) })
	}
}

func benchSummaryFold(b *testing.B, g *growing) {
	f, _ := filled(b, newKeptSet, g)
	snapshot := f.(*keptSet).set.Snapshot()
	runtime.GC()
	var sketch *summary.Sketch
	for b.Loop() {
		var err error
		if sketch, err = snapshot.Sketch(foldedCells); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(snapshot.Cells()), "table-cells")
	b.ReportMetric(float64(len(sketch.AppendCells(nil, 0, foldedCells))), "sketch-B")
}

// TestSummaryInsert: what is kept after the benchmark is what the keys come to, and the
// parts add up to what the heap says.
func TestSummaryInsert(t *testing.T) {
	const n = 10_000
	g := newGrowing(t, datasets.Growing, n)
	if len(g.late) != n/10 || len(g.keys) != n {
		t.Fatalf("%d keys of %d come late, want %d of %d", len(g.late), len(g.keys), n/10, n)
	}
	for _, system := range summarySystems() {
		m := times(t, system, n/5, func(b *testing.B) { benchSummaryInsert(b, keepers()[system], g) }) // filled twice
		within(t, system, m, "cpu-ns/op", 10, 1e6)
		if system == "riblt" {
			within(t, system, m, "B/item", 24*baseline.RIBLTCells/n, 1.1*24*baseline.RIBLTCells/n)
			continue
		}
		within(t, system, m, "tree-B/item", 2, 6)
		within(t, system, m, "table-B/item", 1, 2)
		within(t, system, m, "index-B/item", 10, 13)
		parts := m["tree-B/item"] + m["table-B/item"] + m["index-B/item"]
		within(t, system, m, "B/item", 0.95*parts, 1.1*parts+1)
	}
	f, err := newKeptSet(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range g.late {
		if err := f.insert(a); err != nil {
			t.Fatal(err)
		}
	}
	set, refined := f.(*keptSet).set, float64(f.(*keptSet).refined)/float64(len(g.late))
	// Leaves of 32.5 to 65 items have 45 on average, and a new one costs 65 keys: 1.4 an item.
	if refined < 0.8 || refined > 2.2 {
		t.Errorf("%.2f keys are read per item to refine leaves: that is not the average", refined)
	}
	if want := summary.NewHasher([32]byte{1}).Root(g.keys); set.Root() != want || len(set.Overfull(1)) > 0 {
		t.Errorf("the root of what was inserted counts %d, want %d; %d leaves are overfull", set.Root().Count, want.Count, len(set.Overfull(n)))
	}
}

// TestSummaryRange: what is asked covers a share of the items, on average.
func TestSummaryRange(t *testing.T) {
	const n = 10_000
	g := newGrowing(t, datasets.Growing, n)
	for query, share := range map[string][2]float64{"sum": {0.01, 0.99}, "between": {0.25, 0.42}} { // a third
		m := times(t, query, 2000, func(b *testing.B) { benchSummaryRange(b, query, g) })
		within(t, query, m, "items/op", share[0]*n, share[1]*n)
	}
}

// TestSummaryFold: the table has as many cells as n asks for, the sketch 9 bytes a cell.
func TestSummaryFold(t *testing.T) {
	m := once(t, "fold", func(b *testing.B) { benchSummaryFold(b, newGrowing(t, datasets.Growing, 40_000)) })
	within(t, "fold", m, "table-cells", 2048, 2048) // of at most 32 items
	within(t, "fold", m, "sketch-B", 9*foldedCells, 9*foldedCells)
}
