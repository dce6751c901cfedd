package filters

import (
	"errors"
	"math/bits"
	"slices"
	"sort"
)

// ErrBase: a delta starts from another generation than that of the filter it is
// applied to.
var ErrBase = errors.New("filters: delta from another generation")

// MaxBucket is the highest bucket number of a segment key.
const MaxBucket = 1<<24 - 1

// SegmentKey places a salted key in a bucket, usually of time: the bucket number
// becomes the upper 24 bits, the upper 40 bits of key the rest. Buckets beyond
// MaxBucket count as MaxBucket. Of n salted keys of one bucket two give the same
// segment key with a chance of n^2/2^41.
func SegmentKey(bucket uint32, key uint64) uint64 {
	return uint64(min(bucket, MaxBucket))<<40 | key>>24
}

// SegmentedFilter is a filter of the kind [Segmented]: many small filters, each of
// the keys of one segment, so that a change costs what changed. [Segments] keeps
// one up to date, [SegmentedFilter.Apply] brings that of a peer up to date. It is
// immutable and safe for concurrent use.
//
// The set of keys is split as in a binary trie over the bits of the keys, from the
// highest down: a segment is an interval of at most 1024 keys, at least one,
// whose parent interval has more, or the interval of all keys. So the segments
// follow from the set and not from its history.
type SegmentedFilter struct {
	n          int // keys
	bits       int // the rate of every segment is 2^-bits; without segments it says nothing
	size       int // bytes of the body, positions counted as one byte each
	memory     int // bytes, at most
	generation uint64
	entries    []entry // ascending
}

// entry is a segment and, beside the pointer for the sake of searching, its first key.
type entry struct {
	first uint64
	*segment
}

// segmentKeys is the most keys of a segment. At 8 bits 512 of them give 8.27 bits per
// key of the whole filter and take a fifth more time to build, 1024 give 8.17, 2047
// give 8.12; but of twice as many twice as much has to be built, and sent, for one key.
const segmentKeys = 1024

// emptyFilter is the filter of the empty set.
func emptyFilter(kind Kind) Filter {
	if kind == Segmented {
		return &SegmentedFilter{}
	}
	return empty(kind)
}

// newSegmentedFilter takes over entries.
func newSegmentedFilter(bits int, entries []entry) *SegmentedFilter {
	f := &SegmentedFilter{bits: bits, entries: entries}
	for _, e := range entries {
		f.n += e.n
		f.size += 1 + e.recordSize()
		f.memory += e.memory(bits)
		f.generation += e.digest
	}
	return f
}

func buildSegmented(b *Builder, keys []uint64, rate float64) (Filter, error) {
	if !b.sorted {
		keys = b.sortSegmentKeys(keys)
	}
	var work []pending
	partition(keys, Interval{}, func(i Interval, keys []uint64) { work = append(work, pending{i, keys}) })
	bits := rateBits(rate)
	segments := buildSegments(work, bits, b.workers, new(segmentBuilder))
	entries := make([]entry, len(segments))
	for i, s := range segments {
		entries[i] = entry{s.Prefix, s}
	}
	return newSegmentedFilter(bits, entries), nil
}

// sortSegmentKeys returns the distinct keys in ascending order, in memory of b.
// Segment keys share their upper bits, which are not worth sorting by.
func (b *Builder) sortSegmentKeys(keys []uint64) []uint64 {
	sorted := b.copied(keys)
	var differ uint64
	for _, key := range keys {
		differ |= key ^ keys[0]
	}
	b.spare = slices.Grow(b.spare[:0], len(keys))[:len(keys)]
	sorted = radixSort(sorted, b.spare, bits.Len64(differ), b.workers)
	return slices.Compact(sorted)
}

// partition calls emit for the segments of keys, which ascend and are all keys of
// the interval, in ascending order.
func partition(keys []uint64, i Interval, emit func(Interval, []uint64)) {
	if len(keys) == 0 {
		return
	}
	if len(keys) <= segmentKeys {
		emit(i, keys)
		return
	}
	common := commonBits(keys[0], keys[len(keys)-1])
	low, high := around(keys[0], common+1), around(keys[len(keys)-1], common+1)
	middle, _ := slices.BinarySearch(keys, high.Prefix)
	partition(keys[:middle], low, emit)
	partition(keys[middle:], high, emit)
}

