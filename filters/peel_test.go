package filters

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/FastFilter/xorfilter"
)

// withMaxIterations lets the library try only so many seeds during the test.
func withMaxIterations(t *testing.T, most int) {
	before := xorfilter.MaxIterations
	xorfilter.MaxIterations = most
	t.Cleanup(func() { xorfilter.MaxIterations = before })
}

func uniformKeys(seed uint64, n int) []uint64 {
	random := rand.New(rand.NewPCG(seed, 3))
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = random.Uint64()
	}
	return keys
}

func checkMembers(t *testing.T, f Filter, keys []uint64) {
	t.Helper()
	for _, key := range keys {
		if !f.Contains(key) {
			t.Fatalf("%v of %d keys denies %#x", f.Kind(), len(keys), key)
		}
	}
}

// TestShiftedKeys lets the library try one seed only, so that filters are often
// built from shifted keys. They must still contain the keys as they were, and
// survive encoding.
func TestShiftedKeys(t *testing.T) {
	withMaxIterations(t, 1)
	for _, kind := range []Kind{Xor8, Fuse8, Fuse16} {
		shifted := 0
		for seed := range uint64(400) {
			keys := uniformKeys(seed, 20+int(seed)%80)
			f, err := Build(kind, keys, Options{})
			if err != nil {
				t.Fatal(err)
			}
			checkMembers(t, f, keys)
			decoded, err := Decode(f.AppendTo(nil), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			checkMembers(t, decoded, keys)
			if f.Kind() == kind && seedOf(f) != seedOf(mustBuild(t, kind, keys[:1])) {
				shifted++
			}
		}
		if shifted == 0 {
			t.Errorf("%v: no filter needed shifted keys; the test shows nothing", kind)
		}
		t.Logf("%v: %d of 400 filters from shifted keys", kind, shifted)
	}
}

// seedOf returns the seed of a xor or fuse filter.
func seedOf(f Filter) uint64 {
	switch f := f.(type) {
	case *xor8Filter:
		return f.table.Seed
	case *fuseFilter[uint8]:
		return f.table.Seed
	case *fuseFilter[uint16]:
		return f.table.Seed
	}
	panic("not a filter with a seed")
}

func mustBuild(t *testing.T, kind Kind, keys []uint64) Filter {
	t.Helper()
	f, err := Build(kind, keys, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestListInstead lets no construction succeed.
func TestListInstead(t *testing.T) {
	withMaxIterations(t, 0)
	for kind, width := range map[Kind]int{Xor8: 7 + 8, Fuse8: 7 + 8, Fuse16: 7 + 16} {
		keys := uniformKeys(1, 100)
		f := mustBuild(t, kind, keys)
		if f.Kind() != List || f.Len() != 100 {
			t.Fatalf("%v became a %v of %d keys", kind, f.Kind(), f.Len())
		}
		if got := f.(*listFilter).width; got != width {
			t.Errorf("%v became a list of width %d, want %d", kind, got, width)
		}
		checkMembers(t, f, keys)
	}
}

// TestPeelRestoresKeys: a construction that disturbs the order and fails leaves
// the fallback with the keys as they were.
func TestPeelRestoresKeys(t *testing.T) {
	keys := slices.Sorted(slices.Values(uniformKeys(2, 50)))
	attempts := 0
	b := Builder{sorted: true}
	f, err := b.peel(keys, 0x1p-64, func(keys []uint64, _ uint64) (Filter, error) {
		attempts++
		keys[0], keys[attempts] = keys[attempts], keys[0]
		return nil, errors.New("never")
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.(*listFilter).values; !slices.Equal(got, keys) || attempts != peelAttempts {
		t.Errorf("after %d attempts, the keys are not what they were", attempts)
	}
}

// TestGeometry compares what a decoder computes from n, or bounds by it, with
// what the library makes of every number of keys.
func TestGeometry(t *testing.T) {
	keys := uniformKeys(3, 6000)
	for n := 1; n <= len(keys); n += 1 + n/200 {
		table, err := xorfilter.Populate(keys[:n])
		if err != nil {
			t.Fatal(err)
		}
		if got := xor8Block(n); got != int(table.BlockLength) || 3*got != len(table.Fingerprints) {
			t.Errorf("%d keys: blocks of %d, want %d", n, got, table.BlockLength)
		}
		f := mustBuild(t, Fuse8, keys[:n])
		if _, err := Decode(f.AppendTo(nil), Limits{}); err != nil {
			t.Errorf("%d keys: %v", n, err)
		}
	}
}
