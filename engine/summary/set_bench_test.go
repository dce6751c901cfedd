package summary_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// BenchmarkSetInsert inserts into a view of 10^6 items, spread over its times, alone and
// with a snapshot before each, which lives until the next. It refines nothing.
func BenchmarkSetInsert(b *testing.B) {
	const n = 1_000_000
	s := newSet(b, [32]byte{}, summary.SetOptions{})
	items := bulkItems(n)
	if err := s.Build(items); err != nil {
		b.Fatal(err)
	}
	never := func(uint32) (bool, error) { return false, nil }
	rng := rand.New(rand.NewPCG(4, 5))
	position := uint32(n)
	for _, snapshots := range []bool{false, true} {
		b.Run(fmt.Sprintf("snapshots=%v/n=%d", snapshots, n), func(b *testing.B) {
			var last *summary.Snapshot
			for b.Loop() {
				if snapshots {
					last = s.Snapshot()
				}
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
			runtime.KeepAlive(last)
			b.ReportMetric(float64(s.Size())/n, "B/item")
		})
	}
}

// BenchmarkTableGrow doubles a table, at the number of items where it has to.
func BenchmarkTableGrow(b *testing.B) {
	for _, n := range []uint64{1<<20 + 1, 1<<23 + 1} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			random := rand.New(rand.NewPCG(6, n))
			entries := make([]summary.IndexEntry, n)
			for i := range entries {
				entries[i] = summary.IndexEntry{Short: random.Uint64() >> 16, Position: uint32(i)}
			}
			index, table := summary.BuildIndex(48, entries), summary.NewTable(coderOf(1, summary.Params{}))
			for b.Loop() {
				table.Grow(index.All(), n)
			}
		})
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
