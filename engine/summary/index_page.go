package summary

import "math/bits"

// A page is a list of blocks, all full but the last one, whose entries are in no order:
// an insert writes to one block, wherever its entry would sort to, and a lookup compares
// 16 bits of four short IDs at a time, of 32 in one cache line.
//
// Two other layouts were rejected. Sorted pages move half of their entries at each
// insert. Pages that are allocated as long as they are leave holes when all grow from
// one size class of the Go heap to the next, up to a third of it; blocks fit any page.

const (
	// blockLen is the number of entries of a block.
	blockLen = 32
	// inlineBlocks is how many blocks a page has room for: 2.3 times what it has on
	// average. Pages that were split last or are split next have a half or twice of that.
	inlineBlocks = 11
	// pageLoad is how many entries a page has on average.
	pageLoad = 150
	// lowBits is how many bits of a short ID every block holds.
	lowBits = 48

	// Slabs are as long as size classes of the Go heap: 768, 3200 and 640 bytes.
	slabPages  = 16
	slabBlocks = 10

	pageSlabSize  = slabPages * 4 * (1 + inlineBlocks)
	blockSlabSize = slabBlocks * blockLen * 10
	topSlabSize   = slabBlocks * blockLen * 2
)

// page lists the blocks of a page. It holds no pointers, so that the garbage collector
// does not look at it.
type page struct {
	n      uint32 // entries
	blocks [inlineBlocks]uint32
}

// block holds 32 entries in 320 bytes, five cache lines.
type block struct {
	tags [blockLen / 4]uint64 // bits 0 to 15 of the short IDs, four in a word
	rest [blockLen]uint64     // their bits 16 to 47, and below them the position
}

const (
	eachTag = 0x0001_0001_0001_0001
	signs   = 0x8000_8000_8000_8000
)

// mayHave reports whether a tag, given four times in a word, is among those of b. It
// may be wrong if it says so, but not otherwise.
func (b *block) mayHave(tags uint64) bool {
	t := &b.tags
	return (hits(t[0]^tags)|hits(t[1]^tags)|hits(t[2]^tags)|hits(t[3]^tags)|
		hits(t[4]^tags)|hits(t[5]^tags)|hits(t[6]^tags)|hits(t[7]^tags))&signs != 0
}

// hits returns a word whose bits 15, 31, 47 and 63 tell which quarters of x are zero.
// Above one that is, it may be wrong about a quarter that is not.
func hits(x uint64) uint64 { return (x - eachTag) &^ x }

// find returns the first place from i on, full or not, that has the lower 48 bits of a
// short ID, or blockLen. Its tag is given four times in a word.
func (b *block) find(tags, low uint64, i int) int {
	for word := i / 4; word < len(b.tags); word++ {
		for at := hits(b.tags[word]^tags) & signs; at != 0; at &= at - 1 {
			if found := word*4 + bits.TrailingZeros64(at)/16; found >= i && b.low(found) == low {
				return found
			}
		}
	}
	return blockLen
}

// low returns the lower 48 bits of a short ID.
func (b *block) low(i int) uint64 {
	return b.rest[i]>>32<<16 | b.tags[i/4]>>(i%4*16)&0xffff
}

func (b *block) position(i int) uint32 { return uint32(b.rest[i]) }

func (b *block) put(i int, low uint64, position uint32) {
	tag, shift := &b.tags[i/4], i%4*16
	*tag = *tag&^(0xffff<<shift) | low&0xffff<<shift
	b.rest[i] = low>>16<<32 | uint64(position)
}

func (x *Index) page(slot uint32) *page          { return &x.pages[slot/slabPages][slot%slabPages] }
func (x *Index) block(id uint32) *block          { return &x.blocks[id/slabBlocks][id%slabBlocks] }
func (x *Index) pageCount() int                  { return 1<<x.level + int(x.split) }
func (x *Index) top(id uint32) *[blockLen]uint16 { return &x.tops[id/slabBlocks][id%slabBlocks] }

// blockID returns the number of a page's block.
func (x *Index) blockID(slot uint32, p *page, i int) uint32 {
	if i < inlineBlocks {
		return p.blocks[i]
	}
	return x.more[slot][i-inlineBlocks]
}

// eachMatch calls yield with the place on its page and the position of every entry that
// has a short ID, until yield returns false.
func (x *Index) eachMatch(slot uint32, short uint64, yield func(place int, position uint32) bool) {
	p := x.page(slot)
	tags, low, top := short&0xffff*eachTag, short&(1<<lowBits-1), uint16(short>>lowBits)
	for first := 0; first < int(p.n); first += blockLen {
		id := x.blockID(slot, p, first/blockLen)
		b := x.block(id)
		if !b.mayHave(tags) {
			continue
		}
		count := min(blockLen, int(p.n)-first)
		for i := b.find(tags, low, 0); i < count; i = b.find(tags, low, i+1) {
			if x.topped && x.top(id)[i] != top {
				continue
			}
			if !yield(first+i, b.position(i)) {
				return
			}
		}
	}
}

