package baseline

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// ErrMessage means that a message is not one of the negentropy protocol, version 1, or
// not in its shortest form.
var ErrMessage = errors.New("negentropy: malformed message")

const (
	protocolVersion = 0x61
	emptyMessage    = 1 // a version and no range: nothing is open

	fingerprintSize = 16
	idSize          = len(summary.ID{})

	maxVarint = 10 // bytes of the largest one: 64 bits by sevens
)

// What stands behind the upper bound of a range.
const (
	modeSkip        = 0 // nothing: this range is settled
	modeFingerprint = 1
	modeIDs         = 2 // a count and as many IDs
)

// endOfTime is the timestamp of no key: the bound of everything.
const endOfTime = math.MaxUint64

// bound is the exclusive end of one range and the beginning of the next: a place
// between keys. size bytes of id are sent, and the others are zero.
type bound struct {
	time uint64
	size int
	id   summary.ID
}

func infinity() bound { return bound{time: endOfTime} }

// between returns the shortest bound above left and not above right, which follows it.
func between(left, right summary.Key) bound {
	b := bound{time: uint64(right.Time)}
	if left.Time != right.Time {
		return b
	}
	for left.ID[b.size] == right.ID[b.size] {
		b.size++
	}
	b.size++
	copy(b.id[:b.size], right.ID[:])
	return b
}

// compareKey orders keys and bounds. A key equal to a bound is above it.
func compareKey(k summary.Key, b bound) int {
	if c := cmp.Compare(uint64(k.Time), b.time); c != 0 {
		return c
	}
	return bytes.Compare(k.ID[:], b.id[:])
}

// before tells whether b lies below c.
func (b bound) before(c bound) bool {
	return b.time < c.time || b.time == c.time && bytes.Compare(b.id[:], c.id[:]) < 0
}

// messageWriter builds one message, range by range upwards.
type messageWriter struct {
	buf     []byte
	time    uint64 // of the last bound written, which the next one's counts from
	skipped bool   // the ranges up to skipTo are settled, and nothing says so yet
	skipTo  bound
}

func newMessageWriter() messageWriter { return messageWriter{buf: []byte{protocolVersion}} }

// skip settles the range up to upper. It writes nothing: neighbours become one, and
// behind the last range of a message nothing need be said.
func (w *messageWriter) skip(upper bound) { w.skipped, w.skipTo = true, upper }

func (w *messageWriter) fingerprint(upper bound, f [fingerprintSize]byte) {
	w.begin(upper, modeFingerprint)
	w.buf = append(w.buf, f[:]...)
}

func (w *messageWriter) list(upper bound, keys []summary.Key) {
	w.begin(upper, modeIDs)
	w.buf = appendVarint(w.buf, uint64(len(keys)))
	for i := range keys {
		w.buf = append(w.buf, keys[i].ID[:]...)
	}
}

func (w *messageWriter) begin(upper bound, mode uint64) {
	if w.skipped {
		w.bound(w.skipTo)
		w.buf = appendVarint(w.buf, modeSkip)
		w.skipped = false
	}
	w.bound(upper)
	w.buf = appendVarint(w.buf, mode)
}

// bound writes b: 0 for infinity, else one more than the time since the last bound.
func (w *messageWriter) bound(b bound) {
	code := uint64(0)
	if b.time != endOfTime {
		code = 1 + b.time - w.time
		w.time = b.time
	}
	w.buf = appendVarint(w.buf, code)
	w.buf = appendVarint(w.buf, uint64(b.size))
	w.buf = append(w.buf, b.id[:b.size]...)
}

// appendVarint appends v by sevens of bits, the highest first; the top bit of a byte says
// that another follows.
func appendVarint(dst []byte, v uint64) []byte {
	var digits [maxVarint]byte
	i := len(digits) - 1
	digits[i] = byte(v & 0x7f)
	for v >>= 7; v > 0; v >>= 7 {
		i--
		digits[i] = byte(v) | 0x80
	}
	return append(dst, digits[i:]...)
}

