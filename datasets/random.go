package datasets

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// random is a stream of numbers that a seed fixes for ever: ChaCha8 is specified
// (C2SP chacha8rand), and what is derived from its 64-bit words is integer
// arithmetic written here, because how rand.Rand derives it is not specified.
type random struct{ words *rand.ChaCha8 }

// newRandom returns the stream of a seed and a purpose: different purposes have
// independent streams.
func newRandom(seed uint64, purpose string) random {
	var s [32]byte
	copy(s[8:], purpose)
	binary.LittleEndian.PutUint64(s[:], seed)
	return random{rand.NewChaCha8(s)}
}

// below returns a number of 0 to n-1; n is positive. The bias is below n/2^64.
func (r random) below(n int64) int64 {
	high, _ := bits.Mul64(r.words.Uint64(), uint64(n))
	return int64(high)
}

// chance reports true with probability 1/n.
func (r random) chance(n int64) bool { return r.below(n) == 0 }

// share reports true with probability parts/wholeShare.
func (r random) share(parts int64) bool { return r.below(wholeShare) < parts }

// appendBytes appends n bytes.
func (r random) appendBytes(dst []byte, n int) []byte {
	for ; n >= 8; n -= 8 {
		dst = binary.LittleEndian.AppendUint64(dst, r.words.Uint64())
	}
	for word := r.words.Uint64(); n > 0; n-- {
		dst = append(dst, byte(word))
		word >>= 8
	}
	return dst
}

// pick returns one element of a list that is not empty.
func pick[T any](r random, list []T) T { return list[r.below(int64(len(list)))] }
