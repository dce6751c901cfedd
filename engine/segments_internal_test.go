package engine

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
)

// randomItems returns n items in the order of their keys, some in one bucket.
func randomItems(random *rand.Rand, n int) []Key {
	items := make([]Key, n)
	for i := range items {
		items[i].Time = random.Int64N(1 << (bucketBits + random.IntN(12)))
		for at := range items[i].ID {
			items[i].ID[at] = byte(random.Uint32())
		}
	}
	slices.SortFunc(items, Key.Compare)
	return items
}

func TestBucketOf(t *testing.T) {
	for time, want := range map[int64]uint32{
		math.MinInt64: 0, -1: 0, 0: 0, 1<<28 - 1: 0, 1 << 28: 1, 1735689661000542: 6465947,
		filters.MaxBucket << 28: filters.MaxBucket, filters.MaxBucket<<28 - 1: filters.MaxBucket - 1, math.MaxInt64: filters.MaxBucket,
	} {
		if got := bucketOf(Key{Time: time}); got != want {
			t.Errorf("%d: bucket %d, want %d", time, got, want)
		}
	}
}

// TestAscend: sorting keeps each key with its place.
func TestAscend(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() uint64{
		"any": random.Uint64, "few": func() uint64 { return random.Uint64N(9) << 40 }, "one": func() uint64 { return 7 },
		"low": func() uint64 { return random.Uint64N(1 << 20) }, "high": func() uint64 { return random.Uint64() << 50 },
	} {
		for _, n := range []int{0, 1, 2, 63, 64, 65, 3000} {
			keys := make([]uint64, n)
			for i := range keys {
				keys[i] = draw()
			}
			want := make([]int, n)
			for i := range want {
				want[i] = i
			}
			slices.SortStableFunc(want, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
			got := ascend(slices.Clone(keys))
			for i, place := range want {
				if int(got.places[i]) != place || got.keys[i] != keys[place] {
					t.Fatalf("%s, %d keys: key %d is that of place %d, want %d", name, n, i, got.places[i], place)
				}
			}
		}
	}
}

// TestPass: every sieve answers for many items what its filter answers for each.
func TestPass(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	all := randomItems(random, 5000)
	var held []Key
	for i, k := range all {
		if i%3 > 0 {
			held = append(held, k)
		}
	}
	draft := drafter{random: rand.NewChaCha8([32]byte{1}), hash: saltedKey}
	for _, kind := range append(filters.Kinds(), plainIDs) {
		if kind == filters.Segmented {
			continue
		}
		d, err := draft.summarise(kind, held)
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.sieve(1<<20, saltedKey)
		if err != nil || s.kind != kind {
			t.Fatalf("%v: %v, %v", kind, s.kind, err)
		}
		single := func(k Key) bool { return slices.Contains(held, k) }
		if kind != plainIDs {
			f, err := filters.Decode(d.data, filters.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			single = func(k Key) bool { return f.Contains(filters.Salt(d.head.Salt).Key(k.ID)) }
		}
		in, rejected := s.pass(all), s.rejected(all)
		for i, k := range all {
			_, out := slices.BinarySearchFunc(rejected, k, Key.Compare)
			if in.yes(i) != single(k) || in.yes(i) == out {
				t.Fatalf("%v: item %d passes: %t, rejected: %t, want %t", kind, i, in.yes(i), out, single(k))
			}
		}
	}
}

// TestPassWithin: a sieve of a part asks nothing about the rest.
func TestPassWithin(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	all := randomItems(random, 3000)
	salt := filters.Salt{9}
	part := newDoubt(segmentedBy(saltedKey, salt), salt, filters.Intervals{{Prefix: 1 << 40, Bits: 24}, {Prefix: 1 << 44, Bits: 20}})
	inside, places := part.of(all)
	if len(inside) == 0 || len(inside) == len(all) {
		t.Fatalf("%d of %d items are in the part: the test tests nothing", len(inside), len(all))
	}
	draft := drafter{random: rand.NewChaCha8([32]byte{1}), hash: saltedKey}
	d, err := draft.summarise(filters.List, part.within(all[:1500]))
	if err != nil {
		t.Fatal(err)
	}
	d.head.Within = part.wire()
	s, err := d.sieve(1<<20, saltedKey)
	if err != nil {
		t.Fatal(err)
	}
	in := s.pass(all)
	for i := range all {
		want := i < 1500 || !slices.Contains(places, i)
		if in.yes(i) != want {
			t.Fatalf("item %d passes: %t, want %t", i, in.yes(i), want)
		}
	}
}

// colliding gives some hundred different keys in one bucket.
func colliding(salt filters.Salt, id ID) uint64 { return salt.Key(id) % 300 << 40 }

// TestSegmentMemory: a memory kept up to date is the one that is made anew, also
// where items share a key, and its deltas lead a peer from one to the next.
func TestSegmentMemory(t *testing.T) {
	for name, hash := range map[string]hashFunc{"honest": saltedKey, "colliding": colliding} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 8))
			all := randomItems(random, 4000)
			var kept SegmentMemory
			peer := new(filters.SegmentedFilter)
			for step := range 30 {
				share := random.Float64()
				var items []Key
				for i, k := range all {
					_, held := slices.BinarySearchFunc(kept.items, k, Key.Compare)
					if step%2 == 0 && random.Float64() < share || step%2 == 1 && (held || i%97 == step) {
						items = append(items, k)
					}
				}
				var fresh SegmentMemory
				for _, m := range []*SegmentMemory{&kept, &fresh} {
					if err := m.update(filters.Salt{byte(step / 20)}, hash, items); err != nil {
						t.Fatal(err)
					}
				}
				if step == 20 { // another salt
					peer = new(filters.SegmentedFilter)
				}
				kept.kept = peer.Generation()
				whole := fresh.set.Filter().AppendTo(nil)
				if d := kept.digest(true); d.head.Base == 0 && !bytes.Equal(d.data, whole) {
					t.Fatalf("step %d: %d bytes, made anew %d", step, len(d.data), len(whole))
				}
				var err error
				if delta, ok := kept.set.AppendDelta(nil, kept.kept); ok {
					peer, err = peer.Apply(delta, filters.Limits{})
				} else {
					peer, err = decodeSegmented(whole, filters.Limits{})
				}
				if err != nil || !bytes.Equal(peer.AppendTo(nil), whole) {
					t.Fatalf("step %d: the peer has another filter: %v", step, err)
				}
			}
		})
	}
}

