package datasets_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/datasets"
)

const (
	second = int64(1e6)
	day    = 86400 * second
	origin = 1704067200 * second // 2024-01-01T00:00:00Z
)

// timesOf returns the times of 10^5 keys in order of arrival.
func timesOf(t *testing.T, shape datasets.Shape) []int64 {
	t.Helper()
	var times []int64
	for _, k := range collect(t, datasets.Workload{Shape: shape, N: 100_000, Seed: 3}) {
		times = append(times, k.key.Time)
	}
	return times
}

// gaps returns the gaps between times, sorted, and their mean.
func gaps(times []int64) (sorted []int64, mean int64) {
	for i, t := range times[1:] {
		sorted = append(sorted, t-times[i])
	}
	slices.Sort(sorted)
	return sorted, (times[len(times)-1] - times[0]) / int64(len(sorted))
}

// share returns how many of all are for which ok holds, in thousandths.
func share(all []int64, ok func(int64) bool) int {
	n := 0
	for _, v := range all {
		if ok(v) {
			n++
		}
	}
	return n * 1000 / len(all)
}

// within fails the test unless got is from low to high.
func within(t *testing.T, what string, got, low, high int64) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s: %d, want %d to %d", what, got, low, high)
	}
}

// All that ascend do, over two years, of which 10^5 independent gaps miss up to 2 %.
func TestShapesSpan(t *testing.T) {
	for _, shape := range []datasets.Shape{datasets.Steady, datasets.Bursty, datasets.Growing} {
		times := timesOf(t, shape)
		if !slices.IsSorted(times) {
			t.Errorf("%s is not sorted", shape)
		}
		if times[0] < origin {
			t.Errorf("%s begins at %v", shape, time.UnixMicro(times[0]).UTC())
		}
		within(t, string(shape)+" ends after days", (times[len(times)-1]-origin)/day, 716, 746)
	}
}

// However many keys there are, they take two years: of n keys, every n/200,000th is
// drawn and stands for those after it. Late and Skewed arrive as Steady does. At
// MaxKeys gaps of 57 microseconds are cut to whole ones, but not those of Bursty.
func TestShapesSpanWhatever(t *testing.T) {
	const drawn = 200_000
	for _, shape := range []datasets.Shape{datasets.Steady, datasets.Bursty, datasets.Growing} {
		for _, n := range []int64{1e8, 1e9, 1e10, datasets.MaxKeys} {
			if n > math.MaxInt {
				continue
			}
			next := datasets.Clock(datasets.Workload{Shape: shape, N: int(n), Seed: 3})
			last := int64(0)
			for i := range int64(drawn) {
				last = next(int(i * (n / drawn)))
			}
			label := datasets.Workload{Shape: shape, N: int(n)}.String()
			shortest := int64(716)
			if n == datasets.MaxKeys && shape != datasets.Bursty {
				shortest = 702 // 4 %
			}
			within(t, label+" ends after days", (last-origin)*(n/drawn)/day, shortest, 746)
		}
	}
}

// Of exponential gaps 63.2 % are below the mean, 9.5 % below a tenth, 5.0 % above
// three times, 0.67 % above five times.
func TestSteady(t *testing.T) {
	all, mean := gaps(timesOf(t, datasets.Steady))
	within(t, "below the mean, in 1000", int64(share(all, func(g int64) bool { return g < mean })), 625, 639)
	within(t, "below a tenth, in 1000", int64(share(all, func(g int64) bool { return g < mean/10 })), 91, 99)
	within(t, "above three times, in 1000", int64(share(all, func(g int64) bool { return g > 3*mean })), 46, 53)
	within(t, "above five times, in 1000", int64(share(all, func(g int64) bool { return g > 5*mean })), 5, 8)
}

// Half of the gaps are short, one in 16 is long, and the long ones take half of the
// time.
func TestBursty(t *testing.T) {
	all, mean := gaps(timesOf(t, datasets.Bursty))
	within(t, "below mean/24, in 1000", int64(share(all, func(g int64) bool { return g < mean/24 })), 490, 510)
	within(t, "below mean/384, in 1000", int64(share(all, func(g int64) bool { return g < mean/384 })), 240, 260)
	within(t, "above 5.2 times, in 1000", int64(share(all, func(g int64) bool { return g > mean*52/10 })), 58, 68)
	within(t, "above 11 times", int64(share(all, func(g int64) bool { return g > 11*mean })), 0, 0)
	long := int64(0)
	for _, g := range all[len(all)*15/16:] {
		long += g
	}
	within(t, "share of the time in the longest 16th, in 1000", long*1000/(mean*int64(len(all))), 480, 520)
}

