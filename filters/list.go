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
	if !b.sorted {
		keys = b.sortDistinct(keys) // in whole keys, which must not repeat
	}
	width := listWidth(len(keys), rate)
	f := again(&b.lastList)
	f.width, f.values = width, append(f.values[:0], keys...)
	for i := range f.values {
		f.values[i] >>= 64 - width
	}
	return f, nil
}

// listWidth returns w for n keys, n at least 1.
func listWidth(n int, rate float64) int {
	return min(64, ceilLog2(n)+rateBits(rate))
}

// listBytes is the size of scheme.
func listBytes(n int, rate float64) int {
	width := listWidth(n, rate)
	rice := riceBits(n, width)
	return 1 + riceBytes(n, rice, math.Ldexp(1, width-rice))
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
	r := riceReader{data: payload, rice: rice, top: math.MaxUint64 >> (64 - width)}
	if read, ok := r.read(values, math.MaxInt); !ok {
		return nil, malformed("list: difference %d of %d", read, n)
	}
	if !r.atEnd() {
		return nil, malformed("list: bits left over")
	}
	for i := 1; i < n && width == 64; i++ {
		if values[i] == values[i-1] {
			return nil, malformed("list: key %d repeats", i)
		}
	}
	return values, nil
}

func (f *listFilter) Kind() Kind { return List }
func (f *listFilter) Len() int   { return len(f.values) }

func (f *listFilter) Contains(key uint64) bool {
	_, found := slices.BinarySearch(f.values, key>>(64-f.width))
	return found
}

func (f *listFilter) ContainsBatch(keys, in []uint64) {
	in = answerWords(keys, in)
	if slices.IsSorted(keys) {
		f.merge(keys, in)
		return
	}
	for w := range in {
		in[w] = f.search(keysOf(keys, w))
	}
}

// merge answers ascending keys in one pass over the list.
func (f *listFilter) merge(keys, in []uint64) {
	shift, rest := 64-f.width, f.values
	for w := range in {
		var word uint64
		for i, key := range keysOf(keys, w) {
			value := key >> shift
			rest = rest[gallop(rest, value):]
			if len(rest) > 0 && rest[0] == value {
				word |= 1 << i
			}
		}
		in[w] = word
	}
}

// gallop returns the number of values, which ascend, that are less than target.
// Its time grows with the logarithm of the result.
func gallop(values []uint64, target uint64) int {
	step := 1
	for step <= len(values) && values[step-1] < target {
		step *= 2
	}
	low, high := step/2, min(step-1, len(values))
	for low < high {
		if mid := int(uint(low+high) / 2); values[mid] < target {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// search answers up to 64 keys by halving the list for all of them in step, so that
// their misses overlap.
func (f *listFilter) search(keys []uint64) (word uint64) {
	var lows [64]int // of every key: no value before that place is as large as the key
	shift, values := 64-f.width, f.values
	for left := len(values); left > 1; {
		half := left / 2
		for i, key := range keys {
			low := lows[i%64]
			if values[low+half-1] < key>>shift {
				low += half
			}
			lows[i%64] = low
		}
		left -= half
	}
	for i, key := range keys {
		if values[lows[i%64]] == key>>shift {
			word |= 1 << i
		}
	}
	return word
}

func (f *listFilter) AppendTo(dst []byte) []byte {
	n := len(f.values)
	rice := riceBits(n, f.width)
	dst, start := openFrame(dst, List, n, 1+riceRoom(n, f.values[n-1], rice))
	return sealFrame(appendRice(append(dst, byte(f.width)), f.values, rice), start)
}
