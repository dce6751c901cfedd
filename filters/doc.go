// Package filters holds approximate membership filters behind one interface: a
// node sends a filter of the items that it has, and its peer learns from it which
// items the node surely lacks.
//
// A filter knows only 64-bit keys. [Salt.Key] turns the ID of an item into one;
// a salt must be unpredictable to whoever chooses IDs, and a salt used once
// keeps a false positive from hiding the same item twice. [Build] makes a filter
// of one [Kind] from keys, [Filter.AppendTo] encodes it and [Decode] is its
// inverse, made for bytes that a stranger sent: it checks every field before it
// allocates, and what it returns answers every key in bounded time.
//
// # Choosing a kind
//
// Bits per key are those of whole encodings, measured at a thousand and at a
// million keys.
//
//	kind    rate     1000   10^6   remarks
//	Bloom   any     11.78  11.54   any rate down to 2^-24; slowest to build and to ask
//	Xor8    2^-8    10.24   9.84   its size is a function of the number of keys
//	Fuse8   2^-8    11.45   9.04   fast to build and to ask; smaller than Xor8 from 20 000 keys on
//	Fuse16  2^-16   22.71  18.09   the same with 16-bit fingerprints
//	List    any     41.70  41.63   nearly exact: 2^-40 unless told otherwise
//
// A List of rate 2^-r takes between r+1.6 and r+2.4 bits per key however few they
// are. So at equal rates it is the smallest kind below some thousand keys, and
// at 2^-16 the smallest of all; it has to be searched, though, which takes longer
// the more keys there are.
//
// # When not to use it
//
// A filter alone loses items: a false positive hides an item that the peer
// lacks, so whoever uses one needs a second step that proves the result. Where
// few items differ, a filter over all of them is the wrong tool, since its size
// grows with what exists and not with what differs. And no kind can take a key
// out again, or add one: a filter is built from a whole set.
//
// # Wire form
//
// All numbers are little-endian. Every encoding is
//
//	offset  length  meaning
//	0       2       the letters "DF"
//	2       1       version, 1
//	3       1       kind
//	4       4       n, the number of distinct keys
//	8       ...     parameters and payload of the kind; absent if n = 0
//	end-4   4       CRC-32C (Castagnoli) of everything before it
//
// The files bloom.go, xor8.go, fuse.go and list.go describe what stands between.
// An encoding that another encoding of the same filter equals in meaning is
// refused: decoding and encoding again gives the same bytes.
package filters
