package filters

import "slices"

const (
	peelAttempts = 4
	peelStep     = 0x9e3779b97f4a7c15 // 2^64 over the golden ratio: far from a small multiple of anything
)

// peel calls build, a library's construction over distinct keys, until it
// succeeds. A library gives up after a number of seeds of its own, always the
// same ones, so every further attempt shifts all keys by a constant. Both
// libraries hash key + seed: the filter of shifted keys is that of the keys
// themselves under a seed larger by the shift, which the caller has to add. So
// nothing of this shows on the wire.
//
// If no attempt succeeds it returns a List of the keys at the given rate. The
// keys are in undefined order afterwards, unless they became the List.
func peel[T any](b *Builder, keys []uint64, rate float64, build func([]uint64) (T, error), finish func(T, uint64) Filter) (Filter, error) {
	keys = b.copied(keys)
	var shift uint64
	for range peelAttempts {
		if table, err := build(keys); err == nil {
			return finish(table, shift), nil
		}
		shift += peelStep
		for i := range keys {
			keys[i] += peelStep
		}
	}
	for i := range keys {
		keys[i] -= shift
	}
	slices.Sort(keys)
	return buildList(b, keys, rate)
}
