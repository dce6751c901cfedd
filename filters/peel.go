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
// themselves under a seed larger by the shift, which build has to add. So nothing
// of this shows on the wire.
//
// The keys that build sees are a copy, because the libraries sort what they
// find repeated keys in. If no attempt succeeds, peel returns a List of the
// keys at the given rate.
func (b *Builder) peel(keys []uint64, rate float64, build func(keys []uint64, shift uint64) (Filter, error)) (Filter, error) {
	keys = b.copied(keys)
	var shift uint64
	for range peelAttempts {
		if f, err := build(keys, shift); err == nil {
			return f, nil
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
	b.sorted = true
	return buildList(b, slices.Compact(keys), rate)
}

// nearBytes is the size of a table up to which its misses are short enough for the
// processor to overlap them by itself. Beyond, all places of a word of keys are
// computed before the first is read, which costs a fifth while a table is near
// and saves a third when it is not.
const nearBytes = 8 << 20

// places says where in a table the fingerprints of 64 keys lie, and what their xor
// has to be.
type places [64]struct{ first, second, third, print uint32 }

// answers returns, in bit i, whether the fingerprints of key i agree, for n keys.
func answers[T fingerprint](table []T, at *places, n int) (word uint64) {
	for i := range at[:n] {
		p := &at[i]
		word = shiftIn(word, T(p.print)^table[p.first]^table[p.second]^table[p.third])
	}
	return word >> (64 - n)
}

// shiftIn moves the answers of a word down by one bit and sets the highest bit if
// rest is zero.
func shiftIn[T fingerprint](word uint64, rest T) uint64 {
	return word>>1 | (uint64(rest)-1)&(1<<63)
}

// murmur64 is the finaliser of MurmurHash3, of which all three libraries make their hashes.
func murmur64(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
