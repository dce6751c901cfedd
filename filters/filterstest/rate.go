package filterstest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/dwn-sync/dwnsync/filters"
)

// falsePositives counts the keys that f lets through among n uniform ones. A
// probe hits a set of s keys by accident with a chance of s/2^64.
func falsePositives(f filters.Filter, seed uint64, n int) (count int) {
	const most = 1 << 10
	var keys [most]uint64
	var in [most / 64]uint64
	random := rand.New(rand.NewPCG(seed, 1))
	for ; n > 0; n -= most {
		keys := keys[:min(n, most)]
		for i := range keys {
			keys[i] = random.Uint64()
		}
		clear(in[:])
		f.ContainsBatch(keys, in[:])
		count += ones(in[:])
	}
	return count
}

// ones counts the bits that are set.
func ones(in []uint64) (count int) {
	for _, word := range in {
		count += bits.OnesCount64(word)
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

// checkPassed holds what passed of n probes to the rate of the target, from both
// sides where the rate is exact: a filter that lets through less wastes bits.
func (t Target) checkPassed(passed, n int) error {
	mean := float64(n) * t.Rate
	if t.Exact && mean >= 100 && float64(passed) < mean-5*math.Sqrt(mean*(1-t.Rate)) {
		return fmt.Errorf("only %d of %d other keys let through, %.3g expected at a rate of %g", passed, n, mean, t.Rate)
	}
	return checkBinomial(passed, n, t.Rate)
}

func checkRate(t Target) error {
	for n, probes := range map[int]int{600: 1 << 17, 50_000: 1 << 18} {
		f, err := t.build(Keys(4, n))
		if err != nil {
			return err
		}
		if err := t.checkPassed(falsePositives(f, uint64(n), probes), probes); err != nil {
			return fmt.Errorf("%d keys: %w", n, err)
		}
	}
	return nil
}

// checkSmallRate asks many small filters, since one has too few keys to show
// what the kind does on average.
func checkSmallRate(t Target) error {
	const (
		sets   = 200
		probes = 1 << 9
	)
	for _, n := range []int{1, 2, 3, 5, 8, 11, 16, 22, 33, 65} {
		passed := 0
		for i := range uint64(sets) {
			f, err := t.build(Keys(i<<8|uint64(n), n))
			if err != nil {
				return err
			}
			passed += falsePositives(f, i, probes)
		}
		if err := t.checkPassed(passed, sets*probes); err != nil {
			return fmt.Errorf("sets of %d keys: %w", n, err)
		}
	}
	return nil
}

// checkBits asks for the target's rate by its bits, if it is such a rate.
func checkBits(t Target) error {
	both := t.Options
	both.FalsePositiveRate, both.Bits = 0x1p-8, 8
	if f, err := t.buildWith(Keys(17, 1), both); !errors.Is(err, filters.ErrRate) {
		return fmt.Errorf("a rate and bits asked for: got %v, %v, want ErrRate", f, err)
	}
	fraction, exp := math.Frexp(t.Rate)
	if asBits := 1 - exp; fraction != 0.5 || asBits < 1 || asBits > 32 {
		return nil
	}
	byRate, byBits := t.Options, t.Options
	byRate.FalsePositiveRate, byRate.Bits = t.Rate, 0
	byBits.FalsePositiveRate, byBits.Bits = 0, 1-exp
	for _, n := range []int{0, 1, 2, 100, 2000} {
		got, err := t.encode(Keys(18, n), byBits)
		if err != nil {
			return err
		}
		want, err := t.encode(Keys(18, n), byRate)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%d keys at %d bits encode differently than at a rate of %g", n, byBits.Bits, t.Rate)
		}
	}
	return nil
}

// checkSalts fails if what one salt lets through wrongly, another salt lets
// through more or less often than by chance.
func checkSalts(t Target) error {
	const (
		n      = 1000
		probes = 1 << 16
	)
	var passed [2][probes / 64]uint64
	for i := range passed {
		keys := saltedKeys(filters.Salt{15: byte(i + 1)}, n+probes)
		f, err := t.build(keys[:n])
		if err != nil {
			return err
		}
		f.ContainsBatch(keys[n:], passed[i][:])
	}
	first, second, both := ones(passed[0][:]), ones(passed[1][:]), 0
	for i, word := range passed[0] {
		both += bits.OnesCount64(word & passed[1][i])
	}
	chance := float64(first) / probes * float64(second) / probes
	if mean := chance * probes; mean >= 100 && float64(both) < mean-5*math.Sqrt(mean) {
		return fmt.Errorf("two salts let %d and %d of %d keys through, but both only %d", first, second, probes, both)
	}
	if both == 0 {
		return nil
	}
	if err := checkBinomial(both, probes, chance); err != nil {
		return fmt.Errorf("two salts let %d and %d keys through: both %w", first, second, err)
	}
	return nil
}

// saltedKeys returns the keys under a salt of the same n IDs.
func saltedKeys(salt filters.Salt, n int) []uint64 {
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = salt.Key([32]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)})
	}
	return keys
}
