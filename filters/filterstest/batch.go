package filterstest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/dwn-sync/dwnsync/filters"
)

// checkBatch compares ContainsBatch with Contains, for every small number of keys
// asked and for large ones, in any order and ascending.
func checkBatch(t Target) error {
	for _, n := range []int{0, 1, 2, 100, 3000} {
		keys := Keys(19, n)
		f, err := t.build(keys)
		if err != nil {
			return err
		}
		for _, order := range [][]uint64{asked(keys), slices.Sorted(slices.Values(asked(keys)))} {
			if err := checkPrefixes(f, order); err != nil {
				return fmt.Errorf("a filter of %d keys: %w", n, err)
			}
		}
	}
	return nil
}

// asked returns keys of a set and others, some of them twice, in no order.
func asked(members []uint64) []uint64 {
	keys := slices.Concat([]uint64{0, 1, math.MaxUint64}, members, Keys(20, 2000))
	keys = append(keys, keys[:len(keys)/4]...)
	rand.New(rand.NewPCG(20, 20)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

// checkPrefixes asks f for the first 0 to 200 of keys at once, for all, and for
// all but a few.
func checkPrefixes(f filters.Filter, keys []uint64) error {
	want := make([]bool, len(keys))
	for i, key := range keys {
		want[i] = f.Contains(key)
	}
	in := make([]uint64, (len(keys)+63)/64+1)
	for length := range 201 {
		if err := checkOneBatch(f, keys[:length], want, in); err != nil {
			return err
		}
	}
	for short := range 5 {
		if err := checkOneBatch(f, keys[short:len(keys)-short], want[short:], in); err != nil {
			return err
		}
	}
	return nil
}

// checkOneBatch asks for keys at once, with garbage where the answers go.
func checkOneBatch(f filters.Filter, keys []uint64, want []bool, in []uint64) error {
	const garbage = 0xa5a5a5a5a5a5a5a5
	for i := range in {
		in[i] = garbage
	}
	before := slices.Clone(keys)
	f.ContainsBatch(keys, in)
	if !slices.Equal(keys, before) {
		return fmt.Errorf("ContainsBatch changes the %d keys that it is asked for", len(keys))
	}
	for i := range keys {
		if got := in[i/64]>>(i%64)&1 != 0; got != want[i] {
			return fmt.Errorf("ContainsBatch answers %v for key %d of %d (%#x), Contains %v", got, i, len(keys), keys[i], want[i])
		}
	}
	words := (len(keys) + 63) / 64
	if used := len(keys) % 64; used > 0 && in[words-1]>>used != 0 {
		return fmt.Errorf("ContainsBatch of %d keys sets bits beyond the last", len(keys))
	}
	for _, word := range in[words:] {
		if word != garbage {
			return fmt.Errorf("ContainsBatch of %d keys writes more than %d words", len(keys), words)
		}
	}
	return nil
}

// checkShortBatch expects a panic for every result that is too short by a word,
// even if it has room for that word.
func checkShortBatch(t Target) error {
	for _, n := range []int{0, 1, 1000} {
		f, err := t.build(Keys(21, n))
		if err != nil {
			return err
		}
		f.ContainsBatch(nil, nil)
		for _, length := range []int{1, 63, 64, 65, 128, 129, 5000} {
			in := make([]uint64, (length+63)/64)
			if !panics(func() { f.ContainsBatch(Keys(22, length), in[:len(in)-1:len(in)-1]) }) ||
				!panics(func() { f.ContainsBatch(Keys(22, length), in[:len(in)-1]) }) {
				return fmt.Errorf("a filter of %d keys answers %d keys in %d words", n, length, len(in)-1)
			}
			if panics(func() { f.ContainsBatch(Keys(22, length), in) }) {
				return errors.New("ContainsBatch panics though there is room")
			}
		}
	}
	return nil
}

func panics(call func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	call()
	return false
}
