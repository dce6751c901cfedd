package datasets

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// Key is what the engine orders items by: a time in microseconds since
// 1970-01-01T00:00:00Z, then a 32-byte ID.
type Key = dwn.Key

// Holders is the set of replicas that hold a key: bit r is replica r. Replica 0 is
// the initiator ("here"), replica 1 the responder ("there").
type Holders uint64

// MaxReplicas is the most replicas that a workload has: one bit each.
const MaxReplicas = 64

// Has reports whether a replica, 0 to MaxReplicas-1, holds the key.
func (h Holders) Has(replica int) bool { return h>>replica&1 != 0 }

// Workload is a set of synthetic keys, spread over replicas that are to be
// reconciled. Shape and Divergence are independent of each other: with the same
// Shape, N and Seed the keys are the same whatever the divergence, and with the
// same Seed the IDs are the same whatever the shape. The zero value has no keys.
type Workload struct {
	// Shape says how the keys lie in time; empty means Steady.
	Shape Shape
	// Divergence says who lacks which; empty means Scattered.
	Divergence Divergence
	// N is how many keys all replicas hold together, 0 to MaxKeys.
	N int
	// D is how many keys replica 0 lacks of replica 1's, 0 to N. For Partition and
	// Disjoint it counts both directions together. For Fresh and Disjoint nothing
	// but N is possible, and 0 means N.
	D int
	// Replicas is how many there are: 2, which 0 means too; for Replicas 2 to
	// MaxReplicas, 0 means 8, and Replicas*D is at most N.
	Replicas int
	// Seed fixes everything random.
	Seed uint64
}

// MaxKeys is the most keys that a workload has: beyond it the gaps between keys
// are no longer many microseconds.
const MaxKeys int64 = 1 << 40

// defaultReplicas is how many there are where many are asked for without a number.
const defaultReplicas = 8

// String returns the labels of a benchmark, such as
// "shape=steady/divergence=scattered/n=100000/d=100", with the defaults filled in;
// Replicas adds "/replicas=8". It does not name the seed.
func (w Workload) String() string {
	w = w.filled()
	label := fmt.Sprintf("shape=%s/divergence=%s/n=%d/d=%d", w.Shape, w.Divergence, w.N, w.D)
	if w.Divergence == Replicas {
		label += fmt.Sprintf("/replicas=%d", w.Replicas)
	}
	return label
}

// Keys returns the keys of all replicas in the order in which the world received
// them, which for Late and Skewed is not the order of their times, each with who
// holds it. No replica holds a key twice, and every key is held by one at least.
//
// The same workload gives the same keys on every platform and for ever. They are
// made as they are iterated over: some 6 kB of memory whatever N is. The sequence
// can be iterated over any number of times, concurrently too. Keys returns
// ErrOptions for a workload that cannot be.
func (w Workload) Keys() (iter.Seq2[Key, Holders], error) {
	w = w.filled()
	if err := w.check(); err != nil {
		return nil, err
	}
	return func(yield func(Key, Holders) bool) {
		next, holders := w.clock(), w.holders()
		ids := newRandom(w.Seed, "workload id")
		for i := range w.N {
			k := Key{Time: next(i)}
			for at := 0; at < len(k.ID); at += 8 {
				binary.LittleEndian.PutUint64(k.ID[at:], ids.words.Uint64())
			}
			if !yield(k, holders(i)) {
				return
			}
		}
	}, nil
}

// Split returns the keys that replica 0 and replica 1 hold, each ascending. The
// caller owns them. They take 40 bytes a key and replica, so it is for what fits
// into memory. It returns ErrOptions as Keys does.
func (w Workload) Split() (here, there []Key, err error) {
	keys, err := w.Keys()
	if err != nil {
		return nil, nil, err
	}
	for k, holders := range keys {
		if holders.Has(0) {
			here = append(here, k)
		}
		if holders.Has(1) {
			there = append(there, k)
		}
	}
	slices.SortFunc(here, Key.Compare)
	slices.SortFunc(there, Key.Compare)
	return slices.Clip(here), slices.Clip(there), nil
}

// filled returns w with its defaults.
func (w Workload) filled() Workload {
	if w.Shape == "" {
		w.Shape = Steady
	}
	if w.Divergence == "" {
		w.Divergence = Scattered
	}
	if w.D == 0 && (w.Divergence == Fresh || w.Divergence == Disjoint) {
		w.D = w.N
	}
	if w.Replicas == 0 {
		w.Replicas = 2
		if w.Divergence == Replicas {
			w.Replicas = defaultReplicas
		}
	}
	return w
}

// check returns ErrOptions for a workload, with its defaults, that cannot be.
func (w Workload) check() error {
	all := w.Divergence == Fresh || w.Divergence == Disjoint
	many := w.Divergence == Replicas
	switch {
	case !slices.Contains(Shapes(), w.Shape):
		return fmt.Errorf("%w: shape %q, want one of %q", ErrOptions, w.Shape, Shapes())
	case !slices.Contains(Divergences(), w.Divergence):
		return fmt.Errorf("%w: divergence %q, want one of %q", ErrOptions, w.Divergence, Divergences())
	case w.N < 0 || int64(w.N) > MaxKeys:
		return fmt.Errorf("%w: N is %d, want 0 to %d", ErrOptions, w.N, MaxKeys)
	case w.D < 0 || w.D > w.N:
		return fmt.Errorf("%w: D is %d, want 0 to N, which is %d", ErrOptions, w.D, w.N)
	case all && w.D != w.N:
		return fmt.Errorf("%w: D is %d, want N, which is %d, or 0: %s replicas share nothing", ErrOptions, w.D, w.N, w.Divergence)
	case w.Replicas < 2 || w.Replicas > MaxReplicas || !many && w.Replicas != 2:
		return fmt.Errorf("%w: %d replicas with divergence %s", ErrOptions, w.Replicas, w.Divergence)
	case many && int64(w.D) > int64(w.N/w.Replicas):
		return fmt.Errorf("%w: %d replicas cannot each lack another %d of %d keys", ErrOptions, w.Replicas, w.D, w.N)
	}
	return nil
}