// wireRange is one range of a message. payload is part of the message.
type wireRange struct {
	upper   bound
	mode    uint64
	payload []byte
}

// count returns the number of IDs of a list.
func (r wireRange) count() int { return len(r.payload) / idSize }

// ids yields the IDs of a list in the order of the message.
func (r wireRange) ids() iter.Seq[summary.ID] {
	return func(yield func(summary.ID) bool) {
		for rest := r.payload; len(rest) > 0; rest = rest[idSize:] {
			if !yield(summary.ID(rest[:idSize])) {
				return
			}
		}
	}
}

// messageReader takes a message apart, range by range. It allocates nothing, and it
// yields bounds in ascending order, so that no key is in two ranges.
type messageReader struct {
	rest []byte
	last bound
}

func newMessageReader(msg []byte) (messageReader, error) {
	if len(msg) == 0 || msg[0] != protocolVersion {
		return messageReader{}, fmt.Errorf("%w: not of version 1", ErrMessage)
	}
	return messageReader{rest: msg[1:]}, nil
}

// more tells whether another range follows.
func (r *messageReader) more() bool { return len(r.rest) > 0 }

// next returns the next range. After an error the reader is of no further use.
func (r *messageReader) next() (wireRange, error) {
	upper, err := r.bound()
	if err != nil {
		return wireRange{}, err
	}
	mode, err := r.varint()
	if err != nil {
		return wireRange{}, err
	}
	size := uint64(0)
	switch mode {
	case modeSkip:
	case modeFingerprint:
		size = fingerprintSize
	case modeIDs:
		if size, err = r.varint(); err != nil {
			return wireRange{}, err
		}
		if have := uint64(len(r.rest) / idSize); size > have {
			return wireRange{}, fmt.Errorf("%w: a list of %d IDs in the space of %d", ErrMessage, size, have)
		}
		size *= uint64(idSize)
	default:
		return wireRange{}, fmt.Errorf("%w: mode %d", ErrMessage, mode)
	}
	payload, err := r.take(size)
	return wireRange{upper: upper, mode: mode, payload: payload}, err
}

func (r *messageReader) bound() (bound, error) {
	if r.last.time == endOfTime {
		return bound{}, fmt.Errorf("%w: a range beyond infinity", ErrMessage)
	}
	code, err := r.varint()
	if err != nil {
		return bound{}, err
	}
	b := infinity()
	if code != 0 {
		if code-1 >= endOfTime-r.last.time {
			return bound{}, fmt.Errorf("%w: timestamp beyond 64 bits", ErrMessage)
		}
		b.time = r.last.time + code - 1
	}
	size, err := r.varint()
	if err != nil {
		return bound{}, err
	}
	if size > uint64(idSize) || size > 0 && code == 0 {
		return bound{}, fmt.Errorf("%w: a prefix of %d bytes", ErrMessage, size)
	}
	prefix, err := r.take(size)
	if err != nil {
		return bound{}, err
	}
	b.size = copy(b.id[:], prefix)
	if b.before(r.last) {
		return bound{}, fmt.Errorf("%w: bounds out of order", ErrMessage)
	}
	r.last = b
	return b, nil
}

func (r *messageReader) varint() (uint64, error) {
	v := uint64(0)
	for i, digit := range r.rest {
		if i == 0 && digit == 0x80 || v > math.MaxUint64>>7 {
			return 0, fmt.Errorf("%w: a number with leading zeros or of more than 64 bits", ErrMessage)
		}
		v = v<<7 | uint64(digit&0x7f)
		if digit < 0x80 {
			r.rest = r.rest[i+1:]
			return v, nil
		}
	}
	return 0, fmt.Errorf("%w: ends within a number", ErrMessage)
}

func (r *messageReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.rest)) {
		return nil, fmt.Errorf("%w: ends %d bytes early", ErrMessage, n-uint64(len(r.rest)))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken, nil
}