// TestDoubt: a reader with the same items, of which some share a key, has no doubt; one
// with an item more that passes, or less, has.
func TestDoubt(t *testing.T) {
	items := randomItems(rand.New(rand.NewPCG(9, 1)), 4000)
	for name, hash := range map[string]hashFunc{"honest": saltedKey, "colliding": colliding} {
		var m SegmentMemory
		if err := m.update(filters.Salt{1}, hash, items); err != nil {
			t.Fatal(err)
		}
		asked := segmentAsked{filter: m.set.Filter(), key: m.key, salt: m.salt}
		if asked.ask(items); len(asked.doubt().intervals) != 0 {
			t.Errorf("%s: doubt without a difference", name)
		}
		last := items[len(items)-1]
		without := slices.DeleteFunc(slices.Clone(items), func(k Key) bool { return m.key(k) == m.key(last) })
		if asked.ask(without); !asked.doubt().contains(last) || asked.doubt().contains(items[0]) {
			t.Errorf("%s: %v is in doubt", name, asked.doubt().intervals)
		}
	}
}

// filterOf returns a segmented filter of n keys that no other seed gives.
func filterOf(t testing.TB, seed uint64, n int) *filters.SegmentedFilter {
	t.Helper()
	var m SegmentMemory
	if err := m.update(filters.Salt{}, saltedKey, randomItems(rand.New(rand.NewPCG(seed, 1)), n)); err != nil {
		t.Fatal(err)
	}
	return m.set.Filter()
}

