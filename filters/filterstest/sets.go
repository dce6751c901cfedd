package filterstest

import (
	"fmt"
	"math"

	"github.com/dwn-sync/dwnsync/filters"
)

// checkContains reports a key of the set that f denies, or a wrong length. It asks
// for all keys at once, and for some of them, all of small sets, one by one.
func checkContains(f filters.Filter, distinct []uint64) error {
	if f.Len() != len(distinct) {
		return fmt.Errorf("a filter of %d keys says it has %d", len(distinct), f.Len())
	}
	in := make([]uint64, (len(distinct)+63)/64)
	f.ContainsBatch(distinct, in)
	step := 1 + len(distinct)/5000
	for i, key := range distinct {
		if in[i/64]>>(i%64)&1 == 0 || i%step == 0 && !f.Contains(key) {
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

// checkAwkwardSizes tries the sizes around powers of two, and some of those for
// which binary fuse constructions are known to fail often.
func checkAwkwardSizes(t Target) error {
	for n := 8; n <= 1<<14; n *= 2 {
		for _, size := range []int{n - 1, n, n + 1} {
			if err := t.checkSet(Keys(3, size)); err != nil {
				return err
			}
		}
	}
	for _, n := range []int{11_480, 11_501, 1 << 15} {
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
