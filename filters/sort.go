package filters

import "slices"

// sortedDistinct returns the distinct keys in ascending order, in a slice of
// its own.
func sortedDistinct(keys []uint64) []uint64 {
	sorted := slices.Clone(keys)
	if !slices.IsSorted(sorted) {
		sorted = sortKeys(sorted)
	}
	return slices.Compact(sorted)
}

const (
	digitBits = 11
	digits    = (64 + digitBits - 1) / digitBits
	// radixFrom is the length from which on six passes beat comparing.
	radixFrom = 1 << 12
)

// sortKeys sorts keys by their digits from the lowest up, which for uniform keys
// takes a quarter of the time of comparing them. It returns keys or a slice that
// it allocated, whichever the last pass filled.
func sortKeys(keys []uint64) []uint64 {
	if len(keys) < radixFrom {
		slices.Sort(keys)
		return keys
	}
	var counts [digits][1 << digitBits]uint32
	for _, key := range keys {
		for d := range counts {
			counts[d][digit(key, d)]++
		}
	}
	from, to := keys, make([]uint64, len(keys))
	for d := range counts {
		if counts[d][digit(keys[0], d)] == uint32(len(keys)) {
			continue // all keys share this digit
		}
		scatter(to, from, &counts[d], d)
		from, to = to, from
	}
	return from
}

// scatter copies from into to, ordered by digit d and otherwise as before.
func scatter(to, from []uint64, count *[1 << digitBits]uint32, d int) {
	var next uint32
	for i, c := range count {
		count[i] = next
		next += c
	}
	for _, key := range from {
		at := &count[digit(key, d)]
		to[*at] = key
		*at++
	}
}

func digit(key uint64, d int) uint64 {
	return key >> (d * digitBits) & (1<<digitBits - 1)
}
