package summary

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// TestSetSays: what a set tells of itself.
func TestSetSays(t *testing.T) {
	s := smallSet(t, [32]byte{5}, 50)
	if snapshot := s.Snapshot(); snapshot.Position() != 50 || s.Position() != 50 || s.Freeze().Position() != 50 {
		t.Errorf("at position %d, its snapshot at %d", s.Position(), snapshot.Position())
	}
	want := make([]uint32, 50)
	for i := range want {
		want[i] = uint32(i) + 1
	}
	if got := s.Positions(); !slices.Equal(got, want) {
		t.Errorf("positions %v, want 1 to 50", got)
	}
	for _, of := range []struct {
		opt  SetOptions
		want bool
	}{
		{SetOptions{Leaf: 4}, true},
		{SetOptions{Leaf: 4, Params: Params{ShortBits: 48, CheckBits: 24}}, true},
		{SetOptions{}, false},
		{SetOptions{Leaf: 4, Params: Params{CheckBits: 23}}, false},
	} {
		if got := s.Fits(of.opt); got != of.want {
			t.Errorf("fits %+v: %t, want %t", of.opt, got, of.want)
		}
	}
	s.tree.root.tally = 2 * 200_000 // a level says little of a view that is larger than its range
	level, at := s.Snapshot().Estimator()
	if wanted, _ := s.estimators.At(1); level != 1 || at != wanted {
		t.Errorf("the estimator of 200 000 items is of level %d, want 1", level)
	}
}

// TestDiffersMore: each half of a comparison that another half hides.
func TestDiffersMore(t *testing.T) {
	secret := [32]byte{5}
	for name, test := range map[string]struct {
		damage func(*Set)
		want   Part
	}{
		"another secret": {func(s *Set) { s.secret[31]++ }, PartParams},
		"lower half":     {func(s *Set) { s.tree.root.node.children[0].fingerprint[0]++ }, PartTree},
		"other bucket":   {func(s *Set) { s.tree.root.node.bucket.bits++ }, PartTree},
		"one leaf":       {func(s *Set) { s.tree.root.node = nil }, PartTree},
		"more entries":   {func(s *Set) { s.index.Insert(1, 12345) }, PartIndex},
		"larger table":   {func(s *Set) { s.table.Grow(s.index.All(), 1<<20) }, ""},
	} {
		damaged, good := smallSet(t, secret, 50), smallSet(t, secret, 50)
		test.damage(damaged)
		for _, pair := range [][2]*Set{{damaged, good}, {good, damaged}} {
			if got, err := pair[0].Differs(pair[1]); got != test.want || err != nil {
				t.Errorf("%s: %q differs (%v), want %q", name, got, err, test.want)
			}
		}
	}
}

// TestDecodeSetParts: parts that are right by themselves, under a right tag, and do not
// belong together.
func TestDecodeSetParts(t *testing.T) {
	secret := [32]byte{6}
	const n = 9
	narrow := NewIndex(47)
	for i := range uint32(n) {
		narrow.Insert(uint64(i), i)
	}
	wide, err := NewSet(secret, SetOptions{Leaf: maxLeaf})
	if err != nil {
		t.Fatal(err)
	}
	body := func(s *Set) []byte {
		form := s.AppendBinary(nil)
		return form[:len(form)-setTag]
	}
	beyond := body(wide)
	beyond[4]++ // a leaf size of 2^16 + 1, which the tree cannot have
	other := NewExpander([32]byte{7}, Params{ShortBits: 48, CheckBits: 23})
	leaf := NewTree(5)
	for i := range n {
		leaf.Insert(Key{Time: int64(i)}, Fingerprint{})
	}
	small := smallSet(t, secret, n)
	for name, changed := range map[string][]byte{
		"an index of other widths":  withPart(body(small), 3, narrow.AppendBinary(nil)),
		"a table of other widths":   withPart(body(small), 1, NewTable(other.Cells()).AppendBinary(nil)),
		"a tree of other leaves":    withPart(body(small), 0, leaf.AppendBinary(nil)),
		"a leaf size beyond limits": beyond,
	} {
		if _, err := DecodeSet(secret, appendSetTag(slices.Clone(changed), secret, changed)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v, want %v", name, err, ErrEncoding)
		}
	}
}

// TestRemoveContradicts: an item that the index has and the tree has not is no absent one:
// the summaries are wrong, and stay as they are.
func TestRemoveContradicts(t *testing.T) {
	s := smallSet(t, [32]byte{5}, 50)
	s.tree = NewTree(4)
	before := s.AppendBinary(nil)
	err := s.Remove(Key{Time: 7, ID: ID{7}}, func(position uint32) (bool, error) { return position == 8, nil })
	if !errors.Is(err, ErrMismatch) || errors.Is(err, ErrAbsent) {
		t.Errorf("got %v, want %v", err, ErrMismatch)
	}
	if !bytes.Equal(s.AppendBinary(nil), before) {
		t.Error("the set has changed")
	}
}

// TestRefineOtherBucket: a bucket that has all items of a leaf, and is narrower, is no leaf.
func TestRefineOtherBucket(t *testing.T) {
	tree := NewTree(1)
	items := []TreeItem{{Key{Time: 1}, Fingerprint{1}}, {Key{Time: 2}, Fingerprint{2}}}
	for _, item := range items {
		tree.Insert(item.Key, item.Fingerprint)
	}
	for bits, want := range map[int]error{0: nil, 1: ErrMismatch, 60: ErrMismatch} {
		if err := tree.Snapshot().Refine(BucketOf(Key{}, bits), items); !errors.Is(err, want) {
			t.Errorf("a bucket of %d bits: %v, want %v", bits, err, want)
		}
	}
}
