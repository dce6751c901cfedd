package ribbon

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// reference is a filter as its definition has it, one slot and one bit at a time.
type reference struct {
	width, shards int
	first         []int    // by shard: its first slot
	slots         []int    // by shard
	attempts      []int    // by shard
	values        []uint64 // by slot
}

// buildReference solves every shard by the elimination of the textbook.
func buildReference(keys []uint64, width, refuse int) *reference {
	r := &reference{width: width, shards: Shards(len(keys))}
	of := make([][]uint64, r.shards)
	for _, key := range keys {
		hash := mix(key)
		shard := shardOf(hash, uint64(r.shards))
		of[shard] = append(of[shard], hash)
	}
	for _, hashes := range of {
		attempt := refuse
		values, ok := solveReference(hashes, Slots(len(hashes), r.shards, attempt), attempt, width)
		for !ok {
			if attempt++; attempt == Attempts {
				return nil
			}
			values, ok = solveReference(hashes, Slots(len(hashes), r.shards, attempt), attempt, width)
		}
		r.first = append(r.first, len(r.values))
		r.slots = append(r.slots, len(values))
		r.attempts = append(r.attempts, attempt)
		r.values = append(r.values, values...)
	}
	return r
}

// line is an equation over all slots of a shard.
type line struct {
	coefs *big.Int
	print uint64
}

// solveReference brings the equations into echelon form, column by column from slot 0,
// and finds the values from the last slot down.
func solveReference(hashes []uint64, slots, attempt, width int) (values []uint64, ok bool) {
	var lines []line
	for _, hash := range hashes {
		start, coef, print := equation(hash, uint64(attempt), uint64(slots))
		coefs := new(big.Int).Lsh(new(big.Int).SetUint64(coef), uint(start))
		lines = append(lines, line{coefs, print >> (64 - width)})
	}
	pivots := make([]*line, slots)
	rank := 0
	for column := range slots {
		for i := rank; i < len(lines); i++ {
			if lines[i].coefs.Bit(column) == 1 {
				lines[rank], lines[i] = lines[i], lines[rank]
				break
			}
		}
		if rank == len(lines) || lines[rank].coefs.Bit(column) == 0 {
			continue
		}
		pivots[column] = &lines[rank]
		for i := rank + 1; i < len(lines); i++ {
			if lines[i].coefs.Bit(column) == 1 {
				lines[i].coefs = new(big.Int).Xor(lines[i].coefs, lines[rank].coefs)
				lines[i].print ^= lines[rank].print
			}
		}
		rank++
	}
	for _, line := range lines[rank:] {
		if line.print != 0 {
			return nil, false
		}
	}
	values = make([]uint64, slots)
	for column := slots - 1; column >= 0; column-- {
		if pivots[column] != nil {
			values[column] = pivots[column].print ^ sum(pivots[column].coefs, values)
		}
	}
	return values, true
}

// sum adds the values that coefs selects.
func sum(coefs *big.Int, values []uint64) (sum uint64) {
	for i := range coefs.BitLen() {
		if coefs.Bit(i) == 1 {
			sum ^= values[i]
		}
	}
	return sum
}

func (r *reference) contains(key uint64) bool {
	hash := mix(key)
	i := shardOf(hash, uint64(r.shards))
	start, coef, print := equation(hash, uint64(r.attempts[i]), uint64(r.slots[i]))
	return sum(new(big.Int).SetUint64(coef), r.values[r.first[i]+int(start):]) == print>>(64-r.width)
}

