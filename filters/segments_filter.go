package filters

import (
	"bytes"
	"cmp"
	"maps"
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
	before  []uint64        // for each of them the digest that its segment had then; 0 if there was none
}

// Filter returns the filter of the keys. It builds the segments that changed since
// the last call, and takes all others as they are; the result stays valid, and as it
// is, while s changes.
func (s *Segments) Filter() *SegmentedFilter {
	if s.marked.IsEmpty() {
		return s.last
	}
	changes := s.rebuild()
	s.marked.Clear()
	if changes.changed.IsEmpty() {
		return s.last // keys came and went
	}
	entries := make([]entry, len(s.order))
	for i, id := range s.order {
		entries[i] = entry{s.slots[id].Prefix, s.slots[id].built}
	}
	next := newSegmentedFilter(s.bits, entries)
	s.history = append(s.history, changes)
	s.last = next
	if len(s.history) > maxHistory {
		s.forget()
	}
	return next
}

// rebuild builds the marked segments, and returns which came out different or are gone.
func (s *Segments) rebuild() step {
	ids := roaring.And(s.marked, s.live).ToArray()
	work := make([]pending, len(ids))
	for i, id := range ids {
		work[i] = pending{s.slots[id].Interval, s.slots[id].keys}
	}
	s.builds += len(work)
	before := map[uint32]uint64{}
	for i, built := range buildSegments(work, s.bits, s.workers, &s.builder) {
		of := &s.slots[ids[i]]
		if of.built != nil && of.built.equal(built, s.bits) {
			continue
		}
		before[ids[i]] = of.digest()
		of.built = built
	}
	for _, id := range roaring.And(s.marked, s.graves).ToArray() {
		before[id] = s.slots[id].digest()
		s.slots[id].built = nil
	}
	made := step{from: s.last.generation, changed: roaring.New()}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		made.changed.Add(id)
		made.before = append(made.before, before[id])
	}
	return made
}

// digest returns that of the segment of the last filter, 0 if it has none here.
func (s *slot) digest() uint64 {
	if s.built == nil {
		return 0
	}
	return s.built.digest
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
// the whole filter has to be sent. Its length is that of the segments that differ. Keys
// added or removed since that call of Filter make no difference.
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
	return appendDelta(dst, s.bits, since, to, s.changes(s.history[at:])), true
}

// changes returns what leads from the filter before steps, which go up to the last
// one, to that: the segments that only the last has, and emptied those that only the
// older has and that share keys with none of the others.
//
// Segments with the same digest count as the same, as filters of the same generation do.
func (s *Segments) changes(steps []step) []change {
	gone := map[Interval]uint64{} // the digests of those that only the older filter has
	seen := roaring.New()
	for _, step := range steps {
		for i, id := range step.changed.ToArray() {
			if seen.CheckedAdd(id) && step.before[i] != 0 {
				gone[s.slots[id].Interval] = step.before[i]
			}
		}
	}
	var changes []change
	for _, id := range roaring.And(seen, s.inLast()).ToArray() {
		c := change{s.slots[id].Interval, s.slots[id].built}
		if gone[c.Interval] == c.digest {
			delete(gone, c.Interval)
			continue
		}
		changes = append(changes, c)
	}
	sortChanges(changes)
	kept := len(changes)
	for i := range gone {
		if !sharesKeys(changes[:kept], i) {
			changes = append(changes, change{i, nil})
		}
	}
	sortChanges(changes)
	return changes
}

// inLast returns the slots of the last filter, and some that no filter had: those of
// now, and those buried since.
func (s *Segments) inLast() *roaring.Bitmap {
	return roaring.Or(s.live, roaring.And(s.graves, s.marked))
}

// sortChanges sorts changes, which are disjoint.
func sortChanges(changes []change) {
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.Interval.Prefix, b.Interval.Prefix) })
}

// sharesKeys reports whether i and one of changes, which ascend and are disjoint, overlap.
func sharesKeys(changes []change, i Interval) bool {
	at := sort.Search(len(changes), func(at int) bool { return !changes[at].Interval.before(i) })
	return at < len(changes) && !i.before(changes[at].Interval)
}