func TestSegmentCache(t *testing.T) {
	a, b := segmentView{"alice", filters.Salt{1}}, segmentView{"alice", filters.Salt{2}}
	other := segmentView{"bob", filters.Salt{1}}
	f := make([]*filters.SegmentedFilter, 5)
	for i := range f {
		f[i] = filterOf(t, uint64(i), 100)
	}
	one := costOf(f[0])
	c := NewSegmentCache(one*3 + one/2)
	check := func(view segmentView, i int, kept bool, latest uint64) {
		t.Helper()
		got, last := c.get(view, f[i].Generation())
		if (got == f[i]) != kept || last != latest {
			t.Errorf("filter %d is kept: %t, and last was %x; want %t, %x", i, got == f[i], last, kept, latest)
		}
	}
	for _, p := range []struct {
		view segmentView
		i    int
	}{{a, 0}, {a, 1}, {b, 2}, {a, 1}} {
		if got := c.put(p.view, f[p.i]); got != f[p.i].Generation() {
			t.Errorf("put %d: %x", p.i, got)
		}
	}
	check(other, 0, false, 0)
	check(b, 0, false, f[2].Generation())
	check(a, 0, true, f[0].Generation())
	check(a, 4, false, f[0].Generation()) // the one that was used last
	c.put(b, f[3])                        // 2 is the one to go: 1 was put again
	check(a, 1, true, f[1].Generation())
	check(b, 2, false, f[3].Generation())
	check(a, 0, true, f[0].Generation())
	c.put(other, f[4])
	check(b, 3, false, 0)
	if c.size > c.maxBytes || c.size != 3*one {
		t.Errorf("%d bytes of %d", c.size, c.maxBytes)
	}
	if got := c.put(a, filterOf(t, 9, 2000)); got != 0 || c.size != 3*one {
		t.Errorf("a filter above the bound is kept as %x", got)
	}
	if got := c.put(a, new(filters.SegmentedFilter)); got != 0 {
		t.Errorf("the empty filter is kept as %x", got)
	}
	if got := (*SegmentCache)(nil).put(a, f[0]); got != 0 {
		t.Errorf("no cache keeps %x", got)
	}
}

// TestSegmentCacheConcurrent is for the race detector; the sums must hold at the end.
func TestSegmentCacheConcurrent(t *testing.T) {
	f := make([]*filters.SegmentedFilter, 20)
	for i := range f {
		f[i] = filterOf(t, uint64(i), 50)
	}
	c := NewSegmentCache(5 * costOf(f[0]))
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 1))
			for range 2000 {
				view := segmentView{"", filters.Salt{byte(random.IntN(3))}}
				one := f[random.IntN(len(f))]
				if got, _ := c.get(view, one.Generation()); got != nil && got != one {
					t.Error("another filter")
				}
				c.put(view, one)
			}
		})
	}
	group.Wait()
	size := int64(0)
	for e := c.byUse.Front(); e != nil; e = e.Next() {
		size += e.Value.(*cached).size
	}
	if size != c.size || size > c.maxBytes || len(c.entries) != c.byUse.Len() || len(c.views) > len(c.entries) {
		t.Errorf("%d bytes counted, %d kept in %d entries, %d of them listed, %d views", c.size, size, len(c.entries), c.byUse.Len(), len(c.views))
	}
	listed := 0
	for view, kept := range c.views {
		listed += len(kept)
		if len(kept) == 0 || len(kept) > maxGenerations {
			t.Errorf("%d generations of a view", len(kept))
		}
		for _, generation := range kept {
			if c.entries[segmentName{view, generation}] == nil {
				t.Error("what is listed is not kept")
			}
		}
	}
	if listed != len(c.entries) {
		t.Errorf("%d of %d entries are listed", listed, len(c.entries))
	}
}

// TestSegmentCacheGenerations: a view that changes all the time takes no more than its part.
func TestSegmentCacheGenerations(t *testing.T) {
	c := NewSegmentCache(1 << 20)
	quiet, busy := segmentView{"quiet", filters.Salt{}}, segmentView{"busy", filters.Salt{}}
	still := filterOf(t, 1, 50)
	c.put(quiet, still)
	var last []uint64
	for seed := range uint64(20) {
		last = append(last, c.put(busy, filterOf(t, 100+seed, 50)))
		if seed >= 10 {
			continue
		}
		if got, _ := c.get(busy, last[0]); got == nil {
			t.Fatal("one that is used all the time is gone")
		}
	}
	if got, _ := c.get(quiet, still.Generation()); got != still || len(c.entries) != 1+maxGenerations {
		t.Errorf("%d filters are kept", len(c.entries))
	}
	for i, generation := range last[16:] {
		if got, _ := c.get(busy, generation); got == nil {
			t.Errorf("number %d is gone", 16+i)
		}
	}
}
