package filters_test

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/dwn-sync/dwnsync/filters"
)

// putIn returns a change that puts bytes in at an offset.
func putIn(at int, more ...byte) func([]byte) []byte {
	return func(data []byte) []byte { return slices.Insert(data, at, more...) }
}

// both returns a change that makes several, one after the other.
func both(changes ...func([]byte) []byte) func([]byte) []byte {
	return func(data []byte) []byte {
		for _, change := range changes {
			data = change(data)
		}
		return data
	}
}

// or returns a change that sets bits of the byte at an offset.
func or(at int, bits byte) func([]byte) []byte {
	return func(data []byte) []byte {
		data[at] |= bits
		return data
	}
}

func xor(at int, bits byte) func([]byte) []byte {
	return func(data []byte) []byte {
		data[at] ^= bits
		return data
	}
}

// pack returns the bits of text, which may have spaces, from the lowest of a byte up.
func pack(text string) []byte {
	text = strings.ReplaceAll(text, " ", "")
	packed := make([]byte, (len(text)+7)/8)
	for i, bit := range text {
		packed[i/8] |= byte(bit-'0') << (i % 8)
	}
	return packed
}

// zeros returns n zero bits, for pack.
func zeros(n int) string { return strings.Repeat("0", n) }

var (
	ribbonOwnAttempt = or(8, 7<<5) // says that the attempt follows

	refusedRibbons = []edit{
		{"ribbon without parameters", filters.Ribbon, 0, "malformed", body()},
		{"ribbon one byte short", filters.Ribbon, 0, "malformed", oneLess},
		{"ribbon with a trailing byte", filters.Ribbon, 0, "malformed", oneMore},
		{"ribbon of more keys", filters.Ribbon, 0, "malformed", keysClaimed(4)},
		{"ribbon of other bits", filters.Ribbon, 0, "malformed", xor(8, 1)},
		{"ribbon with a bit beyond the last slot", filters.Ribbon, 0x1p-5, "malformed", setLast(0x80)},
		{"ribbon of attempt 6 in a byte of its own", filters.Ribbon, 0, "malformed", both(ribbonOwnAttempt, putIn(9, 6))},
		{"ribbon of attempt 64", filters.Ribbon, 0, "malformed", both(ribbonOwnAttempt, putIn(9, 64))},
		{"ribbon of an attempt with more slots", filters.Ribbon, 0, "malformed", both(ribbonOwnAttempt, putIn(9, 16))},
	}

	refusedGolombs = []edit{
		{"golomb without a rate", filters.Golomb, 0, "malformed", body()},
		{"golomb of rate 1", filters.Golomb, 0, "malformed", set(8, 0)},
		{"golomb of rate 2^-33", filters.Golomb, 0, "malformed", set(8, 33)},
		{"golomb of another rate", filters.Golomb, 0, "malformed", set(8, 11)},
		{"golomb of more keys", filters.Golomb, 0, "malformed", keysClaimed(4)},
		{"golomb that ends in a number", filters.Golomb, 0, "malformed", oneLess},
		{"golomb with a trailing byte", filters.Golomb, 0, "malformed", oneMore},
		{"golomb with a bit in its padding", filters.Golomb, 0, "malformed", setLast(0x80)},
		{"golomb without ones", filters.Golomb, 0, "malformed", clearFrom(9)},
		{
			"golomb of a place beyond the last", filters.Golomb, 0, "malformed",
			body(slices.Concat([]byte{8}, pack("0000001 0000000 1 0000000 1 0000000"))...),
		},
	}

	// The records of a segment of one key: 0, of which the blend is 0, and 2^63.
	lowKey  = []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	highKey = []byte{1, 0, 0x8a, 0xa9, 0xce, 0x79, 0xa5, 0x6e, 0xc2, 0x25}

	// A segmented filter of three keys has its rate at 8, then one segment: position
	// at 9, number of keys and kind at 10, sum at 12, length at 20, body at 21.
	refusedSegmented = []edit{
		{"segmented without a rate", filters.Segmented, 0, "malformed", body()},
		{"segmented of rate 1", filters.Segmented, 0, "malformed", set(8, 0)},
		{"segmented of rate 2^-33", filters.Segmented, 0, "malformed", set(8, 33)},
		{"segmented without segments", filters.Segmented, 0, "malformed", body(8)},
		{"segmented of more keys than its segments", filters.Segmented, 0, "malformed", keysClaimed(4)},
		{"segmented one byte short", filters.Segmented, 0, "malformed", oneLess},
		{"segmented with a trailing byte", filters.Segmented, 0, "malformed", oneMore},
		{"segment of a half, alone", filters.Segmented, 0, "malformed", set(9, 1)},
		{"segment of 65 bits", filters.Segmented, 0, "malformed", set(9, 65)},
		{"segment with a gap where there is no room", filters.Segmented, 0, "malformed", both(set(9, 0x80), putIn(10, 0))},
		{"segment of no keys", filters.Segmented, 0, "malformed", set(10, 0, 0)},
		{"segment of 1025 keys", filters.Segmented, 0, "malformed", both(keysClaimed(1025), set(10, 1, 6<<3|4))},
		{"segment of a list", filters.Segmented, 0, "malformed", set(11, 5<<3)},
		{"segment of three keys without a filter", filters.Segmented, 0, "malformed", set(11, 0)},
		{"segment of another rate", filters.Segmented, 0, "malformed", xor(21, 1)},
		{"segment whose length has a byte too many", filters.Segmented, 0, "malformed", both(or(20, 0x80), putIn(21, 0))},
		{"segment longer than what is there", filters.Segmented, 0, "malformed", set(20, 0x7f)},
		{
			"segment of one key with a filter", filters.Segmented, 0, "malformed",
			both(keysClaimed(1), body(8, 0, 1, 6<<3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0)),
		},
		{
			"segments that need no splitting", filters.Segmented, 0, "malformed",
			both(keysClaimed(2), body(slices.Concat([]byte{8, 1}, lowKey, []byte{1}, highKey)...)),
		},
		{
			"segment behind the last key", filters.Segmented, 0, "malformed",
			both(keysClaimed(2), body(slices.Concat([]byte{8, 0}, lowKey, []byte{1}, highKey)...)),
		},
		{
			"segments of 55 bits, which have no room for so many keys", filters.Segmented, 0, "malformed",
			both(keysClaimed(1025), body(slices.Concat([]byte{1, 55}, lowKey, []byte{55}, fullSegment())...)),
		},
		{
			"segment of one key that lies in another", filters.Segmented, 0, "malformed",
			both(keysClaimed(1025), body(slices.Concat([]byte{1, 1}, fullSegment(), []byte{1}, lowKey)...)),
		},
	}

	// refusedOfMany are made of 1100 keys: two shards of a ribbon, two segments.
	refusedOfMany = []edit{
		{"ribbon of two shards with an attempt in its first byte", filters.Ribbon, 0.5, "malformed", or(8, 1<<5)},
		{"ribbon of two shards one byte short", filters.Ribbon, 0.5, "malformed", oneLess},
		{"ribbon of two shards with a trailing byte", filters.Ribbon, 0.5, "malformed", oneMore},
		{"ribbon of two shards without ones", filters.Ribbon, 0.5, "malformed", clearFrom(9)},
		{"ribbon of a shard of -1 keys", filters.Ribbon, 0.5, "malformed", shards(zeros(34) + "1 10110 1 1")}, // 1101, for -551
		{"ribbon of a shard of 1101 keys", filters.Ribbon, 0.5, "malformed", shards(zeros(34) + "1 01110 1 1")},
		{"ribbon of a shard of attempt 64", filters.Ribbon, 0.5, "malformed", shards("1 00000" + zeros(64) + "1 1")},
		{"ribbon with a bit behind the shards", filters.Ribbon, 0.5, "malformed", shards("1 00000 01 1 0000001")},
		{"segmented of a half alone", filters.Segmented, 0.5, "malformed", func(data []byte) []byte {
			n := int(binary.LittleEndian.Uint16(data[10:])) % 2048 // of the first segment; r is 1
			return keysClaimed(uint32(n))(data[:21+(n+7)/8+int(data[20])])
		}},
	}
)

// fullSegment returns the record of a segment of 1024 keys at one bit, whichever they are.
func fullSegment() []byte {
	const keys = 1024
	f, err := filters.Build(filters.Segmented, vectorKeys(filters.Salt{}, 0, keys), filters.Options{Bits: 1})
	if err != nil {
		panic(err)
	}
	data := f.AppendTo(nil)
	return data[10 : len(data)-4] // behind header, bits and position
}

// shards returns a change that replaces the shards of a ribbon.
func shards(text string) func([]byte) []byte {
	return func(data []byte) []byte {
		return slices.Replace(data, 9, 9+len(pack(shardBits(data))), pack(text)...)
	}
}

// shardBits returns the bits that say how many keys the first of two shards has,
// and by which attempt each was solved.
func shardBits(data []byte) string {
	var text strings.Builder
	for _, b := range data[9:29] {
		for range 8 {
			text.WriteByte('0' + b&1)
			b >>= 1
		}
	}
	all := text.String()
	end := strings.IndexByte(all, '1') + 1 + 5
	for range 2 {
		end += strings.IndexByte(all[end:], '1') + 1
	}
	return all[:end]
}
