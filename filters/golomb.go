package filters

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Golomb filters on the wire, between header and checksum:
//
//	0  1    r, the binary logarithm of one over the rate, 1..32
//	1  ...  n differences, Rice-coded with parameter p, with zero bits up to a whole byte
//
// p is r-1, or r where r is below 4. The place of a key is the upper word of the
// 128-bit product key * (n 2^r), so a number below n 2^r. The places ascend; the
// first stands for itself, each other as its difference to the one before, which is
// zero where two keys have one place. A difference d is (d >> p) zero bits, a one
// bit and the low p bits of d. Bits fill bytes from the lowest up, numbers likewise.
//
// A key is let through if its place is one of the n. The differences of uniform
// keys are geometric with mean 2^r, which the codes of Golomb, "Run-length
// encodings", 1966, suit best. Those of Rice, "Some practical universal noiseless
// coding techniques", 1979, need no division and stay within 0.1 bits of the entropy:
// r + 1.542 bits per key from r = 8 on, r + 1.567 at 5, r + 1.756 at 1. To take the
// places below n 2^r, whether or not that is a power of two, is the idea of BIP 158.
//
// Places keep the order of keys, so that a reader whose keys ascend merges them with
// the filter, and keys that were sorted once need not be sorted again. The price is
// that of a List: neighbours of a key share its place, so that the rate holds for
// keys that have nothing to do with the set, as those of a salt have not. The set
// itself may be as clustered as it likes. It cannot make the filter long either: as the
// differences add up to less than n 2^r, the payload has at least n (p+1) and less
// than n (r+2) bits.

// golombLine is the number of bits of the payload that one entry of the index
// stands for, and the most that Contains reads, but for one code. At rate 2^-8 that is
// 54 keys. Half of it made Contains a third faster and the index, 10 bytes for each
// 64 of the payload, twice as large.
const golombLine = 512

// golombFilter holds the payload as it travels, with an index: of each line the
// first value whose code ends in it or, if none does, in a later one.
type golombFilter struct {
	n, r int
	size int    // bytes of the payload
	data []byte // the payload and eight zero bytes

	places []uint64 // of each line the place, ascending, and at the end one above all
	// ends has of each line the bit of it, less one, at which the code of the place
	// ends, modulo 2^16. That cuts off only what is never used: where a code spans
	// lines, all but the last of them share its place with the next line, and answer reads
	// on from none of those. In the last one the code ends, so that the bit is below 512.
	ends []uint16
}

// golombRice returns p.
func golombRice(r int) int {
	if r < 4 {
		return r
	}
	return r - 1
}

// golombBytes is the size of scheme, by the same sum as that of a List.
func golombBytes(n int, rate float64) int {
	r := rateBits(rate)
	rice := golombRice(r)
	return 1 + riceBytes(n, rice, math.Ldexp(float64(n), r-rice))
}

func buildGolomb(b *Builder, keys []uint64, rate float64) (Filter, error) {
	f := again(&b.lastGolomb)
	f.n, f.r = len(keys), rateBits(rate)
	if f.universe() <= 1<<32 {
		b.small, b.smallSpare = encodeGolomb(b, f, keys, b.small, b.smallSpare)
	} else {
		b.spare, b.keys = encodeGolomb(b, f, keys, b.spare, b.keys)
	}
	if !f.index() {
		panic("filters: golomb: own encoding is malformed")
	}
	return f, nil
}

// encodeGolomb sets the payload of f, and returns the memory it was given, for
// the next build.
func encodeGolomb[T place](b *Builder, f *golombFilter, keys []uint64, from, scratch []T) (_, _ []T) {
	from = slices.Grow(from[:0], len(keys))[:len(keys)]
	universe := f.universe()
	for i, key := range keys {
		high, _ := bits.Mul64(key, universe)
		from[i] = T(high)
	}
	sorted := from
	if !b.sorted && !slices.IsSorted(from) {
		scratch = slices.Grow(scratch[:0], len(keys))[:len(keys)]
		sorted = radixSort(from, scratch, bits.Len64(universe-1), b.workers)
	}
	f.setPayload(appendRice(f.data[:0], sorted, golombRice(f.r)))
	return from, scratch
}

// setPayload takes over the memory of payload.
func (f *golombFilter) setPayload(payload []byte) {
	f.size = len(payload)
	f.data = append(payload, make([]byte, 8)...)
}

func (f *golombFilter) universe() uint64 { return uint64(f.n) << f.r }

func decodeGolomb(n int, body []byte, maxBytes int) (Filter, error) {
	if len(body) < 1 {
		return nil, malformed("golomb: no rate")
	}
	r, payload := int(body[0]), body[1:]
	if r < 1 || r > maxRateBits {
		return nil, malformed("golomb: rate 2^-%d", r)
	}
	least := uint64(n) * uint64(golombRice(r)+1)
	most := uint64(n) * uint64(r+2)
	if got := uint64(len(payload)); got < (least+7)/8 || got > (most+7)/8 {
		return nil, malformed("golomb: %d bytes for %d keys at rate 2^-%d", got, n, r)
	}
	if needed := golombMemory(len(payload)); needed > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes and their index need %d bytes, at most %d", ErrTooLarge, len(payload), needed, maxBytes)
	}
	f := &golombFilter{n: n, r: r}
	f.setPayload(append(make([]byte, 0, len(payload)+8), payload...))
	if !f.index() {
		return nil, malformed("golomb: no %d places at rate 2^-%d", n, r)
	}
	return f, nil
}

