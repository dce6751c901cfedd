package filters

import (
	"bytes"
	"cmp"
	"slices"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
)

// maxHistory is the number of steps over which a delta can reach back.
const maxHistory = 64

// step is what happened from one filter to the next.
type step struct {
	from    uint64          // generation of the filter before
	changed *roaring.Bitmap // slots that were built anew or emptied
}

// Filter returns the filter of the keys. It builds the segments that changed since
// the last call, and takes all others as they are; the result stays valid, and as it
// is, while s changes.
func (s *Segments) Filter() *SegmentedFilter {
	if s.marked.IsEmpty() {
		return s.last
	}
	changed := s.rebuild()
	changed.Or(roaring.And(s.marked, s.graves))
	s.marked.Clear()
	if changed.IsEmpty() {
		return s.last // keys came and went
	}
	entries := make([]entry, len(s.order))
	for i, id := range s.order {
		entries[i] = entry{s.slots[id].Prefix, s.slots[id].built}
	}
	next := newSegmentedFilter(s.bits, entries)
	s.history = append(s.history, step{s.last.generation, changed})
	s.last = next
	if len(s.history) > maxHistory {
		s.forget()
	}
	return next
}

// rebuild builds the marked segments and returns those that came out different.
func (s *Segments) rebuild() (changed *roaring.Bitmap) {
	ids := roaring.And(s.marked, s.live).ToArray()
	work := make([]pending, len(ids))
	for i, id := range ids {
		work[i] = pending{s.slots[id].Interval, s.slots[id].keys}
	}
	s.builds += len(work)
	changed = roaring.New()
	for i, built := range buildSegments(work, s.bits, s.workers, &s.builder) {
		of := &s.slots[ids[i]]
		if of.built != nil && of.built.equal(built, s.bits) {
			continue
		}
		of.built = built
		changed.Add(ids[i])
	}
	return changed
}

// equal reports whether the records of s and other, of the same interval, are the same.
func (s *segment) equal(other *segment, bits int) bool {
	return s.n == other.n && s.sum == other.sum &&
		bytes.Equal(s.appendRecord(nil, bits), other.appendRecord(nil, bits))
}

// forget drops the oldest step, and the graves that no other mentions.
func (s *Segments) forget() {
	gone := roaring.And(s.history[0].changed, s.graves)
	s.history = slices.Delete(s.history, 0, 1)
	for _, later := range s.history {
		gone.AndNot(later.changed)
	}
	s.graves.AndNot(gone)
	s.free.Or(gone)
	for _, id := range gone.ToArray() {
		s.slots[id] = slot{}
	}
}

// AppendDelta appends to dst what leads from the filter of generation since to the one
// that Filter returned last, for [SegmentedFilter.Apply]. It returns false, and dst as it
// is, if since is none of the generations that the last 64 changes started from: then
// the whole filter has to be sent. Its length is that of the segments that changed.
func (s *Segments) AppendDelta(dst []byte, since uint64) ([]byte, bool) {
	to := s.last.generation
	if since == to {
		return appendDelta(dst, s.bits, since, to, nil), true
	}
	at := len(s.history) - 1
	for at >= 0 && s.history[at].from != since {
		at--
	}
	if at < 0 {
		return dst, false
	}
	var later []*roaring.Bitmap
	for _, step := range s.history[at:] {
		later = append(later, step.changed)
	}
	return appendDelta(dst, s.bits, since, to, s.changes(roaring.FastOr(later...))), true
}

// changes returns the changes of the slots, all of which a filter had at some time
// since. It has to name, directly or by an interval that shares keys with it, each
// segment of the older filter that is gone.
//
// A grave that shares keys with a segment needs no naming: that segment was made
// later, so it is among the slots itself.
func (s *Segments) changes(slots *roaring.Bitmap) []change {
	var kept, emptied []change
	for _, id := range roaring.And(slots, s.live).ToArray() {
		kept = append(kept, change{s.slots[id].Interval, s.slots[id].built})
	}
	sortChanges(kept)
	for _, id := range roaring.And(slots, s.graves).ToArray() {
		if i := s.slots[id].Interval; !sharesKeys(kept, i) {
			emptied = append(emptied, change{i, nil})
		}
	}
	sortChanges(emptied)
	changes := kept
	var last Interval
	for i, c := range emptied {
		if i == 0 || !last.covers(c.Interval) {
			changes = append(changes, c)
			last = c.Interval
		}
	}
	sortChanges(changes)
	return changes
}

// sortChanges sorts by the first key; of intervals that begin alike the longest comes first.
func sortChanges(changes []change) {
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.Interval.Prefix, b.Interval.Prefix), cmp.Compare(a.Interval.Bits, b.Interval.Bits))
	})
}

// sharesKeys reports whether i and one of changes, which ascend and are disjoint, overlap.
func sharesKeys(changes []change, i Interval) bool {
	at := sort.Search(len(changes), func(at int) bool { return !changes[at].Interval.before(i) })
	return at < len(changes) && !i.before(changes[at].Interval)
}
