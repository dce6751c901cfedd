package filterstest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
)

// checkDistinct: a promise that is kept changes no byte, whatever the order of
// the keys, and the keys stay as they are.
func checkDistinct(t Target) error {
	opt := t.Options
	opt.Distinct = true
	for _, n := range []int{0, 1, 2, 3, 100, 3000, 20_000} {
		keys := Keys(23, n)
		want, err := t.encode(keys, t.Options)
		if err != nil {
			return err
		}
		for _, keys := range [][]uint64{keys, slices.Sorted(slices.Values(keys))} {
			before := slices.Clone(keys)
			f, err := t.buildWith(keys, opt)
			if err != nil {
				return err
			}
			if !slices.Equal(keys, before) {
				return errors.New("building from distinct keys changes the slice of the caller")
			}
			clear(keys)
			if !bytes.Equal(f.AppendTo(nil), want) {
				return fmt.Errorf("%d keys encode differently when they are promised to be distinct", n)
			}
		}
	}
	return nil
}

// checkBrokenPromise builds from keys that repeat though they are said not to. Such
// a filter must work; how many keys it says it has is its own affair within bounds.
func checkBrokenPromise(t Target) error {
	opt := t.Options
	opt.Distinct = true
	for _, n := range []int{1, 2, 3, 64, 100, 5000} {
		distinct := Keys(24, n)
		for _, keys := range [][]uint64{
			append(slices.Clone(distinct), distinct[n/2]),
			slices.Repeat(distinct, 2),
			slices.Repeat(distinct[:1], n+1),
			slices.Sorted(slices.Values(slices.Concat(distinct, distinct[:n/2], distinct))),
		} {
			if err := t.checkRepeating(keys, opt); err != nil {
				return fmt.Errorf("%d keys, of which %d distinct: %w", len(keys), n, err)
			}
		}
	}
	return nil
}

func (t Target) checkRepeating(keys []uint64, opt filters.Options) error {
	f, err := t.buildWith(keys, opt)
	if err != nil {
		return err
	}
	if f.Len() < 1 || f.Len() > len(keys) {
		return fmt.Errorf("the filter says it has %d", f.Len())
	}
	encoding := f.AppendTo(nil)
	decoded, err := t.decode(encoding, filters.Limits{})
	if err != nil {
		return err
	}
	if !bytes.Equal(decoded.AppendTo(nil), encoding) {
		return errors.New("decoding and encoding again gives other bytes")
	}
	for _, key := range keys {
		if !f.Contains(key) || !decoded.Contains(key) {
			return fmt.Errorf("%#x is denied", key)
		}
	}
	return nil
}

// checkWorkers: how many goroutines build does not show.
func checkWorkers(t Target) error {
	for _, n := range []int{0, 1, 1500, 40_000} {
		keys := Keys(25, n)
		want, err := t.encode(keys, t.Options)
		if err != nil {
			return err
		}
		for _, workers := range []int{1, 2, 4} {
			opt := t.Options
			opt.Workers = workers
			opt.Distinct = true // what is slow with one worker need not be repeated
			got, err := t.encode(keys, opt)
			if err != nil {
				return fmt.Errorf("%d workers: %w", workers, err)
			}
			if !bytes.Equal(got, want) {
				return fmt.Errorf("%d keys encode differently with %d workers", n, workers)
			}
		}
	}
	return nil
}

// checkReusedBuilder: what a Builder built before does not show, be it larger or
// smaller, of this kind or of others.
func checkReusedBuilder(t Target) error {
	reused := t.newBuilder()
	for i, n := range []int{700, 3, 6000, 0, 1, 100, 2, 1500} {
		opt := t.Options
		opt.Distinct = i%2 == 1
		keys := Keys(uint64(n), n)
		want, err := t.encode(keys, opt)
		if err != nil {
			return err
		}
		f, err := reused(t.Kind, keys, opt)
		if err != nil {
			return err
		}
		if err := checkContains(f, keys); err != nil {
			return fmt.Errorf("by a reused builder: %w", err)
		}
		if !bytes.Equal(f.AppendTo(nil), want) {
			return fmt.Errorf("%d keys encode differently when their builder built others before", n)
		}
		if err := checkOthers(reused, Keys(26, n/3)); err != nil {
			return err
		}
	}
	return nil
}

// checkOthers compares filters of every kind by a used builder with those of a
// new one.
func checkOthers(reused func(filters.Kind, []uint64, filters.Options) (filters.Filter, error), keys []uint64) error {
	for _, kind := range filters.Kinds() {
		got, err := reused(kind, keys, filters.Options{})
		if err != nil {
			return err
		}
		want, err := filters.Build(kind, keys, filters.Options{})
		if err != nil {
			return err
		}
		if !bytes.Equal(got.AppendTo(nil), want.AppendTo(nil)) {
			return fmt.Errorf("%d keys encode differently as %v when their builder built others before", len(keys), kind)
		}
	}
	return nil
}

// checkSteadyBuilder counts the allocations of a builder that built the same
// filters before, large and small ones in turn.
func checkSteadyBuilder(t Target) error {
	if !t.Steady {
		return nil
	}
	reused := t.newBuilder()
	keys := Keys(27, 20_000)
	var errs error
	build := func() {
		for _, n := range []int{1000, 1, 20_000, 10, 0, 2000} {
			for _, distinct := range []bool{true, false} {
				opt := t.Options
				opt.Distinct = distinct
				if _, err := reused(t.Kind, keys[:n], opt); err != nil {
					errs = err
				}
			}
		}
	}
	if allocs := testing.AllocsPerRun(2, build); allocs > 0 { // which builds once before it counts
		return fmt.Errorf("building what a builder built before allocates %v times", allocs)
	}
	return errs
}
