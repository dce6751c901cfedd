package ribbon

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// unmix is the inverse of mix.
func unmix(hash uint64) uint64 {
	factor := uint64(mixFactor)
	inverse := factor // of the lowest 3 bits; every step doubles them
	for range 5 {
		inverse *= 2 - factor*inverse
	}
	hash = (hash ^ hash>>32) * inverse
	hash = (hash ^ hash>>32) * inverse
	return hash ^ hash>>32
}

func TestUnmix(t *testing.T) {
	for _, key := range append(randomKeys(1, 100), 0, 1, 1<<63) {
		if got := unmix(mix(key)); got != key {
			t.Fatalf("unmix(mix(%#x)) = %#x", key, got)
		}
	}
}

// keySets are keys that could upset a filter that trusts in chance.
func keySets(n int) map[string][]uint64 {
	sets := map[string][]uint64{"random": randomKeys(1, n)}
	make := func(name string, key func(i uint64) uint64) {
		for i := range n {
			sets[name] = append(sets[name], key(uint64(i)))
		}
	}
	make("consecutive", func(i uint64) uint64 { return i })
	make("consecutive at the top", func(i uint64) uint64 { return i << 40 })
	make("multiples", func(i uint64) uint64 { return i * 0x9e3779b97f4a7c15 })
	make("sharing a prefix", func(i uint64) uint64 { return 0xdeadbeef<<32 | mix(i)>>44 })
	make("clustered", func(i uint64) uint64 { return i/64<<50 | i%64 })
	make("all of the first shard", func(i uint64) uint64 { return unmix(i) })
	make("all of the last shard", func(i uint64) uint64 { return unmix(^i) })
	make("half of one shard", func(i uint64) uint64 { return unmix(mix(i) << 32 >> (i % 2 * 32)) })
	make("one key", func(uint64) uint64 { return 5 })
	make("three keys", func(i uint64) uint64 { return i % 3 })
	make("each key twice", func(i uint64) uint64 { return mix(i / 2) })
	return sets
}

// TestKeySets: no key is lost, and neither the order of the keys, nor the number of
// workers, nor the instructions that the CPU has show in the result.
func TestKeySets(t *testing.T) {
	for _, n := range []int{50, 700, 3000, 40_000} {
		for name, keys := range keySets(n) {
			want := new(Builder).Build(keys, 8, 1)
			if want == nil {
				t.Fatalf("%s, %d keys: no filter", name, n)
			}
			in := make([]uint64, (n+63)/64)
			want.ContainsBatch(keys, in)
			for i, key := range keys {
				if !want.Contains(key) || in[i/64]>>(i%64)&1 == 0 {
					t.Fatalf("%s, %d keys: %#x is denied", name, n, key)
				}
			}
			rand.New(rand.NewPCG(1, 1)).Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			for _, portable := range []bool{false, true} {
				for _, workers := range []int{1, 2, 5} {
					got := (&Builder{Portable: portable}).Build(keys, 8, workers)
					if !slices.Equal(got.words, want.words) || !slices.Equal(got.shards, want.shards) || !slices.Equal(got.keys, want.keys) {
						t.Fatalf("%s, %d keys: portable %v with %d workers differs", name, n, portable, workers)
					}
				}
			}
		}
	}
}

// TestReuse: what a Builder built before does not show, and takes no more memory.
func TestReuse(t *testing.T) {
	var b Builder
	for _, n := range []int{20_000, 100, 100_000, 1, 768, 20_000} {
		for _, width := range []int{8, 32, 3} {
			keys := randomKeys(uint64(n), n)
			got, want := b.Build(keys, width, 1+n%3), new(Builder).Build(keys, width, 1)
			if !slices.Equal(got.words, want.words) || !slices.Equal(got.shards, want.shards) {
				t.Fatalf("%d keys, %d bits: differs from a new builder's", n, width)
			}
		}
	}
	for _, n := range []int{10, 1000, 30_000} {
		keys := randomKeys(1, n)
		if got := testing.AllocsPerRun(3, func() { b.Build(keys, 8, 1) }); got != 0 {
			t.Errorf("%d keys: %v allocations", n, got)
		}
	}
}

