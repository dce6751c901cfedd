package summary_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// idOf spreads a number over an ID, as a digest would.
func idOf(i int) summary.ID {
	random := rand.New(rand.NewPCG(uint64(i), 5))
	var id summary.ID
	for at := range id {
		id[at] = byte(random.Uint32())
	}
	return id
}

// keysAt returns n keys, the i-th at the time that at says.
func keysAt(n int, at func(i int) int64) []summary.Key {
	keys := make([]summary.Key, n)
	for i := range keys {
		keys[i] = summary.Key{Time: at(i), ID: idOf(i)}
	}
	return keys
}

// treeCases are sets, each in the order in which it comes in.
func treeCases() map[string][]summary.Key {
	const boundary, day = 6_466_000 << 28, 86_400_000_000 // microseconds
	spread := func(i int) int64 { return boundary + int64(i)*999_983 }
	cases := map[string][]summary.Key{
		"all items at one time":                 keysAt(300, func(int) int64 { return boundary }),
		"ties across a bucket boundary":         keysAt(200, func(i int) int64 { return boundary - int64(i&1) }),
		"a time exactly on a boundary":          append(keysAt(99, spread), summary.Key{Time: boundary}, summary.Key{Time: boundary, ID: summary.ID{31: 1}}),
		"negative times":                        keysAt(200, func(i int) int64 { return -int64(i*i) * day }),
		"the smallest and the largest time":     keysAt(200, func(i int) int64 { return math.MaxInt64 + int64(i%3) }), // wraps
		"empty centuries then one item":         append(keysAt(150, spread), summary.Key{Time: boundary + 500*365*day}),
		"the year 9999":                         append(keysAt(70, spread), keysAt(5, func(i int) int64 { return 253402300799999999 - int64(i) })...),
		"a burst":                               append(keysAt(100, func(i int) int64 { return boundary + int64(i)*day }), keysAt(300, func(i int) int64 { return boundary + 50*day + int64(i*3333) })...),
		"late arrivals into an old bucket":      append(keysAt(200, spread), keysAt(100, func(i int) int64 { return boundary + int64(i) + 7 })...),
		"equal IDs at two times":                append(keysAt(80, func(int) int64 { return 5 }), keysAt(80, func(int) int64 { return 6 })...),
		"IDs all 0x00 and all 0xff":             {{Time: 3, ID: summary.ID(bytes.Repeat([]byte{0xff}, 32))}, {Time: 3}, {Time: 2, ID: summary.ID(bytes.Repeat([]byte{0xff}, 32))}, {Time: 4}},
		"IDs that differ in the last bit":       {{Time: 3}, {Time: 3, ID: summary.ID{31: 1}}, {Time: 4}, {Time: 4, ID: summary.ID{31: 1}}},
		"odd keys":                              edgeKeys(),
		"every prefix of one key, then another": comb(),
	}
	for _, n := range []int{0, 1, 2, 3, 4, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257} {
		cases[fmt.Sprintf("%d items", n)] = keysAt(n, spread)
	}
	return cases
}

// comb returns 320 keys that make the deepest of all trees: each leaves the path to the
// key of no ones a bit later than the one before.
func comb() []summary.Key {
	var keys []summary.Key
	for bit := range 320 {
		b := summary.BucketOf(summary.Key{Time: math.MinInt64}, bit)
		_, upper := halvesOf(b)
		keys = append(keys, upper.First())
	}
	return keys
}

// TestTreeCases: in whatever order items come, and leaves are refined at once or late, a
// tree is the one that is built from the set; and the same when half of them go again.
func TestTreeCases(t *testing.T) {
	for name, keys := range treeCases() {
		t.Run(name, func(t *testing.T) {
			for _, leaf := range []int{2, 64} {
				for order := range 3 {
					replayCase(t, slices.Clone(keys), leaf, order)
				}
			}
		})
	}
}

// replayCase inserts keys in order (0), in reverse (1) or shuffled (2), and takes half out.
func replayCase(t *testing.T, keys []summary.Key, leaf, order int) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(leaf), uint64(order)))
	switch order {
	case 1:
		slices.Reverse(keys)
	case 2:
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	}
	tree, m := summary.NewTree(leaf), treeModel{}
	for _, k := range keys {
		item := itemOf(k)
		m.insert(item)
		tree.Insert(k, item.Fingerprint)
		if random.IntN(3) == 0 {
			refine(t, tree, m)
		}
	}
	sound(t, tree, m, leaf)
	refine(t, tree, m)
	settled(t, tree, m, leaf)
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, k := range keys[:len(keys)/2] {
		m.remove(k)
		if err := tree.Remove(k, itemOf(k).Fingerprint); err != nil {
			t.Fatal(err)
		}
	}
	settled(t, tree, m, leaf)
	for _, item := range slices.Clone(m) {
		if err := tree.Remove(item.Key, item.Fingerprint); err != nil {
			t.Fatal(err)
		}
	}
	settled(t, tree, nil, leaf)
}

