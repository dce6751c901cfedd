package summary

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
)

// IndexEntry says that the item with a short ID is at a position of the arrival log.
type IndexEntry struct {
	Short    uint64
	Position uint32
}

// Index finds the positions of a short ID. Several entries may have one short ID, and
// one position several short IDs; the same entry is in the index once.
//
// It takes at most 12 bytes an entry from 10^4 entries on, 11.4 where there are many,
// all in. A short ID of more than 48 bits takes 2.2 more until there are 150 * 2^(bits-48)
// entries (9.8 million for 64 bits). Below 10^4 entries it takes up to 12 bytes an entry
// and 5 kB. What removals free is kept for later inserts.
//
// An insert, a removal or a lookup looks at one page: 150 entries on average and some
// 350 at most if the short IDs are uniform, as a keyed function makes them. Nothing is
// ever rebuilt: an insert splits at most one page (linear hashing; Litwin, "Linear
// hashing: a new tool for file and table addressing", 1980), so there is no pause. Where
// all short IDs lie in one page, because their secret is known or they are all equal,
// every operation takes time in proportion to the number of entries, and memory stays
// below 13 bytes each: of 10^5 such entries 45 us an operation, or 1 ms where all short
// IDs are equal.
//
// An Index may be read by several goroutines at once, but not while one changes it.
type Index struct {
	shortBits int
	load      int // entries a page on average; a page more is made above it
	n         int

	// Pages are numbered by the reversed upper bits of their short IDs: level of them,
	// level+1 in pages that are split already, which are those below split, and their
	// other halves from 1<<level on.
	level int
	split uint32
	pages []*[slabPages]page
	more  map[uint32][]uint32 // blocks of pages that have more than inlineBlocks

	blocks []*[slabBlocks]block
	used   uint32 // blocks ever handed out
	free   uint32 // the first of the blocks that were given back, plus one; or zero

	// tops holds bits 48 up of the short IDs of blocks. It is empty where these are
	// among the bits that number the page.
	topped bool
	tops   []*[slabBlocks][blockLen]uint16
}

// NewIndex returns an empty index of short IDs of so many bits, 1 to 64, or 48 if
// shortBits is 0. Of a short ID with more bits than that the lower ones count. It
// panics if shortBits is out of range, which [Params] cannot be.
func NewIndex(shortBits int) *Index { return newIndex(shortBits, pageLoad) }

func newIndex(shortBits, load int) *Index {
	if shortBits == 0 {
		shortBits = lowBits
	}
	if shortBits < 1 || shortBits > 64 {
		panic(fmt.Sprintf("summary: index of short IDs of %d bits, want 1 to 64", shortBits))
	}
	x := &Index{shortBits: shortBits, load: load}
	x.reserve(0)
	return x
}

// BuildIndex returns an index of entries, which may come in any order; repeated ones
// count once. It takes a fraction of the time of as many inserts, and 16 bytes of
// extra memory an entry while it runs. It neither changes nor keeps the slice. It
// panics as [NewIndex] does.
func BuildIndex(shortBits int, entries []IndexEntry) *Index {
	x := NewIndex(shortBits)
	x.reserve(len(entries))
	for _, e := range x.grouped(entries) {
		x.Insert(e.Short, e.Position)
	}
	return x
}

// grouped returns the entries ordered by the upper bits of their short IDs, so that
// those of one page follow each other, nearly, and the page stays in the cache.
func (x *Index) grouped(entries []IndexEntry) []IndexEntry {
	width := min(x.shortBits, 11)
	group := func(e IndexEntry) uint64 { return e.Short & x.mask() >> (x.shortBits - width) }
	starts := make([]int, 1<<width+1)
	for _, e := range entries {
		starts[group(e)+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	grouped := make([]IndexEntry, len(entries))
	for _, e := range entries {
		at := &starts[group(e)]
		grouped[*at] = e
		*at++
	}
	return grouped
}

// Len returns the number of entries.
func (x *Index) Len() int { return x.n }

// Size returns the bytes of memory that the index takes, unused room included. It
// takes constant time, and is within 3 % of what the Go heap says.
func (x *Index) Size() int {
	const self, pointer = 192, 8
	const list = 96 // of one page's further blocks, with its share of the map
	return self + list*len(x.more) +
		pointer*(cap(x.pages)+cap(x.blocks)+cap(x.tops)) +
		pageSlabSize*len(x.pages) + blockSlabSize*len(x.blocks) + topSlabSize*len(x.tops)
}

// Insert adds an entry. It reports false, and changes nothing, if the index has it.
func (x *Index) Insert(short uint64, position uint32) bool {
	short &= x.mask()
	slot := x.slot(short)
	if x.find(slot, short, position) >= 0 {
		return false
	}
	x.insert(short, position)
	return true
}

// insert adds an entry that the index does not have.
func (x *Index) insert(short uint64, position uint32) {
	x.add(x.slot(short), short, position)
	if x.n > x.load*x.pageCount() && x.level < x.shortBits {
		x.splitPage()
	}
}

// Remove takes an entry out. It reports false, and changes nothing, if the index does
// not have it.
func (x *Index) Remove(short uint64, position uint32) bool {
	short &= x.mask()
	slot := x.slot(short)
	place := x.find(slot, short, position)
	if place < 0 {
		return false
	}
	x.take(slot, place)
	return true
}

// Lookup appends the positions of all entries with a short ID to dst, in ascending order.
func (x *Index) Lookup(dst []uint32, short uint64) []uint32 {
	short &= x.mask()
	slot, before := x.slot(short), len(dst)
	x.eachMatch(slot, short, func(_ int, position uint32) bool {
		dst = append(dst, position)
		return true
	})
	slices.Sort(dst[before:])
	return dst
}

// All yields the short ID of every entry, in no particular order: a short ID comes as
// often as it has entries. The index must not change meanwhile.
func (x *Index) All() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for short := range x.EntryAll() {
			if !yield(short) {
				return
			}
		}
	}
}

// EntryAll yields every entry once, its short ID and its position, in no particular
// order. The index must not change meanwhile.
func (x *Index) EntryAll() iter.Seq2[uint64, uint32] {
	return func(yield func(uint64, uint32) bool) {
		for slot := range uint32(x.pageCount()) {
			for place := range int(x.page(slot).n) {
				if !yield(x.entry(slot, place)) {
					return
				}
			}
		}
	}
}

// mask returns the bits of a short ID that count.
func (x *Index) mask() uint64 { return ^uint64(0) >> (64 - x.shortBits) }

// slot returns the number of the page of a short ID.
func (x *Index) slot(short uint64) uint32 {
	reversed := x.reversed(short)
	slot := uint32(reversed & (1<<(x.level&63) - 1))
	if slot < x.split {
		slot = uint32(reversed & (2<<(x.level&63) - 1))
	}
	return slot
}

// reversed returns a short ID with its uppermost bit lowest.
func (x *Index) reversed(short uint64) uint64 {
	return bits.Reverse64(short << ((64 - x.shortBits) & 63))
}

// slots yields the numbers of all pages in the order of their short IDs.
func (x *Index) slots() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for upper := range uint64(1) << x.level {
			slot := uint32(bits.Reverse64(upper) >> (64 - x.level))
			if !yield(slot) || slot < x.split && !yield(slot+1<<x.level) {
				return
			}
		}
	}
}
