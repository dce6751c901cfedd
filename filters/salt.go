package filters

import (
	"encoding/binary"

	"github.com/dchest/siphash"
)

// Salt selects one of 2^128 ways to turn IDs into keys. Two salts give keys
// that have nothing to do with each other.
type Salt [16]byte

// Key returns SipHash-2-4 of id under the salt, whose bytes are the two 64-bit
// words of the SipHash key, each little-endian. Aumasson and Bernstein, "SipHash:
// a fast short-input PRF", 2012.
func (s Salt) Key(id [32]byte) uint64 {
	return siphash.Hash(binary.LittleEndian.Uint64(s[:8]), binary.LittleEndian.Uint64(s[8:]), id[:])
}
