package badger

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// rowVersion is the version of the form of every row but the layout's.
const rowVersion = 1

// corrupt returns an ErrCorrupt that says what is wrong.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", store.ErrCorrupt, fmt.Sprintf(format, args...))
}

// fields reads a row from the left. After the first mistake it reads zeros, and
// end reports the mistake. What it returns aliases the row.
type fields struct {
	rest []byte
	bad  bool
}

// versioned starts to read a row that begins with rowVersion.
func versioned(row []byte) *fields {
	f := &fields{rest: row}
	f.bad = f.byte() != rowVersion
	return f
}

func (f *fields) take(n uint64) []byte {
	if f.bad || n > uint64(len(f.rest)) {
		f.bad = true
		return nil
	}
	head := f.rest[:n:n]
	f.rest = f.rest[n:]
	return head
}

func (f *fields) byte() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) uint64() uint64 {
	if b := f.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// number reads a varint in its shortest form.
func (f *fields) number() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 || n > 1 && f.rest[n-1] == 0 {
		f.bad = true
		return 0
	}
	f.take(uint64(n))
	return v
}

// size reads a number that is a length in bytes.
func (f *fields) size() int64 {
	v := f.number()
	f.bad = f.bad || v > math.MaxInt64
	return int64(v)
}

// text reads a length and so many bytes.
func (f *fields) text() []byte { return f.take(f.number()) }

// all reads what is left.
func (f *fields) all() []byte { return f.take(uint64(len(f.rest))) }

func (f *fields) array16() (a [16]byte) {
	copy(a[:], f.take(16))
	return a
}

func (f *fields) array32() (a [32]byte) {
	copy(a[:], f.take(32))
	return a
}

// end returns an error if the row was too short or longer than what was read.
func (f *fields) end(row string) error {
	if f.bad || len(f.rest) != 0 {
		return corrupt("%s row of unknown form", row)
	}
	return nil
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}
