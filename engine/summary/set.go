package summary

import (
	"fmt"
	"slices"
)

// Set is all summaries of one view under one secret: fingerprint tree (and with it
// the root), sketch table, difference estimators and the index of short IDs, with
// the position of the arrival log that they cover. They change together: an item is
// in all of them or in none.
//
// A Set never holds the keys, so it asks its caller whether two are the same, and
// for those of a bucket that has become dense. It is not safe for concurrent use;
// its snapshots are.
type Set struct {
	secret     [32]byte
	opt        SetOptions
	position   uint64
	expander   *Expander
	tree       *Tree
	table      *Table
	estimators Estimators
	index      *Index
	found      []uint32 // of find, reused
}

// SetOptions configure a Set. The zero value works.
type SetOptions struct {
	Params Params
	Leaf   int // most items of a leaf of the tree; 0 means 64
}

const defaultLeaf = 64

func (o SetOptions) withDefaults() SetOptions {
	o.Params = o.Params.filled()
	if o.Leaf == 0 {
		o.Leaf = defaultLeaf
	}
	return o
}

// Same reports whether the item at a position of the arrival log is the one that a
// call is about. It is asked about items with the same short ID only.
type Same func(position uint32) (bool, error)

// NewSet returns the summaries of the empty view at position 0, keyed by the view's
// secret (see Derive). Widths that Params does not allow are ErrParams.
func NewSet(secret [32]byte, opt SetOptions) (*Set, error) {
	opt = opt.withDefaults()
	if err := opt.check(); err != nil {
		return nil, err
	}
	s := &Set{secret: secret, opt: opt, expander: NewExpander(secret, opt.Params)}
	s.tree, s.table, s.index = NewTree(opt.Leaf), NewTable(s.expander.Cells()), NewIndex(opt.Params.ShortBits)
	return s, nil
}

const maxLeaf = 1 << 16

func (o SetOptions) check() error {
	if o.Leaf < 1 || o.Leaf > maxLeaf {
		return fmt.Errorf("%w: leaves of %d items, want 1 to %d", ErrParams, o.Leaf, maxLeaf)
	}
	return o.Params.Validate()
}

// Insert adds the item k, which is at position of the arrival log. If the view holds
// k, which same tells, or another item of its short ID at that position, that is
// ErrDuplicate; an error of same is returned as it is. Nothing has changed then.
func (s *Set) Insert(k Key, position uint32, same Same) error {
	e := s.expander.Key(k)
	at, held, err := s.find(e.Short, same)
	if err != nil {
		return err
	}
	switch {
	case held:
		return fmt.Errorf("%w: %x at position %d, again at %d", ErrDuplicate, k.ID[:4], at, position)
	case slices.Contains(s.found, position):
		return fmt.Errorf("%w: %x at position %d, where another item of its short ID is", ErrDuplicate, k.ID[:4], position)
	}
	s.add(k, e, position)
	return nil
}

// Remove takes the item k out. If the view does not hold it, which same tells, that
// is ErrAbsent; an error of same is returned as it is. If index and tree contradict each
// other about it, that is ErrMismatch: the summaries are wrong, and have to be made
// anew. Nothing has changed then.
func (s *Set) Remove(k Key, same Same) error {
	e := s.expander.Key(k)
	position, held, err := s.find(e.Short, same)
	if err != nil {
		return err
	}
	if !held {
		return fmt.Errorf("%w: %x", ErrAbsent, k.ID[:4])
	}
	if err := s.tree.Remove(k, e.Fingerprint); err != nil {
		return fmt.Errorf("%w: %x is at position %d of the index, not in the tree", ErrMismatch, k.ID[:4], position)
	}
	s.index.Remove(e.Short, position)
	s.table.Remove(e.Short)
	s.estimators.Remove(e.Slice)
	return nil
}

// find returns the position of the item that same knows, among those with that
// short ID.
func (s *Set) find(short uint64, same Same) (position uint32, held bool, err error) {
	s.found = s.index.Lookup(s.found[:0], short)
	for _, position := range s.found {
		if held, err = same(position); held || err != nil {
			return position, held, err
		}
	}
	return 0, false, nil
}

// add inserts an item that the view does not hold.
func (s *Set) add(k Key, e Expansion, position uint32) {
	s.tree.Insert(k, e.Fingerprint)
	s.index.insert(e.Short, position)
	s.table.Insert(e.Short)
	s.estimators.Insert(e.Slice)
	if n := uint64(s.index.Len()); s.table.NeedsGrowth(n) {
		s.table.Grow(s.index.All(), n)
	}
}

// Root returns count and fingerprint of the view.
func (s *Set) Root() Root { return s.tree.Root() }

// Fits reports whether opt makes Sets like this one.
func (s *Set) Fits(opt SetOptions) bool { return s.opt == opt.withDefaults() }

