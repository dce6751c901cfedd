package filters

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Lists on the wire, between header and checksum:
//
//	0  1    w, the number of leading bits of each key that are kept, 1..64
//	1  ...  n differences, Rice-coded, with zero bits up to a whole byte
//
// w exceeds log2 n unless it is 64. The shortened keys ascend; the first stands
// for itself, each other as its difference to the one before, which is zero only
// where two keys agree in their first w bits, so never if w = 64. With r = w less
// the number of bits of n, or 0, a difference d is (d >> r) zero bits, a one bit and
// the low r bits of d. Bits fill bytes from the lowest up, numbers
// likewise. Rice, "Some practical universal noiseless coding techniques", 1979.
//
// r stays half a bit below the mean difference, where the code is shortest. As the
// differences add up to less than 2^w, a list has at most n (r+1) + 2^(w-r) bits
// whatever its keys: clustered keys cannot make it long.

type listFilter struct {
	width  int      // w
	values []uint64 // the shortened keys, ascending
}

// buildList keeps as many bits of a key as make the chance that another key
// begins like one of the n at most the rate. With all 64 there is no such chance.
func buildList(b *Builder, keys []uint64, rate float64) (Filter, error) {
	_, exp := math.Frexp(rate) // rate in [2^(exp-1), 2^exp), so ceil(log2(1/rate)) = 1 - exp
	width := min(64, ceilLog2(len(keys))+1-exp)
	values := slices.Clone(keys)
	if !b.sorted {
		slices.Sort(values)
	}
	for i := range values {
		values[i] >>= 64 - width
	}
	return &listFilter{width: width, values: values}, nil
}

// ceilLog2 returns the binary logarithm of n, rounded up; n is at least 1.
func ceilLog2(n int) int { return bits.Len(uint(n - 1)) }

// riceBits returns r for a list of n keys of w bits.
func riceBits(n, w int) int { return max(0, w-bits.Len(uint(n))) }

func decodeList(n int, body []byte, maxBytes int) (Filter, error) {
	if len(body) < 1 {
		return nil, malformed("list: no width")
	}
	width, payload := int(body[0]), body[1:]
	if width < 1 || width > 64 || width < 64 && width <= ceilLog2(n) {
		return nil, malformed("list: width %d for %d keys", width, n)
	}
	rice := riceBits(n, width)
	least := uint64(n) * uint64(rice+1)
	most := least + 1<<(width-rice)
	if got := uint64(len(payload)); got < (least+7)/8 || got > (most+7)/8 {
		return nil, malformed("list: %d bytes for %d keys of %d bits", got, n, width)
	}
	if 8*int64(n) > int64(maxBytes) {
		return nil, fmt.Errorf("%w: a list of %d keys needs %d bytes, at most %d", ErrTooLarge, n, 8*int64(n), maxBytes)
	}
	values, err := decodeValues(payload, n, width, rice)
	if err != nil {
		return nil, err
	}
	return &listFilter{width: width, values: values}, nil
}

func decodeValues(payload []byte, n, width, rice int) ([]uint64, error) {
	values := make([]uint64, n)
	r := riceReader{data: payload, rice: rice}
	rest := uint64(math.MaxUint64) >> (64 - width) // what is left above the last value
	top := rest
	for i := range values {
		diff, ok := r.next(rest)
		if !ok {
			return nil, malformed("list: difference %d of %d", i, n)
		}
		if diff == 0 && i > 0 && width == 64 {
			return nil, malformed("list: key %d repeats", i)
		}
		rest -= diff
		values[i] = top - rest
	}
	if !r.atEnd() {
		return nil, malformed("list: bits left over")
	}
	return values, nil
}

func (f *listFilter) Kind() Kind { return List }
func (f *listFilter) Len() int   { return len(f.values) }

func (f *listFilter) Contains(key uint64) bool {
	_, found := slices.BinarySearch(f.values, key>>(64-f.width))
	return found
}

func (f *listFilter) ContainsBatch(keys, in []uint64) { containsEach(f.Contains, keys, in) }

func (f *listFilter) AppendTo(dst []byte) []byte {
	n := len(f.values)
	rice := riceBits(n, f.width)
	dst, start := openFrame(dst, List, n, 1+(n/8+1)*(rice+3))
	w := riceWriter{dst: append(dst, byte(f.width)), rice: rice}
	var last uint64
	for _, value := range f.values {
		w.append(value - last)
		last = value
	}
	return sealFrame(w.flush(), start)
}
