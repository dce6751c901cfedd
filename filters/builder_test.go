package filters

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
)

// TestOptions: what Options may not say, and which of two ways to say it wins.
func TestOptions(t *testing.T) {
	for _, test := range []struct {
		name string
		kind Kind
		opt  Options
		want error
	}{
		{"bits and a rate", Bloom, Options{Bits: 8, FalsePositiveRate: 0x1p-8}, ErrRate},
		{"bits and NaN", Bloom, Options{Bits: 8, FalsePositiveRate: math.NaN()}, ErrRate},
		{"negative bits", List, Options{Bits: -1}, ErrRate},
		{"33 bits", List, Options{Bits: 33}, ErrRate},
		{"bits beyond the kind", Fuse8, Options{Bits: 9}, ErrRate},
		{"bits beyond bloom", Bloom, Options{Bits: 25}, ErrRate},
		{"NaN", Smallest, Options{FalsePositiveRate: math.NaN()}, ErrRate},
		{"negative zero is zero", List, Options{FalsePositiveRate: math.Copysign(0, -1)}, nil},
		{"rate one", Smallest, Options{FalsePositiveRate: 1}, ErrRate},
		{"negative rate", Smallest, Options{FalsePositiveRate: -0x1p-8}, ErrRate},
		{"the least rate", Smallest, Options{FalsePositiveRate: math.SmallestNonzeroFloat64}, nil},
		{"32 bits", Smallest, Options{Bits: 32}, nil},
		{"negative workers", Fuse8, Options{Workers: -1}, nil},
		{"unknown kind", Kind(200), Options{}, ErrUnknownKind},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, keys := range [][]uint64{nil, {1, 2}} {
				f, err := Build(test.kind, keys, test.opt)
				if !errors.Is(err, test.want) || (f == nil) != (err != nil) {
					t.Errorf("%d keys: got %v, %v, want %v", len(keys), f, err, test.want)
				}
			}
		})
	}
	for bits := 1; bits <= 32; bits++ {
		keys := uniformKeys(1, 100)
		got, err := Build(List, keys, Options{Bits: bits})
		want, err2 := Build(List, keys, Options{FalsePositiveRate: math.Ldexp(1, -bits)})
		if err != nil || err2 != nil || !bytes.Equal(got.AppendTo(nil), want.AppendTo(nil)) {
			t.Errorf("%d bits is not a rate of 2^-%d: %v, %v", bits, bits, err, err2)
		}
	}
}

// TestBuilderAllocates nothing in the steady state but for two kinds: those show that
// the test would notice.
func TestBuilderAllocates(t *testing.T) {
	if RaceDetector {
		t.Skip("the fuse library's way to grow a slice allocates under the race detector")
	}
	for _, kind := range append(Kinds(), Smallest) {
		for _, opt := range []Options{{Distinct: true}, {}} {
			for _, n := range []int{0, 1, 100, 3000, 20_000} {
				keys := uniformKeys(1, n)
				var b Builder
				allocs := testing.AllocsPerRun(3, func() {
					if _, err := b.Build(kind, keys, opt); err != nil {
						t.Fatal(err)
					}
				})
				if must := kind == Xor8 && n > 0 || kind == Segmented; (allocs > 0) != must {
					t.Errorf("%v of %d keys, distinct %v: %v allocations", kind, n, opt.Distinct, allocs)
				}
			}
		}
	}
}

// TestBuilderSizes: a builder gives what Build gives, whatever it built before.
func TestBuilderSizes(t *testing.T) {
	var b Builder
	for _, n := range []int{1000, 0, 3, 5000, 1, 4999, 5000, 12_000, 2} {
		keys := uniformKeys(uint64(n), n)
		for _, kind := range Kinds() {
			for _, opt := range []Options{{}, {Distinct: true}, {FalsePositiveRate: 0.3}} {
				got, err := b.Build(kind, keys, opt)
				if err != nil {
					t.Fatal(err)
				}
				want, err := Build(kind, keys, opt)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.AppendTo(nil), want.AppendTo(nil)) {
					t.Fatalf("%v of %d keys: a used builder makes another filter", kind, n)
				}
				checkMembers(t, got, keys)
			}
		}
	}
}

