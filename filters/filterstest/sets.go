package filterstest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/dwn-sync/dwnsync/filters"
)

// checkContains reports a key of the set that f denies, or a wrong length.
func checkContains(f filters.Filter, distinct []uint64) error {
	if f.Len() != len(distinct) {
		return fmt.Errorf("a filter of %d keys says it has %d", len(distinct), f.Len())
	}
	for i, key := range distinct {
		if !f.Contains(key) {
			return fmt.Errorf("of %d keys, key %d (%#x) is denied", len(distinct), i, key)
		}
	}
	return nil
}

func (t Target) checkSet(keys []uint64) error {
	f, err := t.build(keys)
	if err != nil {
		return err
	}
	return checkContains(f, keys)
}

func checkSmall(t Target) error {
	f, err := t.build(nil)
	if err != nil {
		return err
	}
	for _, key := range append(Keys(1, 10_000), 0, 1, math.MaxUint64) {
		if f.Contains(key) {
			return fmt.Errorf("the empty set contains %#x", key)
		}
	}
	for n := range 300 {
		if err := t.checkSet(Keys(uint64(n), n)); err != nil {
			return err
		}
	}
	return nil
}

func checkMembers(t Target) error {
	for _, n := range []int{1000, 10_000, 100_000} {
		if err := t.checkSet(Keys(2, n)); err != nil {
			return err
		}
	}
	return nil
}

// checkAwkwardSizes tries the sizes around powers of two, and those for which
// binary fuse constructions are known to fail often.
func checkAwkwardSizes(t Target) error {
	for n := 8; n <= 1<<15; n *= 2 {
		for _, size := range []int{n - 1, n, n + 1} {
			if err := t.checkSet(Keys(3, size)); err != nil {
				return err
			}
		}
	}
	for n := 11_480; n <= 11_521; n++ {
		if err := t.checkSet(Keys(uint64(n), n)); err != nil {
			return err
		}
	}
	return nil
}

// firstSeed is the first seed that the xor and fuse libraries try. They hash
// key + seed so that 0 gives 0, which is also their mark of an empty place.
const firstSeed = 0x910a2dec89025cc1

// checkAwkwardKeys tries keys that are anything but uniform: filters need not be
// short for them, but must not fail.
func checkAwkwardKeys(t Target) error {
	sets := map[string]func(i uint64) uint64{
		"ascending":       func(i uint64) uint64 { return i },
		"at the top":      func(i uint64) uint64 { return math.MaxUint64 - i },
		"high bits only":  func(i uint64) uint64 { return i << 52 },
		"around the sign": func(i uint64) uint64 { return 1<<63 - 1000 + i },
		"hash zero":       func(i uint64) uint64 { return i - firstSeed },
	}
	for name, key := range sets {
		for _, n := range []int{1, 2, 100, 4096} {
			keys := make([]uint64, n)
			for i := range keys {
				keys[i] = key(uint64(i))
			}
			if err := t.checkSet(keys); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// falsePositives counts the keys that f lets through among n uniform ones. A
// probe hits a set of s keys by accident with a chance of s/2^64.
func falsePositives(f filters.Filter, seed uint64, n int) (count int) {
	random := rand.New(rand.NewPCG(seed, 1))
	for range n {
		if f.Contains(random.Uint64()) {
			count++
		}
	}
	return count
}

// checkBinomial fails if more of n probes passed than the binomial distribution
// of a filter that keeps its rate gives once in three million seeds: that is five
// standard deviations above the mean, or, for a mean too small for them to mean
// anything, the tail of the Poisson distribution.
func checkBinomial(passed, n int, rate float64) error {
	mean := float64(n) * rate
	unlikely := float64(passed) > mean+5*math.Sqrt(mean*(1-rate))
	if mean < 100 {
		unlikely = poissonTail(passed, mean) < 3e-7
	}
	if unlikely {
		return fmt.Errorf("%d of %d other keys let through, %.3g expected at a rate of %g", passed, n, mean, rate)
	}
	return nil
}

// poissonTail returns the chance of count or more events where mean are expected.
func poissonTail(count int, mean float64) (chance float64) {
	for i := count; i < count+1000; i++ {
		logFactorial, _ := math.Lgamma(float64(i) + 1)
		chance += math.Exp(float64(i)*math.Log(mean) - mean - logFactorial)
	}
	return chance
}

func checkRate(t Target) error {
	const probes = 1 << 19
	for _, n := range []int{100, 1000, 50_000} {
		f, err := t.build(Keys(4, n))
		if err != nil {
			return err
		}
		if err := checkBinomial(falsePositives(f, uint64(n), probes), probes, t.Rate); err != nil {
			return fmt.Errorf("%d keys: %w", n, err)
		}
	}
	return nil
}

// checkSmallRate asks many small filters, since one has too few keys to show
// what the kind does on average.
func checkSmallRate(t Target) error {
	const (
		sets   = 300
		probes = 1 << 10
	)
	for _, n := range []int{1, 2, 3, 5, 8, 11, 16, 22, 33} {
		passed := 0
		for i := range uint64(sets) {
			f, err := t.build(Keys(i<<8|uint64(n), n))
			if err != nil {
				return err
			}
			passed += falsePositives(f, i, probes)
		}
		if err := checkBinomial(passed, sets*probes, t.Rate); err != nil {
			return fmt.Errorf("sets of %d keys: %w", n, err)
		}
	}
	return nil
}
