package badger

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/klauspost/compress/snappy"
)

// verifier verifies tables of Badger's format, one after another:
//
//	table   block ... index, length of index, checksum, length of checksum
//	block   rows, their offsets, number of rows, checksum, length of checksum
//
// Lengths and numbers have 4 bytes, big-endian. Blocks follow each other without a
// gap and may be compressed, each by itself; the index has where each begins. A
// block's checksum is that of all that stands before it in the block, so no byte of a
// table is left out. The buffers serve all tables: that, and passing no block through
// Badger's cache, is what makes it fast.
type verifier struct {
	tail  []byte // the index, and what follows it
	raw   []byte // blocks as they are in the file
	plain []byte // one block decompressed
}

const (
	// readAhead is how many bytes of blocks are read at a time: they stay in a
	// core's cache until they have been decompressed.
	readAhead = 256 << 10
	// maxTable is more than Badger makes of memtables and levels of the size that they have
	// here, and less than what an int has on any machine.
	maxTable = 1 << 30
	// maxChecksum is the longest form of a checksum, in bytes.
	maxChecksum = 16
	// maxSnappy is more than the bytes that one byte of a Snappy block stands for:
	// its copies take 3 bytes for at most 64.
	maxSnappy = 22
)

// verify returns a store.ErrCorrupt unless the size bytes of r are an undamaged table.
func (v *verifier) verify(r io.ReaderAt, size int64, c options.CompressionType) error {
	if size > maxTable {
		return corrupt("table of %d bytes", size)
	}
	end, err := v.readIndex(r, size)
	if err != nil {
		return err
	}
	blocks, err := readBlocks(v.tail)
	if err != nil {
		return err
	}
	if err := checkBlocks(blocks, end); err != nil {
		return err
	}
	for len(blocks) > 0 {
		n := together(blocks)
		if err := v.verifyBlocks(r, blocks[:n], c); err != nil {
			return err
		}
		blocks = blocks[n:]
	}
	return nil
}

// readIndex reads the index into v.tail and returns where it begins.
func (v *verifier) readIndex(r io.ReaderAt, size int64) (begin int64, err error) {
	const fixed = 4 + maxChecksum + 4
	if err := v.readTail(r, size, min(size, fixed)); err != nil {
		return 0, err
	}
	rest, sum, ok := cutChecksum(v.tail)
	if !ok || len(rest) < 4 {
		return 0, corrupt("no index in %d bytes", size)
	}
	length := int64(binary.BigEndian.Uint32(rest[len(rest)-4:]))
	after := int64(4 + len(sum) + 4)
	if length < 8 || length > size-after {
		return 0, corrupt("index of %d bytes in %d", length, size)
	}
	sum = bytes.Clone(sum)
	if err := v.readTail(r, size, length+after); err != nil {
		return 0, err
	}
	if v.tail = v.tail[:length]; !bytes.Equal(sum, appendChecksum(nil, v.tail)) {
		return 0, corrupt("checksum of the index")
	}
	return size - after - length, nil
}

// readTail reads the last n bytes into v.tail. n is at most size, which is that of
// the file.
func (v *verifier) readTail(r io.ReaderAt, size, n int64) error {
	v.tail = slices.Grow(v.tail[:0], int(n))[:n]
	return readFull(r, v.tail, size-n)
}

// readFull fills buf with the bytes of r from at on.
func readFull(r io.ReaderAt, buf []byte, at int64) error {
	n, err := r.ReadAt(buf, at)
	if n == len(buf) {
		return nil // err may be io.EOF
	}
	return err
}

// block says where in a table a block is.
type block struct{ at, length int64 }

// readBlocks reads an index whose checksum is right. The code that is generated for
// it checks no offset and panics on one that leads out of the index: that is
// recovered here, where nothing but that code runs.
func readBlocks(index []byte) (blocks []block, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = corrupt("index: %v", reason)
		}
	}()
	root := fb.GetRootAsTableIndex(index, 0)
	var b fb.BlockOffset
	for i := range root.OffsetsLength() { // each has 4 bytes in the index, at least
		root.Offsets(&b, i)
		blocks = append(blocks, block{int64(b.Offset()), int64(b.Len())})
	}
	return blocks, nil
}

// checkBlocks checks that blocks follow each other from byte 0 to byte end.
func checkBlocks(blocks []block, end int64) error {
	at := int64(0)
	for i, b := range blocks {
		if b.at != at {
			return corrupt("block %d is not where it should be", i)
		}
		at += b.length
	}
	if at != end || end == 0 {
		return corrupt("blocks end at byte %d of %d", at, end)
	}
	return nil
}

// together returns how many of the first blocks to read at a time: those of readAhead
// bytes together, or a single longer one.
func together(blocks []block) int {
	for i, b := range blocks {
		if i > 0 && b.at+b.length-blocks[0].at > readAhead {
			return i
		}
	}
	return len(blocks)
}

// verifyBlocks verifies blocks that follow each other, at least one.
func (v *verifier) verifyBlocks(r io.ReaderAt, blocks []block, c options.CompressionType) error {
	first, last := blocks[0], blocks[len(blocks)-1]
	sum := int(last.at + last.length - first.at)
	v.raw = slices.Grow(v.raw[:0], sum)[:sum]
	if err := readFull(r, v.raw, first.at); err != nil {
		return err
	}
	rest := v.raw
	for _, b := range blocks {
		plain, err := v.decompress(rest[:b.length], c)
		if err != nil {
			return corrupt("block at byte %d: %v", b.at, err)
		}
		covered, checksum, ok := cutChecksum(plain)
		var want [maxChecksum]byte
		if !ok || !bytes.Equal(checksum, appendChecksum(want[:0], covered)) {
			return corrupt("checksum of the block at byte %d", b.at)
		}
		rest = rest[b.length:]
	}
	return nil
}

// decompress returns a block's content, which may be in v.plain.
func (v *verifier) decompress(block []byte, c options.CompressionType) ([]byte, error) {
	switch c {
	case options.None:
		return block, nil
	case options.Snappy:
		n, err := snappy.DecodedLen(block)
		if err != nil || n/maxSnappy > len(block) {
			return nil, snappy.ErrCorrupt
		}
		v.plain = slices.Grow(v.plain[:0], n)[:n]
		return snappy.Decode(v.plain, block)
	default:
		return nil, corrupt("compression %d is not used", c)
	}
}

// cutChecksum splits a block, or a tail, at its checksum.
func cutChecksum(data []byte) (rest, sum []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	data, length := data[:len(data)-4], binary.BigEndian.Uint32(data[len(data)-4:])
	if length > maxChecksum || int(length) > len(data) {
		return nil, nil, false
	}
	begin := len(data) - int(length)
	return data[:begin], data[begin:], true
}

// appendChecksum appends the only form in which Badger writes the CRC-32C of data:
// a message of protocol buffers whose field 2 is the sum; field 1, the algorithm, is
// absent because it is 0.
func appendChecksum(dst, data []byte) []byte {
	const field2 = 2 << 3 // and 0, a varint
	sum := castagnoli(data)
	if sum == 0 {
		return dst
	}
	return binary.AppendUvarint(append(dst, field2), uint64(sum))
}