func golombLines(size int) int { return (size + golombLine/8 - 1) / (golombLine / 8) }

// golombMemory returns the bytes that a filter with a payload of size bytes holds,
// some hundred not counted.
func golombMemory(size int) int { return size + 10*golombLines(size) }

// index reads the payload and makes the index; false if the payload is malformed.
func (f *golombFilter) index() bool {
	lines := golombLines(f.size)
	f.places = slices.Grow(f.places[:0], lines+1)
	f.ends = slices.Grow(f.ends[:0], lines)
	r := riceReader{data: f.data[:f.size], rice: golombRice(f.r), top: f.universe() - 1}
	var values [golombLine/2 + 1]uint64 // a code has at least two bits
	left := f.n
	for line := range lines {
		read, ok := r.read(values[:min(left, len(values))], line*golombLine)
		if left -= read; !ok {
			return false
		}
		f.places = append(f.places, r.last)
		f.ends = append(f.ends, uint16(r.pos-1-line*golombLine))
	}
	if _, ok := r.read(values[:min(left, len(values))], math.MaxInt); !ok || !r.atEnd() {
		return false
	}
	f.places = append(f.places, math.MaxUint64)
	return true
}

func (f *golombFilter) Kind() Kind { return Golomb }
func (f *golombFilter) Len() int   { return f.n }

func (f *golombFilter) AppendTo(dst []byte) []byte {
	dst, start := openFrame(dst, Golomb, f.n, 1+f.size)
	return sealFrame(append(append(dst, byte(f.r)), f.data[:f.size]...), start)
}

func (f *golombFilter) Contains(key uint64) bool {
	keys := [1]uint64{key}
	var at golombCursor
	return f.answer(&at, keys[:]) != 0
}

func (f *golombFilter) ContainsBatch(keys, in []uint64) {
	in = answerWords(keys, in)
	var at golombCursor
	for i := range in {
		in[i] = f.answer(&at, keysOf(keys, i))
	}
}

// golombCursor is how far a filter has been read. Its zero value is before the
// first line, in which nothing is below next.
type golombCursor struct {
	line  int
	asked uint64 // the last place asked for
	place uint64 // the last place read, or next
	next  uint64 // the place of the next line
	pos   int    // where its code ends, in bits
}

// answer returns the answers for at most 64 keys as the bits of a number. While
// keys ascend it reads on, and skips lines by the index.
func (f *golombFilter) answer(at *golombCursor, keys []uint64) (answers uint64) {
	universe, rice := f.universe(), golombRice(f.r)
	asked, place, next, pos := at.asked, at.place, at.next, at.pos
	var word uint64 // the bits from pos on,
	var have int    // and how many of them
	for i, key := range keys {
		want, _ := bits.Mul64(key, universe)
		if want < asked || want >= next {
			at.line = f.line(at.line, key, want)
			place, next = f.places[at.line], f.places[at.line+1]
			pos, have = at.line*golombLine+int(f.ends[at.line])+1, 0
		}
		asked = want
		for place < want {
			number, length := riceCode(word, rice)
			if length > have {
				word, have = ricePeek(f.data, pos)
				if number, length = riceCode(word, rice); length > have {
					number, length = f.long(at.line, pos, next-place)
					have = length
				}
			}
			place += number
			word >>= length & 63
			have -= length
			pos += length
		}
		if place == want {
			answers |= 1 << i
		}
	}
	at.asked, at.place, at.next, at.pos = asked, place, next, pos
	return answers
}

// long reads a code that takes more than a word, from pos in a line. A code that
// ends behind the line leads to the next one, which is upTo away, and a stranger
// may have made it as long as the filter: it is not read.
func (f *golombFilter) long(line, pos int, upTo uint64) (number uint64, length int) {
	end := min(f.size, (line+1)*golombLine/8)
	number, length, ok := riceLong(f.data[:end], pos, golombRice(f.r), upTo)
	if !ok || pos+length > 8*end {
		return upTo, 0
	}
	return number, length
}

// line returns the last line whose place is at most want, the place of key, or 0.
// It tries the line after the one given, then the one where uniform keys would be
// and, in growing steps, those around it.
func (f *golombFilter) line(after int, key, want uint64) int {
	lines := len(f.ends)
	if after+1 < lines && f.places[after+1] <= want && want < f.places[after+2] {
		return after + 1
	}
	guess, _ := bits.Mul64(key, uint64(lines))
	low, high, step := int(guess), int(guess), 1
	if f.places[high] <= want {
		for high++; high < lines && f.places[high] <= want; step *= 2 {
			low, high = high, high+step
		}
		high = min(high, lines)
	} else {
		for low--; low > 0 && f.places[low] > want; step *= 2 {
			low, high = low-step, low
		}
		low = max(low, 0)
	}
	for high-low > 1 {
		if middle := int(uint(low+high) / 2); f.places[middle] <= want {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}
