package summary

import (
	"fmt"
	"math/bits"
)

const (
	// EstimatorLevels is the number of samplings in [Estimators]: enough for the
	// differences of two sets of 6 * 10^8 items each.
	EstimatorLevels = 4
	// levelBits is how many bits of a slice must be zero, more than for the level
	// below, for an item to be in a sample: each holds 1/16 of the one below.
	levelBits = 4
	// signBit and sampleBit are where in a slice the sign is, and where the bits that
	// sample begin; the counter is in the bits below the sign.
	signBit, sampleBit = 8, 9
)

// Estimator is a set, or a sample of one, as 256 counters modulo 256. Each item adds 1
// to one counter or subtracts it; its slice, keyed bits of the item, says which. So the
// difference of two estimators depends only on the items that are in one of the two sets,
// and [Estimate] reads their number from it, however many items the sets share.
//
// Signed counters that are squared: Alon, Matias and Szegedy, "The space complexity of
// approximating the frequency moments", 1996; one counter an item: Charikar, Chen and
// Farach-Colton, "Finding frequent items in data streams", 2002. A bitmap that halves
// its sample at each bit was rejected: in 256 bytes its error is larger, and an item
// cannot be taken out of it twice and put back in any order.
type Estimator [256]byte

// insert adds an item by its slice.
func (e *Estimator) insert(slice uint64) { e[byte(slice)] += sign(slice) }

func (e *Estimator) remove(slice uint64) { e[byte(slice)] -= sign(slice) }

// sign returns 1 or -1, modulo 256.
func sign(slice uint64) byte { return 1 - byte(slice>>signBit&1)<<1 }

// Add returns the estimator of the disjoint union of two sets.
func (e Estimator) Add(f Estimator) Estimator {
	for i := range e {
		e[i] += f[i]
	}
	return e
}

// Subtract returns the difference of two estimators of one level and one secret, which
// [Estimate] reads.
func (e Estimator) Subtract(f Estimator) Estimator {
	for i := range e {
		e[i] -= f[i]
	}
	return e
}

// Estimators holds the estimators of one set at all levels: at level k of a sample of
// 1/16^k of its items. The zero value is of the empty set. It takes 1 kB, whatever the
// size of the set. It is not safe for concurrent use while it changes.
type Estimators struct {
	levels [EstimatorLevels]Estimator
}

// Insert adds an item by its slice, which an Expander computes. To insert twice what is
// in the set once is a mistake that nothing here can see.
func (e *Estimators) Insert(slice uint64) {
	for level := range e.sampled(slice) {
		e.levels[level].insert(slice)
	}
}

// Remove undoes Insert.
func (e *Estimators) Remove(slice uint64) {
	for level := range e.sampled(slice) {
		e.levels[level].remove(slice)
	}
}

// sampled returns the number of levels that have the item.
func (e *Estimators) sampled(slice uint64) int {
	return 1 + min(EstimatorLevels-1, bits.TrailingZeros64(slice>>sampleBit)/levelBits)
}

// Merge adds the items of f, none of which may be in e.
func (e *Estimators) Merge(f *Estimators) {
	for level := range e.levels {
		e.levels[level] = e.levels[level].Add(f.levels[level])
	}
}

// For returns the level whose range covers every difference of two sets of n items, as
// [LevelFor] says, and the estimator of that level.
func (e *Estimators) For(n uint64) (level int, at Estimator) {
	level = LevelFor(n)
	return level, e.levels[level]
}

// At returns the estimator of a level. It reports false if there is no such level.
func (e *Estimators) At(level int) (at Estimator, ok bool) {
	if level < 0 || level >= EstimatorLevels {
		return Estimator{}, false
	}
	return e.levels[level], true
}

// The byte form of Estimators: a version, then the counters from level 0 up.
const estimatorsVersion = 1

// AppendBinary appends the byte form of all levels, 1025 bytes, to dst.
func (e *Estimators) AppendBinary(dst []byte) []byte {
	dst = append(dst, estimatorsVersion)
	for level := range e.levels {
		dst = append(dst, e.levels[level][:]...)
	}
	return dst
}

// DecodeEstimators returns what AppendBinary wrote. It returns ErrEncoding if the
// length or the version is another one; all counters are legal.
func DecodeEstimators(data []byte) (*Estimators, error) {
	const size = 1 + EstimatorLevels*len(Estimator{})
	if len(data) != size {
		return nil, fmt.Errorf("%w: estimators of %d bytes, want %d", ErrEncoding, len(data), size)
	}
	if data[0] != estimatorsVersion {
		return nil, fmt.Errorf("%w: estimators of version %d, want %d", ErrEncoding, data[0], estimatorsVersion)
	}
	var e Estimators
	data = data[1:]
	for level := range e.levels {
		data = data[copy(e.levels[level][:], data):]
	}
	return &e, nil
}
