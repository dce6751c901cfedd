package datasets

import "math/bits"

// logarithm has -log2 at 257 points of 1/2 to 1, in parts of 2^32, to interpolate
// between. It is integer arithmetic alone, because what a processor or a library
// makes of floating point differs in the last bit.
type logarithm [257]uint64

func newLogarithm() *logarithm {
	l := new(logarithm)
	for i := range uint64(256) {
		l[i] = 1<<32 - log2(1<<63+i<<55)
	}
	return l // at 1 it is 0
}

// log2 returns log2(x/2^63), 0 to 1, of an x of 2^63 or more in parts of 2^32,
// rounded down. Squaring x doubles its logarithm, and so moves the next binary
// digit in front of the point, where it tells whether the square is 2 or more.
func log2(x uint64) (digits uint64) {
	for range 32 {
		x, _ = bits.Mul64(x, x)
		digits = digits<<1 | x>>63
		x <<= 1 - x>>63
	}
	return digits
}

// negative returns -log2(u) of u = word/2^64, in parts of 2^32: for a random word an
// exponentially distributed number of mean 1/ln2. Interpolation errs by at most 3
// in a million. It takes 0 for 1.
func (l *logarithm) negative(word uint64) uint64 {
	word = max(word, 1)
	zeros := bits.LeadingZeros64(word)
	x := word << zeros << 1 // without the leading one
	i, rest := x>>56, x<<8>>32
	return uint64(zeros)<<32 + l[i] - (l[i]-l[i+1])*rest>>32
}

// scale returns x*parts/2^32, rounded down. The result must be below 2^64.
func scale(x, parts uint64) uint64 {
	high, low := bits.Mul64(x, parts)
	return high<<32 | low>>32
}
