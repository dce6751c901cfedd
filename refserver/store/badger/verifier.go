package badger

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
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
	// maxChecksum is the longest form of a checksum, in bytes.
	maxChecksum = 16
	// maxSnappy is more than the bytes that one byte of a Snappy block stands for:
	// its copies take 3 bytes for at most 64.
	maxSnappy = 22
)

// verify returns a store.ErrCorrupt unless the size bytes of r are an undamaged table.
func (v *verifier) verify(r io.ReaderAt, size int64, c options.CompressionType) error {
	end, err := v.readIndex(r, size)
	if err != nil {
		return err
	}
	index := fb.GetRootAsTableIndex(v.tail, 0)
	blocks := index.OffsetsLength()
	if blocks == 0 {
		return corrupt("no blocks")
	}
	at := int64(0)
	for i := 0; i < blocks; {
		lengths, err := nextBlocks(index, i, at, end)
		if err != nil {
			return err
		}
		if err := v.verifyBlocks(r, at, lengths, c); err != nil {
			return err
		}
		for _, n := range lengths {
			at += n
		}
		i += len(lengths)
	}
	if at != end {
		return corrupt("blocks end at byte %d of %d", at, end)
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

// nextBlocks returns the lengths of the blocks from the i-th on, which begins at
// byte at: readAhead bytes together, or a single longer one.
func nextBlocks(index *fb.TableIndex, i int, at, end int64) (lengths []int64, err error) {
	var block fb.BlockOffset
	sum := int64(0)
	for ; i < index.OffsetsLength(); i++ {
		index.Offsets(&block, i)
		n := int64(block.Len())
		if int64(block.Offset()) != at+sum || n > end-at-sum {
			return nil, corrupt("block %d is not where it should be", i)
		}
		if sum += n; sum > readAhead && len(lengths) > 0 {
			break
		}
		lengths = append(lengths, n)
	}
	return lengths, nil
}

// verifyBlocks verifies blocks that follow each other from byte at on.
func (v *verifier) verifyBlocks(r io.ReaderAt, at int64, lengths []int64, c options.CompressionType) error {
	sum := int64(0)
	for _, n := range lengths {
		sum += n
	}
	v.raw = slices.Grow(v.raw[:0], int(sum))[:sum]
	if err := readFull(r, v.raw, at); err != nil {
		return err
	}
	rest := v.raw
	for _, n := range lengths {
		block, err := v.decompress(rest[:n], c)
		if err != nil {
			return corrupt("block at byte %d: %v", at, err)
		}
		covered, checksum, ok := cutChecksum(block)
		var want [maxChecksum]byte
		if !ok || !bytes.Equal(checksum, appendChecksum(want[:0], covered)) {
			return corrupt("checksum of the block at byte %d", at)
		}
		rest, at = rest[n:], at+n
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
		if err != nil || n > maxSnappy*len(block) {
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
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	if sum == 0 {
		return dst
	}
	return binary.AppendUvarint(append(dst, field2), uint64(sum))
}
