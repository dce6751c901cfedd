package filters_test

import (
	"encoding/binary"

	"github.com/dwn-sync/dwnsync/filters"
)

// edit is a change to the encoding of a filter of three keys, checksum not
// included, that a decoder has to notice.
type edit struct {
	name   string
	kind   filters.Kind
	rate   float64
	err    string
	change func(data []byte) []byte
}

// set returns a change that writes value at an offset.
func set(at int, value ...byte) func([]byte) []byte {
	return func(data []byte) []byte {
		copy(data[at:], value)
		return data
	}
}

func keysClaimed(n uint32) func([]byte) []byte {
	return set(4, binary.LittleEndian.AppendUint32(nil, n)...)
}

func oneMore(data []byte) []byte { return append(data, 0) }
func oneLess(data []byte) []byte { return data[:len(data)-1] }

// setLast sets bits of the last byte.
func setLast(bits byte) func([]byte) []byte {
	return func(data []byte) []byte {
		data[len(data)-1] |= bits
		return data
	}
}

// fillFrom sets all bits from an offset on, but the highest.
func fillFrom(at int) func([]byte) []byte {
	return func(data []byte) []byte {
		for i := at; i < len(data); i++ {
			data[i] = 0xff
		}
		data[len(data)-1] = 0x7f
		return data
	}
}

func clearFrom(at int) func([]byte) []byte {
	return func(data []byte) []byte {
		clear(data[at:])
		return data
	}
}

// body returns a change that replaces all behind the header.
func body(bytes ...byte) func([]byte) []byte {
	return func(data []byte) []byte { return append(data[:8], bytes...) }
}

var refusedEdits = []edit{
	{"another magic", filters.Bloom, 0, "malformed", set(0, 'd')},
	{"version 0", filters.Bloom, 0, "version", set(2, 0)},
	{"version 2", filters.Bloom, 0, "version", set(2, 2)},
	{"kind 0", filters.Bloom, 0, "unknown kind", set(3, 0)},
	{"kind 9", filters.Bloom, 0, "unknown kind", set(3, 9)},
	{"more keys than the default limit", filters.Bloom, 0, "too large", keysClaimed(16<<20 + 1)},
	{"as many keys as fit the field", filters.List, 0, "too large", keysClaimed(1<<32 - 1)},
	{"no keys but a body", filters.Xor8, 0, "malformed", keysClaimed(0)},
	{"keys but no body", filters.Xor8, 0, "malformed", body()},

	{"bloom without parameters", filters.Bloom, 0, "malformed", body(8, 127, 0, 0)},
	{"bloom of no positions", filters.Bloom, 0, "malformed", set(8, 0)},
	{"bloom of 33 positions", filters.Bloom, 0, "malformed", set(8, 33)},
	{"bloom of no bits", filters.Bloom, 0, "malformed", body(8, 0, 0, 0, 0)},
	{"bloom of more bits than are there", filters.Bloom, 0, "malformed", set(9, 129)},
	{"bloom of fewer bits than are there", filters.Bloom, 0, "malformed", set(9, 64)},
	{"bloom of 2^32-1 bits", filters.Bloom, 0, "malformed", set(9, 0xff, 0xff, 0xff, 0xff)},
	{
		"bloom of too many bits for three keys", filters.Bloom, 0, "malformed",
		func(data []byte) []byte { return append(set(9, 0, 5, 0, 0)(data), make([]byte, 144)...) },
	},
	{"bloom with a bit beyond the last", filters.Bloom, 0, "malformed", setLast(0x80)},
	{"bloom with no bit set", filters.Bloom, 0, "malformed", clearFrom(13)},
	{"bloom with all bits set", filters.Bloom, 0, "malformed", fillFrom(13)},
	{"bloom with a trailing byte", filters.Bloom, 0, "malformed", oneMore},

	{"xor8 one byte short", filters.Xor8, 0, "malformed", oneLess},
	{"xor8 with a trailing byte", filters.Xor8, 0, "malformed", oneMore},
	{"xor8 of more keys", filters.Xor8, 0, "malformed", keysClaimed(6)},

	{"fuse8 without parameters", filters.Fuse8, 0, "malformed", body(1, 2, 3, 4, 5, 6, 7, 8, 3, 1)},
	{"fuse8 of segment length 2", filters.Fuse8, 0, "malformed", set(16, 1, 10)},
	{"fuse8 of segment length 2^19", filters.Fuse8, 0, "malformed", set(16, 19)},
	{"fuse8 of segment length 2^255", filters.Fuse8, 0, "malformed", set(16, 255)},
	{"fuse8 of no segments", filters.Fuse8, 0, "malformed", set(17, 0, 0)},
	{"fuse8 of too many segments", filters.Fuse8, 0, "malformed", set(17, 0xff, 0xff)},
	{
		"fuse8 of too many segments that are there", filters.Fuse8, 0, "malformed",
		func(data []byte) []byte { return append(set(17, 3)(data), make([]byte, 16)...) },
	},
	{"fuse8 of half the segment length for three keys", filters.Fuse8, 0, "malformed", set(16, 2, 4)},
	{
		"fuse8 of a segment too many", filters.Fuse8, 0, "malformed",
		func(data []byte) []byte { return append(set(17, 2)(data), make([]byte, 8)...) },
	},
	{"fuse8 with fewer fingerprints than keys", filters.Fuse8, 0, "malformed", keysClaimed(25)},
	{"fuse8 one byte short", filters.Fuse8, 0, "malformed", oneLess},
	{"fuse8 with a trailing byte", filters.Fuse8, 0, "malformed", oneMore},
	{"fuse16 one byte short", filters.Fuse16, 0, "malformed", oneLess},
	{"fuse16 with a trailing byte", filters.Fuse16, 0, "malformed", oneMore},
	{"fuse16 with 8-bit fingerprints", filters.Fuse8, 0, "malformed", set(3, 4)},

	{"list of width 0", filters.List, 0, "malformed", set(8, 0)},
	{"list of width 65", filters.List, 0, "malformed", set(8, 65)},
	{"list too narrow for three keys", filters.List, 0, "malformed", body(2, 0b0111)},
	{"list that ends in a number", filters.List, 0, "malformed", oneLess},
	{"list with a trailing byte", filters.List, 0, "malformed", oneMore},
	{"list with a bit in its padding", filters.List, 0, "malformed", setLast(0x80)},
	{"list without ones", filters.List, 0, "malformed", clearFrom(9)},
	{"list beyond its width", filters.List, 0.5, "malformed", body(3, 0xf8, 0)},
	{
		"list of whole keys that repeat", filters.List, 0x1p-64, "malformed",
		threeZeros,
	},
}

// threeZeros replaces the numbers of a list of three whole keys, 62 bits of which
// are written as they are, by zeros.
func threeZeros(data []byte) []byte {
	payload := make([]byte, (3*63+7)/8)
	for i := range 3 {
		payload[i*63/8] |= 1 << (i * 63 % 8)
	}
	return append(data[:9], payload...)
}
