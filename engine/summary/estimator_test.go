package summary

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// slowEstimators counts by remainders and quotients, in unbounded integers.
type slowEstimators [EstimatorLevels][256]int

func (s *slowEstimators) count(slice uint64, times int) {
	counter, rest := slice%256, slice/256
	if rest%2 == 1 {
		times = -times
	}
	rest /= 2
	for level := range s {
		s[level][counter] += times
		if rest%16 > 0 {
			return
		}
		rest /= 16
	}
}

// FuzzEstimators: inserts, removals, differences and unions are those of integers,
// modulo 256, in any order. Edge cases A6, B22, B23.
func FuzzEstimators(f *testing.F) {
	f.Add(uint64(1), uint16(300))
	f.Add(uint64(2), uint16(5000))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		random := rand.New(rand.NewPCG(seed, 6))
		var got [2]Estimators
		var want [2]slowEstimators
		for range steps {
			// Few counters, so that they wrap, and many slices of the upper levels.
			slice := random.Uint64() & random.Uint64() & random.Uint64() &^ 0xf8
			side := random.IntN(2)
			if random.IntN(3) > 0 {
				got[side].Insert(slice)
				want[side].count(slice, 1)
			} else {
				got[side].Remove(slice)
				want[side].count(slice, -1)
			}
		}
		sum := got[0]
		sum.Merge(&got[1])
		for level := range EstimatorLevels {
			e, _ := got[0].At(level)
			g, _ := got[1].At(level)
			both, ok := sum.At(level)
			if !ok || both.Subtract(g) != e || e.Add(g) != both || e.Subtract(e) != (Estimator{}) {
				t.Fatalf("level %d: a sum without one addend is not the other", level)
			}
			for i, counter := range e.Subtract(g) {
				if wanted := want[0][level][i] - want[1][level][i]; counter != byte(wanted) {
					t.Fatalf("level %d, counter %d: got %d, want %d modulo 256", level, i, counter, wanted)
				}
			}
		}
	})
}

// TestEstimatorsUndo: 256 times the same item, and what was inserted and removed, are
// nothing. Edge cases B21 to B23.
func TestEstimatorsUndo(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 7))
	var e Estimators
	drawn := make([]uint64, 10_000)
	for i := range drawn {
		drawn[i] = random.Uint64()
		e.Insert(drawn[i])
	}
	if e == (Estimators{}) {
		t.Fatal("nothing was inserted")
	}
	random.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	for _, slice := range drawn {
		e.Remove(slice)
	}
	if e != (Estimators{}) {
		t.Error("something is left")
	}
	for range 256 {
		e.Insert(0)
	}
	if e != (Estimators{}) {
		t.Error("counters are not modulo 256")
	}
}

// TestSampling: each level has 1/16 of the items of the one below.
func TestSampling(t *testing.T) {
	var e Estimators
	var counts [EstimatorLevels + 1]int
	const n = 1 << 16
	for i := range uint64(n) {
		counts[e.sampled(i<<sampleBit)]++
	}
	want := [...]int{0, n * 15 / 16, n * 15 / 256, n * 15 / 4096, n / 4096}
	if counts != want {
		t.Errorf("got %v, want %v", counts, want)
	}
}

// TestEstimatorsBinary: the byte form comes back, and no other length or version does.
func TestEstimatorsBinary(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 8))
	var e Estimators
	for range 10_000 {
		e.Insert(random.Uint64())
	}
	data := e.AppendBinary([]byte{7})[1:]
	got, err := DecodeEstimators(data)
	if err != nil || *got != e {
		t.Errorf("got %v, %v, want what was encoded", got, err)
	}
	other := slices.Clone(data)
	other[0]++
	for name, data := range map[string][]byte{
		"nothing": nil, "truncated": data[:len(data)-1], "trailing": append(slices.Clone(data), 0), "version": other,
	} {
		if _, err := DecodeEstimators(data); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: got %v, want %v", name, err, ErrEncoding)
		}
	}
}

func FuzzDecodeEstimators(f *testing.F) {
	f.Add([]byte{})
	f.Add(new(Estimators).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEstimators(data)
		if err != nil {
			return
		}
		if got := e.AppendBinary(nil); !slices.Equal(got, data) {
			t.Errorf("byte form %x, want %x", got, data)
		}
	})
}

func TestEstimatorAllocates(t *testing.T) {
	var e Estimators
	slice := uint64(0)
	if n := testing.AllocsPerRun(100, func() {
		slice += 0x9e3779b97f4a7c15
		e.Insert(slice)
		at, _ := e.At(0)
		Estimate(0, at)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEstimatorInsert(b *testing.B) {
	var e Estimators
	slice := uint64(0)
	for b.Loop() {
		slice += 0x9e3779b97f4a7c15
		e.Insert(slice)
	}
}
