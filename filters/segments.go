package filters

import (
	"slices"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
)

// Segments is a set of segment keys that changes, with its [SegmentedFilter] kept
// up to date: adding or removing a key marks its segment, and Filter builds the
// marked ones only. It holds the keys, 8 bytes each and up to twice as much where they
// come and go one by one (10 to 11 if uniform keys come only), some 60 bytes for each
// segment, of now and of the last 64 filters, and the last filter. It must not be used by
// two goroutines at once.
//
// More than 2^28 keys give a filter that no peer decodes.
type Segments struct {
	bits    int
	workers int
	n       int

	// A slot is a segment, or the grave of one: a segment that is gone, but of
	// which a peer may know that asks for a delta.
	slots  []slot
	order  []uint32        // the slots of the segments, ascending by interval
	live   *roaring.Bitmap // slots of segments
	graves *roaring.Bitmap // slots of segments that are gone
	free   *roaring.Bitmap // all others
	marked *roaring.Bitmap // slots that changed since the last filter, graves too

	history []step // the last ones
	last    *SegmentedFilter
	builder segmentBuilder
	builds  int // segments built, ever
}

// slot is a segment of Segments.
type slot struct {
	Interval
	keys  []uint64 // ascending; none in a grave
	built *segment // of the last filter; nil if it has none here
}

// NewSegments returns an empty set whose filters have the rate that opt asks for,
// 2^-8 by default and 2^-32 at least; a rate between two powers of two is rounded down.
// opt.Workers bounds the goroutines of Filter; opt.Distinct does not matter. It returns
// ErrRate as Build does.
func NewSegments(opt Options) (*Segments, error) {
	of, _ := schemeOf(Segmented)
	rate, err := opt.rate(of)
	if err != nil {
		return nil, err
	}
	return &Segments{
		bits: rateBits(rate), workers: opt.Workers,
		live: roaring.New(), graves: roaring.New(), free: roaring.New(), marked: roaring.New(),
		last: &SegmentedFilter{},
	}, nil
}

// Len returns the number of keys.
func (s *Segments) Len() int { return s.n }

// Add adds keys, which may repeat, come in any order and be in the set already, and
// returns how many were new. It neither changes nor keeps the slice. One key costs
// O(log n), and moving at most the 1024 keys of its segment; where that is split, or made,
// also 4 bytes for each segment behind it. Many at once are sorted and handed out
// segment by segment.
func (s *Segments) Add(keys ...uint64) int {
	keys = s.ascending(keys)
	before := s.n
	var e edits
	for len(keys) > 0 {
		at := s.find(keys[0])
		if at < 0 || !s.at(at).Contains(keys[0]) {
			keys = s.addVacant(&e, at, keys)
			continue
		}
		group, rest := cut(keys, s.at(at).Last())
		s.addTo(&e, at, group)
		keys = rest
	}
	s.apply(e)
	return s.n - before
}

// ascending returns the distinct keys in ascending order; the slice itself if they are.
func (s *Segments) ascending(keys []uint64) []uint64 {
	for i := 1; i < len(keys); i++ {
		if keys[i-1] >= keys[i] {
			b := Builder{workers: s.workers} // not one to keep: many keys at once are rare
			return b.sortSegmentKeys(keys)
		}
	}
	return keys
}

// cut splits keys, which ascend, behind last.
func cut(keys []uint64, last uint64) (up, beyond []uint64) {
	n, found := slices.BinarySearch(keys, last)
	if found {
		n++
	}
	return keys[:n], keys[n:]
}

// find returns the index in s.order of the last segment that begins at key or
// before, -1 if there is none.
func (s *Segments) find(key uint64) int {
	return sort.Search(len(s.order), func(at int) bool { return s.at(at).Prefix > key }) - 1
}

func (s *Segments) at(at int) *slot { return &s.slots[s.order[at]] }

// addTo adds keys, all of its interval, to the segment at an index of s.order.
func (s *Segments) addTo(e *edits, at int, keys []uint64) {
	id := s.order[at]
	old := s.slots[id]
	merged := union(old.keys, keys)
	if len(merged) == len(old.keys) {
		return
	}
	s.n += len(merged) - len(old.keys)
	if len(merged) <= segmentKeys {
		s.slots[id].keys = merged
		s.marked.Add(id)
		return
	}
	e.replace(at, 1, s.settle(merged, old.Interval))
}

// addVacant adds the first keys to segments of their own, being in none; at is the
// index of the last segment before them. It returns the other keys.
//
// The new segment hangs from the lowest node of the trie that was split, and so
// from the one that the keys share with the nearest segment: all nodes above a
// segment are split, and no other. Those that this call of Add made before need not
// be looked at, for no node was split but within segments.
func (s *Segments) addVacant(e *edits, at int, keys []uint64) (rest []uint64) {
	bits := 0
	if at >= 0 {
		bits = commonBits(keys[0], s.at(at).Prefix) + 1
	}
	if at+1 < len(s.order) {
		bits = max(bits, commonBits(keys[0], s.at(at+1).Prefix)+1)
	}
	interval := around(keys[0], bits)
	group, rest := cut(keys, interval.Last())
	s.n += len(group)
	e.replace(at+1, 0, s.settle(group, interval))
	return rest
}

