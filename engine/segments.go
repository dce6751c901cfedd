package engine

import (
	"fmt"
	"slices"
	"sort"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// bucketBits is the logarithm of the width of a time bucket in microseconds: 268 s.
const bucketBits = 28

// bucketOf returns the bucket of an item's time. Times before 1970 share the first
// bucket, those after 2112 the last.
func bucketOf(k Key) uint32 {
	return uint32(min(max(k.Time>>bucketBits, 0), filters.MaxBucket))
}

// segmentedBy returns what maps items to the keys of a segmented filter under a salt.
// Some 2^20 items in one bucket are likely to have two of one key among them.
func segmentedBy(hash hashFunc, salt filters.Salt) keyFunc {
	return func(k Key) uint64 { return filters.SegmentKey(bucketOf(k), hash(salt, k.ID)) }
}

// SegmentMemory is what StrategySegmented remembers of one sync for the next one of
// the same replica with the same peer: the segmented filter of the items that were
// held, so that only what has changed is computed anew, and which one the peer kept,
// so that only what has changed is sent. It takes about 60 bytes of memory per item.
// The zero value is empty. One sync at a time may use it.
type SegmentMemory struct {
	key   keyFunc // segment keys under salt
	salt  filters.Salt
	items []Key // what set is made of, ascending
	set   *filters.Segments
	kept  uint64 // the generation that the peer keeps, 0 for none
	never bool   // the peer does not read segmented filters
}

// update makes m a memory of items, which ascend, under a salt.
func (m *SegmentMemory) update(salt filters.Salt, hash hashFunc, items []Key) error {
	if m.set == nil || m.salt != salt {
		set, err := filters.NewSegments(filters.Options{})
		if err != nil {
			return err
		}
		*m = SegmentMemory{key: segmentedBy(hash, salt), salt: salt, set: set, never: m.never}
	}
	added, removed := changes(m.items, items)
	m.items = items
	m.set.Remove(m.key.of(removed)...)
	m.set.Add(m.key.of(added)...)
	// What was removed may share its key with an item that was not.
	m.set.Add(m.key.of(besides(removed, items))...)
	return nil
}

// changes returns what is only in after and what is only in before; both ascend.
func changes(before, after []Key) (added, removed []Key) {
	if len(before) == 0 {
		return after, nil
	}
	for len(before) > 0 && len(after) > 0 {
		switch c := before[0].Compare(after[0]); {
		case c == 0:
			before, after = before[1:], after[1:]
		case c < 0:
			removed, before = append(removed, before[0]), before[1:]
		default:
			added, after = append(added, after[0]), after[1:]
		}
	}
	return append(added, after...), append(removed, before...)
}

// besides returns those of items that share a bucket with one of removed; both ascend.
func besides(removed, items []Key) []Key {
	var found []Key
	for len(removed) > 0 {
		bucket := bucketOf(removed[0])
		from, to := inBucket(items, bucket)
		found = append(found, items[from:to]...)
		_, next := inBucket(removed, bucket)
		removed = removed[next:]
	}
	return found
}

// inBucket returns where the items of a bucket begin and end; items ascend.
func inBucket(items []Key, bucket uint32) (from, to int) {
	from = sort.Search(len(items), func(i int) bool { return bucketOf(items[i]) >= bucket })
	to = sort.Search(len(items), func(i int) bool { return bucketOf(items[i]) > bucket })
	return from, to
}

// digest returns the digest of the items: a delta from what the peer keeps, if one
// is wanted, there is one and it is short, or the whole.
func (m *SegmentMemory) digest(delta bool) digest {
	head := wire.Summary{Form: wire.FormSegments, Salt: m.salt}
	f := m.set.Filter()
	var changed []byte
	ok := false
	if delta && m.kept != 0 {
		changed, ok = m.set.AppendDelta(nil, m.kept)
	}
	// Most often it is not worth encoding the whole to see that it is longer.
	var whole []byte
	if !ok || len(changed) > f.Len() {
		whole = f.AppendTo(nil)
	}
	if ok && (whole == nil || len(changed) < len(whole)) {
		head.Base = m.kept
		return newDigest(head, changed)
	}
	return newDigest(head, whole)
}

// segmentAsked is a segmented filter as its reader uses it.
type segmentAsked struct {
	filter *filters.SegmentedFilter
	key    keyFunc
	salt   filters.Salt
	passed []uint64 // what the last ask let through, ascending without repetitions
}

func (s *segmentAsked) ask(items []Key) answers {
	asked := ascend(s.key.of(items))
	sorted, in := asked.ask(s.filter)
	s.passed = asked.keys[:0] // never ahead of what is read
	for i, key := range asked.keys {
		if sorted.yes(i) {
			s.passed = append(s.passed, key)
		}
	}
	s.passed = slices.Compact(s.passed)
	return in
}

// doubt returns the part that the last ask has not settled.
func (s *segmentAsked) doubt() *doubt {
	return newDoubt(s.key, s.salt, s.filter.Doubtful(s.passed))
}

// segmentsDigest returns the digest of keys, those of this round, as a segmented filter. Its
// salt is that of the secret's epoch, so that the next sync can go on from it; under
// none, nothing is remembered.
func (i *Initiator) segmentsDigest(keys []Key) (digest, error) {
	memory, salt := new(SegmentMemory), filters.Salt{}
	if secret := i.round.secret; secret != nil {
		memory, salt = i.opt.Segments, summary.DeriveSalt(secret.Key, i.round.view.Label())
	} else {
		var err error
		if salt, err = newSalt(i.opt.Random); err != nil {
			return digest{}, err
		}
	}
	if err := memory.update(salt, i.opt.hash, keys); err != nil {
		return digest{}, err
	}
	d := memory.digest(i.unkept < maxUnkept)
	i.round.segments, i.round.base = memory, d.head.Base
	return d, nil
}

// maxUnkept is how often in one sync a responder may lack what it said that it keeps,
// before it is sent nothing but whole filters.
const maxUnkept = 2

// settleSegments books which segmented filter the responder keeps now.
func (i *Initiator) settleSegments(ack wire.Ack) error {
	if i.round.segments == nil {
		if ack.Kept != 0 || ack.WantSegments {
			return fmt.Errorf("%w: ACK speaks of a segmented filter that was not sent", ErrProtocol)
		}
		return nil
	}
	i.round.segments.kept = ack.Kept
	if !ack.WantSegments {
		return nil
	}
	if i.round.base == 0 {
		return fmt.Errorf("%w: the responder lacks the base of a whole filter", ErrProtocol)
	}
	i.unkept++
	return nil
}

// distrustSegments makes the next segmented filter a whole one: something speaks for it
// that the one which the responder keeps denies an item that it is of.
func (i *Initiator) distrustSegments() { i.opt.Segments.kept = 0 }

// settleDoubt makes the next round one about part alone, the part that the last second
// half was of, if that can be enough: not where items that stay on the other side may
// lie elsewhere. Otherwise the ladder goes on with whole filters, since a segmented
// filter under the same salt would tell the same again.
func (i *Initiator) settleDoubt(part *doubt, staysThere bool) {
	if part != nil && len(part.intervals) > 0 && !staysThere && i.steps[0].kind == filters.Segmented {
		i.doubt = part
		return
	}
	i.doubt = nil
	i.leave(filters.Segmented)
}
