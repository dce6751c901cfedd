package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// tableWith returns a table of these blocks and that index, with its checksum.
func tableWith(blocks, index []byte) []byte {
	table := append(bytes.Clone(blocks), index...)
	table = binary.BigEndian.AppendUint32(table, uint32(len(index)))
	sum := appendChecksum(nil, index)
	return binary.BigEndian.AppendUint32(append(table, sum...), uint32(len(sum)))
}

func verifyTable(table []byte, c options.CompressionType) error {
	var v verifier
	return v.verify(bytes.NewReader(table), int64(len(table)), c)
}

// cutTable returns the blocks and the index of a table.
func cutTable(tb testing.TB, table []byte) (blocks, index []byte) {
	tb.Helper()
	var v verifier
	end, err := v.readIndex(bytes.NewReader(table), int64(len(table)))
	if err != nil {
		tb.Fatal(err)
	}
	return table[:end], bytes.Clone(v.tail)
}

// TestVerifyMisplaced changes where an index says that its blocks are.
func TestVerifyMisplaced(t *testing.T) {
	file := tablesOf(t, t.TempDir())[0]
	table, err := os.ReadFile(file.path)
	if err != nil {
		t.Fatal(err)
	}
	blocks, index := cutTable(t, table)
	if err := verifyTable(tableWith(blocks, index), file.Compression); err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(b *fb.BlockOffset) bool{
		"begins later":      func(b *fb.BlockOffset) bool { return b.MutateOffset(b.Offset() + 1) },
		"begins earlier":    func(b *fb.BlockOffset) bool { return b.MutateOffset(b.Offset() - 1) },
		"longer":            func(b *fb.BlockOffset) bool { return b.MutateLen(b.Len() + 1) },
		"shorter":           func(b *fb.BlockOffset) bool { return b.MutateLen(b.Len() - 1) },
		"of no length":      func(b *fb.BlockOffset) bool { return b.MutateLen(0) },
		"4 GiB long":        func(b *fb.BlockOffset) bool { return b.MutateLen(1<<32 - 1) },
		"longer than all":   func(b *fb.BlockOffset) bool { return b.MutateLen(uint32(len(blocks)) + 1) },
		"begins in 4 GiB":   func(b *fb.BlockOffset) bool { return b.MutateOffset(1<<32 - 1) },
		"begins at the end": func(b *fb.BlockOffset) bool { return b.MutateOffset(uint32(len(blocks))) },
	}
	for name, change := range tests {
		changed := bytes.Clone(index)
		root := fb.GetRootAsTableIndex(changed, 0)
		for i := range root.OffsetsLength() {
			var b fb.BlockOffset
			root.Offsets(&b, i)
			if i == root.OffsetsLength()/2 && !change(&b) {
				t.Fatalf("%s: not changed", name)
			}
		}
		if err := verifyTable(tableWith(blocks, changed), file.Compression); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("a block %s: %v", name, err)
		}
	}
}

// TestVerifyIndex verifies tables whose index has the right checksum and is none.
func TestVerifyIndex(t *testing.T) {
	for name, index := range map[string][]byte{
		"zeros":                 make([]byte, 64),
		"a root outside":        {0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0},
		"a root far outside":    {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		"a table of fields far": {4, 0, 0, 0, 0, 0, 0, 0x80},
		"a vector without end":  {12, 0, 0, 0, 0, 0, 6, 0, 8, 0, 4, 0, 6, 0, 0, 0, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0},
	} {
		if err := verifyTable(tableWith([]byte("block"), index), options.None); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var v verifier
	if err := v.verify(nil, maxTable+1, options.None); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a table of %d bytes: %v", maxTable+1, err)
	}
}

// FuzzVerify verifies tables of any blocks and any index with its checksum.
func FuzzVerify(f *testing.F) {
	f.Add([]byte("block"), make([]byte, 64), true)
	f.Add([]byte{}, []byte{0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0}, false)
	f.Add([]byte("block"), []byte{12, 0, 0, 0, 0, 0, 6, 0, 8, 0, 4, 0, 6, 0, 0, 0, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f}, true)
	f.Fuzz(func(t *testing.T, blocks, index []byte, snappy bool) {
		c := options.None
		if snappy {
			c = options.Snappy
		}
		if err := verifyTable(tableWith(blocks, index), c); err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Fatal(err)
		}
	})
}
