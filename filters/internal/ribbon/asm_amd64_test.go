//go:build !purego

package ribbon

import (
	"slices"
	"testing"
)

func TestTwins(t *testing.T) {
	for n := range 300 {
		checkTwins(t, randomKeys(uint64(n), n), 1+n%MaxBits, n%Attempts, n%9, n%2*n/2)
	}
}

// TestSure: it is rare that the assembly loses an equation, and leaves a shard to
// its twin.
func TestSure(t *testing.T) {
	if !avx512 {
		t.Skip("no AVX-512")
	}
	const shards = 500
	unsure := 0
	for i := range shards {
		var s system
		s.grow(515)
		if _, sure := s.solve512(randomKeys(uint64(i), 512), 515, 0, 8); !sure {
			unsure++
		}
	}
	t.Logf("%d of %d shards are left to the twin", unsure, shards)
	if unsure > shards/20 {
		t.Errorf("%d of %d shards are left to the twin", unsure, shards)
	}
}

// FuzzTwins holds each function in assembly to its portable twin.
func FuzzTwins(f *testing.F) {
	f.Add(uint64(1), uint16(512), byte(7), byte(0), byte(3), uint16(0))
	f.Add(uint64(2), uint16(512), byte(31), byte(1), byte(0), uint16(0))
	f.Add(uint64(3), uint16(300), byte(15), byte(1), byte(0), uint16(250))
	f.Add(uint64(4), uint16(30), byte(0), byte(63), byte(0), uint16(1))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, width, attempt, slack byte, repeated uint16) {
		keys := randomKeys(seed, int(n)%3000)
		checkTwins(t, keys, 1+int(width)%MaxBits, int(attempt)%Attempts, int(slack), int(repeated))
	})
}

func checkTwins(t *testing.T, hashes []uint64, width, attempt, slack, repeated int) {
	t.Helper()
	if !avx512 {
		t.Skip("no AVX-512")
	}
	for i := range min(repeated, len(hashes)) {
		hashes[i] = hashes[i/3]
	}
	slots := len(hashes) + slack + 1
	var a, b system
	a.grow(slots)
	b.grow(slots)
	want := a.eliminate(hashes, slots, attempt, width)
	got, sure := b.solve512(hashes, slots, attempt, width)
	if sure && got != want {
		t.Fatalf("solved: %v, want %v", got, want)
	}
	if !sure && repeated == 0 && slack > len(hashes)/8 {
		t.Fatal("lost equations though there is room")
	}
	if got && sure {
		checkSubstitute(t, &a, &b, slots, width)
		b.coefs, b.prints = a.coefs, a.prints
		checkSubstitute(t, &a, &b, slots, width)
	}
	checkLocate(t, hashes, width)
}

// checkSubstitute solves two systems of the same equations, one in assembly.
func checkSubstitute(t *testing.T, a, b *system, slots, width int) {
	t.Helper()
	const first = 1000
	for q := range (width + 7) / 8 {
		wantWords := make([]uint64, words(first+slots, width))
		gotWords := slices.Clone(wantWords)
		want := [8]uint64(randomKeys(1, 8))
		for j := columns(width, q); j < 8; j++ {
			want[j] = 0
		}
		got := want
		a.substitute(&want, wantWords, first, slots, width, q)
		b.substitute512(&got, gotWords, first, slots, width, q)
		if got != want || !slices.Equal(gotWords, wantWords) {
			t.Fatalf("columns %d of %d: the solutions differ", q, width)
		}
	}
}

// TestPieces: the solution of a large shard is found piece by piece, so that no call of
// assembly takes long, and is that of the twin.
func TestPieces(t *testing.T) {
	if !avx512 {
		t.Skip("no AVX-512")
	}
	for _, slots := range []int{maxSlots512, maxSlots512 + 1, 2*maxSlots512 - 1, 3 * maxSlots512, 5*maxSlots512 + 777} {
		hashes := randomKeys(uint64(slots), slots*7/8)
		for _, width := range []int{8, 21} {
			var s system
			s.grow(slots)
			if !s.eliminate(hashes, slots, 0, width) {
				t.Fatalf("%d slots: no solution", slots)
			}
			checkSubstitute(t, &s, &s, slots, width)
			checkPieces(t, &s, slots, width)
		}
	}
}

// checkPieces holds the solution by pieces to that by one call.
func checkPieces(t *testing.T, s *system, slots, width int) {
	t.Helper()
	got, want := make([]uint64, words(slots, width)), make([]uint64, words(slots, width))
	var whole, state [8]uint64
	mask := uint64(1)<<columns(width, 0) - 1
	substitute512(&s.coefs[0], &s.prints[0], slots, 0, &whole, &want[0], width, 0, mask)
	s.substitute512(&state, got, 0, slots, width, 0)
	if state != whole || !slices.Equal(got, want) {
		t.Fatalf("%d slots: the pieces differ from the whole", slots)
	}
}

// checkLocate asks filters of keys for 64 others and the keys.
func checkLocate(t *testing.T, keys []uint64, width int) {
	t.Helper()
	if len(keys) == 0 {
		return
	}
	f := new(Builder).Build(keys, width, 1)
	asked := append(randomKeys(77, 64), keys...)
	for ; len(asked) >= batch; asked = asked[batch:] {
		some := (*[batch]uint64)(asked)
		count := 1 + int(asked[0]%batch)
		var got, want located
		f.locateAll(some[:(count+7)/8*8], &want)
		locate512(some, (count+7)/8, &got, &f.shards[0], len(f.keys), f.bits)
		if got != want {
			t.Fatal("located differently")
		}
		answers := f.probe(&want, count)
		if got := probe512(&f.words[0], &want, count, f.bits, uint64(1)<<columns(f.bits, (f.bits-1)/8)-1); got != answers {
			t.Fatalf("answers %x, want %x", got, answers)
		}
		if width == 8 && f.probe8(&want, count) != answers {
			t.Fatal("probe8 answers differently")
		}
	}
}
