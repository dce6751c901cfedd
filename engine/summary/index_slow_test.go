package summary

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"testing"
)

// slowIndex is the reference of Index: what it holds, as a map.
type slowIndex struct {
	shortBits int
	positions map[uint64][]uint32
	n         int
}

func newSlowIndex(shortBits int) *slowIndex {
	return &slowIndex{shortBits: shortBits, positions: map[uint64][]uint32{}}
}

func (s *slowIndex) short(short uint64) uint64 {
	if s.shortBits == 64 {
		return short
	}
	return short % (1 << s.shortBits)
}

func (s *slowIndex) insert(short uint64, position uint32) bool {
	short = s.short(short)
	if slices.Contains(s.positions[short], position) {
		return false
	}
	s.positions[short] = append(s.positions[short], position)
	s.n++
	return true
}

func (s *slowIndex) remove(short uint64, position uint32) bool {
	short = s.short(short)
	at := slices.Index(s.positions[short], position)
	if at < 0 {
		return false
	}
	s.positions[short] = slices.Delete(s.positions[short], at, at+1)
	s.n--
	return true
}

func (s *slowIndex) lookup(short uint64) []uint32 {
	return slices.Sorted(slices.Values(s.positions[s.short(short)]))
}

func (s *slowIndex) entries() []IndexEntry {
	var entries []IndexEntry
	for _, short := range slices.Sorted(maps.Keys(s.positions)) {
		for _, position := range s.lookup(short) {
			entries = append(entries, IndexEntry{short, position})
		}
	}
	return entries
}

// encode is the byte form, written one number at a time.
func (s *slowIndex) encode() []byte {
	text := []byte{1, byte(s.shortBits)}
	text = binary.LittleEndian.AppendUint64(text, uint64(s.n))
	for _, e := range s.entries() {
		for i := 0; i < s.shortBits; i += 8 {
			text = append(text, byte(e.Short>>i))
		}
		text = binary.LittleEndian.AppendUint32(text, e.Position)
	}
	return text
}

// checkIndex compares an index with the reference in every respect.
func checkIndex(t *testing.T, x *Index, want *slowIndex) {
	t.Helper()
	if x.Len() != want.n {
		t.Fatalf("%d entries, want %d", x.Len(), want.n)
	}
	var got []IndexEntry
	for short, position := range x.EntryAll() {
		got = append(got, IndexEntry{short, position})
	}
	entries := want.entries()
	slices.SortFunc(got, compareEntries)
	if !slices.Equal(got, entries) {
		t.Fatalf("entries %v, want %v", got, entries)
	}
	shorts := slices.Sorted(x.All())
	if !slices.EqualFunc(shorts, entries, func(short uint64, e IndexEntry) bool { return short == e.Short }) {
		t.Fatalf("short IDs %x, want those of %v", shorts, entries)
	}
	for short := range want.positions {
		for _, asked := range []uint64{short, short | ^x.mask()} { // bits beyond the width do not count
			if got := x.Lookup(nil, asked); !slices.Equal(got, want.lookup(short)) {
				t.Fatalf("%#x is at %v, want %v", asked, got, want.lookup(short))
			}
		}
	}
	if got := x.AppendBinary([]byte{9}); got[0] != 9 || !bytes.Equal(got[1:], want.encode()) {
		t.Fatalf("byte form %x, want 09 and %x", got, want.encode())
	}
	checkPages(t, x)
}

// checkPages verifies what the code relies on: each block has one owner, and entries
// are on the page of their short ID.
func checkPages(t *testing.T, x *Index) {
	t.Helper()
	owners := map[uint32]int{}
	total, long := 0, 0
	for slot := range uint32(x.pageCount()) {
		p := x.page(slot)
		blocks := (int(p.n) + blockLen - 1) / blockLen
		for i := range blocks {
			owners[x.blockID(slot, p, i)]++
		}
		if blocks > inlineBlocks {
			long++
		}
		for place := range int(p.n) {
			if short, _ := x.entry(slot, place); x.slot(short) != slot {
				t.Fatalf("%#x is on page %d, want %d", short, slot, x.slot(short))
			}
		}
		total += int(p.n)
	}
	for id := x.free; id > 0; id = uint32(x.block(id - 1).rest[0]) {
		owners[id-1]++
	}
	for id, owned := range owners {
		if owned != 1 || id >= x.used {
			t.Fatalf("block %d of %d has %d owners", id, x.used, owned)
		}
	}
	if len(owners) != int(x.used) || total != x.n {
		t.Fatalf("%d of %d blocks have an owner, pages hold %d of %d entries", len(owners), x.used, total, x.n)
	}
	if x.topped != (x.level < x.shortBits-lowBits) || !x.topped && len(x.tops) > 0 {
		t.Fatalf("level %d of %d bits: topped is %t, with %d slabs", x.level, x.shortBits, x.topped, len(x.tops))
	}
	if len(x.more) != long {
		t.Fatalf("%d lists of further blocks, %d pages have such", len(x.more), long)
	}
	if x.level > x.shortBits || x.level == x.shortBits && x.split > 0 {
		t.Fatalf("%d pages of short IDs of %d bits", x.pageCount(), x.shortBits)
	}
	if full := x.load * x.pageCount(); x.n > full && x.level < x.shortBits {
		t.Fatalf("%d entries on %d pages of %d", x.n, x.pageCount(), x.load)
	}
}

// decodedIndex returns the index after a way through its byte form.
func decodedIndex(t *testing.T, x *Index) *Index {
	t.Helper()
	decoded, err := DecodeIndex(x.AppendBinary(nil))
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// both inserts into or removes from an index and its reference.
func both(t *testing.T, x *Index, want *slowIndex, insert bool, short uint64, position uint32) {
	t.Helper()
	got, expected := false, false
	if insert {
		got, expected = x.Insert(short, position), want.insert(short, position)
	} else {
		got, expected = x.Remove(short, position), want.remove(short, position)
	}
	if got != expected {
		t.Fatalf("insert=%t of %#x at %d reports %t, want %t", insert, short, position, got, expected)
	}
}
