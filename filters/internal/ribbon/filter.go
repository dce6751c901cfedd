package ribbon

// A Filter is a solved system. It is immutable and safe for concurrent use.
//
// The solution is stored by columns: block i holds bit j of the slots 64 i to 64 i +
// 63 in word i*bits + j, the lowest slot in the lowest bit.
type Filter struct {
	// Portable keeps the filter from using instructions that not every CPU has.
	// It exists for tests.
	Portable bool

	bits   int
	keys   []uint32 // by shard: how many keys it has
	shards []uint64 // by shard: its first slot << 8 | its attempt; then the number of slots << 8
	words  []uint64 // the solution, and a block of zeros
}

// New returns a filter of fingerprints of bits bits whose shards are yet to be placed,
// one after the other, by Place.
func New(bits, shards int) *Filter {
	return &Filter{bits: bits, keys: make([]uint32, shards), shards: make([]uint64, shards+1)}
}

// Place gives shard i its number of keys and the attempt that solved it. The shards
// before it must be placed.
func (f *Filter) Place(i, keys, attempt int) {
	f.keys[i] = uint32(keys)
	first := f.shards[i] &^ 0xff
	f.shards[i] = first | uint64(attempt)
	f.shards[i+1] = first + uint64(Slots(keys, len(f.keys), attempt))<<8
}

// MakeWords makes room for a solution of zeros once all shards are placed, and
// returns the words of all blocks, the last of which may be used in part.
func (f *Filter) MakeWords() []uint64 {
	size := words(f.Slots(), f.bits)
	if cap(f.words) < size {
		f.words = make([]uint64, size)
	}
	f.words = f.words[:size]
	clear(f.words)
	return f.Words()
}

// Words returns the words of all blocks.
func (f *Filter) Words() []uint64 { return f.words[:len(f.words)-f.bits] }

// Memory returns the number of bytes of a filter with some slots and shards.
func Memory(slots, shards, bits int) int64 {
	return 8*(int64(slots)/64+2)*int64(bits) + 12*int64(shards) + 8
}

// Bits returns the number of bits of a fingerprint.
func (f *Filter) Bits() int { return f.bits }

// Shards returns the number of shards.
func (f *Filter) Shards() int { return len(f.keys) }

// Shard returns the number of keys of shard i and the attempt that solved it.
func (f *Filter) Shard(i int) (keys, attempt int) {
	return int(f.keys[i]), int(f.shards[i] & 0xff)
}

// Slots returns the number of slots of all shards.
func (f *Filter) Slots() int { return int(f.shards[len(f.keys)] >> 8) }

// Contains reports whether the equation of key holds.
func (f *Filter) Contains(key uint64) bool {
	slot, coef, print := f.locate(key)
	low := coef << (slot & 63)
	high := coef >> 1 >> (63 - slot&63)
	block := f.words[slot>>6*uint64(f.bits):]
	here, next := block[:f.bits], block[f.bits:2*f.bits]
	for j, word := range here {
		if (parity(word&low^next[j]&high)^print)&1 != 0 {
			return false
		}
		print >>= 1
	}
	return true
}

// locate returns the equation of key over the slots of all shards, and its fingerprint.
func (f *Filter) locate(key uint64) (slot, coef, print uint64) {
	hash := mix(key)
	shard := shardOf(hash, uint64(len(f.keys)))
	entry := f.shards[shard]
	first := entry >> 8
	start, coef, print := equation(hash, entry&0xff, f.shards[shard+1]>>8-first)
	return first + start, coef, print >> (64 - f.bits)
}

// batch is the number of keys that are located before the first is looked up, so
// that the misses of the cache overlap. It is the number of bits of a word of answers.
const batch = 64

// located are the equations of a batch, ready to be evaluated.
type located struct {
	at    [batch]uint64 // the first word of the block where the coefficients begin
	low   [batch]uint64 // the coefficients within that block
	high  [batch]uint64 // those within the next
	print [batch]uint64 // the fingerprint

	touched uint64 // keeps what touch does from being nothing
}