// TestTreeSmall enumerates: all subsets of eight keys, those of up to four in all orders, refined after every insertion, at the smallest leaf sizes.
func TestTreeSmall(t *testing.T) {
	odd := edgeKeys()
	universe := []summary.Key{odd[0], odd[3], odd[11], odd[19], odd[131], odd[4], odd[5], odd[255]}
	for leaf := 1; leaf <= 3; leaf++ {
		for subset := range 1 << len(universe) {
			var keys []summary.Key
			for i, k := range universe {
				if subset>>i&1 == 1 {
					keys = append(keys, k)
				}
			}
			if len(keys) > 4 {
				replaySmall(t, keys, leaf)
				continue
			}
			permute(keys, 0, func() { replaySmall(t, keys, leaf) })
		}
	}
}

// permute calls visit with keys in every order of what follows the first from.
func permute(keys []summary.Key, from int, visit func()) {
	if from == len(keys) {
		visit()
		return
	}
	for i := from; i < len(keys); i++ {
		keys[from], keys[i] = keys[i], keys[from]
		permute(keys, from+1, visit)
		keys[from], keys[i] = keys[i], keys[from]
	}
}

func replaySmall(t *testing.T, keys []summary.Key, leaf int) {
	t.Helper()
	tree, m := summary.NewTree(leaf), treeModel{}
	for _, k := range keys {
		item := itemOf(k)
		m.insert(item)
		tree.Insert(k, item.Fingerprint)
		refine(t, tree, m)
	}
	settled(t, tree, m, leaf)
	for i, k := range keys {
		m.remove(k)
		if err := tree.Remove(k, itemOf(k).Fingerprint); err != nil {
			t.Fatal(err)
		}
		if i == len(keys)/2 {
			settled(t, tree, m, leaf)
		}
	}
	if tree.Root() != (summary.Root{}) || tree.NodeCount() != 0 {
		t.Fatalf("emptied: %v, %d nodes", tree.Root(), tree.NodeCount())
	}
}

func TestTreeInsertRemoveInsert(t *testing.T) {
	m := modelOf(keysAt(200, func(i int) int64 { return int64(i) << 20 }))
	tree := m.build(t, 4)
	want := tree.AppendBinary(nil)
	for _, item := range m {
		if err := tree.Remove(item.Key, item.Fingerprint); err != nil {
			t.Fatal(err)
		}
		tree.Insert(item.Key, item.Fingerprint)
		refine(t, tree, m)
		if got := tree.AppendBinary(nil); !bytes.Equal(got, want) {
			t.Fatalf("another tree after %v was taken out and put back", item.Key)
		}
	}
}

// TestTreeRemoveAbsent: what can be told to be absent is refused, and nothing changes.
func TestTreeRemoveAbsent(t *testing.T) {
	m := modelOf(keysAt(50, func(i int) int64 { return int64(i) << 30 }))
	tree := m.build(t, 1)
	want := tree.AppendBinary(nil)
	absent := map[string]summary.TreeItem{
		"beside all items":        itemOf(summary.Key{Time: math.MinInt64}),
		"between leaves":          itemOf(summary.Key{Time: 1 << 50}),
		"in the leaf of one item": itemOf(summary.Key{Time: 7<<30 + 1}),
		"another fingerprint":     {Key: m[7].Key, Fingerprint: m[8].Fingerprint},
	}
	for name, item := range absent {
		if err := tree.Remove(item.Key, item.Fingerprint); !errors.Is(err, summary.ErrAbsent) {
			t.Errorf("%s: got %v", name, err)
		}
		if got := tree.AppendBinary(nil); !bytes.Equal(got, want) {
			t.Errorf("%s: the tree has changed", name)
		}
	}
	if err := summary.NewTree(3).Remove(m[0].Key, m[0].Fingerprint); !errors.Is(err, summary.ErrAbsent) {
		t.Errorf("of an empty tree: got %v", err)
	}
	// A leaf of two does not know which two. Putting the same back mends it.
	tree = m.build(t, 64)
	want = tree.AppendBinary(nil)
	wrong := itemOf(summary.Key{Time: 1 << 50})
	if err := tree.Remove(wrong.Key, wrong.Fingerprint); err != nil {
		t.Errorf("of a leaf of 50: got %v", err)
	}
	if tree.Insert(wrong.Key, wrong.Fingerprint); !bytes.Equal(tree.AppendBinary(nil), want) {
		t.Error("of a leaf of 50: not mended")
	}
}