// find returns the place of an entry in its page, or -1.
func (x *Index) find(slot uint32, short uint64, position uint32) int {
	found := -1
	x.eachMatch(slot, short, func(place int, at uint32) bool {
		if at == position {
			found = place
		}
		return found < 0
	})
	return found
}

// entry returns the entry at a place of a page.
func (x *Index) entry(slot uint32, place int) (short uint64, position uint32) {
	id, i := x.blockID(slot, x.page(slot), place/blockLen), place%blockLen
	b := x.block(id)
	var top uint64
	switch {
	case x.topped:
		top = uint64(x.top(id)[i])
	case x.shortBits > lowBits:
		top = bits.Reverse64(uint64(slot)) >> (64 - (x.shortBits - lowBits))
	}
	return top<<lowBits | b.low(i), b.position(i)
}

func (x *Index) put(slot uint32, place int, short uint64, position uint32) {
	id, i := x.blockID(slot, x.page(slot), place/blockLen), place%blockLen
	x.block(id).put(i, short&(1<<lowBits-1), position)
	if x.topped {
		x.top(id)[i] = uint16(short >> lowBits)
	}
}

// add appends an entry to a page.
func (x *Index) add(slot uint32, short uint64, position uint32) {
	p := x.page(slot)
	place := int(p.n)
	if place%blockLen == 0 {
		x.addBlock(slot, p, place/blockLen)
	}
	p.n++
	x.n++
	x.put(slot, place, short, position)
}

// take removes the entry at a place of a page, where it puts the last one.
func (x *Index) take(slot uint32, place int) {
	p := x.page(slot)
	last := int(p.n) - 1
	if place != last {
		short, position := x.entry(slot, last)
		x.put(slot, place, short, position)
	}
	p.n--
	x.n--
	if last%blockLen == 0 {
		x.dropBlock(slot, p, last/blockLen)
	}
}

// addBlock gives a page its block i, which is its next one.
func (x *Index) addBlock(slot uint32, p *page, i int) {
	id := x.newBlock()
	if i < inlineBlocks {
		p.blocks[i] = id
		return
	}
	if x.more == nil {
		x.more = make(map[uint32][]uint32)
	}
	x.more[slot] = append(x.more[slot], id)
}

// dropBlock takes block i from a page, which is its last one.
func (x *Index) dropBlock(slot uint32, p *page, i int) {
	id := x.blockID(slot, p, i)
	switch {
	case i > inlineBlocks:
		x.more[slot] = x.more[slot][:i-inlineBlocks]
	case i == inlineBlocks:
		delete(x.more, slot)
	}
	x.block(id).rest[0] = uint64(x.free)
	x.free = id + 1
}

func (x *Index) newBlock() uint32 {
	if x.free > 0 {
		id := x.free - 1
		x.free = uint32(x.block(id).rest[0])
		return id
	}
	if int(x.used) == slabBlocks*len(x.blocks) {
		x.blocks = append(x.blocks, new([slabBlocks]block))
		if x.topped {
			x.tops = append(x.tops, new([slabBlocks][blockLen]uint16))
		}
	}
	x.used++
	return x.used - 1
}

// reserve makes the pages that n entries need. The index must be empty.
func (x *Index) reserve(n int) {
	count := max(1, (n+x.load-1)/x.load)
	if x.shortBits < 32 {
		count = int(min(int64(count), 1<<x.shortBits)) // more than 2^31 pages do not fit a 32-bit int
	}
	x.level = bits.Len(uint(count)) - 1
	x.split = uint32(count - 1<<x.level)
	x.topped = x.level < x.shortBits-lowBits
	x.makePages()
}

// makePages makes the slabs of all pages.
func (x *Index) makePages() {
	for x.pageCount() > slabPages*len(x.pages) {
		x.pages = append(x.pages, new([slabPages]page))
	}
}

// splitPage moves what the next page's other half takes to a page of its own.
func (x *Index) splitPage() {
	from, to := x.split, x.split+1<<x.level
	level := x.level
	if x.split++; x.split == 1<<x.level {
		x.level, x.split = x.level+1, 0
	}
	x.makePages()
	for place := 0; place < int(x.page(from).n); {
		short, position := x.entry(from, place)
		if x.reversed(short)>>level&1 == 0 {
			place++
			continue
		}
		x.add(to, short, position)
		x.take(from, place)
	}
	if x.topped && x.level >= x.shortBits-lowBits {
		x.topped, x.tops = false, nil
	}
}
