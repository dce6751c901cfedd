package summary

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func indexSizes() []int { return []int{10_000, 100_000, 1_000_000, 3_000_000} }

// BenchmarkIndexInsert inserts into an index that grows from none to twice n entries.
func BenchmarkIndexInsert(b *testing.B) {
	for _, n := range indexSizes() {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			entries := indexEntries(rand.New(rand.NewPCG(1, 1)), 2*n)
			x := BuildIndex(48, entries[:n])
			at := n
			for b.Loop() {
				if at == len(entries) {
					b.StopTimer()
					x, at = BuildIndex(48, entries[:n]), n
					b.StartTimer()
				}
				x.Insert(entries[at].Short, entries[at].Position)
				at++
			}
			b.ReportMetric(float64(x.Size())/float64(x.Len()), "B/item")
		})
	}
}

func BenchmarkIndexLookup(b *testing.B) {
	for _, n := range indexSizes() {
		for _, hit := range []bool{true, false} {
			b.Run(fmt.Sprintf("n=%d/hit=%t", n, hit), func(b *testing.B) {
				entries := indexEntries(rand.New(rand.NewPCG(1, 1)), n)
				x := BuildIndex(48, entries)
				random := rand.New(rand.NewPCG(1, 2))
				random.Shuffle(n, func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
				if !hit {
					entries = indexEntries(random, n)
				}
				dst, at, found := make([]uint32, 0, 8), 0, 0
				for b.Loop() {
					dst = x.Lookup(dst[:0], entries[at].Short)
					found += len(dst)
					if at++; at == n {
						at = 0
					}
				}
				if hit && found < b.N {
					b.Fatalf("%d found in %d", found, b.N)
				}
			})
		}
	}
}

// BenchmarkIndexChange removes an entry and inserts another.
func BenchmarkIndexChange(b *testing.B) {
	const n = 1_000_000
	entries := indexEntries(rand.New(rand.NewPCG(1, 1)), 2*n)
	x := BuildIndex(48, entries[:n])
	at := 0
	for b.Loop() {
		x.Remove(entries[at].Short, entries[at].Position)
		with := entries[(at+n)%(2*n)]
		x.Insert(with.Short, with.Position)
		if at++; at == 2*n {
			at = 0
		}
	}
	if x.Len() != n {
		b.Fatalf("%d entries, want %d", x.Len(), n)
	}
}

// BenchmarkIndexAll is about all of 10^6 entries at once: made from entries in no
// order, encoded, decoded, yielded.
func BenchmarkIndexAll(b *testing.B) {
	const n = 1_000_000
	entries := indexEntries(rand.New(rand.NewPCG(1, 1)), n)
	x := BuildIndex(48, entries)
	data := x.AppendBinary(nil)
	for name, run := range map[string]func(){
		"build":  func() { x = BuildIndex(48, entries) },
		"encode": func() { data = x.AppendBinary(data[:0]) },
		"decode": func() {
			var err error
			if x, err = DecodeIndex(data); err != nil {
				b.Fatal(err)
			}
		},
		"yield": func() {
			var sum uint64
			for short := range x.All() {
				sum += short
			}
			if sum == 0 {
				b.Fatal("no short IDs")
			}
		},
	} {
		b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/item")
		})
	}
}

// BenchmarkIndexSabotage removes and inserts one of n entries that all lie on one page.
func BenchmarkIndexSabotage(b *testing.B) {
	const n = 100_000
	for _, name := range []string{"one page", "equal"} {
		b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
			x := NewIndex(48)
			for i := range uint32(n) {
				short := uint64(i)
				if name == "equal" {
					short = 1
				}
				x.add(x.slot(short), short, i) // Insert would take n^2/2 comparisons
				if x.n > x.load*x.pageCount() {
					x.splitPage()
				}
			}
			for b.Loop() {
				if !x.Remove(1, 1) || !x.Insert(1, 1) {
					b.Fatal("an entry is lost")
				}
			}
		})
	}
}
