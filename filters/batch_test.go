package filters

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/bits-and-blooms/bloom/v3"
)

// checkBatch compares ContainsBatch with Contains.
func checkBatch(t *testing.T, name string, f Filter, keys []uint64) {
	t.Helper()
	words := (len(keys) + 63) / 64
	in := slices.Repeat([]uint64{0xdead}, words+1)
	f.ContainsBatch(keys, in)
	for i, key := range keys {
		if got, want := in[i/64]>>(i%64)&1 == 1, f.Contains(key); got != want {
			t.Fatalf("%s: key %d of %d is %v, want %v", name, i, len(keys), got, want)
		}
	}
	if used := len(keys) % 64; used > 0 && in[words-1]>>used != 0 {
		t.Errorf("%s: bits beyond the last of %d keys", name, len(keys))
	}
	if in[words] != 0xdead {
		t.Errorf("%s: a word beyond the last of %d keys is written", name, len(keys))
	}
}

func TestBatchAgainstContains(t *testing.T) {
	for _, kind := range Kinds() {
		for _, rate := range []float64{0, 0.5, 0.01} {
			for _, n := range []int{0, 1, 2, 3, 64, 1000, 5000} {
				set := uniformKeys(2, n)
				f, err := Build(kind, set, Options{FalsePositiveRate: rate})
				if err != nil {
					t.Fatal(err)
				}
				asked := append(uniformKeys(4, 300), set[:min(n, 300)]...)
				asked = append(asked, 0, math.MaxUint64)
				name := fmt.Sprintf("%v of %d keys at %v", kind, n, rate)
				for _, count := range []int{0, 1, 63, 64, 65, 128, 129, len(asked)} {
					keys := asked[max(0, len(asked)-count):]
					checkBatch(t, name+" unsorted", f, keys)
					checkBatch(t, name+" sorted", f, slices.Sorted(slices.Values(keys)))
				}
				checkBatch(t, name+" all of the set", f, slices.Sorted(slices.Values(set)))
				checkBatch(t, name+" repeating", f, slices.Repeat(asked[:1], 100))
			}
		}
	}
}

// TestBatchRefuses: room beyond the length of in is not in.
func TestBatchRefuses(t *testing.T) {
	for _, kind := range Kinds() {
		for _, n := range []int{0, 10} {
			f := mustBuild(t, kind, uniformKeys(1, n))
			t.Run(fmt.Sprintf("%v of %d keys", kind, n), func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("65 keys are answered in one word")
					}
				}()
				f.ContainsBatch(uniformKeys(2, 65), make([]uint64, 1, 2))
			})
		}
	}
}

func TestBatchAllocates(t *testing.T) {
	keys := uniformKeys(1, 1000)
	sorted := slices.Sorted(slices.Values(keys))
	in := make([]uint64, 16)
	for _, kind := range Kinds() {
		f := mustBuild(t, kind, keys)
		allocs := testing.AllocsPerRun(10, func() { f.ContainsBatch(keys, in); f.ContainsBatch(sorted, in); f.Contains(keys[3]) })
		if allocs > 0 {
			t.Errorf("%v: %v allocations", kind, allocs)
		}
	}
}

// TestFarTables asks small tables in the way that is meant for large ones.
func TestFarTables(t *testing.T) {
	keys := uniformKeys(1, 1000)
	asked := append(uniformKeys(2, 30), keys[:34]...)
	for _, kind := range []Kind{Xor8, Fuse8, Fuse16} {
		f := mustBuild(t, kind, keys)
		for n := 1; n <= 64; n++ {
			var at places
			var got uint64
			switch f := f.(type) {
			case *xor8Filter:
				f.locate(asked[:n], &at)
				got = answers(f.table.Fingerprints, &at, n)
			case *fuseFilter[uint8]:
				f.locate(asked[:n], &at)
				got = answers(f.table.Fingerprints, &at, n)
			case *fuseFilter[uint16]:
				f.locate(asked[:n], &at)
				got = answers(f.table.Fingerprints, &at, n)
			}
			var want uint64
			for i, key := range asked[:n] {
				if f.Contains(key) {
					want |= 1 << i
				}
			}
			if got != want {
				t.Fatalf("%v, %d keys: %x, want %x", kind, n, got, want)
			}
		}
	}
}

// FuzzBloomHash holds bloomHash to the positions that the library tells of.
func FuzzBloomHash(f *testing.F) {
	for _, key := range append(uniformKeys(1, 100), 0, 1, math.MaxUint64) {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key uint64) {
		h := bloomHash(key)
		for i, want := range bloom.Locations(binary.LittleEndian.AppendUint64(nil, key), bloomMaxK) {
			from, step := bloomWordsOf(uint64(i))
			if got := h[from] + uint64(i)*h[step]; got != want {
				t.Fatalf("position %d of %#x: %#x, want %#x", i, key, got, want)
			}
		}
	})
}

// TestBloomAgainstLibrary: the library sets the same bits.
func TestBloomAgainstLibrary(t *testing.T) {
	for _, rate := range []float64{0.7, 0x1p-8, 0x1p-24} {
		for _, n := range []int{1, 63, 64, 65, 1000} {
			keys := uniformKeys(5, n)
			f, err := Build(Bloom, keys, Options{FalsePositiveRate: rate})
			if err != nil {
				t.Fatal(err)
			}
			got := f.(*bloomFilter)
			want := bloom.New(got.bits.Cap(), got.bits.K())
			for _, key := range keys {
				want.Add(binary.LittleEndian.AppendUint64(nil, key))
			}
			if !slices.Equal(got.words, want.BitSet().Words()) {
				t.Errorf("%d keys at %v: other bits than the library's", n, rate)
			}
		}
	}
}

func TestGallop(t *testing.T) {
	values := []uint64{2, 2, 4, 6, 8, 10, 10, 10, 12}
	for n := range len(values) + 1 {
		for target := range uint64(14) {
			want, _ := slices.BinarySearch(values[:n], target)
			if got := gallop(values[:n], target); got != want {
				t.Errorf("%d of %v are less than %d, want %d", got, values[:n], target, want)
			}
		}
	}
}
