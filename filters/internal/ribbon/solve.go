package ribbon

import "math/bits"

// system is a shard while it is being solved, and the memory for the next one.
type system struct {
	coefs  []uint64 // by slot: the coefficients of its equation, bit 0 the slot's own; 0 if it has none
	prints []uint32 // by slot: the fingerprint of that equation
	rows   []row    // eliminate512's equations, from rows[1] on
	blocks []uint32 // by row, less one: the block it begins in
	heads  []uint32 // eliminate512's blocks: how many rows begin in one << 16 | the index of the first
	pivots []row    // eliminate512's scratch
}

// grow makes room for a shard of some slots.
func (s *system) grow(slots int) {
	slots = (slots + 7) &^ 7
	if len(s.coefs) < slots {
		s.coefs = make([]uint64, slots+slots/4)
		s.prints = make([]uint32, slots+slots/4)
	}
}

// solve brings the equations of a shard into echelon form: at most one begins in each
// slot. It reports whether they contradict each other nowhere. The form is not unique,
// but which slots have an equation and what follows from all of them are.
func (s *system) solve(hashes []uint64, slots, attempt, width int, portable bool) bool {
	s.grow(slots)
	if avx512 && !portable && slots <= maxSlots512 {
		if solved, sure := s.solve512(hashes, slots, attempt, width); sure {
			return solved
		}
	}
	return s.eliminate(hashes, slots, attempt, width)
}

// eliminate inserts equation after equation: where the slot that one begins in has an
// equation already, their sum begins further right. Dillinger and Walzer, "Ribbon
// filter: practically smaller than Bloom and Xor", arXiv 2103.02515, §2.
func (s *system) eliminate(hashes []uint64, slots, attempt, width int) bool {
	coefs, prints := s.coefs[:slots], s.prints[:slots]
	prints = prints[:len(coefs)]
	clear(coefs)
	for _, hash := range hashes {
		slot, coef, x := equation(hash, uint64(attempt), uint64(slots))
		print := uint32(x >> (64 - width))
		for coef != 0 {
			zeros := uint64(bits.TrailingZeros64(coef))
			coef >>= zeros & 63
			slot += zeros
			other := coefs[slot]
			if other == 0 {
				coefs[slot], prints[slot] = coef, print
				print = 0
				break
			}
			coef ^= other
			print ^= prints[slot]
		}
		if print != 0 {
			return false // 0 = 1
		}
	}
	return true
}

// substitute finds the bits of 8 columns of the solution, from the last slot of a
// solved shard down to the first. Bit 0 of state[j] is column j of the slot above the
// last, bit 1 that of the slot above it, and so on; it becomes the same of the first
// slot. The first column is bit 8q of a fingerprint. A slot without an equation gets 0.
//
// Whenever the slot, first + its number in the shard, is a multiple of 64, a block is
// complete and goes to words.
func (s *system) substitute(state *[8]uint64, words []uint64, first, slots, width, q int) {
	coefs, prints := s.coefs[:slots], s.prints[:slots]
	s0, s1, s2, s3, s4, s5, s6, s7 := state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
	for i := len(coefs) - 1; i >= 0; i-- {
		c := coefs[i]
		x := uint64(0)
		if c != 0 {
			x = uint64(prints[i]) >> (8 * q)
		}
		s0 = s0<<1 | (parity(s0<<1&c)^x)&1
		s1 = s1<<1 | (parity(s1<<1&c)^x>>1)&1
		s2 = s2<<1 | (parity(s2<<1&c)^x>>2)&1
		s3 = s3<<1 | (parity(s3<<1&c)^x>>3)&1
		s4 = s4<<1 | (parity(s4<<1&c)^x>>4)&1
		s5 = s5<<1 | (parity(s5<<1&c)^x>>5)&1
		s6 = s6<<1 | (parity(s6<<1&c)^x>>6)&1
		s7 = s7<<1 | (parity(s7<<1&c)^x>>7)&1
		if slot := first + i; slot&63 == 0 {
			block := [8]uint64{s0, s1, s2, s3, s4, s5, s6, s7}
			copy(words[slot>>6*width+8*q:], block[:columns(width, q)])
		}
	}
	*state = [8]uint64{s0, s1, s2, s3, s4, s5, s6, s7}
}