// TestWorkers: there is a limit to the workers, as each takes memory for every group.
func TestWorkers(t *testing.T) {
	keys := randomKeys(1, (maxWorkers+1)*groupShards*shardKeys)
	var b Builder
	got, want := b.Build(keys, 8, math.MaxInt), new(Builder).Build(keys, 8, 1)
	if len(b.workers) != maxWorkers {
		t.Errorf("%d workers, want %d", len(b.workers), maxWorkers)
	}
	if !slices.Equal(got.words, want.words) {
		t.Error("many workers build something else than one")
	}
}

// TestBatchLengths: a batch of any length has the answers that the keys have one by one.
func TestBatchLengths(t *testing.T) {
	keys := randomKeys(1, 5000)
	for _, width := range []int{1, 8, 9, 16, 32} {
		f := new(Builder).Build(keys, width, 1)
		for _, portable := range []bool{false, true} {
			f.Portable = portable
			for n := range 3*batch + 2 {
				asked := randomKeys(uint64(n), n)
				for i := 0; i < n; i += 2 {
					asked[i] = keys[i]
				}
				want := make([]uint64, (n+63)/64)
				for i, key := range asked {
					if f.Contains(key) {
						want[i/64] |= 1 << (i % 64)
					}
				}
				got := randomKeys(uint64(n), len(want))
				if f.ContainsBatch(asked, got); !slices.Equal(got, want) {
					t.Fatalf("%d keys, %d bits, portable %v: answers %x, want %x", n, width, portable, got, want)
				}
			}
		}
	}
}

func TestRate(t *testing.T) {
	const n, asked = 20_000, 1 << 20
	keys := randomKeys(1, n)
	others := randomKeys(2, asked)
	in := make([]uint64, asked/64)
	for _, width := range []int{1, 2, 5, 8, 9, 12, 16} {
		new(Builder).Build(keys, width, 1).ContainsBatch(others, in)
		got := 0
		for _, word := range in {
			for ; word != 0; word &= word - 1 {
				got++
			}
		}
		mean := float64(int(asked) >> width)
		if d := float64(got) - mean; d*d > 25*mean {
			t.Errorf("%d bits: %d of %d let through, want about %v", width, got, asked, mean)
		}
	}
}

// TestAttempts: shards of the usual size are mostly solved by their first attempt.
func TestAttempts(t *testing.T) {
	f := new(Builder).Build(randomKeys(1, 200_000), 8, 1)
	var first, late int
	for i := range f.Shards() {
		switch _, attempt := f.Shard(i); {
		case attempt == 0:
			first++
		case attempt > 5:
			late++
		}
	}
	if first < f.Shards()*3/4 || late > 2 {
		t.Errorf("of %d shards %d are solved by the first attempt, %d by none of six", f.Shards(), first, late)
	}
}

// TestSlots has the numbers of slots that the wire form promises.
func TestSlots(t *testing.T) {
	for _, test := range []struct{ keys, shards, attempt, want int }{
		{1, 1, 0, 1},
		{64, 1, 15, 64},
		{65, 1, 0, 66},
		{767, 1, 0, 768},
		{0, 2, 0, 3},
		{512, 2, 15, 515},
		{1024, 2, 0, 1027},
		{1032, 2, 0, 1036},
		{100_000, 9, 0, 100_003 + 98_976/8},
		{64, 1, 16, 64 + 4 + 4},
		{512, 2, 31, 515 + 4 + 32},
		{512, 2, 32, 515 + 16 + 64},
		{512, 2, 63, 515 + 64 + 128},
	} {
		if got := Slots(test.keys, test.shards, test.attempt); got != test.want {
			t.Errorf("%d keys of %d shards by attempt %d: %d slots, want %d", test.keys, test.shards, test.attempt, got, test.want)
		}
	}
	for n, want := range map[int]int{1: 1, 767: 1, 768: 2, 1279: 2, 1280: 3, 1 << 28: 1 << 19} {
		if got := Shards(n); got != want {
			t.Errorf("%d keys: %d shards, want %d", n, got, want)
		}
	}
}
