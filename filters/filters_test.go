package filters_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

func TestKinds(t *testing.T) {
	want := map[filters.Kind]string{1: "bloom", 2: "xor8", 3: "fuse8", 4: "fuse16", 5: "list", 6: "ribbon", 7: "golomb", 8: "segmented"}
	kinds := filters.Kinds()
	if len(kinds) != len(want) {
		t.Fatalf("%d kinds, want %d", len(kinds), len(want))
	}
	for _, kind := range kinds {
		if got := kind.String(); got != want[kind] {
			t.Errorf("kind %d is named %q, want %q", uint8(kind), got, want[kind])
		}
		if got, err := filters.ParseKind(want[kind]); got != kind || err != nil {
			t.Errorf("ParseKind(%q) = %v, %v", want[kind], got, err)
		}
	}
	kinds[0] = 99
	if filters.Kinds()[0] != filters.Bloom {
		t.Error("Kinds gives out a slice that it keeps")
	}
	for _, name := range []string{"", "Bloom", "kind(9)", "kind(0)", "smallest", "fuse"} {
		if _, err := filters.ParseKind(name); !errors.Is(err, filters.ErrUnknownKind) {
			t.Errorf("ParseKind(%q): got %v, want ErrUnknownKind", name, err)
		}
	}
	if got := filters.Kind(9).String(); got != "kind(9)" {
		t.Errorf("an unknown kind is named %q", got)
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		kind filters.Kind
		rate float64
		want error
	}{
		{"kind 9", 9, 0, filters.ErrUnknownKind},
		{"kind 255", 255, 0, filters.ErrUnknownKind},
		{"negative rate", filters.Bloom, -0.1, filters.ErrRate},
		{"rate one", filters.List, 1, filters.ErrRate},
		{"rate above one", filters.Bloom, 2, filters.ErrRate},
		{"rate NaN", filters.Bloom, math.NaN(), filters.ErrRate},
		{"infinite rate", filters.Fuse8, math.Inf(1), filters.ErrRate},
		{"bloom below 2^-24", filters.Bloom, 0x0.ffp-24, filters.ErrRate},
		{"xor8 below 2^-8", filters.Xor8, 0x0.ffp-8, filters.ErrRate},
		{"fuse8 below 2^-8", filters.Fuse8, 0x0.ffp-8, filters.ErrRate},
		{"fuse16 below 2^-16", filters.Fuse16, 0x0.ffp-16, filters.ErrRate},
		{"ribbon below 2^-32", filters.Ribbon, 0x0.ffp-32, filters.ErrRate},
		{"golomb below 2^-32", filters.Golomb, 0x0.ffp-32, filters.ErrRate},
		{"segmented below 2^-32", filters.Segmented, 0x0.ffp-32, filters.ErrRate},
		{"the smallest of rate 1", filters.Smallest, 1, filters.ErrRate},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := filters.Build(test.kind, []uint64{1, 2}, filters.Options{FalsePositiveRate: test.rate})
			if f != nil || !errors.Is(err, test.want) {
				t.Errorf("got %v, %v, want %v", f, err, test.want)
			}
		})
	}
}

func TestBuildAcceptsRates(t *testing.T) {
	for kind, rate := range map[filters.Kind]float64{
		filters.Bloom: 0x1p-24, filters.Xor8: 0x1p-8, filters.Fuse8: 0x1p-8, filters.Fuse16: 0x1p-16,
		filters.List: math.SmallestNonzeroFloat64, filters.Smallest: math.SmallestNonzeroFloat64,
		filters.Ribbon: 0x1p-32, filters.Golomb: 0x1p-32, filters.Segmented: 0x1p-32,
	} {
		for _, rate := range []float64{rate, 0.999} {
			if _, err := filters.Build(kind, []uint64{1, 2}, filters.Options{FalsePositiveRate: rate}); err != nil {
				t.Errorf("%v at rate %g: %v", kind, rate, err)
			}
		}
	}
}

// TestSize holds each kind to the sizes of the package comment: encodings that
// grow are found here.
func TestSize(t *testing.T) {
	sizes := [...]int{100, 1000, 1_000_000}
	most := map[filters.Kind][len(sizes)]float64{ // bits per key
		filters.Bloom:     {14.17, 11.84, 11.55},
		filters.Xor8:      {13.85, 10.26, 9.85},
		filters.Fuse8:     {17.21, 11.47, 9.05},
		filters.Fuse16:    {32.57, 22.72, 18.09},
		filters.List:      {42.89, 41.71, 41.63},
		filters.Ribbon:    {9.13, 8.17, 8.07},
		filters.Golomb:    {10.57, 9.65, 9.55},
		filters.Segmented: {10.17, 8.27, 8.18},
	}
	for i, n := range sizes {
		if n > 1000 && testing.Short() {
			continue
		}
		keys := filterstest.Keys(1, n)
		for _, kind := range filters.Kinds() {
			got := filters.BitsPerKey(mustBuild(t, kind, keys, filters.Options{Distinct: true}))
			t.Logf("%v of %d keys: %.3f bits per key", kind, n, got)
			if most := most[kind][i]; got > most || got < most-0.1 {
				t.Errorf("%v of %d keys: %.3f bits per key, want at most %.2f, and little less", kind, n, got, most)
			}
		}
	}
}

func TestBitsPerKeyOfNothing(t *testing.T) {
	for _, kind := range filters.Kinds() {
		f, err := filters.Build(kind, nil, filters.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := filters.BitsPerKey(f); got != 0 {
			t.Errorf("%v: %v bits per key of no keys", kind, got)
		}
		if got := len(f.AppendTo(nil)); got != 12 {
			t.Errorf("%v: the empty set takes %d bytes, want 12", kind, got)
		}
	}
}

// A node tells its peer what it has; the peer finds what it surely lacks.
func Example() {
	salt := filters.Salt{15: 1} // drawn at random for each round in earnest
	id := func(i byte) [32]byte { return [32]byte{i} }

	var keys []uint64
	for i := range byte(100) {
		keys = append(keys, salt.Key(id(i)))
	}
	have, err := filters.Build(filters.Fuse8, keys, filters.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	wire := have.AppendTo(nil)

	received, err := filters.Decode(wire, filters.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	lacking := 0
	for i := range byte(110) {
		if !received.Contains(salt.Key(id(i))) {
			lacking++
		}
	}
	fmt.Printf("%v filter of %d items in %d bytes: at least %d of 110 are lacking\n",
		received.Kind(), received.Len(), len(wire), lacking)
	// Output: fuse8 filter of 100 items in 215 bytes: at least 10 of 110 are lacking
}