// settle puts keys, all of an interval that is vacant, into new segments and returns their slots.
func (s *Segments) settle(keys []uint64, i Interval) (ids []uint32) {
	partition(keys, i, func(i Interval, keys []uint64) {
		ids = append(ids, s.newSlot(slot{Interval: i, keys: slices.Clone(keys)}))
	})
	return ids
}

func (s *Segments) newSlot(of slot) (id uint32) {
	if s.free.IsEmpty() {
		id = uint32(len(s.slots))
		s.slots = append(s.slots, of)
	} else {
		id = s.free.Minimum()
		s.free.Remove(id)
		s.slots[id] = of
	}
	s.live.Add(id)
	s.marked.Add(id)
	return id
}

// bury takes the slot of a segment that s.order no longer has.
func (s *Segments) bury(id uint32) {
	s.live.Remove(id)
	s.slots[id].keys = nil
	if s.slots[id].built == nil { // no filter ever had it
		s.marked.Remove(id)
		s.free.Add(id)
		return
	}
	s.marked.Add(id)
	s.graves.Add(id)
}

// Remove takes keys out of the set, which may repeat, come in any order and not be
// in it, and returns how many were. It neither changes nor keeps the slice. The costs
// are those of Add.
func (s *Segments) Remove(keys ...uint64) int {
	keys = s.ascending(keys)
	before := s.n
	var touched []int
	for len(keys) > 0 {
		at := s.find(keys[0])
		if at < 0 || !s.at(at).Contains(keys[0]) {
			keys = keys[1:]
			continue
		}
		var group []uint64
		group, keys = cut(keys, s.at(at).Last())
		if s.removeFrom(at, group) {
			touched = append(touched, at)
		}
	}
	s.merge(touched)
	return before - s.n
}

// removeFrom removes keys from the segment at an index of s.order, and reports whether any was there.
func (s *Segments) removeFrom(at int, keys []uint64) bool {
	id := s.order[at]
	old := s.slots[id].keys
	left := difference(old, keys)
	if len(left) == len(old) {
		return false
	}
	s.n -= len(old) - len(left)
	if len(left) < cap(left)/2 {
		left = slices.Clone(left)
	}
	s.slots[id].keys = left
	s.marked.Add(id)
	return true
}

// merge makes segments again of what removing keys left behind: touched are the
// indices in s.order, ascending, of the segments that lost keys.
func (s *Segments) merge(touched []int) {
	var e edits
	for done := 0; len(touched) > 0; touched = touched[1:] {
		if touched[0] < done {
			continue // part of the segment before
		}
		i, from, to := s.highest(touched[0])
		done = to
		if to-from == 1 && i == s.at(from).Interval && len(s.at(from).keys) > 0 {
			continue
		}
		var keys []uint64
		for _, id := range s.order[from:to] {
			keys = append(keys, s.slots[id].keys...)
		}
		e.replace(from, to-from, s.settle(keys, i))
	}
	s.apply(e)
}

// highest returns the largest interval around the segment at an index of s.order
// that has at most segmentKeys keys, and which part of s.order lies in it.
// O(64 + segmentKeys), for each segment has a key, but for those just emptied.
func (s *Segments) highest(at int) (i Interval, from, to int) {
	i, from, to = s.at(at).Interval, at, at+1
	keys := len(s.at(at).keys)
	for i.Bits > 0 {
		parent, low, high := i.parent(), from, to
		for low > 0 && keys <= segmentKeys && parent.covers(s.at(low-1).Interval) {
			low--
			keys += len(s.at(low).keys)
		}
		for high < len(s.order) && keys <= segmentKeys && parent.covers(s.at(high).Interval) {
			keys += len(s.at(high).keys)
			high++
		}
		if keys > segmentKeys {
			break
		}
		i, from, to = parent, low, high
	}
	return i, from, to
}

// edits are replacements of parts of a slice, ascending and disjoint.
type edits []edit

type edit struct {
	at, gone int
	ids      []uint32
}

func (e *edits) replace(at, gone int, ids []uint32) {
	*e = append(*e, edit{at, gone, ids})
}

// apply makes the edits of s.order. Only then are the slots taken out free for others.
func (s *Segments) apply(e edits) {
	for _, one := range e {
		for _, id := range s.order[one.at : one.at+one.gone] {
			s.bury(id)
		}
	}
	switch len(e) {
	case 0:
	case 1: // the frequent case, in place
		s.order = slices.Replace(s.order, e[0].at, e[0].at+e[0].gone, e[0].ids...)
	default:
		var order []uint32
		done := 0
		for _, one := range e {
			order = append(append(order, s.order[done:one.at]...), one.ids...)
			done = one.at + one.gone
		}
		s.order = append(order, s.order[done:]...)
	}
}

// union returns the keys of a and b, both ascending; in the memory of a if b is
// one key.
func union(a, b []uint64) []uint64 {
	if len(b) == 1 {
		at, found := slices.BinarySearch(a, b[0])
		if found {
			return a
		}
		return slices.Insert(a, at, b[0])
	}
	merged := make([]uint64, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if b[0] < a[0] {
			a, b = b, a
		}
		if a[0] == b[0] {
			b = b[1:]
		}
		merged = append(merged, a[0])
		a = a[1:]
	}
	return append(append(merged, a...), b...)
}

// difference returns the keys of a that are not in b, in the memory of a; both ascend.
func difference(a, b []uint64) []uint64 {
	left := a[:0]
	for _, key := range a {
		for len(b) > 0 && b[0] < key {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != key {
			left = append(left, key)
		}
	}
	return left
}
