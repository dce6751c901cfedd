package filterstest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
)

func checkDuplicates(t Target) error {
	for _, n := range []int{1, 2, 3, 100, 5000} {
		distinct := Keys(5, n)
		want, err := t.build(distinct)
		if err != nil {
			return err
		}
		got, err := t.build(slices.Concat(distinct, distinct[:(n+1)/2], distinct))
		if err != nil {
			return err
		}
		if err := checkContains(got, distinct); err != nil {
			return err
		}
		if !bytes.Equal(got.AppendTo(nil), want.AppendTo(nil)) {
			return fmt.Errorf("%d keys with duplicates encode differently from without", n)
		}
	}
	return nil
}

func checkDeterministic(t Target) error {
	for _, n := range []int{0, 1, 2, 700, 20_000} {
		keys := Keys(6, n)
		first, err := t.build(keys)
		if err != nil {
			return err
		}
		rand.New(rand.NewPCG(7, 7)).Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		second, err := t.build(keys)
		if err != nil {
			return err
		}
		if !bytes.Equal(first.AppendTo(nil), second.AppendTo(nil)) {
			return fmt.Errorf("the same %d keys in another order encode differently", n)
		}
	}
	return nil
}

// checkCallersSlice tries unsorted, sorted and repeating keys, as each may take
// a way of its own through a builder.
func checkCallersSlice(t Target) error {
	sorted := slices.Sorted(slices.Values(Keys(9, 9000)))
	for _, keys := range [][]uint64{Keys(8, 100), Keys(8, 9000), sorted, slices.Repeat(Keys(8, 3000), 2)} {
		before := slices.Clone(keys)
		f, err := t.build(keys)
		if err != nil {
			return err
		}
		if !slices.Equal(keys, before) {
			return errors.New("building changed the slice of the caller")
		}
		encoding := f.AppendTo(nil)
		clear(keys)
		if !bytes.Equal(f.AppendTo(nil), encoding) {
			return errors.New("the filter keeps the slice of the caller")
		}
	}
	return nil
}

func checkNoAllocation(t Target) error {
	for _, n := range []int{0, 1, 1000} {
		f, err := t.build(Keys(10, n))
		if err != nil {
			return err
		}
		decoded, err := t.decode(f.AppendTo(nil), filters.Limits{})
		if err != nil {
			return err
		}
		for _, f := range []filters.Filter{f, decoded} {
			if err := checkQuiet(f); err != nil {
				return fmt.Errorf("a filter of %d keys: %w", n, err)
			}
		}
	}
	return nil
}

// checkQuiet fails if a method of f that promises not to allocate does.
func checkQuiet(f filters.Filter) error {
	var key uint64
	if allocs := testing.AllocsPerRun(100, func() { f.Contains(key); key += 1 << 57 }); allocs > 0 {
		return fmt.Errorf("asking for one key allocates %v times", allocs)
	}
	asked := Keys(10, 1300)
	ascending := slices.Sorted(slices.Values(asked))
	in := make([]uint64, (len(asked)+63)/64)
	if allocs := testing.AllocsPerRun(5, func() {
		f.ContainsBatch(asked, in)
		f.ContainsBatch(ascending, in)
		f.ContainsBatch(asked[:3], in)
	}); allocs > 0 {
		return fmt.Errorf("asking for many keys allocates %v times", allocs)
	}
	buf := make([]byte, 0, 2*len(f.AppendTo(nil))+64)
	if allocs := testing.AllocsPerRun(10, func() { f.AppendTo(buf) }); allocs > 0 {
		return fmt.Errorf("encoding into a large buffer allocates %v times", allocs)
	}
	return nil
}

// checkConcurrent lets several goroutines ask the same things of one filter, which
// shows broken locks here and, under the race detector, missing ones.
func checkConcurrent(t Target) error {
	const n = 500
	keys := Keys(11, 2*n)
	f, err := t.build(keys[:n])
	if err != nil {
		return err
	}
	want := make([]uint64, (len(keys)+63)/64)
	f.ContainsBatch(keys, want)
	encoding := f.AppendTo(nil)

	errs := make([]error, 4)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			in := make([]uint64, len(want))
			for range 3 {
				f.ContainsBatch(keys, in)
				if !slices.Equal(in, want) || !bytes.Equal(f.AppendTo(nil), encoding) {
					errs[i] = errors.New("a filter answers or encodes differently while others use it")
				}
				errs[i] = errors.Join(errs[i], checkContains(f, keys[:n]))
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func checkRoundTrip(t Target) error {
	for n := range 300 {
		if err := t.checkRoundTrip(n); err != nil {
			return fmt.Errorf("%d keys: %w", n, err)
		}
	}
	return errors.Join(t.checkRoundTrip(4095), t.checkRoundTrip(11_500), t.checkRoundTrip(60_000))
}

func (t Target) checkRoundTrip(n int) error {
	keys := Keys(12, n)
	f, err := t.build(keys)
	if err != nil {
		return err
	}
	encoding := f.AppendTo(nil)
	if prefixed := f.AppendTo([]byte("prefix")); string(prefixed) != "prefix"+string(encoding) {
		return errors.New("encoding after a prefix gives other bytes")
	}
	data := slices.Clone(encoding)
	decoded, err := t.decode(data, filters.Limits{})
	if err != nil {
		return err
	}
	if !bytes.Equal(data, encoding) {
		return errors.New("decoding changed its input")
	}
	clear(data)
	if !bytes.Equal(decoded.AppendTo(nil), encoding) {
		return errors.New("decoding and encoding again gives other bytes")
	}
	if decoded.Kind() != f.Kind() {
		return fmt.Errorf("a %v decodes to a %v", f.Kind(), decoded.Kind())
	}
	for _, key := range Keys(13, 100) {
		if decoded.Contains(key) != f.Contains(key) {
			return fmt.Errorf("the decoded filter answers %v for %#x", decoded.Contains(key), key)
		}
	}
	var got, want [4]uint64
	others := Keys(14, 64*len(got))
	decoded.ContainsBatch(others, got[:])
	if f.ContainsBatch(others, want[:]); got != want {
		return errors.New("the decoded filter answers a batch differently")
	}
	return checkContains(decoded, keys)
}