// TestBuildIsFree: what the function Build returns no later build changes, and no
// filter of a Builder shares memory with the caller's keys.
func TestBuildIsFree(t *testing.T) {
	for _, kind := range append(Kinds(), Smallest) {
		for _, opt := range []Options{{}, {Distinct: true}} {
			keys := slices.Sorted(slices.Values(uniformKeys(1, 5000)))
			kept := slices.Clone(keys)
			var b Builder
			free, err := Build(kind, keys, opt)
			if err != nil {
				t.Fatal(err)
			}
			owned, err := b.Build(kind, keys, opt)
			if err != nil {
				t.Fatal(err)
			}
			before := free.AppendTo(nil)
			if !slices.Equal(keys, kept) {
				t.Fatalf("%v: building changed the keys", kind)
			}
			for i := range keys {
				keys[i] = ^keys[i]
			}
			if !bytes.Equal(owned.AppendTo(nil), before) {
				t.Errorf("%v: a builder's filter keeps the caller's slice", kind)
			}
			for range 3 {
				if _, err := Build(kind, keys, opt); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(free.AppendTo(nil), before) {
				t.Errorf("%v: a later Build changed the filter", kind)
			}
		}
	}
}

// TestDistinctOrder: where the promise holds, the order of the keys does not show.
func TestDistinctOrder(t *testing.T) {
	for _, n := range []int{2, 100, 11_500, 30_000} {
		keys := uniformKeys(uint64(n), n)
		for _, kind := range append(Kinds(), Smallest) {
			want, err := Build(kind, keys, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := Build(kind, keys, Options{Distinct: true})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.AppendTo(nil), want.AppendTo(nil)) {
				t.Errorf("%v of %d keys: sorting them changes the filter", kind, n)
			}
		}
	}
}

// TestBuildKeepsFilterOnly: what Build returns does not hold on to the memory of
// its construction, which is twice as much and more.
func TestBuildKeepsFilterOnly(t *testing.T) {
	keys := uniformKeys(1, 200_000)
	for _, kind := range Kinds() {
		for _, distinct := range []bool{false, true} {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			f, err := Build(kind, keys, Options{Distinct: distinct})
			if err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			kept := int(after.HeapAlloc) - int(before.HeapAlloc)
			if most := len(f.AppendTo(nil))*8/5 + 1<<16; kept > most {
				t.Errorf("%v, distinct %v: %d bytes are kept, at most %d", kind, distinct, kept, most)
			}
		}
	}
}

// TestBrokenPromise: keys that repeat although the caller promised otherwise are
// let through nevertheless, and the filter can travel.
func TestBrokenPromise(t *testing.T) {
	distinct := uniformKeys(1, 10_000)
	var b Builder
	for name, keys := range map[string][]uint64{
		"two of one":        append(slices.Clone(distinct), distinct[7]),
		"0.1 %":             append(slices.Clone(distinct), distinct[:10]...),
		"10 %":              append(slices.Clone(distinct), distinct[:1111]...),
		"50 %":              append(slices.Clone(distinct), distinct...),
		"99 %":              slices.Repeat(distinct[:200], 100),
		"all equal":         slices.Repeat(distinct[:1], 5000),
		"two equal":         {5, 5},
		"three equal":       {0, 0, 0},
		"a few":             {1, 2, 2, 3, 3, 3},
		"two in each place": slices.Repeat(distinct[:100], 2),
	} {
		kept := slices.Clone(keys)
		for _, kind := range append(Kinds(), Smallest) {
			for _, bits := range []int{0, 5} {
				t.Run(fmt.Sprintf("%s/%v/%d bits", name, kind, bits), func(t *testing.T) {
					f, err := b.Build(kind, keys, Options{Distinct: true, Bits: bits})
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(keys, kept) {
						t.Fatal("building changed the keys")
					}
					checkTravels(t, f, keys)
				})
			}
		}
	}
	f, err := b.Build(List, slices.Repeat(distinct[:9], 2), Options{Distinct: true, FalsePositiveRate: 0x1p-64})
	if err != nil || f.Len() != 9 {
		t.Fatalf("a list of 9 whole keys, each twice: %v, %v", f, err)
	}
	checkTravels(t, f, distinct[:9])
}

// checkTravels checks that f contains keys, before and after encoding.
func checkTravels(t *testing.T, f Filter, keys []uint64) {
	t.Helper()
	checkMembers(t, f, keys)
	encoding := f.AppendTo(nil)
	decoded, err := Decode(encoding, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(decoded.AppendTo(nil), encoding) {
		t.Fatal("decoding and encoding again gives other bytes")
	}
	checkMembers(t, decoded, keys)
	if f.Len() > len(keys) {
		t.Fatalf("%d keys became %d", len(keys), f.Len())
	}
}
