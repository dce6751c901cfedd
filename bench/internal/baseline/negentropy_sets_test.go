package baseline

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// splitMix is the generator of Steele, Lea and Flood, 'Fast Splittable Pseudorandom
// Number Generators', 2014: the same numbers on every platform.
type splitMix uint64

func (s *splitMix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *splitMix) below(n int) int { return int(s.next() % uint64(n)) }

// setPair names two sets of keys. n counts the keys of both together but for d of them,
// which one side only holds.
type setPair struct {
	keys  string // how times and IDs lie: see key
	split string // who holds what: see holders
	n, d  int
}

func (p setPair) String() string {
	return fmt.Sprintf("keys=%s/split=%s/n=%d/d=%d", p.keys, p.split, p.n, p.d)
}

// Two years from 2024-01-01 in milliseconds.
const (
	firstMilli = 1704067200000
	milliSpan  = 2 * 365 * 24 * 3600 * 1000
)

// key returns the key of index i.
func (p setPair) key(random *splitMix, i int) summary.Key {
	k := summary.Key{ID: sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))}
	switch p.keys {
	case "spread":
		k.Time = firstMilli + int64(random.next()%milliSpan)
	case "duplicates": // ten keys or so share each time
		k.Time = firstMilli + int64(random.next()%uint64(p.n/10+1))
	case "instant": // one time; prefixes of one or two bytes separate
		k.Time = firstMilli
	case "counted": // one time, and IDs that agree in all but their last bytes
		k.Time, k.ID = 0, summary.ID{31: byte(i), 30: byte(i >> 8), 29: byte(i >> 16)}
	case "carries": // IDs whose sum carries through all words, times of any length
		k.Time = int64(random.next() & math.MaxInt64 >> (random.next() % 63))
		for b := range 24 {
			k.ID[b] = 0xff
		}
	default:
		panic(p.keys)
	}
	return k
}

// sides returns the keys of the initiator and of the responder, ascending.
func (p setPair) sides() (here, there []summary.Key) {
	random := splitMix(uint64(len(p.keys))<<32 | uint64(p.n))
	union := make([]summary.Key, p.n+p.d)
	for i := range union {
		union[i] = p.key(&random, i)
	}
	slices.SortFunc(union, summary.Key.Compare)
	missing := make(map[int]bool, p.d) // of union
	for i := p.n; p.split == "newest" && i < len(union); i++ {
		missing[i] = true
	}
	for p.split == "scattered" && len(missing) < p.d {
		missing[random.below(len(union))] = true
	}
	for i, k := range union {
		if inHere, inThere := p.holders(&random, i, missing[i]); true {
			if inHere {
				here = append(here, k)
			}
			if inThere {
				there = append(there, k)
			}
		}
	}
	return here, there
}

// holders returns who holds the key of rank i of the union.
func (p setPair) holders(random *splitMix, i int, missing bool) (here, there bool) {
	switch p.split {
	case "equal":
		return true, true
	case "newest", "scattered":
		side := random.next()&1 == 0
		return !missing || side, !missing || !side
	case "disjoint":
		side := random.next()&1 == 0
		return side, !side
	case "empty-here":
		return false, true
	case "empty-there":
		return true, false
	}
	panic(p.split)
}

// mixedPairs returns the pairs that the original was run over.
func mixedPairs() []setPair {
	var pairs []setPair
	for _, keys := range []string{"spread", "duplicates", "instant", "counted", "carries"} {
		for _, n := range []int{1, 2, 16, 31, 32, 33, 100, 511, 512, 1000, 10000} {
			if n == 10000 && keys != "spread" && keys != "duplicates" {
				break
			}
			for _, split := range []string{"equal", "disjoint", "empty-here", "empty-there"} {
				pairs = append(pairs, setPair{keys: keys, split: split, n: n})
			}
			for _, d := range []int{1, 2, 10, 100, 1000, 5000} {
				if d > n/2+1 {
					break
				}
				pairs = append(pairs, setPair{keys, "newest", n, d}, setPair{keys, "scattered", n, d})
			}
		}
	}
	pairs = append(pairs, setPair{keys: "spread", split: "equal"}) // nothing at all
	for _, d := range []int{1, 100, 10000} {
		pairs = append(pairs, setPair{"spread", "newest", 100000, d}, setPair{"spread", "scattered", 100000, d})
	}
	return pairs
}
