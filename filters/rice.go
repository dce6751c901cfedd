package filters

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// A Rice code with parameter p, 0 to 63, of a number d is d >> p zero bits, a one
// bit and the low p bits of d. Bits fill bytes from the lowest up, numbers likewise.

// riceWindow is how many bits of a code [ricePeek] and the writer see at once, at
// least: a word less the bits of its first byte that belong to the code before.
const riceWindow = 57

// riceRoom returns a bound of the bytes that appendRice writes to, for n values up to last.
func riceRoom(n int, last uint64, rice int) int {
	return int((uint64(n)*uint64(rice+1)+last>>rice)/8) + 16
}

// riceBytes returns the expected length of the codes of n uniform values, if no
// value >> rice is as large as largest. A difference exceeds a share x of all with a
// chance of (1-x)^n; that of whole numbers is j or more where the former exceeds j - 1/2
// on average.
func riceBytes(n, rice int, largest float64) int {
	half := math.Ldexp(0.5, -rice)
	quotient := 0.0                            // of a difference, expected
	for i := 1.0; i <= min(largest, 64); i++ { // each term is less than 0.61 of the one before
		quotient += math.Pow(1-(i-half)/largest, float64(n))
	}
	return int(math.Round(float64(n)*(float64(rice+1)+quotient)/8 + 7.0/16))
}

// appendRice appends the codes of the differences of ascending values, the first
// one's to zero, and fills the last byte with zeros.
func appendRice[T place](dst []byte, values []T, rice int) []byte {
	if len(values) == 0 {
		return dst
	}
	start, room := len(dst), riceRoom(len(values), uint64(values[len(values)-1]), rice)
	dst = slices.Grow(dst, room)
	out := dst[start : start+room]
	clear(out)

	var at, used uint64 // the next bit is bit used, below 8, of out[at]
	var pending uint64  // out[at], which is written again with what follows
	var last uint64
	for _, value := range values {
		number := uint64(value) - last
		last = uint64(value)
		zeros := number >> (rice & 63)
		code := number<<1&(2<<(rice&63)-1) | 1
		if zeros+uint64(rice)+1 >= riceWindow {
			at, used, pending = putLong(out, 8*at+used+zeros, code, uint64(rice)+1)
			continue
		}
		pending |= code << ((used + zeros) & 63)
		binary.LittleEndian.PutUint64(out[at:], pending)
		used += zeros + uint64(rice) + 1
		at += used / 8
		pending >>= used &^ 7 & 63
		used %= 8
	}
	return dst[:start+int(at)+int(used+7)/8]
}

// putLong writes a code, without its zeros, at a bit that may be far behind what
// is written, and returns where and with which bits appendRice goes on.
func putLong(out []byte, bit, code, width uint64) (at, used, pending uint64) {
	at, used = bit/8, bit%8
	binary.LittleEndian.PutUint64(out[at:], uint64(out[at])|code<<used)
	out[at+8] = byte(code >> 1 >> (63 - used))
	bit += width
	at, used = bit/8, bit%8
	return at, used, uint64(out[at])
}

// riceReader reads what appendRice wrote, or a stranger sent. It never reads
// beyond data, where it sees zeros.
type riceReader struct {
	data []byte
	rice int
	top  uint64 // the largest value that may be

	pos  int    // in bits
	last uint64 // the last value read, zero at first
}

// read reads the next values, as many as there is room for, but none that begins
// behind bit stop. It returns how many, and false if a value exceeds r.top or
// begins behind the data. Whether the last one ends within the data, atEnd tells.
func (r *riceReader) read(values []uint64, stop int) (n int, ok bool) {
	pos, last, rice := r.pos, r.last, r.rice
	var word uint64 // the bits from pos on,
	var have int    // and how many of them
	for i := range values {
		if pos > stop {
			r.pos, r.last = pos, last
			return i, true
		}
		number, length := riceCode(word, rice)
		if length > have {
			word, have = ricePeek(r.data, pos)
			if number, length = riceCode(word, rice); length > have {
				if number, length, ok = riceLong(r.data, pos, rice, r.top-last); !ok {
					return i, false
				}
				have = length // the next one needs a new word
			}
		}
		if number > r.top-last {
			return i, false
		}
		last += number
		values[i] = last
		word >>= length & 63
		have -= length
		pos += length
	}
	r.pos, r.last = pos, last
	return len(values), true
}

// atEnd reports whether all that is left is the zero bits that fill the last byte.
func (r *riceReader) atEnd() bool {
	word, _ := ricePeek(r.data, r.pos)
	return (r.pos+7)/8 == len(r.data) && word == 0
}

// riceCode returns the number whose code is at the lower end of word, and the bits
// it takes. Both are meaningless if these are more than word has.
func riceCode(word uint64, rice int) (number uint64, length int) {
	zeros := bits.TrailingZeros64(word)
	return uint64(zeros)<<(rice&63) | word>>(zeros&63)>>1&(1<<(rice&63)-1), zeros + 1 + rice
}

// ricePeek returns the bits from pos on, and how many: riceWindow to 64.
func ricePeek(data []byte, pos int) (word uint64, have int) {
	if at := uint(pos) / 8; at+8 <= uint(len(data)) {
		return binary.LittleEndian.Uint64(data[at:at+8]) >> (pos & 7), 64 - pos&7
	}
	return ricePeekEnd(data, pos)
}

// ricePeekEnd is ricePeek where less than a word is left.
func ricePeekEnd(data []byte, pos int) (word uint64, have int) {
	var text [8]byte
	if at := pos / 8; at < len(data) {
		copy(text[:], data[at:])
	}
	return binary.LittleEndian.Uint64(text[:]) >> (pos & 7), 64 - pos&7
}

// riceLong reads a code of any length at pos, or returns false if the number
// exceeds top or the code begins behind the data.
func riceLong(data []byte, pos, rice int, top uint64) (number uint64, length int, ok bool) {
	start := pos
	for pos < 8*len(data) {
		word, have := ricePeek(data, pos)
		if word == 0 {
			pos += have
			continue
		}
		pos += bits.TrailingZeros64(word)
		zeros := uint64(pos - start)
		if zeros > top>>rice {
			return 0, 0, false
		}
		low, _ := ricePeek(data, pos+1)
		low &= 1<<min(rice, 32) - 1
		if rice > 32 {
			high, _ := ricePeek(data, pos+33)
			low |= high & (1<<(rice-32) - 1) << 32
		}
		return zeros<<rice | low, pos + 1 + rice - start, true
	}
	return 0, 0, false
}
