//go:build !purego

package ribbon

// avx512 says whether this CPU, and the system it runs under, have AVX-512 with F, DQ,
// BW and VPOPCNTDQ, and POPCNT: all that the assembly uses. It is found out once, as asking can take microseconds in a
// virtual machine, and never written again.
var avx512 = detect()

func detect() bool {
	const (
		need1  = 1<<23 | 1<<27         // leaf 1, ECX: POPCNT, OSXSAVE
		states = 0xe6                  // XCR0: SSE, AVX, masks and both parts of ZMM
		needB  = 1<<16 | 1<<17 | 1<<30 // leaf 7, EBX: F, DQ, BW
		needC  = 1 << 14               // leaf 7, ECX: VPOPCNTDQ
	)
	if leaves, _, _ := cpuid(0); leaves < 7 {
		return false
	}
	if _, _, c := cpuid(1); c&need1 != need1 || xgetbv()&states != states {
		return false
	}
	_, b, c := cpuid(7)
	return b&needB == needB && c&needC != 0
}

// cpuid executes CPUID for a leaf, subleaf 0.
func cpuid(leaf uint32) (a, b, c uint32)

// xgetbv returns the lower half of XCR0.
func xgetbv() uint32

// maxSlots512 is the size of the shards that eliminate512 solves: a row's link has 16
// bits. It bounds how long any call of assembly takes too, in which the runtime cannot
// stop a goroutine.
const maxSlots512 = 1 << 14

// blockSlots is the number of slots that eliminate512 handles at a time.
const blockSlots = 8

// row is an equation in the form of eliminate512: bit i of its 72 coefficients stands
// for slot 8k+i, with k the block that it begins in.
type row struct {
	low  uint64 // coefficients 0..63
	high uint64 // coefficients 64..71; from bit 8 the fingerprint; from bit 48 the index of the next row of the block
}

// solve512 is solve by eliminate512. It is not sure if so many equations are open at
// once that eliminate512 lost one.
func (s *system) solve512(hashes []uint64, slots, attempt, width int) (solved, sure bool) {
	blocks := (slots + blockSlots - 1) / blockSlots
	s.rows = grown(s.rows, len(hashes)+1)
	s.heads = grown(s.heads, blocks)
	s.pivots = grown(s.pivots, blocks*blockSlots)
	clear(s.heads)
	s.derive(hashes, slots, attempt, width)
	var contradiction, lost bool
	if width <= 8 {
		contradiction, lost = eliminate512x8(&s.rows[0], &s.heads[0], blocks, &s.pivots[0], &s.coefs[0], &s.prints[0])
	} else {
		contradiction, lost = eliminate512x32(&s.rows[0], &s.heads[0], blocks, &s.pivots[0], &s.coefs[0], &s.prints[0])
	}
	return !contradiction, contradiction || !lost
}

// derive makes rows of the equations, linked by the block in which they begin.
func (s *system) derive(hashes []uint64, slots, attempt, width int) {
	rows, heads := s.rows[1:], s.heads
	eights := len(hashes) / 8
	s.blocks = grown(s.blocks, len(hashes))
	if eights > 0 {
		factor := startFactor + uint64(attempt)*attemptFactor
		derive512(&hashes[0], eights, &rows[0], &s.blocks[0], factor, slots, width)
	}
	for i := 8 * eights; i < len(hashes); i++ {
		start, coef, print := equation(hashes[i], uint64(attempt), uint64(slots))
		in := start % blockSlots
		rows[i] = row{coef << in, coef>>1>>(63-in) | print>>(64-width)<<8 | in<<40}
		s.blocks[i] = uint32(start / blockSlots)
	}
	for i, block := range s.blocks {
		head := &heads[block]
		rows[i].high |= uint64(*head) << 48
		*head = *head&^0xffff + 1<<16 | uint32(i+1)
	}
}

// derive512 makes rows of 8*eights equations of an attempt, whose factor of the hashes
// is given, and notes their blocks. It leaves the links zero.
//
//go:noescape
func derive512(hashes *uint64, eights int, rows *row, blocks *uint32, factor uint64, slots, width int)

// eliminate512x8 solves a shard of blocks blocks for fingerprints of at most 8 bits.
// It keeps up to 64 open equations as columns: bit i of the word of a slot is the
// coefficient of equation i. An equation takes the lowest free bit when the block in
// which it begins is reached. A slot gets the equation of the lowest bit of its word,
// which is then added to the others of that word. It leaves the result in the first
// 8*blocks elements of coefs and of prints.
//
// It reports a contradiction among the equations that it saw, and whether it lost some
// as there was no free bit.
//
//go:noescape
func eliminate512x8(rows *row, heads *uint32, blocks int, pivots *row, coefs *uint64, prints *uint32) (contradiction, lost bool)

// eliminate512x32 is eliminate512x8 for fingerprints of at most 32 bits.
//
//go:noescape
func eliminate512x32(rows *row, heads *uint32, blocks int, pivots *row, coefs *uint64, prints *uint32) (contradiction, lost bool)

// substitute512 is substitute, in pieces from the last slot down.
func (s *system) substitute512(state *[8]uint64, words []uint64, first, slots, width, q int) {
	mask := uint64(1)<<columns(width, q) - 1
	for slots > 0 {
		from := (slots - 1) &^ (maxSlots512 - 1)
		substitute512(&s.coefs[from], &s.prints[from], slots-from, first+from, state, &words[8*q], width, q, mask)
		slots = from
	}
}

//go:noescape
func substitute512(coefs *uint64, prints *uint32, slots, first int, state *[8]uint64, words *uint64, width, q int, mask uint64)

// answers512 is answers, with room for batch keys where keys are.
func (f *Filter) answers512(keys *[batch]uint64, count int, l *located) uint64 {
	locate512(keys, (count+7)/8, l, &f.shards[0], len(f.keys), f.bits)
	mask := uint64(1)<<columns(f.bits, (f.bits-1)/8) - 1
	return probe512(&f.words[0], l, count, f.bits, mask)
}

// locate512 is locateAll of the first 8*eights keys, for a filter of shards shards.
//
//go:noescape
func locate512(keys *[batch]uint64, eights int, l *located, entries *uint64, shards, width int)

// probe512 is probe of the first count equations, 1 to batch. Of the last 8 or fewer
// columns mask tells which there are.
//
//go:noescape
func probe512(words *uint64, l *located, count, width int, mask uint64) uint64