// The rate doubles eight times: half of the keys lie in the newest eighth, half of
// those before in the eighth before that, and so on. The first few hundred keys,
// which take an eighth, miss it by up to 2 %, and so all counts by up to 12 %.
func TestGrowing(t *testing.T) {
	times := timesOf(t, datasets.Growing)
	const eighth = 731 * day / 8
	left := len(times)
	for part := 7; part > 2; part-- {
		first, _ := slices.BinarySearch(times, origin+int64(part)*eighth)
		within(t, "in 1000 of what is left", int64(left-first)*1000/int64(left), 440, 560)
		left = first
	}
}

func TestInstant(t *testing.T) {
	times := timesOf(t, datasets.Instant)
	if !slices.IsSorted(times) || times[0] < origin || times[len(times)-1] >= origin+second {
		t.Errorf("from %d to %d, sorted: %t", times[0], times[len(times)-1], slices.IsSorted(times))
	}
	for part := range int64(10) {
		n := share(times, func(us int64) bool { return (us-origin)*10/second == part })
		within(t, "in a tenth of the second, in 1000", int64(n), 99, 101)
	}
	n := 0
	for _, k := range collect(t, datasets.Workload{Shape: datasets.Instant, N: 1}) {
		within(t, "a single key", k.key.Time-origin, 0, second-1)
		n++
	}
	within(t, "keys", int64(n), 1, 1)
}

// Late is Steady, but that one in eight is dated back.
func TestLate(t *testing.T) {
	times, arrivals := timesOf(t, datasets.Late), timesOf(t, datasets.Steady)
	var delays []int64
	for i, us := range times {
		if delay := arrivals[i] - us; delay != 0 {
			delays = append(delays, delay)
		}
	}
	slices.Sort(delays)
	within(t, "late, in 1000", int64(len(delays)*1000/len(times)), 122, 128)
	within(t, "shortest delay, seconds", delays[0]/second, 64, 200)
	within(t, "longest delay, days", delays[len(delays)-1]/day, 330, 389)
	within(t, "median delay, minutes", delays[len(delays)/2]/second/60, 12*60, 15*60)
	within(t, "above 48 days, in 1000", int64(share(delays, func(d int64) bool { return d > 48*day })), 25, 34)
	newest, behind := times[0], 0
	for _, us := range times {
		if us < newest {
			behind++
		}
		newest = max(newest, us)
	}
	within(t, "arrived after something newer, in 1000", int64(behind*1000/len(times)), 115, 128)
}

// Skewed is Steady, but that every author's clock is off by a constant.
func TestSkewed(t *testing.T) {
	times, arrivals := timesOf(t, datasets.Skewed), timesOf(t, datasets.Steady)
	offsets := map[int64]int{}
	for i, us := range times {
		offsets[us-arrivals[i]]++
	}
	if len(offsets) < 240 || len(offsets) > 250 { // 248 clocks of their own, two shared
		t.Errorf("%d offsets, want some 250", len(offsets))
	}
	ahead, back := offsets[27759*day], offsets[-origin]
	within(t, "76 years ahead, in 1000", int64(ahead*1000/len(times)), 13, 18)
	within(t, "since 1970, in 1000", int64(back*1000/len(times)), 13, 18)
	delete(offsets, 27759*day)
	delete(offsets, -origin)
	future, days, total := 0, 0, 0
	for offset, n := range offsets {
		total += n
		if offset > 0 {
			future += n
		}
		if max(offset, -offset) > day {
			days += n
		}
		within(t, "offset, days", offset/day, -777, 777)
	}
	within(t, "clocks that are ahead, in 1000", int64(future*1000/total), 400, 600)
	within(t, "clocks that are off by a day, in 1000", int64(days*1000/total), 270, 460) // 9.6 octaves of 26
	if slices.Min(times) < 0 {
		t.Error("a time is before 1970")
	}
}

// A single key, or a few, lie near the two years, not at their end times n.
func TestShapesOfFew(t *testing.T) {
	for _, shape := range datasets.Shapes() {
		for seed := range uint64(100) {
			for _, k := range collect(t, datasets.Workload{Shape: shape, N: 1, Seed: seed}) {
				within(t, string(shape), k.key.Time, 0, origin+90*366*day)
			}
		}
	}
}
