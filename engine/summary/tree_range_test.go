package summary_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// edges returns the keys about which a range may go wrong: items, both ends of leaves,
// and those beside all of these.
func edges(m treeModel, segments []summary.Segment) []summary.Key {
	var keys []summary.Key
	for _, item := range m {
		keys = append(keys, item.Key)
	}
	for _, s := range segments {
		keys = append(keys, s.Bucket.First(), s.Bucket.Last())
	}
	for _, k := range slices.Clone(keys) {
		for _, step := range []int64{-1, 1} {
			keys = append(keys, summary.Key{Time: k.Time + step, ID: k.ID}) // wraps at the ends
		}
		low, high := summary.BucketOf(k, 319).First(), summary.BucketOf(k, 319).Last()
		keys = append(keys, low, high)
	}
	return append(keys, summary.Bucket{}.First(), summary.Bucket{}.Last())
}

// inside reports whether an end of a range lies inside of a leaf: not at its beginning
// (end 0) or not at its end (end 1). Then nobody knows what the range holds.
func inside(segments []summary.Segment, k summary.Key, end int) bool {
	for _, s := range segments {
		edge := [2]summary.Key{s.Bucket.First(), s.Bucket.Last()}[end]
		if s.Bucket.Contains(k) && k != edge {
			return true
		}
	}
	return false
}

// TestTreeRanges holds Sum, Between and Around to the items, for buckets of all widths
// and for ranges between all kinds of keys.
func TestTreeRanges(t *testing.T) {
	for name, keys := range treeCases() {
		t.Run(name, func(t *testing.T) {
			m := modelOf(keys)
			for _, leaf := range []int{1, 64} {
				tree, segments := m.build(t, leaf), m.segments(summary.Bucket{}, leaf)
				ends := edges(m, segments)
				random := rand.New(rand.NewPCG(1, uint64(leaf)))
				for range 40 {
					from, to := ends[random.IntN(len(ends))], ends[random.IntN(len(ends))]
					checkBetween(t, tree, m, segments, from, to)
					checkBetween(t, tree, m, segments, to, from)
					checkSum(t, tree, m, segments, summary.BucketOf(from, random.IntN(321)))
				}
				for _, s := range segments {
					checkSum(t, tree, m, segments, s.Bucket)
					checkBetween(t, tree, m, segments, s.Bucket.First(), s.Bucket.Last())
					checkSum(t, tree, m, segments, summary.BucketOf(s.Bucket.Last(), s.Bucket.Bits()-1))
				}
			}
		})
	}
}

func checkBetween(t *testing.T, tree *summary.Tree, m treeModel, segments []summary.Segment, from, to summary.Key) {
	t.Helper()
	got, ok := tree.Between(from, to)
	known := from.Compare(to) > 0 || !inside(segments, from, 0) && !inside(segments, to, 1)
	if ok != known {
		t.Fatalf("%v to %v: known %v, want %v", from, to, ok, known)
	}
	if want := m.between(from, to).root(); ok && got != want {
		t.Fatalf("%v to %v: got %v, want %v", from, to, got, want)
	}
}

func checkSum(t *testing.T, tree *summary.Tree, m treeModel, segments []summary.Segment, b summary.Bucket) {
	t.Helper()
	known := true
	for _, s := range segments {
		known = known && (s.Bucket == b || !s.Bucket.Covers(b))
	}
	got, ok := tree.Sum(b)
	if ok != known {
		t.Fatalf("%v: known %v, want %v", b, ok, known)
	}
	if want := m.in(b).root(); ok && got != want {
		t.Fatalf("%v: got %v, want %v", b, got, want)
	}
	k := b.First()
	around, root := tree.Around(k)
	if want := m.in(around).root(); root != want || !around.Contains(k) {
		t.Fatalf("around %v: got %v with %v, want %v", k, around, root, want)
	}
	if parent := summary.BucketOf(k, around.Bits()-1); around.Bits() > 0 && root.Count == 0 && len(m.in(parent)) == 0 {
		t.Fatalf("around %v: %v is not the widest that is empty", k, around)
	}
}

// TestTreeOverfullRange: a leaf that is asked about before it was refined answers as one
// leaf: right sums for what is no part of it, none for its parts.
func TestTreeOverfullRange(t *testing.T) {
	m := modelOf(keysAt(100, func(i int) int64 { return int64(i) << 30 }))
	tree := m.build(t, 16)
	at := m[40].Key.Time
	for i := range 200 {
		item := itemOf(summary.Key{Time: at + 1 + int64(i), ID: idOf(i)})
		m.insert(item)
		tree.Insert(item.Key, item.Fingerprint)
	}
	overfull := tree.Overfull(9)
	if len(overfull) != 1 || !overfull[0].Contains(m[41].Key) {
		t.Fatalf("overfull: %v", overfull)
	}
	segments := segmentsOf(tree)
	for i, k := range edges(m, segments) {
		if i%5 != 0 {
			continue
		}
		for _, bits := range []int{0, 20, overfull[0].Bits() - 1, overfull[0].Bits(), overfull[0].Bits() + 1, 64, 320} {
			checkSum(t, tree, m, segments, summary.BucketOf(k, bits))
		}
		checkBetween(t, tree, m, segments, summary.Key{}, k)
		checkBetween(t, tree, m, segments, k, m[250].Key)
	}
	refine(t, tree, m)
	settled(t, tree, m, 16)
}

func TestTreeSegmentsStop(t *testing.T) {
	tree := modelOf(edgeKeys()).build(t, 1)
	seen := 0
	for range tree.Segments() {
		if seen++; seen == 5 {
			break
		}
	}
	if seen != 5 {
		t.Errorf("got %d segments", seen)
	}
}
