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
// Bits per key are those of whole encodings at the default rate, measured at a
// hundred, a thousand and a million keys.
//
//	kind       rate    100   1000   10^6   remarks
//	Bloom      any   14.16  11.78  11.54   any rate down to 2^-24; slowest to build and to ask
//	Xor8       2^-8  13.84  10.24   9.84   its size is a function of the number of keys
//	Fuse8      2^-8  17.20  11.45   9.04   fast to build, and fastest to ask key by key
//	Fuse16     2^-16 32.56  22.71  18.09   the same with 16-bit fingerprints
//	List       any   42.88  41.70  41.63   nearly exact: 2^-40 unless told otherwise
//	Ribbon     2^-r   9.12   8.16   8.06   r bits per key and little more, r from 1 to 32
//	Golomb     2^-r  10.56   9.64   9.55   r + 1.54 bits; fastest to build, and to merge with ascending keys
//	Segmented  2^-r  10.16   8.26   8.17   Ribbons of up to 1024 keys each, of which those that change can be sent alone
//
// [Smallest] leaves the choice to [Build]: that is nearly always a Ribbon, the smallest
// from 1 to 4 keys on, depending on the rate; below, and at rates under 2^-32, a List. A Ribbon is the kind to send if
// bytes are what counts. Ask it with ContainsBatch: key by key it takes longer than Fuse8.
//
// A Golomb is the kind for a set that is sent once and compared once with a set that is sorted: building
// is one sort, and ContainsBatch with ascending keys is one pass over both. A single Contains takes
// longest of all, about a few hundred bits of decoding. Fuse8 is the kind to keep in memory
// and ask key by key. A List of rate 2^-r takes, at any rate whatever, r+1.54 bits per key where their
// number is a power of two and up to r+2.54 where it is a little larger; with fewer than some twenty keys
// some tenths more, and up to a byte to end with. Its 13 bytes of header and checksum come on top. At 2^-64 it is exact.
//
// A Segmented filter is for a set that changes a little and is sent again: [Segments]
// holds the set, builds only what changed, and gives a delta to a peer that has an older filter.
// Its keys are not uniform but made by [SegmentKey], as segments are by
// bucket first. [SegmentedFilter.Doubtful] names the segments in which a reader's keys are not exactly
// those of the filter.
//
// A [Builder] makes one filter after the other in the same memory. Keys that are known to
// be distinct, as salted keys of distinct IDs, need not be sorted for it: [Options].Distinct says so.
//
// # When not to use it
//
// A filter alone loses items: a false positive hides an item that the peer
// lacks, so whoever uses one needs a second step that proves the result. Where
// few items differ, a filter over all of them is the wrong tool, since its size
// grows with what exists and not with what differs. And no kind can take a key
// out again, or add one: a filter is built from a whole set, or, by [Segments],
// from those of its parts that changed.
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
// The files bloom.go, xor8.go, fuse.go, list.go, ribbon.go, golomb.go and segmented_wire.go
// describe what stands between; segmented_delta.go and intervals.go describe the encodings that
// are no filters. An encoding that another encoding of the same filter equals in
// meaning is refused: decoding and encoding again gives the same bytes, on every
// platform.
package filters
