package summary_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// per reports the time of one of n units, of which every operation handled all.
func per(b *testing.B, n int, unit string) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/"+unit)
}

func BenchmarkExpand(b *testing.B) {
	e := summary.NewExpander([32]byte{}, summary.Params{})
	var k summary.Key
	for b.Loop() {
		k.Time++
		e.Key(k)
	}
}

func BenchmarkTableInsert(b *testing.B) {
	for _, n := range []uint64{30_000, 1_000_000, 30_000_000} {
		table := summary.NewTable(coderOf(1, summary.Params{}))
		table.Grow(func(func(uint64) bool) {}, n)
		b.Run(fmt.Sprintf("cells=%d", table.Cells()), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 1))
			for b.Loop() {
				table.Insert(random.Uint64())
			}
		})
	}
}

func BenchmarkFold(b *testing.B) {
	for _, from := range []int{1 << 15, 1 << 16, 1 << 20} {
		s := sketchOf(b, coderOf(1, summary.Params{}), from, randomItems(rand.New(rand.NewPCG(1, 1)), summary.WideParams(), 1000, 1))
		for _, to := range []int{160, from/2 + 1} {
			b.Run(fmt.Sprintf("cells=%d/to=%d", from, to), func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Fold(to); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, d := range []int{1, 32, 100, 1000, 10_000, 100_000} {
		c := coderOf(1, summary.Params{})
		s := sketchOf(b, c, summary.CellsFor(d)*11/10, randomItems(random, c.Params(), d, 0.5))
		b.Run(fmt.Sprintf("d=%d", d), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Decode(); err != nil {
					b.Fatal(err)
				}
			}
			per(b, d, "difference")
		})
	}
}

// BenchmarkDecodeOverfull: what a sketch costs that is refused.
func BenchmarkDecodeOverfull(b *testing.B) {
	c := coderOf(1, summary.Params{})
	s := sketchOf(b, c, 1<<16, randomItems(rand.New(rand.NewPCG(1, 3)), c.Params(), 1<<17, 0.5))
	for b.Loop() {
		if _, err := s.Decode(); err == nil {
			b.Fatal("it decodes")
		}
	}
	per(b, s.Cells(), "cell")
}

func BenchmarkSketchWire(b *testing.B) {
	c := coderOf(1, summary.Params{})
	s := sketchOf(b, c, 1<<14, randomItems(rand.New(rand.NewPCG(1, 4)), c.Params(), 1<<14, 0.5))
	var data []byte
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			data = s.AppendCells(data[:0], 0, s.Cells())
		}
		per(b, s.Cells(), "cell")
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := summary.DecodeSketch(c, data); err != nil {
				b.Fatal(err)
			}
		}
		per(b, s.Cells(), "cell")
	})
}
