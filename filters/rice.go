package filters

import (
	"encoding/binary"
	"math/bits"
)

// riceWriter appends Rice codes to dst, bits from the lowest of a byte up.
type riceWriter struct {
	dst  []byte
	rice int // bits of a number that are written as they are

	pending uint64 // bits not yet in dst
	used    int    // how many, below 64
}

// append writes number >> rice in unary, as zeros before a one, then its low bits.
func (w *riceWriter) append(number uint64) {
	quotient := number >> w.rice
	for ; quotient >= 64; quotient -= 64 {
		w.bits(0, 64)
	}
	w.bits(1<<quotient, int(quotient)+1)
	w.bits(number&(1<<w.rice-1), w.rice)
}

// bits appends the low width bits of v, of which all others are zero; width is at most 64.
func (w *riceWriter) bits(v uint64, width int) {
	w.pending |= v << w.used
	if w.used+width < 64 {
		w.used += width
		return
	}
	w.dst = binary.LittleEndian.AppendUint64(w.dst, w.pending)
	w.pending = v >> (64 - w.used)
	w.used += width - 64
}

// flush appends what is pending, filled up to a whole byte, and returns dst.
func (w *riceWriter) flush() []byte {
	for ; w.used > 0; w.used -= 8 {
		w.dst = append(w.dst, byte(w.pending))
		w.pending >>= 8
	}
	return w.dst
}

// riceReader reads what a riceWriter wrote. It never reads beyond data, where
// it sees zeros.
type riceReader struct {
	data []byte
	rice int
	pos  int // in bits
}

// next returns the next number, and false if that would exceed limit or begins
// behind the data. Whether the last one ends within the data, atEnd tells.
func (r *riceReader) next(limit uint64) (number uint64, ok bool) {
	quotient, ok := r.unary()
	if !ok || quotient > limit>>r.rice {
		return 0, false
	}
	number = quotient<<r.rice | r.bits(r.rice)
	return number, number <= limit
}

// unary counts the zeros before the next one and steps behind it.
func (r *riceReader) unary() (zeros uint64, ok bool) {
	for r.pos < 8*len(r.data) {
		word, width := r.peek()
		if word != 0 {
			found := bits.TrailingZeros64(word)
			r.pos += found + 1
			return zeros + uint64(found), true
		}
		r.pos += width
		zeros += uint64(width)
	}
	return 0, false
}

// bits returns the next width bits, width below 64, and steps behind them.
func (r *riceReader) bits(width int) uint64 {
	const half = 32 // two of them are less than peek may return plus one
	if width > half {
		low := r.bits(half)
		return low | r.bits(width-half)<<half
	}
	word, _ := r.peek()
	r.pos += width
	return word & (1<<width - 1)
}

// peek returns the next bits without stepping on, 57 to 64 of them.
func (r *riceReader) peek() (word uint64, width int) {
	at, skip := r.pos/8, r.pos%8
	if at+8 <= len(r.data) {
		return binary.LittleEndian.Uint64(r.data[at:]) >> skip, 64 - skip
	}
	var last [8]byte
	if at < len(r.data) {
		copy(last[:], r.data[at:])
	}
	return binary.LittleEndian.Uint64(last[:]) >> skip, 64 - skip
}

// atEnd reports whether all that is left is the zero bits that fill the last byte.
func (r *riceReader) atEnd() bool {
	left := 8*len(r.data) - r.pos
	word, _ := r.peek()
	return left >= 0 && left < 8 && word == 0
}
