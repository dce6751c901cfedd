package summary

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"hash"
	"math/bits"
)

// Fingerprint is an element of the integers modulo 2^256, little-endian. The
// fingerprint of a set is the sum of those of its keys, so it does not depend on
// order and the fingerprints of disjoint sets add up.
type Fingerprint [32]byte

// Add returns f + g modulo 2^256.
func (f Fingerprint) Add(g Fingerprint) Fingerprint {
	var sum Fingerprint
	var carry uint64
	for i := 0; i < len(f); i += 8 {
		var word uint64
		word, carry = bits.Add64(binary.LittleEndian.Uint64(f[i:]), binary.LittleEndian.Uint64(g[i:]), carry)
		binary.LittleEndian.PutUint64(sum[i:], word)
	}
	return sum
}

// Sub returns f - g modulo 2^256.
func (f Fingerprint) Sub(g Fingerprint) Fingerprint {
	var diff Fingerprint
	var borrow uint64
	for i := 0; i < len(f); i += 8 {
		var word uint64
		word, borrow = bits.Sub64(binary.LittleEndian.Uint64(f[i:]), binary.LittleEndian.Uint64(g[i:]), borrow)
		binary.LittleEndian.PutUint64(diff[i:], word)
	}
	return diff
}

// Root summarises a whole view. Two views whose roots under one secret are equal
// hold the same keys, but for a chance of about 2^-256: the count is exact, and
// who does not know the secret cannot choose keys whose fingerprints cancel.
type Root struct {
	Count       uint64
	Fingerprint Fingerprint
}

// Add returns the root of the disjoint union of two sets.
func (r Root) Add(s Root) Root {
	return Root{Count: r.Count + s.Count, Fingerprint: r.Fingerprint.Add(s.Fingerprint)}
}

// Sub returns the root of a set after the subset that s is the root of was taken
// out. Counts wrap modulo 2^64, so that Sub undoes Add whatever the order.
func (r Root) Sub(s Root) Root {
	return Root{Count: r.Count - s.Count, Fingerprint: r.Fingerprint.Sub(s.Fingerprint)}
}

// Hasher computes fingerprints under one secret. It is reused between keys to
// keep its state, so it is not safe for concurrent use.
//
// HMAC hashes two blocks after states that depend on the secret alone. Hasher keeps
// those, with blocks padded in advance, because crypto/hmac copies and pads anew for
// every key, a quarter of its time.
type Hasher struct {
	digest       resumable
	inner, outer lastBlock
	state        []byte // after a last block, marshalled; reused
}

// resumable is what crypto/sha256 documents its hash to be.
type resumable interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// lastBlock is the second of two blocks that are hashed.
type lastBlock struct {
	before []byte // state of the hash after the first, marshalled
	text   [sha256.BlockSize]byte
}

// NewHasher returns a Hasher for one secret. The fingerprint of a key is
// HMAC-SHA-256 (RFC 2104) of its byte form: 8 bytes of time, 32 of ID.
func NewHasher(secret [32]byte) *Hasher {
	h := &Hasher{digest: sha256.New().(resumable)}
	h.start(&h.inner, secret, 0x36, keySize)
	h.start(&h.outer, secret, 0x5c, sha256.Size)
	h.compare(secret)
	return h
}

// compare panics unless h computes HMACs. It reads a digest from a marshalled state, of
// which Go promises only that the same version reads it: an error there would make
// fingerprints that no other node has.
func (h *Hasher) compare(secret [32]byte) {
	var key Key
	mac := hmac.New(sha256.New, secret[:])
	mac.Write(appendKey(nil, key))
	if have := h.Key(key).Fingerprint; !bytes.Equal(mac.Sum(nil), have[:]) {
		panic("summary: crypto/sha256 marshals another state than is known")
	}
}

// start hashes the secret, padded to a block, and pads the block after it for a text
// of so many bytes.
func (h *Hasher) start(b *lastBlock, secret [32]byte, pad byte, size int) {
	first := bytes.Repeat([]byte{pad}, sha256.BlockSize)
	subtle.XORBytes(first, first, secret[:])
	h.digest.Reset()
	h.digest.Write(first)
	b.before = h.marshal(nil)
	b.text[size] = 0x80
	binary.BigEndian.PutUint64(b.text[sha256.BlockSize-8:], uint64(8*(sha256.BlockSize+size)))
}

// finish returns the digest of b. The next call overwrites it.
func (h *Hasher) finish(b *lastBlock) []byte {
	if err := h.digest.UnmarshalBinary(b.before); err != nil {
		panic(err) // the same hash marshalled it
	}
	h.digest.Write(b.text[:])
	h.state = h.marshal(h.state[:0])
	return h.state[stateMagic : stateMagic+sha256.Size]
}

// stateMagic is the length of what names the hash in a marshalled state, before the
// chaining value: which is the digest, after a last block.
const stateMagic = 4

func (h *Hasher) marshal(dst []byte) []byte {
	state, err := h.digest.AppendBinary(dst)
	if err != nil {
		panic(err) // SHA-256 has a state at any time
	}
	return state
}

// Key returns the root of the set that holds k alone.
func (h *Hasher) Key(k Key) Root {
	appendKey(h.inner.text[:0], k)
	copy(h.outer.text[:], h.finish(&h.inner))
	return Root{Count: 1, Fingerprint: Fingerprint(h.finish(&h.outer))}
}

// Root returns the root of a set given as keys without duplicates, in any order.
func (h *Hasher) Root(keys []Key) Root {
	var root Root
	for _, k := range keys {
		root = root.Add(h.Key(k))
	}
	return root
}

// Derive returns the secret for the view that label names. What is derived for
// one label tells nothing about the secret or about any other label's.
func Derive(secret [32]byte, label []byte) [32]byte {
	return derive(secret, "dwnsync view v1\x00", label)
}

// DeriveSalt returns the salt of the segmented filters of the view that label names.
// It is the same as long as the secret is, and tells nothing about it.
func DeriveSalt(secret [32]byte, label []byte) [16]byte {
	derived := derive(secret, "dwnsync segments v1\x00", label)
	return [16]byte(derived[:16])
}

func derive(secret [32]byte, domain string, label []byte) [32]byte {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte(domain))
	mac.Write(label)
	return [32]byte(mac.Sum(nil))
}