// Kind returns Segmented.
func (f *SegmentedFilter) Kind() Kind { return Segmented }

// Len returns the number of keys.
func (f *SegmentedFilter) Len() int { return f.n }

// Generation returns a digest of the content: the sum of digests of the segments,
// modulo 2^64. Filters of the same rate and keys have the same; that of the empty
// set is 0. It is no protection from someone who chooses the keys at will.
func (f *SegmentedFilter) Generation() uint64 { return f.generation }

// Memory returns an upper bound of the bytes of memory that f takes. Filters of which
// Apply made one from the other share most of it.
func (f *SegmentedFilter) Memory() int { return f.memory }

// Contains reports whether key may be in the set.
func (f *SegmentedFilter) Contains(key uint64) bool {
	at := f.find(key)
	return at >= 0 && f.entries[at].Contains(key) && f.entries[at].passes(key)
}

// find returns the index of the last segment that begins at key or before, -1 if
// there is none.
func (f *SegmentedFilter) find(key uint64) int {
	return sort.Search(len(f.entries), func(at int) bool { return f.entries[at].first > key }) - 1
}

// ContainsBatch asks for all keys at once; see [Filter]. Ascending keys cost no
// search for their segments, and those of one segment are asked for together.
func (f *SegmentedFilter) ContainsBatch(keys, in []uint64) {
	in = answerWords(keys, in)
	at := -1
	for i := range in {
		in[i], at = f.containsChunk(keysOf(keys, i), at)
	}
}

// containsChunk returns the answers for up to 64 keys as bits, and the segment in
// which the next key is likely to lie, being told that of the first.
func (f *SegmentedFilter) containsChunk(keys []uint64, at int) (answers uint64, next int) {
	for i := 0; i < len(keys); {
		at = f.seek(keys[i], at)
		if at < 0 || !f.entries[at].Contains(keys[i]) {
			i++
			continue
		}
		end := i + 1
		for end < len(keys) && f.entries[at].Contains(keys[end]) {
			end++
		}
		answers |= f.entries[at].passesRun(keys[i:end]) << i
		i = end
	}
	return answers, at
}

// seek is find, which it avoids where at or the segment behind it is the answer.
func (f *SegmentedFilter) seek(key uint64, at int) int {
	if at >= 0 && f.entries[at].first > key {
		return f.find(key)
	}
	for range 2 {
		if at+1 == len(f.entries) || f.entries[at+1].first > key {
			return at
		}
		at++
	}
	return f.find(key)
}

// AppendTo appends the encoding that [Decode] reads to dst.
func (f *SegmentedFilter) AppendTo(dst []byte) []byte {
	dst, start := openFrame(dst, Segmented, f.n, f.size+1)
	if f.n > 0 {
		dst = append(dst, byte(f.bits))
	}
	var p positions
	for _, e := range f.entries {
		dst = e.appendRecord(p.append(dst, e.Interval), f.bits)
	}
	return sealFrame(dst, start)
}

// Doubtful returns the segments whose keys are not exactly those of a reader: keys
// are the reader's that f let through, ascending. Count and 64-bit sum of the keys
// decide, so a segment is taken for equal by accident with a chance of 2^-64; one of
// which the reader has no key is in doubt. Keys outside all segments, which f
// did not let through, are passed over. Halves of an interval that are both
// in doubt are returned as one. O(len(keys) + segments).
func (f *SegmentedFilter) Doubtful(keys []uint64) Intervals {
	var doubtful Intervals
	for _, e := range f.entries {
		for len(keys) > 0 && keys[0] < e.first {
			keys = keys[1:]
		}
		count, sum := 0, uint64(0)
		last := e.Last()
		for count < len(keys) && keys[count] <= last {
			sum += mix(keys[count])
			count++
		}
		keys = keys[count:]
		if count != e.n || sum != e.sum {
			doubtful = doubtful.with(e.Interval)
		}
	}
	return doubtful
}
