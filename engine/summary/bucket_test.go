package summary_test

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// wholeNumber reads a key as the 320-bit number whose bits buckets are made of.
func wholeNumber(k summary.Key) *big.Int {
	time := new(big.Int).Add(big.NewInt(k.Time), new(big.Int).Lsh(big.NewInt(1), 63))
	return time.Or(time.Lsh(time, 256), new(big.Int).SetBytes(k.ID[:]))
}

// edgeKeys are 256 keys, unordered, at times and with IDs where bits are likely to be
// handled wrongly: both ends of time, either side of 0 and of a bucket's boundary; IDs
// that differ in the last bit only, in the first only, after eight bytes, or everywhere.
func edgeKeys() []summary.Key {
	times := []int64{math.MinInt64, -1 << 28, -1, 0, 1, 1<<28 - 1, 1 << 28, math.MaxInt64}
	var keys []summary.Key
	for i := range 256 {
		id := summary.ID{0: byte(i>>4&1) << 7, 8: byte(i >> 5 & 1), 15: byte(i>>6&1) << 4, 31: byte(i >> 3 & 1)}
		if i>>7 == 1 {
			for at := range id {
				id[at] ^= 0xff
			}
		}
		keys = append(keys, summary.Key{Time: times[i&7], ID: id})
	}
	return keys
}

// TestBucket holds buckets to the arithmetic of 320-bit numbers: the bucket of n bits
// around a key is what shares its number divided by 2^(320-n).
func TestBucket(t *testing.T) {
	keys := edgeKeys()
	for _, bits := range []int{0, 1, 2, 35, 36, 63, 64, 65, 72, 127, 128, 129, 319, 320} {
		rest := uint(320 - bits)
		for _, k := range keys {
			b := summary.BucketOf(k, bits)
			first := new(big.Int).Lsh(new(big.Int).Rsh(wholeNumber(k), rest), rest)
			last := new(big.Int).Sub(new(big.Int).Add(first, new(big.Int).Lsh(big.NewInt(1), rest)), big.NewInt(1))
			if b.Bits() != bits || wholeNumber(b.First()).Cmp(first) != 0 || wholeNumber(b.Last()).Cmp(last) != 0 {
				t.Fatalf("%d bits around %v: got %v from %v to %v", bits, k, b, b.First(), b.Last())
			}
			for _, other := range keys[bits%7:][:90] {
				n := wholeNumber(other)
				inside := n.Cmp(first) >= 0 && n.Cmp(last) <= 0
				if b.Contains(other) != inside || (summary.BucketOf(other, bits) == b) != inside {
					t.Fatalf("%v contains %v: got %v, want %v", b, other, b.Contains(other), inside)
				}
			}
		}
	}
}

// TestBucketOutside: numbers of bits that no bucket has count as the nearest.
func TestBucketOutside(t *testing.T) {
	k := edgeKeys()[77]
	if got := summary.BucketOf(k, -1); got != (summary.Bucket{}) {
		t.Errorf("-1 bits: got %v", got)
	}
	if got, want := summary.BucketOf(k, 321), summary.BucketOf(k, 320); got != want {
		t.Errorf("321 bits: got %v, want %v", got, want)
	}
}

func TestBucketCovers(t *testing.T) {
	var buckets []summary.Bucket
	for _, k := range edgeKeys()[:40] {
		for _, bits := range []int{0, 1, 36, 64, 65, 320} {
			buckets = append(buckets, summary.BucketOf(k, bits))
		}
	}
	slices.SortFunc(buckets, summary.Bucket.Compare)
	for i, a := range buckets {
		for j, b := range buckets {
			want := a.First().Compare(b.First()) <= 0 && b.Last().Compare(a.Last()) <= 0
			if got := a.Covers(b); got != want {
				t.Errorf("%v covers %v: got %v, want %v", a, b, got, want)
			}
			order := a.First().Compare(b.First())
			if i < j && (order > 0 || order == 0 && a.Bits() > b.Bits()) {
				t.Errorf("%v is sorted before %v", a, b)
			}
		}
	}
}

func TestBucketString(t *testing.T) {
	k := summary.Key{Time: 0x0123456789abcdef, ID: summary.ID{0xfe, 0xdc}}
	for bits, want := range map[int]string{0: "/0", 1: "8/1", 19: "81234/19", 64: "8123456789abcdef/64", 72: "8123456789abcdeffe/72"} {
		if got := summary.BucketOf(k, bits).String(); got != want {
			t.Errorf("%d bits: got %s, want %s", bits, got, want)
		}
	}
}
