package datasets

// Divergence is who lacks which keys. What is newest goes by the order of arrival,
// which is the order of Workload.Keys, not by time: a node misses what came while
// it was away, whenever that was dated.
type Divergence string

// The divergences. All but Partition and Disjoint leave replica 1 with all keys.
const (
	// Scattered: replica 0 lacks D keys, each as likely as any other: losses that
	// nobody noticed, such as a damaged disk, or a filter's false positives. It is
	// what most papers on set reconciliation measure.
	Scattered Divergence = "scattered"
	// Recent: of the D keys that replica 0 lacks, 95 % (all but D/20, rounded down)
	// are among the newest 2*D, the others among the older ones, evenly in each
	// part: a pair that syncs often but now and then only half way. Where fewer than
	// D/20 are older, more are recent.
	Recent Divergence = "recent"
	// Newest: replica 0 lacks the newest D: it was off line, for minutes or a month.
	Newest Divergence = "newest"
	// Hole: replica 0 lacks a run of D keys in the middle: it was restored from an
	// old backup and has received what is new since.
	Hole Divergence = "hole"
	// Partition: both replicas wrote while they did not reach each other. Of the
	// newest D keys replica 0 alone holds D/2, rounded down, replica 1 alone the
	// others, mixed at random.
	Partition Divergence = "partition"
	// Fresh: replica 0 is a new device and has nothing; D is N.
	Fresh Divergence = "fresh"
	// Disjoint: no key is on both, as when a tenant brings two unrelated nodes
	// together. Replica 0 holds N/2, rounded down, at random; D is N.
	Disjoint Divergence = "disjoint"
	// Replicas: of many replicas each lacks D keys at random that all others hold: a
	// fleet in which every node has lost something else.
	Replicas Divergence = "replicas"
)

// Divergences returns all divergences. The caller owns the list.
func Divergences() []Divergence {
	return []Divergence{Scattered, Recent, Newest, Hole, Partition, Fresh, Disjoint, Replicas}
}

// The holders of a key where there are two replicas.
const (
	hereOnly  Holders = 1
	thereOnly Holders = 2
	both      Holders = 3
)

// holders returns who holds keys 0, 1, 2 and so on; it must be called in this order.
func (w Workload) holders() func(i int) Holders {
	r := newRandom(w.Seed, "workload holders")
	switch w.Divergence {
	case Recent:
		return recent(w.N, w.D, r)
	case Newest:
		return run(w.N-w.D, w.N)
	case Hole:
		first := (w.N - w.D) / 2
		return run(first, first+w.D)
	case Partition:
		return partition(w.N-w.D, w.D, r)
	case Fresh:
		return run(0, w.N)
	case Disjoint:
		return partition(0, w.N, r)
	case Replicas:
		return replicas(w, r)
	default:
		missing := newSample(r, w.N, w.D)
		return func(int) Holders { return lackedHere(missing.next()) }
	}
}

// lackedHere returns the holders of a key that replica 0 lacks or does not.
func lackedHere(lacked bool) Holders {
	if lacked {
		return thereOnly
	}
	return both
}

// run makes replica 0 lack keys first to end-1.
func run(first, end int) func(int) Holders {
	return func(i int) Holders { return lackedHere(first <= i && i < end) }
}

// recent makes replica 0 lack d of n keys, most of them among the newest 2*d.
func recent(n, d int, r random) func(int) Holders {
	window := n
	if d <= n/2 {
		window = 2 * d
	}
	old := min(d/20, n-window)
	before, after := newSample(r, n-window, old), newSample(r, window, d-old)
	return func(i int) Holders {
		if i < n-window {
			return lackedHere(before.next())
		}
		return lackedHere(after.next())
	}
}

// partition shares the d keys from first on out between the two replicas.
func partition(first, d int, r random) func(int) Holders {
	here := newSample(r, d, d/2)
	return func(i int) Holders {
		switch {
		case i < first:
			return both
		case here.next():
			return hereOnly
		default:
			return thereOnly
		}
	}
}

// replicas makes each of several replicas lack d keys of its own.
func replicas(w Workload, r random) func(int) Holders {
	all := ^Holders(0) >> (MaxReplicas - w.Replicas)
	missing := newSample(r, w.N, w.Replicas*w.D)
	lacks := make([]int64, w.Replicas)
	for i := range lacks {
		lacks[i] = int64(w.D)
	}
	return func(int) Holders {
		if !missing.next() {
			return all
		}
		// One of all places that are left, of this key's and of those to come.
		place := r.below(missing.need + 1)
		replica := 0
		for place >= lacks[replica] {
			place -= lacks[replica]
			replica++
		}
		lacks[replica]--
		return all &^ (1 << replica)
	}
}

// sample chooses need of left keys, every such choice as likely as any other, in
// one pass and without memory: a key is taken with probability need/left. Fan,
// Muller and Rezucha, 1962; Knuth, The Art of Computer Programming, volume 2,
// §3.4.2, algorithm S.
type sample struct {
	random     random
	left, need int64
}

func newSample(r random, left, need int) *sample {
	return &sample{r, int64(left), int64(need)}
}

// next reports whether the next key is chosen.
func (s *sample) next() bool {
	if s.need == 0 {
		return false
	}
	chosen := s.random.below(s.left) < s.need
	s.left--
	if chosen {
		s.need--
	}
	return chosen
}
