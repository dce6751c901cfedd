package datasets

import (
	"math/bits"
)

// Shape is how the times of keys lie. Keys arrive over about two years from
// 2024-01-01T00:00:00Z on, whatever N is: more keys are a busier tenant. At 2^40 keys
// Steady, Growing, Late and Skewed fall short of that by some 3 %, because their gaps are
// cut to microseconds. Only Instant is over in a second.
type Shape string

// The shapes of time. What they imitate is named so that somebody who has the real
// thing at hand can compare; none is fitted to one data set.
const (
	// Steady is a Poisson process: independent gaps, exponentially distributed. It
	// is what many independent devices or users give together, and the shape that
	// published comparisons of set reconciliation assume when they draw keys at
	// random. Times ascend.
	Steady Shape = "steady"
	// Bursty is one person: gaps whose density falls as 1/gap over 16 doublings, so
	// that half of them are below a 24th of the mean and one in 16 lasts 5 to 11
	// times the mean. Barabási found such gaps in mail and letters ("The origin of
	// bursts and heavy tails in human dynamics", Nature 435, 2005). Times ascend.
	Bursty Shape = "bursty"
	// Growing is dense now and sparse before: the rate doubles eight times in the
	// two years, so that half of the keys lie in the newest quarter. It imitates a
	// service that is being adopted, such as public relays of nostr or the first
	// years of a wiki. Times ascend.
	Growing Shape = "growing"
	// Instant is one second with everything: an import or a migration in bulk,
	// transactions stamped with the time of their block. The times are spread evenly
	// over that second and ascend; beyond 10^6 keys they repeat.
	Instant Shape = "instant"
	// Late is Steady, but one key in eight is a straggler: it arrives long after its
	// author dated it. Delays are nearly log-normal: from 64 seconds to 389 days, half
	// of them above 13 hours and one in 34 above 48 days. It imitates devices that were off line,
	// and archives of mail and news, which are filled from many sources later.
	Late Shape = "late"
	// Skewed is Steady, but each of 256 authors has a clock of its own: off by one
	// second to two years to either side, every doubling as frequent as any other; of
	// 64 clocks one starts at 1970, as without a battery, and one is 76 years ahead.
	// The committers' clocks in large git repositories, with commits of 1970 and of
	// 2100, are an example, and nostr events, which are dated to either side.
	Skewed Shape = "skewed"
)

// Shapes returns all shapes. The caller owns the list.
func Shapes() []Shape { return []Shape{Steady, Bursty, Growing, Instant, Late, Skewed} }

const (
	second = int64(1e6)           // microseconds
	origin = 1704067200 * second  // 2024-01-01T00:00:00Z
	span   = 731 * 86400 * second // 2024 and 2025
	ahead  = (76*365 + 19) * 86400 * second
)

// clock returns the times of keys 0, 1, 2 and so on; it must be called in this order.
func (w Workload) clock() func(i int) int64 {
	t := &times{random: newRandom(w.Seed, "workload time"), n: int64(w.N), now: origin}
	if w.N > 0 {
		t.mean = span / t.n
	}
	switch w.Shape {
	case Bursty:
		t.longest = longestOctave(max(1, t.n))
		return t.bursty
	case Growing:
		t.log = newLogarithm()
		return t.growing
	case Instant:
		return t.instant
	case Late:
		t.log, t.side = newLogarithm(), newRandom(w.Seed, "workload delay")
		return t.late
	case Skewed:
		t.log, t.side = newLogarithm(), newRandom(w.Seed, "workload author")
		t.offsets = newOffsets(newRandom(w.Seed, "workload clock"))
		return t.skewed
	default:
		t.log = newLogarithm()
		return t.steady
	}
}

// times is the state of a clock. All arithmetic is of integers.
type times struct {
	random  random
	side    random // of what does not move the time of arrival
	n       int64
	now     int64  // time of arrival, microseconds
	mean    int64  // gap, microseconds
	longest uint64 // where the last octave of Bursty begins, in parts of a microsecond
	part    uint64 // parts of a microsecond that Bursty is past now
	log     *logarithm
	offsets *[authors]int64
}

// ln2 is the natural logarithm of 2 in parts of 2^32.
const ln2 = 2977044472

// steady lets a gap pass: -ln(u) of a uniform u, times the mean.
func (t *times) steady(int) int64 {
	gap := scale(uint64(t.mean), t.log.negative(t.random.words.Uint64()))
	t.now += int64(scale(gap, ln2))
	return t.now
}

// octaves is how many doublings the gaps of Bursty range over. Octave k is drawn
// evenly and the gap evenly in it, from unit*2^k to twice that, so the mean gap is
// unit*1.5*(2^octaves-1)/octaves. Of many keys the unit is far below a microsecond,
// so gaps are counted in parts of one, and what is left of a part is kept.
const (
	octaves  = 16
	partBits = 14 // so that one key's longest gap, 11 spans, still fits into 64 bits
)

// longestOctave returns where the last octave of n keys' gaps begins, unit*2^15, in
// parts of a microsecond.
func longestOctave(n int64) uint64 {
	high, low := bits.Mul64(uint64(span), octaves<<octaves<<partBits)
	longest, _ := bits.Div64(high, low, 3*(1<<octaves-1)*uint64(n))
	return longest
}

func (t *times) bursty(int) int64 {
	word := t.random.words.Uint64()
	low := t.longest >> (octaves - 1 - word%octaves)
	more, _ := bits.Mul64(word, low) // of the high bits
	t.part += low + more
	t.now += int64(t.part >> partBits)
	t.part %= 1 << partBits
	return t.now
}

// doublings is how often the rate of Growing doubles in the span.
const doublings = 8

// growing lets a gap pass whose mean falls as the rate grows: with the rate 2^(8t)
// at the share t of the span, the share (2^(8t)-1)/255 of the keys is there, and so
// the mean gap after i of n keys is span*255/(8*ln2*(n+255*i)); half a key more is
// the middle of the gap. The logarithm to the base 2 has the ln2 in it.
func (t *times) growing(i int) int64 {
	const more = 1<<doublings - 1
	mean := span * more / doublings / (t.n + more*int64(i) + more/2)
	t.now += int64(scale(uint64(mean), t.log.negative(t.random.words.Uint64())))
	return t.now
}

func (t *times) instant(i int) int64 {
	return origin + (int64(i)*second+t.random.below(second))/t.n
}

// late dates one key in eight back. Three dice of seven faces choose the octave of
// the delay, which begins at 64 seconds.
func (t *times) late(i int) int64 {
	now := t.steady(i)
	if t.side.words.Uint64()%8 != 0 {
		return now
	}
	k := t.side.below(7) + t.side.below(7) + t.side.below(7)
	low := 64 * second << k
	return now - low - t.side.below(low)
}

// authors is how many clocks Skewed has.
const authors = 256

func (t *times) skewed(i int) int64 {
	return t.steady(i) + t.offsets[t.side.words.Uint64()%authors]
}

// newOffsets returns how far the authors' clocks are off.
func newOffsets(r random) *[authors]int64 {
	var offsets [authors]int64
	for a := range offsets {
		low := second << r.below(26)
		offsets[a] = low + r.below(low) // up to 2^26 seconds, 2.1 years
		if r.chance(2) {
			offsets[a] = -offsets[a]
		}
		switch a % 64 {
		case 62:
			offsets[a] = -origin
		case 63:
			offsets[a] = ahead
		}
	}
	return &offsets
}
