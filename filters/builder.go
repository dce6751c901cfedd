package filters

import (
	"fmt"
	"slices"
)

// Builder builds one filter after the other in the same memory. The zero value
// works. It must not be used by two goroutines at once.
type Builder struct {
	keys    []uint64 // the distinct keys of this build, where they had to be copied
	sorted  bool     // the keys of this build ascend
	workers int      // goroutines that this build may use, at least 1
}

// Build is [Build], but for the memory: the filter that it returns is valid until
// the next call of b.Build, and a call that needs no more memory than the ones
// before allocates nothing.
func (b *Builder) Build(kind Kind, keys []uint64, opt Options) (Filter, error) {
	s, ok := schemeOf(kind)
	if !ok {
		return nil, fmt.Errorf("%w: %d", ErrUnknownKind, uint8(kind))
	}
	rate, err := opt.rate(s)
	if err != nil {
		return nil, err
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("%w: %d keys, at most %d", ErrTooLarge, len(keys), maxKeys)
	}
	b.workers = max(1, opt.Workers)
	if b.sorted = !opt.Distinct; b.sorted {
		keys = sortedDistinct(keys)
	}
	if len(keys) == 0 {
		return empty(kind), nil
	}
	return s.build(b, keys, rate)
}

// copied returns keys in memory of b, for a build that changes them.
func (b *Builder) copied(keys []uint64) []uint64 {
	b.keys = append(b.keys[:0], keys...)
	return b.keys
}

// containsEach is ContainsBatch by Contains.
func containsEach(contains func(uint64) bool, keys, in []uint64) {
	in = in[:(len(keys)+63)/64]
	for word := range slices.Chunk(keys, 64) {
		var answers uint64
		for i, key := range word {
			if contains(key) {
				answers |= 1 << i
			}
		}
		in[0], in = answers, in[1:]
	}
}
