package filters

import (
	"math/bits"
	"slices"
	"sync"
)

// sortDistinct returns the distinct keys in ascending order, in memory of b. Keys
// that ascend already cost a copy.
func (b *Builder) sortDistinct(keys []uint64) []uint64 {
	sorted := b.copied(keys)
	if !slices.IsSorted(sorted) {
		b.spare = slices.Grow(b.spare[:0], len(keys))[:len(keys)]
		if sorted = radixSort(sorted, b.spare, 64, b.workers); &sorted[0] != &b.keys[0] {
			b.keys, b.spare = b.spare, b.keys
		}
	}
	return slices.Compact(sorted)
}

// place is what a radix sort sorts.
type place interface{ uint32 | uint64 }

const (
	// radixFrom is the length from which on counting digits beats comparing.
	radixFrom = 1 << 9
	// maxDigit is the most bits of a digit: more make no pass shorter.
	maxDigit = 11
	// shareFrom is the number of places that makes another goroutine worth its start.
	shareFrom = 1 << 16
	// maxShares is the most goroutines of a sort: each has counters of 8 KB.
	maxShares = 64
)

// radixSort sorts places that agree in all but their low width bits, with at most
// the given number of goroutines, and returns them in from or in scratch, of the
// same length, whichever the last pass filled. The other one is garbage.
//
// The upper of these bits, four more than it takes to number the places, are sorted
// by digits from the lowest up. That puts uniform places in order but for a few
// neighbours, which are exchanged. Places that are not uniform show as too many
// exchanges, and are sorted by all digits.
func radixSort[T place](from, scratch []T, width, workers int) []T {
	if len(from) < radixFrom {
		slices.Sort(from)
		return from
	}
	top := min(width, bits.Len(uint(len(from)))+4)
	from, scratch = sortDigits(from, scratch, width-top, width, workers)
	if top < width && !exchange(from) {
		from, _ = sortDigits(from, scratch, 0, width, workers)
	}
	return from
}

// exchange sorts places by insertion, and gives up with false once that takes
// more moves than there are places.
func exchange[T place](places []T) bool {
	budget := len(places)
	for i := 1; i < len(places); i++ {
		place, at := places[i], i
		for ; at > 0 && places[at-1] > place; at-- {
			places[at] = places[at-1]
			budget--
		}
		places[at] = place
		if budget < 0 {
			return false
		}
	}
	return true
}

// sortDigits sorts places by their bits from low up to high, not included, and
// otherwise leaves their order as it is. It returns the sorted places and the
// other slice.
func sortDigits[T place](from, to []T, low, high, workers int) (sorted, other []T) {
	workers = max(1, min(workers, len(from)/shareFrom, maxShares))
	for passes := (high - low + maxDigit - 1) / maxDigit; passes > 0; passes-- {
		width := (high - low + passes - 1) / passes
		if workers == 1 {
			scatter(to, from, low, width)
		} else {
			scatterShared(to, from, low, width, workers)
		}
		from, to = to, from
		low += width
	}
	return from, to
}

// scatter copies from into to, ordered by the digit of width bits from low on and
// otherwise as before.
func scatter[T place](to, from []T, low, width int) {
	var shares [1]digits
	countDigits(&shares[0], from, low, width)
	startDigits(shares[:])
	moveByDigit(to, from, &shares[0], low, width)
}

// scatterShared is scatter with a goroutine for each of equal shares of the places.
func scatterShared[T place](to, from []T, low, width, workers int) {
	shares := make([]digits, workers)
	start := func(i int) int { return shareStart(i, workers, len(from)) }
	each := func(work func(share []T, next *digits)) {
		var group sync.WaitGroup
		for i := range shares {
			share := from[start(i):start(i+1)]
			group.Go(func() { work(share, &shares[i]) })
		}
		group.Wait()
	}
	each(func(share []T, next *digits) { countDigits(next, share, low, width) })
	startDigits(shares)
	each(func(share []T, next *digits) { moveByDigit(to, share, next, low, width) })
}

// shareStart returns where share i of so many of n places starts.
func shareStart(i, shares, n int) int { return int(uint64(i) * uint64(n) / uint64(shares)) }

// digits holds for each digit first how many places have it, then where the next
// one of them goes.
type digits [1 << maxDigit]uint32

func digitOf[T place](place T, low, width int) uint64 {
	return uint64(place) >> (low & 63) & (1<<(width&63) - 1) % (1 << maxDigit)
}

func countDigits[T place](counts *digits, places []T, low, width int) {
	for _, place := range places {
		counts[digitOf(place, low, width)]++
	}
}

// startDigits turns counts into positions: the digits follow each other, and the
// shares within each digit.
func startDigits(shares []digits) {
	var at uint32
	for digit := range len(digits{}) {
		for i := range shares {
			at, shares[i][digit] = at+shares[i][digit], at
		}
	}
}

func moveByDigit[T place](to, from []T, next *digits, low, width int) {
	for _, place := range from {
		at := &next[digitOf(place, low, width)]
		to[*at] = place
		*at++
	}
}
