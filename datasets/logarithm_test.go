package datasets_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
)

// The logarithm of integers against that of the library.
func TestNegativeLog2(t *testing.T) {
	words := []uint64{0, 1, 2, 3, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1 << 63, 1<<63 + 1<<54, math.MaxUint64}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		words = append(words, r.Uint64()>>r.IntN(64))
	}
	for _, word := range words {
		want := 64 - math.Log2(float64(max(word, 1)))
		got := float64(datasets.NegativeLog2(word)) / (1 << 32)
		if math.Abs(got-want) > 3e-6 {
			t.Errorf("-log2(%d/2^64) is %.9f, want %.9f", word, got, want)
		}
	}
}