// Params returns the widths of short IDs and checks.
func (s *Set) Params() Params { return s.opt.Params }

// Position returns the position of the arrival log up to which the view is
// summarised: what SetPosition was told last.
func (s *Set) Position() uint64 { return s.position }

// SetPosition notes that the Set covers the arrival log up to position.
func (s *Set) SetPosition(position uint64) { s.position = position }

// Resolve appends the positions of all items with that short ID to dst.
func (s *Set) Resolve(dst []uint32, short uint64) []uint32 { return s.index.Lookup(dst, short) }

// Positions returns the positions of all items, ascending. The caller owns the slice.
func (s *Set) Positions() []uint32 {
	positions := make([]uint32, 0, s.index.Len())
	for _, position := range s.index.EntryAll() {
		positions = append(positions, position)
	}
	slices.Sort(positions)
	return positions
}

// Overfull returns at most so many buckets that hold more items than a leaf should
// and wait for Refine.
func (s *Set) Overfull(most int) []Bucket { return s.tree.Overfull(most) }

// Refine splits an overfull bucket. Keys are all of the view's in it, in any order.
// If they are not, that is ErrMismatch and nothing has changed.
func (s *Set) Refine(b Bucket, keys []Key) error {
	items := make([]TreeItem, len(keys))
	for i, k := range keys {
		items[i] = TreeItem{Key: k, Fingerprint: s.expander.Fingerprint(k)}
	}
	return s.tree.Refine(b, items)
}

// Size returns the memory of all summaries in bytes. As long as a Snapshot is kept, it
// keeps what was written since of tree and table: at most as much as they took when it
// was made. A Frozen keeps a copy of the index besides.
func (s *Set) Size() int {
	const fixed = 4 << 10 // expander, estimators and the structures themselves
	return fixed + s.tree.Size() + s.index.Size() + s.table.Size()
}

// SetItem is an item of Build: a key and its position in the arrival log.
type SetItem struct {
	Key      Key
	Position uint32
}

// Build fills an empty Set in bulk. Items are in ascending order of their keys, each
// once: ErrDuplicate otherwise, and nothing has changed. It is ErrDuplicate too if two of one
// short ID are at one position; the Set is of no use then. The tree ends refined. It
// takes about as long as inserting them one by one, and 32 bytes of extra memory per
// item while it runs.
func (s *Set) Build(items []SetItem) error {
	if s.index.Len() != 0 {
		return fmt.Errorf("%w: Build over %d items", ErrMismatch, s.index.Len())
	}
	for i := 1; i < len(items); i++ {
		if items[i-1].Key.Compare(items[i].Key) >= 0 {
			return fmt.Errorf("%w: item %d of Build is not above the one before", ErrDuplicate, i)
		}
	}
	if n := uint64(len(items)); s.table.NeedsGrowth(n) {
		s.table.Grow(func(func(uint64) bool) {}, n)
	}
	// Keys ascend, so a leaf that became overfull is at the right edge of the tree,
	// and its items are among the last that a leaf had and those that came since.
	var window []TreeItem
	entries := make([]IndexEntry, 0, len(items))
	for chunk := range slices.Chunk(items, buildChunk) {
		window = append(window[:0], window[max(0, len(window)-s.opt.Leaf):]...)
		for _, item := range chunk {
			e := s.expander.Key(item.Key)
			window = append(window, TreeItem{Key: item.Key, Fingerprint: e.Fingerprint})
			entries = append(entries, IndexEntry{Short: e.Short, Position: item.Position})
			s.tree.Insert(item.Key, e.Fingerprint)
			s.table.Insert(e.Short)
			s.estimators.Insert(e.Slice)
		}
		if err := s.refineFrom(window); err != nil {
			return err
		}
	}
	s.index = BuildIndex(s.opt.Params.ShortBits, entries)
	if have := s.index.Len(); have != len(items) {
		return fmt.Errorf("%w: %d of %d items of Build have short ID and position of another", ErrDuplicate, len(items)-have, len(items))
	}
	return nil
}

const buildChunk = 1024

// refineFrom refines all overfull buckets with items, which ascend.
func (s *Set) refineFrom(items []TreeItem) error {
	for {
		overfull := s.tree.Overfull(buildChunk)
		for _, b := range overfull {
			from, _ := slices.BinarySearchFunc(items, b.First(), compareItem)
			to, found := slices.BinarySearchFunc(items, b.Last(), compareItem)
			if found {
				to++
			}
			if err := s.tree.Refine(b, items[from:to]); err != nil {
				return err
			}
		}
		if len(overfull) == 0 {
			return nil
		}
	}
}

func compareItem(item TreeItem, k Key) int { return item.Key.Compare(k) }