// checkAgainst holds a filter to the reference, slot by slot and key by key.
func checkAgainst(t *testing.T, f *Filter, r *reference, keys []uint64) {
	t.Helper()
	if f.Slots() != len(r.values) || f.Shards() != r.shards || f.Bits() != r.width {
		t.Fatalf("%d slots, %d shards, %d bits, want %d, %d, %d", f.Slots(), f.Shards(), f.Bits(), len(r.values), r.shards, r.width)
	}
	for i := range r.attempts {
		if _, attempt := f.Shard(i); attempt != r.attempts[i] {
			t.Fatalf("shard %d is of attempt %d, want %d", i, attempt, r.attempts[i])
		}
	}
	words := f.Words()
	for slot := range 64 * len(words) / r.width {
		var got, want uint64
		for j := range r.width {
			got |= words[slot/64*r.width+j] >> (slot % 64) & 1 << j
		}
		if slot < len(r.values) {
			want = r.values[slot]
		}
		if got != want {
			t.Fatalf("slot %d is %x, want %x", slot, got, want)
		}
	}
	in := make([]uint64, (len(keys)+63)/64)
	f.ContainsBatch(keys, in)
	for i, key := range keys {
		want := r.contains(key)
		if got := f.Contains(key); got != want {
			t.Fatalf("Contains(%#x) = %v, want %v", key, got, want)
		}
		if got := in[i/64]>>(i%64)&1 == 1; got != want {
			t.Fatalf("ContainsBatch answers %v for %#x, want %v", got, key, want)
		}
	}
	if rest := len(keys) % 64; rest > 0 && in[len(in)-1]>>rest != 0 {
		t.Fatal("answers beyond the last key")
	}
}

// checkBuild builds in all ways and holds the results to the reference.
func checkBuild(t *testing.T, keys []uint64, width, refuse int) {
	t.Helper()
	want := buildReference(keys, width, refuse)
	asked := append(randomKeys(99, 200), keys...)
	for _, b := range []*Builder{{Refuse: refuse}, {Refuse: refuse, Portable: true}} {
		for workers := 1; workers <= 3; workers += 2 {
			f := b.Build(keys, width, workers)
			if (f == nil) != (want == nil) {
				t.Fatalf("%d keys, %d bits, refuse %d: a filter: %v, want %v", len(keys), width, refuse, f != nil, want != nil)
			}
			if f != nil {
				checkAgainst(t, f, want, asked)
			}
		}
	}
}

func randomKeys(seed uint64, n int) []uint64 {
	rng := rand.New(rand.NewPCG(seed, 0))
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = rng.Uint64()
	}
	return keys
}

func TestAgainstReference(t *testing.T) {
	for n := 1; n <= 150; n++ {
		checkBuild(t, randomKeys(uint64(n), n), 1+n%MaxBits, 0)
	}
	for _, n := range []int{320, 500, 767, 768, 1279, 1280, 2000} {
		checkBuild(t, randomKeys(uint64(n), n), 8, 0)
	}
	for width := 1; width <= MaxBits; width++ {
		checkBuild(t, randomKeys(uint64(width), 70), width, 0)
	}
}

// TestRefused forces every path of a shard that resists: another attempt, more slots,
// and no solution.
func TestRefused(t *testing.T) {
	for _, n := range []int{3, 64, 65, 300, 900} {
		keys := randomKeys(uint64(n), n)
		for _, refuse := range []int{1, 7, sameSlack, 2 * sameSlack, Attempts - 1} {
			checkBuild(t, keys, 8, refuse)
		}
		for _, portable := range []bool{false, true} {
			b := Builder{Refuse: Attempts, Portable: portable}
			if b.Build(keys, 8, 1) != nil {
				t.Error("a filter, though all attempts were refused")
			}
			if b.Refuse = 0; b.Build(keys, 8, 1) == nil {
				t.Error("no filter after a failure")
			}
		}
	}
}

// FuzzBuild: any keys, repeated or not, of any width, are solved as by the reference.
func FuzzBuild(f *testing.F) {
	for n := range 40 {
		f.Add(uint64(n), uint16(n*n), byte(n), byte(n%3), byte(0))
	}
	f.Add(uint64(1), uint16(900), byte(8), byte(0), byte(200))
	f.Add(uint64(1), uint16(70), byte(1), byte(30), byte(255))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, width, refuse, repeated byte) {
		keys := randomKeys(seed, 1+int(n)%1600)
		for i := range keys[:len(keys)*int(repeated)/256] {
			keys[i] = keys[i/2] >> (repeated % 4)
		}
		checkBuild(t, keys, 1+int(width)%MaxBits, int(refuse)%Attempts)
	})
}
