package filters

import (
	"errors"
	"math"
	"testing"
)

// TestFuseGeometry: a decoder takes the segment length that follows from the number of
// keys, and where the library may halve it also half of that; nothing else.
func TestFuseGeometry(t *testing.T) {
	for n, want := range map[int]int{1: 1, 4: 1, 5: 2, 1000: 2} {
		accepted := 0
		for log := range 24 {
			for segments := 0; (segments+2)<<log <= 8*n+64; segments++ {
				body := make([]byte, fuseHeader+(segments+2)<<log)
				body[8], body[9], body[10] = byte(log), byte(segments), byte(segments>>8)
				f, err := decodeFuse8(n, body, 0)
				if err == nil {
					accepted++
				} else if f != nil || !errors.Is(err, ErrMalformed) {
					t.Errorf("%d segments of length 2^%d for %d keys: %v, %v", segments, log, n, f, err)
				}
			}
		}
		if accepted != want {
			t.Errorf("%d keys: %d shapes are accepted, want %d", n, accepted, want)
		}
	}
}

// TestFuseHalves: the decoder reads filters for which the library halved its segments.
func TestFuseHalves(t *testing.T) {
	halved := 0
	for seed := range uint64(20) {
		f := mustBuild(t, Fuse8, uniformKeys(seed, 11_500))
		if log, _ := fuseSize(11_500); f.(*fuseFilter[uint8]).table.SegmentLength == 1<<log/2 {
			halved++
		}
		if _, err := Decode(f.AppendTo(nil), Limits{}); err != nil {
			t.Error(err)
		}
	}
	if halved == 0 {
		t.Error("no filter has halved segments; the test shows nothing")
	}
}

// TestFuseSizeIsPortable: logarithms that are off by some last bits, as they are from one
// platform to another, change no size. From a million keys on they decide on the
// segment length alone, near powers of 3.33.
func TestFuseSizeIsPortable(t *testing.T) {
	check := func(n int) {
		log := math.Log(float64(n))
		segmentLog, entries := fuseSizeOf(n, log)
		for _, other := range []float64{log * (1 - 0x1p-48), log * (1 + 0x1p-48)} {
			if l, e := fuseSizeOf(n, other); l != segmentLog || e != entries {
				t.Errorf("%d keys: segments of 2^%d and 2^%d, %d and %d fingerprints", n, l, segmentLog, e, entries)
			}
		}
	}
	for n := 2; n < 1_000_500; n++ {
		check(n)
	}
	for exponent := 12; exponent < 20; exponent++ {
		edge := int(math.Pow(3.33, float64(exponent)-2.25))
		for n := edge - 2; n <= edge+2; n++ {
			check(n)
		}
	}
}