// TestTreeSumWraps: two items whose fingerprints add up to exactly 2^256, so to zero.
func TestTreeSumWraps(t *testing.T) {
	a, b := summary.TreeItem{Key: summary.Key{Time: 1}, Fingerprint: summary.Fingerprint{1}}, summary.TreeItem{Key: summary.Key{Time: 2}}
	for i := range b.Fingerprint {
		b.Fingerprint[i] = 0xff
	}
	for _, leaf := range []int{1, 2} {
		tree := treeModel{a, b}.build(t, leaf)
		if got, want := tree.Root(), (summary.Root{Count: 2}); got != want {
			t.Errorf("leaf size %d: got %v, want %v", leaf, got, want)
		}
		decoded, err := summary.DecodeTree(tree.AppendBinary(nil))
		if err != nil || decoded.Root() != tree.Root() {
			t.Errorf("leaf size %d: decoded %v, %v", leaf, decoded.Root(), err)
		}
		if err := tree.Remove(a.Key, a.Fingerprint); err != nil || tree.Root() != (summary.Root{Count: 1, Fingerprint: b.Fingerprint}) {
			t.Errorf("leaf size %d: %v, %v left", leaf, err, tree.Root())
		}
	}
}

// TestTreeMillionTies: a million items of one microsecond go on into the bits of their
// IDs, and the tree is as shallow and as small as any.
func TestTreeMillionTies(t *testing.T) {
	const n = manyItems
	items := evenItems(n, func(int) int64 { return 77 })
	tree := summary.NewTree(0)
	for i := range items {
		tree.Insert(items[i].Key, items[i].Fingerprint)
	}
	instant := summary.BucketOf(items[0].Key, 64)
	if got, ok := tree.Sum(instant); ok || tree.Root().Count != n {
		t.Errorf("before it is refined: got %v, of %d in all", got, tree.Root().Count)
	}
	if err := tree.Refine(summary.Bucket{}, items); err != nil {
		t.Fatal(err)
	}
	depth, err := tree.Check()
	if err != nil || depth > 20 {
		t.Errorf("depth %d, %v", depth, err)
	}
	if got, ok := tree.Sum(instant); !ok || got != tree.Root() || got.Count != n {
		t.Errorf("the instant: got %v, %v", got, ok)
	}
	part := summary.BucketOf(items[n/3].Key, 72)
	want := treeModel(items).in(part).root()
	if got, ok := tree.Sum(part); !ok || got != want || want.Count < n/300 {
		t.Errorf("%v: got %v, %v, want %v", part, got, ok, want)
	}
	if nodes := tree.NodeCount(); nodes > n/32 {
		t.Errorf("%d nodes", nodes)
	}
}

// evenItems returns n items, ascending, whose IDs begin with evenly spread numbers in
// ascending order, at times that must not descend.
func evenItems(n int, at func(i int) int64) []summary.TreeItem {
	random := rand.NewChaCha8([32]byte{7})
	items := make([]summary.TreeItem, n)
	step := math.MaxUint64 / uint64(n)
	for i := range items {
		k := &items[i].Key
		k.Time = at(i)
		random.Read(k.ID[:])
		low := uint64(i)*step + random.Uint64()%step
		for b := range 8 {
			k.ID[b] = byte(low >> (56 - 8*b))
		}
		random.Read(items[i].Fingerprint[:])
	}
	return items
}

// TestTreeSharedPrefix: who makes keys that share 300 bits makes the tree no deeper than
// the bits that are left, and it has less nodes than items; keys chosen for depth make it
// as deep as a key has bits, and no deeper.
func TestTreeSharedPrefix(t *testing.T) {
	var keys []summary.Key
	for i := range 4096 {
		keys = append(keys, summary.Key{Time: -5, ID: summary.ID{29: byte(i >> 8), 30: byte(i), 31: 9}})
	}
	for leaf, deepest := range map[int]int{1: 12, 64: 6} {
		tree := modelOf(keys).build(t, leaf)
		if depth, err := tree.Check(); err != nil || depth != deepest {
			t.Errorf("leaf size %d: depth %d, %v", leaf, depth, err)
		}
		if tree.NodeCount() >= len(keys)/leaf {
			t.Errorf("leaf size %d: %d nodes", leaf, tree.NodeCount())
		}
	}
	tree := modelOf(comb()).build(t, 1)
	if depth, err := tree.Check(); err != nil || depth != 319 || tree.NodeCount() != 319 {
		t.Errorf("comb: depth %d, %v, %d nodes", depth, err, tree.NodeCount())
	}
}

// TestTreeAllocates: neither a question nor a write of what is the tree's own allocates.
func TestTreeAllocates(t *testing.T) {
	m := modelOf(keysAt(500, func(i int) int64 { return int64(i) << 30 }))
	tree := m.build(t, 8)
	item := m[len(m)/2]
	b := summary.BucketOf(item.Key, 30)
	for name, call := range map[string]func(){
		"Sum":     func() { tree.Sum(b) },
		"Between": func() { tree.Between(b.First(), b.Last()) },
		"Around":  func() { tree.Around(item.Key) },
		"Overfull": func() {
			if tree.Overfull(9) != nil {
				t.Error("overfull")
			}
		},
		"Insert and Remove": func() {
			tree.Insert(item.Key, item.Fingerprint)
			if err := tree.Remove(item.Key, item.Fingerprint); err != nil {
				t.Error(err)
			}
		},
	} {
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
