// Package summary holds the linear summaries of a set of items: its root, the count of
// its keys with their keyed fingerprint; the fingerprint tree, which has the root of every
// bucket of keys; the sketch, from which a symmetric difference is decoded; estimators
// of how large that is; and the index that finds the items of short IDs. A Set is
// all of them for one view.
//
// The package is mathematics: it reads no clock, disk or network, and starts no
// goroutine. Everything in it is additive: the summary of a disjoint union is
// the sum of the summaries, and a removal subtracts.
package summary

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// ID names an item: the 32-byte digest inside its CID.
type ID [32]byte

// Key is what all items are ordered by. Time is what the author wrote, in
// microseconds since 1970-01-01T00:00:00Z; negative times come before it.
type Key struct {
	Time int64
	ID   ID
}

// Compare orders keys by time, then by the bytes of the ID. It returns -1, 0 or +1.
func (k Key) Compare(other Key) int {
	if c := cmp.Compare(k.Time, other.Time); c != 0 {
		return c
	}
	return bytes.Compare(k.ID[:], other.ID[:])
}

// Next returns the key that follows k directly, false if k is the greatest.
func (k Key) Next() (Key, bool) {
	next, ok := pathOf(k).next()
	return next.key(), ok
}

// Previous returns the key directly before k, false if k is the smallest.
func (k Key) Previous() (Key, bool) {
	before, ok := pathOf(k).previous()
	return before.key(), ok
}

// KeysBetween returns those of keys, which ascend, from from to to, both included: a part of
// the same slice.
func KeysBetween(keys []Key, from, to Key) []Key {
	low, _ := slices.BinarySearchFunc(keys, from, Key.Compare)
	high, found := slices.BinarySearchFunc(keys, to, Key.Compare)
	if found {
		high++
	}
	return keys[low:max(low, high)]
}

// keySize is the length of a key's byte form.
const keySize = 8 + len(ID{})

// appendKey appends the byte form that fingerprints are computed over: the time
// as a 64-bit two's complement number, big-endian, then the ID.
func appendKey(dst []byte, k Key) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(k.Time))
	return append(dst, k.ID[:]...)
}
