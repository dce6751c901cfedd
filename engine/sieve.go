package engine

import (
	"bytes"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/filters"
)

// answers has one bit for each key of a list that was asked about.
type answers []uint64

func newAnswers(n int) answers { return make(answers, (n+63)/64) }

func (a answers) yes(i int) bool { return a[i/64]>>(i%64)&1 == 1 }
func (a answers) set(i int)      { a[i/64] |= 1 << (i % 64) }
func (a answers) unset(i int)    { a[i/64] &^= 1 << (i % 64) }

// sieve is a digest as its reader uses it.
type sieve struct {
	kind   filters.Kind // what the digest is made of: plainIDs or a filter's kind
	size   int          // keys of the filter
	asked  asked
	within *doubt // the part that the digest is of, nil for all: what is outside passes
	// Of a list of IDs that is of a part: the buckets. It is asked for nothing else.
	part    bool
	buckets []summary.Bucket
}

// asked tells which of keys may be in the set that a digest was made of: never no
// to one that is.
type asked interface {
	ask(keys []Key) answers
}

// pass tells which of keys the digest does not exclude.
func (s sieve) pass(keys []Key) answers {
	if s.within == nil {
		return s.asked.ask(keys)
	}
	inside, places := s.within.of(keys)
	in := newAnswers(len(keys))
	for i := range in {
		in[i] = ^uint64(0)
	}
	passed := s.asked.ask(inside)
	for i, place := range places {
		if !passed.yes(i) {
			in.unset(place)
		}
	}
	return in
}

// divide returns the keys that do not pass, and those that do. As a rule all do.
func (s sieve) divide(keys []Key) (rejected, passed []Key) {
	in := s.pass(keys)
	passed = make([]Key, 0, len(keys))
	for i, k := range keys {
		if in.yes(i) {
			passed = append(passed, k)
		} else {
			rejected = append(rejected, k)
		}
	}
	return rejected, passed
}

// rejected returns the keys that do not pass: certainly not in the set. It is a loop of its
// own because divide would make a list of the others, 40 bytes each, for nobody.
func (s sieve) rejected(keys []Key) []Key {
	in := s.pass(keys)
	var rejected []Key
	for i, k := range keys {
		if !in.yes(i) {
			rejected = append(rejected, k)
		}
	}
	return rejected
}

// keyFunc maps an item to the key that a filter holds of it.
type keyFunc func(Key) uint64

func saltedBy(hash hashFunc, salt filters.Salt) keyFunc {
	return func(k Key) uint64 { return hash(salt, k.ID) }
}

// of returns the filter's keys of items.
func (f keyFunc) of(items []Key) []uint64 {
	keys := make([]uint64, len(items))
	for i, k := range items {
		keys[i] = f(k)
	}
	return keys
}

// filterAsked is a filter, and how its keys come from items.
type filterAsked struct {
	filter filters.Filter
	key    keyFunc
}

// ask asks a sorted list that has to be decoded to be searched for ascending keys:
// one pass over both takes half the time of searching, also with what the sorting takes.
func (f filterAsked) ask(items []Key) answers {
	keys := f.key.of(items)
	if f.filter.Kind() == filters.Golomb {
		_, in := ascend(keys).ask(f.filter)
		return in
	}
	in := newAnswers(len(keys))
	f.filter.ContainsBatch(keys, in)
	return in
}

// ask returns the answers of f, in the order of a and in the one that the keys had
// before they were sorted.
func (a ascending) ask(f filters.Filter) (sorted, in answers) {
	sorted, in = newAnswers(len(a.keys)), newAnswers(len(a.keys))
	f.ContainsBatch(a.keys, sorted)
	for i, place := range a.places {
		if sorted.yes(i) {
			in.set(int(place))
		}
	}
	return sorted, in
}

// idsAsked are the IDs of a set, 32 bytes each, strictly ascending.
type idsAsked []byte

func (ids idsAsked) ask(keys []Key) answers {
	in := newAnswers(len(keys))
	for i, k := range keys {
		if ids.contains(k.ID) {
			in.set(i)
		}
	}
	return in
}

func (ids idsAsked) contains(id ID) bool {
	const size = len(ID{})
	lo, hi := 0, len(ids)/size
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := bytes.Compare(ids[mid*size:(mid+1)*size], id[:]); {
		case c == 0:
			return true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return false
}
