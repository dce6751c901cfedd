package ribbon

import (
	"slices"
	"sync"
	"sync/atomic"
)

// groupShards is the number of neighbouring shards that one goroutine solves at a
// time. Their keys fit the second-level cache.
const groupShards = 32

// maxWorkers is the number of goroutines beyond which none is started: each has a count
// for every group.
const maxWorkers = 64

// Builder builds filters, one after the other in the same memory. The zero value works.
type Builder struct {
	// Portable is what Filter.Portable is, for the building too.
	Portable bool
	// Refuse is the number of attempts that fail untried in every shard. It exists for
	// tests of what comes then.
	Refuse int

	filter *Filter // not a part of the Builder, lest one that outlives it keep all of its memory
	width  int
	shards int
	groups int

	keys     []uint64       // those to be scattered
	hashes   []uint64       // all, by group
	ends     []int          // by group: where its hashes end
	counts   []int          // by worker and group: its keys, then where the next goes
	attempts []uint8        // by shard: the one that solved it
	edges    [][4][8]uint64 // by group: the block in which it begins
	workers  []worker

	known  bool         // sizes and attempts are: only the solution is to be found
	next   atomic.Int64 // the group that nobody works at yet
	failed atomic.Bool  // a shard has no solution
	moved  atomic.Bool  // a shard has more slots than most
}

// worker is the memory of one goroutine.
type worker struct {
	system
	hashes []uint64 // of a group, by shard
	ends   [groupShards]int
}

// Build returns a filter of fingerprints of width bits, 1 to MaxBits, over one key or
// more, or nil if a shard has no solution. It is valid until the next call. Keys that
// repeat do no harm. The same set of keys gives the same filter, whatever their order
// and the number of workers, at least 1, that may run at once.
func (b *Builder) Build(keys []uint64, width, workers int) *Filter {
	b.width = width
	b.shards = Shards(len(keys))
	b.groups = (b.shards + groupShards - 1) / groupShards
	count := min(workers, b.groups, maxWorkers)
	b.workers = slices.Grow(b.workers[:0], count)[:count]
	b.attempts = grown(b.attempts, b.shards)
	b.edges = grown(b.edges, b.groups)
	if b.filter == nil {
		b.filter = new(Filter)
	}
	b.filter.Portable, b.filter.bits = b.Portable, width
	b.filter.keys = grown(b.filter.keys, b.shards)
	b.filter.shards = grown(b.filter.shards, b.shards+1)
	b.failed.Store(false)
	b.moved.Store(false)

	b.scatter(keys)
	b.assume()
	b.solve(false)
	if b.failed.Load() {
		return nil
	}
	b.place()
	if b.moved.Load() {
		b.filter.MakeWords()
		b.solve(true)
	}
	b.join()
	return b.filter
}

// grown returns s with length n, in new memory only if it has to be. The elements are
// whatever they were.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// each runs do for every worker at once, and waits.
func (b *Builder) each(do func(b *Builder, w int)) {
	if len(b.workers) == 1 {
		do(b, 0)
		return
	}
	var wait sync.WaitGroup
	for w := range b.workers {
		wait.Go(func() { do(b, w) })
	}
	wait.Wait()
}

// assume places the end of each group as if all shards had their usual slack.
func (b *Builder) assume() {
	for g, end := range b.ends {
		_, last := b.shardsOf(g)
		b.filter.shards[last] = uint64(b.usual(end)+(last-1)*b.usual(0)) << 8
	}
	b.filter.MakeWords()
}

// usual returns the number of slots of nearly every shard of some keys.
func (b *Builder) usual(keys int) int {
	if b.shards == 1 {
		return Slots(keys, 1, 0)
	}
	return keys + Slots(0, b.shards, 0)
}

// place places all shards, whose keys and attempts are known.
func (b *Builder) place() {
	b.filter.shards[0] = 0
	for i, keys := range b.filter.keys {
		b.filter.Place(i, int(keys), int(b.attempts[i]))
	}
}

func (b *Builder) shardsOf(group int) (first, last int) {
	return group * groupShards, min((group+1)*groupShards, b.shards)
}

// solve solves all groups. With known, sizes and attempts are.
func (b *Builder) solve(known bool) {
	b.known = known
	b.next.Store(0)
	b.each((*Builder).work)
}

func (b *Builder) work(w int) {
	for !b.failed.Load() {
		group := int(b.next.Add(1)) - 1
		if group >= b.groups {
			return
		}
		b.solveGroup(&b.workers[w], group)
	}
}

// solveGroup solves the shards of a group from the last to the first. That a group ends
// within a block is no matter: the next one's slots are zero here, and it keeps its part
// of the block in edges.
func (b *Builder) solveGroup(w *worker, group int) {
	first, last := b.shardsOf(group)
	hashes := b.split(w, group)
	state := &b.edges[group]
	*state = [4][8]uint64{}
	end := int(b.filter.shards[last] >> 8)
	for i := last - 1; i >= first; i-- {
		from := 0
		if i > first {
			from = w.ends[i-first-1]
		}
		slots := b.solveShard(w, hashes[from:w.ends[i-first]], i)
		if slots < 0 {
			b.failed.Store(true)
			return
		}
		if !b.known && slots != b.usual(int(b.filter.keys[i])) {
			b.moved.Store(true)
		}
		if end -= slots; b.known || !b.moved.Load() {
			w.substituteAll(b, state, end, slots)
		} // else nothing is where it was thought to be
	}
}

// solveShard tries attempt after attempt and returns the number of slots of the one
// that succeeds, or -1.
func (b *Builder) solveShard(w *worker, hashes []uint64, shard int) int {
	from := b.Refuse
	if b.known {
		from = int(b.attempts[shard])
	}
	for attempt := from; attempt < Attempts; attempt++ {
		slots := Slots(len(hashes), b.shards, attempt)
		if w.solve(hashes, slots, attempt, b.width, b.Portable) {
			b.filter.keys[shard], b.attempts[shard] = uint32(len(hashes)), uint8(attempt)
			return slots
		}
	}
	return -1
}

func (w *worker) substituteAll(b *Builder, state *[4][8]uint64, first, slots int) {
	for q := range (b.width + 7) / 8 {
		if avx512 && !b.Portable {
			w.substitute512(&state[q], b.filter.words, first, slots, b.width, q)
		} else {
			w.substitute(&state[q], b.filter.words, first, slots, b.width, q)
		}
	}
}

// join adds the blocks that are shared by groups.
func (b *Builder) join() {
	for group := range b.groups {
		first := int(b.filter.shards[group*groupShards] >> 8)
		if first%64 == 0 {
			continue
		}
		block := b.filter.words[first/64*b.width:]
		for j := range b.width {
			block[j] |= b.edges[group][j/8][j%8] << (first % 64)
		}
	}
}