// ContainsBatch sets bit i mod 64 of in[i/64] to the answer for keys[i], and the bits
// beyond the last key to zero.
func (f *Filter) ContainsBatch(keys, in []uint64) {
	in = in[:(len(keys)+batch-1)/batch]
	whole := len(keys) / batch
	if rest := keys[whole*batch:]; len(rest) > 0 {
		in[whole] = f.answersOfFew(rest)
	}
	if whole == 0 {
		return // without clearing what follows
	}
	var l located
	for i := range whole {
		in[i] = f.answers((*[batch]uint64)(keys[i*batch:]), batch, &l)
	}
}

// fewest is the number of keys from which a batch beats asking for one after the other,
// as measured with and without assembly, in the cache and out of it.
const fewest = 3

// answersOfFew returns the answers for less than a batch.
func (f *Filter) answersOfFew(keys []uint64) (answers uint64) {
	if len(keys) < fewest {
		for i, key := range keys {
			if f.Contains(key) {
				answers |= 1 << i
			}
		}
		return answers
	}
	var l located
	var some [batch]uint64
	return f.answers(&some, copy(some[:], keys), &l)
}

// answers returns the answers for the first count keys, at least one.
func (f *Filter) answers(keys *[batch]uint64, count int, l *located) uint64 {
	if avx512 && !f.Portable {
		return f.answers512(keys, count, l)
	}
	f.locateAll(keys[:count], l)
	f.touch(l, count)
	if f.bits == 8 {
		return f.probe8(l, count)
	}
	return f.probe(l, count)
}

// locateAll locates at most batch keys.
func (f *Filter) locateAll(keys []uint64, l *located) {
	for i, key := range keys {
		slot, coef, print := f.locate(key)
		i %= batch // which it is
		l.at[i] = slot >> 6 * uint64(f.bits)
		l.low[i] = coef << (slot & 63)
		l.high[i] = coef >> 1 >> (63 - slot&63)
		l.print[i] = print
	}
}

// touch reads a word of every block that a probe will need. The probes are too long for
// a CPU to begin the next but one while it waits for memory; these reads are not.
func (f *Filter) touch(l *located, count int) {
	for _, at := range l.at[:count] {
		l.touched += f.words[at] + f.words[at+uint64(f.bits)]
	}
}

// probe returns the answers for the first count equations.
func (f *Filter) probe(l *located, count int) (answers uint64) {
	for i, at := range l.at[:count] {
		i %= batch
		low, high := l.low[i], l.high[i]
		block := f.words[at:]
		here, next := block[:f.bits], block[f.bits:2*f.bits]
		next = next[:len(here)]
		var sums uint64
		for j, word := range here {
			sums |= parity(word&low^next[j]&high) << j
		}
		if sums == l.print[i] {
			answers |= 1 << i
		}
	}
	return answers
}

// probe8 is probe for fingerprints of 8 bits, the most common width.
func (f *Filter) probe8(l *located, count int) (answers uint64) {
	for i, at := range l.at[:count] {
		i %= batch
		low, high := l.low[i], l.high[i]
		b := (*[16]uint64)(f.words[at:])
		sums := parity(b[0]&low^b[8]&high) | parity(b[1]&low^b[9]&high)<<1 |
			parity(b[2]&low^b[10]&high)<<2 | parity(b[3]&low^b[11]&high)<<3 |
			parity(b[4]&low^b[12]&high)<<4 | parity(b[5]&low^b[13]&high)<<5 |
			parity(b[6]&low^b[14]&high)<<6 | parity(b[7]&low^b[15]&high)<<7
		answers |= (sums ^ l.print[i] - 1) >> 63 << i
	}
	return answers
}

// columns returns how many words of a block belong to group q of 8 columns.
func columns(width, q int) int { return min(8, width-8*q) }
