package filters

import (
	"encoding/binary"
	"math/bits"
)

// Salt selects one of 2^128 ways to turn IDs into keys. Two salts give keys
// that have nothing to do with each other.
type Salt [16]byte

// Key returns SipHash-2-4 of id under the salt, whose bytes are the two 64-bit
// words of the SipHash key, each little-endian. Aumasson and Bernstein, "SipHash:
// a fast short-input PRF", 2012.
//
// It is written out for this one length, not taken from a library: Roaring's two
// modules and a third one for hashing exceed what a user of this package should
// have to pull in.
func (s Salt) Key(id [32]byte) uint64 {
	v := s.start()
	v = v.absorb(binary.LittleEndian.Uint64(id[0:]))
	v = v.absorb(binary.LittleEndian.Uint64(id[8:]))
	v = v.absorb(binary.LittleEndian.Uint64(id[16:]))
	v = v.absorb(binary.LittleEndian.Uint64(id[24:]))
	return v.absorb(uint64(len(id)) << 56).finish()
}

// Word returns SipHash-2-4 of the eight little-endian bytes of x under the salt: a
// keyed hash of something that is a number already.
func (s Salt) Word(x uint64) uint64 {
	return s.start().absorb(x).absorb(8 << 56).finish()
}

// sipState is what SipHash keeps between two words. It goes by value, so that it
// stays in registers.
type sipState struct{ v0, v1, v2, v3 uint64 }

func (s Salt) start() sipState {
	k0, k1 := binary.LittleEndian.Uint64(s[:8]), binary.LittleEndian.Uint64(s[8:])
	return sipState{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

func (v sipState) finish() uint64 {
	v.v2 ^= 0xff
	v = v.round().round().round().round()
	return v.v0 ^ v.v1 ^ v.v2 ^ v.v3
}

func (v sipState) absorb(word uint64) sipState {
	v.v3 ^= word
	v = v.round().round()
	v.v0 ^= word
	return v
}

func (v sipState) round() sipState {
	v.v0 += v.v1
	v.v2 += v.v3
	v.v1 = bits.RotateLeft64(v.v1, 13) ^ v.v0
	v.v3 = bits.RotateLeft64(v.v3, 16) ^ v.v2
	v.v0 = bits.RotateLeft64(v.v0, 32)
	v.v2 += v.v1
	v.v0 += v.v3
	v.v1 = bits.RotateLeft64(v.v1, 17) ^ v.v2
	v.v3 = bits.RotateLeft64(v.v3, 21) ^ v.v0
	v.v2 = bits.RotateLeft64(v.v2, 32)
	return v
}
