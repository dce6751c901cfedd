package filters

import (
	"math"
	"math/bits"
	"strconv"
	"testing"
)

// These tests are about numbers that an int of 32 bits cannot hold. They say
// something where GOARCH is 386 or the like.

// TestMaxEncoding: the bits of the longest encoding can be counted, whatever the
// limits, and so can those of one code behind it.
func TestMaxEncoding(t *testing.T) {
	for _, most := range []int{math.MaxInt, math.MaxInt / 2, math.MaxInt / 8, maxEncoding} {
		limits := Limits{MaxKeys: most, MaxBytes: most}.orDefault()
		if high, low := bits.Mul64(uint64(limits.MaxBytes), 8); high != 0 || low > math.MaxInt-512 {
			t.Errorf("MaxBytes %d: %d bytes have too many bits for an int", most, limits.MaxBytes)
		}
		if got := golombLines(limits.MaxBytes); got < limits.MaxBytes/(golombLine/8) {
			t.Errorf("%d bytes have %d lines", limits.MaxBytes, got)
		}
	}
	if got := golombMemory(1 << 28); got < 1<<28 {
		t.Errorf("a payload of 2^28 bytes needs %d bytes of memory", got)
	}
	if got := (Limits{MaxBytes: 5}).orDefault().MaxBytes; got != 5 {
		t.Errorf("MaxBytes 5 became %d", got)
	}
}

// TestTooLarge: Build refuses what might be longer than an encoding can be. Of a List
// and a Golomb that is the longest for any keys of so many.
func TestTooLarge(t *testing.T) {
	for n := 1; n <= maxKeys; n = 1 + n*3/2 {
		for bits := 1; bits <= 32; bits++ {
			rate := math.Ldexp(1, -bits)
			width := listWidth(n, rate)
			for kind, room := range map[Kind]int{
				Golomb: riceRoom(n, uint64(n)<<bits-1, golombRice(bits)),
				List:   riceRoom(n, math.MaxUint64>>(64-width), riceBits(n, width)),
			} {
				if s, _ := schemeOf(kind); !s.tooLarge(n, rate) && room > maxEncoding {
					t.Errorf("%v of %d keys at 2^-%d may take %d bytes, at most %d can be", kind, n, bits, room, maxEncoding)
				}
			}
		}
	}
	for kind, most := range map[Kind]int{Bloom: 1 << 27, Golomb: 1 << 27, List: 1 << 25, Fuse16: 1 << 26} {
		s, _ := schemeOf(kind)
		if got, want := s.tooLarge(2*most, s.rate), strconv.IntSize == 32; got != want {
			t.Errorf("%v of %d keys is too large: %v, want %v", kind, 2*most, got, want)
		}
		if s.tooLarge(most, s.rate) {
			t.Errorf("%v of %d keys is too large", kind, most)
		}
	}
}

// TestBloomWords: as many bits as the wire can count.
func TestBloomWords(t *testing.T) {
	const n = 371_000_000 // the most are 2^32 bits at 11.54 bits per key
	got, want := bloomBytes(n, 0x1p-8), math.Ceil(11.541*n/64)*8
	if float64(got) < want || float64(got) > 1.001*want {
		t.Errorf("%d keys take %d bytes, want %.0f", n, got, want)
	}
	if got := bloomBytes(n*101/100, 0x1p-8); got != -1 {
		t.Errorf("more than 2^32 bits take %d bytes", got)
	}
}
