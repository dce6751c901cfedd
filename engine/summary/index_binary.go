package summary

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// The byte form of an index: a version, the bits of a short ID, the number of entries
// in 8 bytes, then the entries, ascending by short ID and by position: the short ID in
// as many bytes as its bits fill, the position in 4. All numbers are little-endian.
const (
	indexVersion = 1
	indexHeader  = 1 + 1 + 8
	positionSize = 4
)

// shortSize returns the bytes of a short ID in the byte form.
func (x *Index) shortSize() int { return (x.shortBits + 7) / 8 }

// AppendBinary appends the byte form of the index to dst: 10 bytes and, for short IDs
// of 48 bits, 10 more an entry. It depends on the entries alone, not on how they came.
func (x *Index) AppendBinary(dst []byte) []byte {
	size := x.shortSize()
	dst = slices.Grow(dst, indexHeader+x.n*(size+positionSize))
	dst = append(dst, indexVersion, byte(x.shortBits))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(x.n))
	var entries []IndexEntry
	var short [8]byte
	for slot := range x.slots() {
		entries = x.sortedPage(entries[:0], slot)
		for _, e := range entries {
			binary.LittleEndian.PutUint64(short[:], e.Short)
			dst = append(dst, short[:size]...)
			dst = binary.LittleEndian.AppendUint32(dst, e.Position)
		}
	}
	return dst
}

// sortedPage appends the entries of a page to an empty slice and sorts them.
func (x *Index) sortedPage(entries []IndexEntry, slot uint32) []IndexEntry {
	for place := range int(x.page(slot).n) {
		short, position := x.entry(slot, place)
		entries = append(entries, IndexEntry{short, position})
	}
	slices.SortFunc(entries, compareEntries)
	return entries
}

func compareEntries(a, b IndexEntry) int {
	if a.Short != b.Short {
		return cmp.Compare(a.Short, b.Short)
	}
	return cmp.Compare(a.Position, b.Position)
}

// DecodeIndex returns the index whose byte form data is. It does not keep data. It
// returns ErrEncoding if AppendBinary cannot have written data: an unknown version, a
// length that is not what the header says, a short ID with too many bits, entries that
// do not ascend or that repeat. It takes memory in proportion to data.
func DecodeIndex(data []byte) (*Index, error) {
	if len(data) < indexHeader {
		return nil, fmt.Errorf("%w: index of %d bytes, want %d or more", ErrEncoding, len(data), indexHeader)
	}
	if data[0] != indexVersion {
		return nil, fmt.Errorf("%w: index of version %d, want %d", ErrEncoding, data[0], indexVersion)
	}
	if data[1] < 1 || data[1] > 64 {
		return nil, fmt.Errorf("%w: index of short IDs of %d bits, want 1 to 64", ErrEncoding, data[1])
	}
	x := NewIndex(int(data[1]))
	claimed, data := binary.LittleEndian.Uint64(data[2:]), data[indexHeader:]
	size := x.shortSize() + positionSize
	if len(data)%size != 0 || claimed != uint64(len(data)/size) {
		return nil, fmt.Errorf("%w: index of %d entries in %d bytes, want %d bytes each",
			ErrEncoding, claimed, len(data), size)
	}
	if err := x.readEntries(data, size); err != nil {
		return nil, err
	}
	return x, nil
}

// readEntries fills an empty index with entries of so many bytes.
func (x *Index) readEntries(data []byte, size int) error {
	x.reserve(len(data) / size)
	var last IndexEntry
	for at := 0; at < len(data); at += size {
		var text [8]byte
		copy(text[:], data[at:at+size-positionSize])
		e := IndexEntry{
			Short:    binary.LittleEndian.Uint64(text[:]),
			Position: binary.LittleEndian.Uint32(data[at+size-positionSize:]),
		}
		if e.Short > x.mask() {
			return fmt.Errorf("%w: short ID %#x of more than %d bits", ErrEncoding, e.Short, x.shortBits)
		}
		if at > 0 && compareEntries(last, e) >= 0 {
			return fmt.Errorf("%w: index entry %d does not ascend", ErrEncoding, at/size)
		}
		x.add(x.slot(e.Short), e.Short, e.Position)
		last = e
	}
	return nil
}
