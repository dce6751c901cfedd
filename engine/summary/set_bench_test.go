package summary_test

import (
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// BenchmarkSetInsert inserts into a view of 10^6 items, spread over its times, and
// refines what becomes dense with keys that are at hand.
func BenchmarkSetInsert(b *testing.B) {
	const n = 1_000_000
	s := newSet(b, [32]byte{}, summary.SetOptions{})
	items := bulkItems(n)
	if err := s.Build(items); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(s.Size())/n, "B/item")
	never := func(uint32) (bool, error) { return false, nil }
	rng := rand.New(rand.NewPCG(4, 5))
	position := uint32(n)
	for b.Loop() {
		position++
		k := items[rng.IntN(n)].Key
		k.Time++
		k.ID[0] ^= byte(position)
		k.ID[1] ^= byte(position >> 8)
		k.ID[2] ^= byte(position >> 16)
		if err := s.Insert(k, position, never); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetBuild(b *testing.B) {
	items := bulkItems(1_000_000)
	for b.Loop() {
		if err := newSet(b, [32]byte{}, summary.SetOptions{}).Build(items); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetFreeze(b *testing.B) {
	s := newSet(b, [32]byte{}, summary.SetOptions{})
	if err := s.Build(bulkItems(1_000_000)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.Freeze()
	}
}

func BenchmarkSetDecode(b *testing.B) {
	s := newSet(b, [32]byte{}, summary.SetOptions{})
	if err := s.Build(bulkItems(1_000_000)); err != nil {
		b.Fatal(err)
	}
	form := s.AppendBinary(nil)
	for b.Loop() {
		if _, err := summary.DecodeSet([32]byte{}, form); err != nil {
			b.Fatal(err)
		}
	}
}
