package summary_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestTreeCut holds Cut to its reference, and its buckets to covering every key once.
func TestTreeCut(t *testing.T) {
	for name, keys := range treeCases() {
		t.Run(name, func(t *testing.T) {
			m := modelOf(keys)
			for _, leaf := range []int{3, 64} {
				tree := m.build(t, leaf)
				for _, most := range []int{-1, 1, 2, 3, 4, 20, 65, 200} {
					got := tree.Cut(most)
					if want := m.cut(leaf, most); !slices.Equal(got, want) {
						t.Fatalf("leaf size %d, at most %d: got %v, want %v", leaf, most, got, want)
					}
					checkTiling(t, got)
				}
			}
		})
	}
}

func checkTiling(t *testing.T, cut []summary.Segment) {
	t.Helper()
	if first, last := cut[0].Bucket.First(), cut[len(cut)-1].Bucket.Last(); first != (summary.Bucket{}).First() || last != (summary.Bucket{}).Last() {
		t.Fatalf("cut from %v to %v", first, last)
	}
	for i := 1; i < len(cut); i++ {
		before, after := wholeNumber(cut[i-1].Bucket.Last()), wholeNumber(cut[i].Bucket.First())
		if after.Sub(after, before).Int64() != 1 || !after.IsInt64() {
			t.Fatalf("from %v to %v: a step of %v", cut[i-1].Bucket, cut[i].Bucket, after)
		}
	}
}

// twoSets returns two sets that share most keys, refined at two leaf sizes.
func twoSets(t *testing.T, keys []summary.Key, differ int, seed uint64) (a, b *summary.Tree, in, of treeModel) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 9))
	a, b = summary.NewTree(4), summary.NewTree(4+int(seed%2)*5)
	for i, at := range random.Perm(len(keys)) {
		item := itemOf(keys[at])
		if i >= differ || i%2 == 0 {
			in.insert(item)
			a.Insert(item.Key, item.Fingerprint)
		}
		if i >= differ || i%2 == 1 {
			of.insert(item)
			b.Insert(item.Key, item.Fingerprint)
		}
	}
	refine(t, a, in)
	refine(t, b, of)
	return a, b, in, of
}

// TestTreeCompare: the cut of one tree and the sums of the other find exactly the buckets
// that differ. Sums are unknown inside the other's leaves only.
func TestTreeCompare(t *testing.T) {
	for name, keys := range treeCases() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(6) {
				a, b, in, of := twoSets(t, keys, int(seed*seed), seed)
				for _, most := range []int{1, 8, 50, 1000} {
					for _, s := range a.Cut(most) {
						compareSegment(t, s, b, in, of)
					}
				}
			}
		})
	}
}

func compareSegment(t *testing.T, s summary.Segment, b *summary.Tree, in, of treeModel) {
	t.Helper()
	got, ok := b.Sum(s.Bucket)
	if !ok {
		leaf, root := b.Around(s.Bucket.First())
		if leaf == s.Bucket || !leaf.Covers(s.Bucket) || root.Count == 0 || root.Count > uint64(b.LeafSize()) {
			t.Fatalf("%v is unknown; around it is %v with %v", s.Bucket, leaf, root)
		}
		return
	}
	if same := slices.Equal(in.in(s.Bucket), of.in(s.Bucket)); (got == s.Root) != same {
		t.Fatalf("%v: %v and %v, the same items: %v", s.Bucket, s.Root, got, same)
	}
}

// TestTreeBisect: going on with CutWithin in what differs ends at leaves that hold all
// differences, and each of them holds one.
func TestTreeBisect(t *testing.T) {
	for name, keys := range treeCases() {
		t.Run(name, func(t *testing.T) {
			a, b, in, of := twoSets(t, keys, min(7, len(keys)), 2)
			var found []summary.Bucket
			var descend func(summary.Bucket)
			descend = func(bucket summary.Bucket) {
				cut, ok := a.CutWithin(bucket, 5)
				if !ok || len(cut) == 1 {
					found = append(found, bucket)
					return
				}
				for _, s := range cut {
					if got, ok := b.Sum(s.Bucket); !ok || got != s.Root {
						descend(s.Bucket)
					}
				}
			}
			if a.Root() != b.Root() {
				descend(summary.Bucket{})
			}
			checkFound(t, found, b, in, of)
		})
	}
}

// checkFound fails unless the buckets found hold all differences, each at least one or
// a part of a leaf of b.
func checkFound(t *testing.T, found []summary.Bucket, b *summary.Tree, in, of treeModel) {
	t.Helper()
	var left, right treeModel
	for _, bucket := range found {
		left, right = append(left, in.in(bucket)...), append(right, of.in(bucket)...)
		_, known := b.Sum(bucket)
		if known && slices.Equal(in.in(bucket), of.in(bucket)) {
			t.Errorf("%v: nothing differs", bucket)
		}
	}
	for _, item := range in {
		if _, both := of.find(item.Key); !both && !slices.Contains(left, item) {
			t.Errorf("%v is missed", item.Key)
		}
	}
	for _, item := range of {
		if _, both := in.find(item.Key); !both && !slices.Contains(right, item) {
			t.Errorf("%v of the other is missed", item.Key)
		}
	}
}

// TestTreeCutWithin: the cut of a part is a cut of its own, and unknown inside a leaf.
func TestTreeCutWithin(t *testing.T) {
	m := modelOf(keysAt(200, func(i int) int64 { return int64(i) << 30 }))
	tree := m.build(t, 8)
	for _, s := range tree.Cut(40) {
		part := m.in(s.Bucket)
		cut, ok := tree.CutWithin(s.Bucket, 6)
		if !ok || cut[0].Bucket.First() != s.Bucket.First() || cut[len(cut)-1].Bucket.Last() != s.Bucket.Last() {
			t.Fatalf("%v: got %v, %v", s.Bucket, cut, ok)
		}
		var sum summary.Root
		for _, c := range cut {
			if want := part.in(c.Bucket).root(); c.Root != want {
				t.Errorf("%v in %v: got %v, want %v", c.Bucket, s.Bucket, c.Root, want)
			}
			sum = sum.Add(c.Root)
		}
		if sum != s.Root || len(cut) == 1 && len(part) > 8 || len(cut) > 6 {
			t.Errorf("%v: %d buckets with %v, want %v", s.Bucket, len(cut), sum, s.Root)
		}
	}
	if _, ok := tree.CutWithin(summary.BucketOf(m[0].Key, 320), 6); ok {
		t.Error("cut inside a leaf")
	}
}
