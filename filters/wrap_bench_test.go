package filters_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/FastFilter/xorfilter"
	"github.com/bits-and-blooms/bloom/v3"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// These benchmarks compare this package with the libraries inside it, each used
// in the fastest way that it offers. Machines are noisy, so impl=ours runs both in
// turn and reports, beside its own time, the median ratio of the two as x-raw.

// library is one library's own way to build and to ask, over memory that it uses again.
type library struct {
	kind  filters.Kind
	build func(keys []uint64)
	count func(keys []uint64) int // how many keys are let through
}

func libraries(n int) []library {
	return []library{rawBloom(n), rawXor8(), rawFuse[uint8](filters.Fuse8), rawFuse[uint16](filters.Fuse16)}
}

// rawBloom has as many bits as the filter of this package.
func rawBloom(n int) library {
	f, err := filters.Build(filters.Bloom, filterstest.Keys(1, n), filters.Options{Distinct: true})
	if err != nil {
		panic(err)
	}
	m := binary.LittleEndian.Uint32(f.AppendTo(nil)[9:])
	raw := bloom.New(uint(m), 8)
	return library{
		kind: filters.Bloom,
		build: func(keys []uint64) {
			raw.ClearAll()
			var text [8]byte
			for _, key := range keys {
				binary.LittleEndian.PutUint64(text[:], key)
				raw.Add(text[:])
			}
		},
		count: func(keys []uint64) (found int) {
			var text [8]byte
			for _, key := range keys {
				binary.LittleEndian.PutUint64(text[:], key)
				if raw.Test(text[:]) {
					found++
				}
			}
			return found
		},
	}
}

func rawXor8() library {
	var raw *xorfilter.Xor8
	return library{
		kind: filters.Xor8,
		build: func(keys []uint64) {
			var err error
			if raw, err = xorfilter.Populate(keys); err != nil {
				panic(err)
			}
		},
		count: func(keys []uint64) (found int) {
			for _, key := range keys {
				if raw.Contains(key) {
					found++
				}
			}
			return found
		},
	}
}

func rawFuse[T xorfilter.Unsigned](kind filters.Kind) library {
	var b xorfilter.BinaryFuseBuilder
	var raw xorfilter.BinaryFuse[T]
	return library{
		kind: kind,
		build: func(keys []uint64) {
			var err error
			if raw, err = xorfilter.BuildBinaryFuse[T](&b, keys); err != nil {
				panic(err)
			}
		},
		count: func(keys []uint64) (found int) {
			for _, key := range keys {
				if raw.Contains(key) {
					found++
				}
			}
			return found
		},
	}
}

// wrapped runs bench for every library and number of keys. Bench returns what either side does
// to how many keys.
func wrapped(b *testing.B, bench func(b *testing.B, lib library, keys []uint64) (raw, ours func(), n int)) {
	for _, n := range []int{1000, 100_000, 1_000_000, 10_000_000} {
		if n > 1_000_000 && testing.Short() {
			continue
		}
		keys := filterstest.Keys(1, n)
		for _, lib := range libraries(n) {
			b.Run(fmt.Sprintf("filter=%v/impl=raw/n=%d", lib.kind, n), func(b *testing.B) {
				raw, _, n := bench(b, lib, keys)
				for b.Loop() {
					raw()
				}
				perKey(b, n)
			})
			b.Run(fmt.Sprintf("filter=%v/impl=ours/n=%d", lib.kind, n), func(b *testing.B) {
				raw, ours, n := bench(b, lib, keys)
				inTurn(b, n, raw, ours)
			})
		}
	}
}

// inTurn runs raw and ours in turn, and each once before.
func inTurn(b *testing.B, n int, raw, ours func()) {
	raw()
	ours()
	var times, ratios []float64
	for b.Loop() {
		start := time.Now()
		raw()
		middle := time.Now()
		ours()
		took := time.Since(middle)
		times = append(times, float64(took.Nanoseconds())/float64(n))
		ratios = append(ratios, float64(took)/float64(middle.Sub(start)))
	}
	slices.Sort(times)
	slices.Sort(ratios)
	b.ReportMetric(0, "ns/op") // of both together, it would mislead
	b.ReportMetric(times[len(times)/2], "ns/key")
	b.ReportMetric(ratios[len(ratios)/2], "x-raw")
}

func BenchmarkWrapBuild(b *testing.B) {
	wrapped(b, func(b *testing.B, lib library, keys []uint64) (raw, ours func(), n int) {
		var builder filters.Builder
		return func() { lib.build(keys) }, func() {
			if _, err := builder.Build(lib.kind, keys, filters.Options{Distinct: true}); err != nil {
				b.Fatal(err)
			}
		}, len(keys)
	})
}

// wrappedAsk asks for keys of the set or for others, so many that their answers
// do not stay in the cache.
func wrappedAsk(b *testing.B, ask func(f filters.Filter, keys []uint64)) {
	others := filterstest.Keys(2, 1<<21)
	for _, hit := range []bool{true, false} {
		b.Run(fmt.Sprintf("hit=%v", hit), func(b *testing.B) {
			wrapped(b, func(b *testing.B, lib library, keys []uint64) (raw, ours func(), n int) {
				asked := others[:min(len(others), len(keys))]
				if hit {
					asked = keys[:len(asked)]
				}
				lib.build(keys)
				f, err := filters.Build(lib.kind, keys, filters.Options{Distinct: true})
				if err != nil {
					b.Fatal(err)
				}
				return func() {
					if found := lib.count(asked); hit && found != len(asked) {
						b.Fatalf("%d of %d found", found, len(asked))
					}
				}, func() { ask(f, asked) }, len(asked)
			})
		})
	}
}

func BenchmarkWrapBatch(b *testing.B) {
	in := make([]uint64, 1<<21/64)
	wrappedAsk(b, func(f filters.Filter, keys []uint64) { f.ContainsBatch(keys, in) })
}

func BenchmarkWrapContains(b *testing.B) {
	found := 0
	wrappedAsk(b, func(f filters.Filter, keys []uint64) {
		for _, key := range keys {
			if f.Contains(key) {
				found++
			}
		}
	})
}
