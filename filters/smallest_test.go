package filters

import (
	"fmt"
	"math"
	"testing"
)

func smallestSizes() (sizes []int) {
	for n := range 201 {
		sizes = append(sizes, n)
	}
	return append(sizes, 500, 1000, 10_000, 100_000)
}

// TestSmallest builds every kind that can give the rate and finds out which is
// the smallest. The sizes that depend on the keys may be off by 1 %, or 2 bytes.
func TestSmallest(t *testing.T) {
	for bits := 1; bits <= 32; bits++ {
		if bits > 20 && bits%8 != 0 {
			continue
		}
		t.Run(fmt.Sprintf("bits=%d", bits), func(t *testing.T) {
			t.Parallel()
			checkSmallest(t, Options{Bits: bits, Distinct: true})
		})
	}
	t.Run("rate=0.7", func(t *testing.T) { checkSmallest(t, Options{FalsePositiveRate: 0.7}) })
	t.Run("rate=0.001", func(t *testing.T) { checkSmallest(t, Options{FalsePositiveRate: 0.001}) })
}

func checkSmallest(t *testing.T, opt Options) {
	var all, chosen Builder
	wins := ""
	last := Kind(0)
	for _, n := range smallestSizes() {
		if n > 10_000 && testing.Short() {
			continue
		}
		keys := uniformKeys(uint64(n), n)
		f, err := chosen.Build(Smallest, keys, opt)
		if err != nil {
			t.Fatal(err)
		}
		got, least, kind := len(f.AppendTo(nil)), math.MaxInt, Kind(0)
		for _, k := range Kinds() {
			other, err := all.Build(k, keys, opt)
			if err != nil {
				continue // the kind cannot give the rate
			}
			size := len(other.AppendTo(nil))
			checkSize(t, k, n, opt, size)
			if size < least {
				least, kind = size, k
			}
		}
		if got > least+max(2, least/100) {
			t.Errorf("%d keys: %v takes %d bytes, %v %d", n, f.Kind(), got, kind, least)
		}
		if f.Kind() != last {
			wins += fmt.Sprintf(" %d:%v", n, f.Kind())
			last = f.Kind()
		}
	}
	t.Logf("%d bits, rate %v: smallest from so many keys on:%s", opt.Bits, opt.FalsePositiveRate, wins)
}

// checkSize holds a kind's size to what was built.
func checkSize(t *testing.T, kind Kind, n int, opt Options, got int) {
	t.Helper()
	s, _ := schemeOf(kind)
	if s.size == nil || n == 0 {
		return
	}
	rate, err := opt.rate(s)
	if err != nil {
		t.Fatal(err)
	}
	want, off := s.size(n, rate)+frameSize, 0
	if kind >= List { // follows from the keys too
		off = max(2, want/100)
	}
	if got < want-off || got > want+off {
		t.Errorf("%v of %d keys at %v: %d bytes, said to take %d", kind, n, rate, got, want)
	}
}

// TestFuseBytes: the size that follows from the number of keys is that of the
// library, at plateau edges and where it halves its segments.
func TestFuseBytes(t *testing.T) {
	var b Builder
	all := uniformKeys(1, 60_000)
	steps := 150
	if RaceDetector || testing.Short() {
		steps = 10
	}
	for n := 1; n <= len(all); n += 1 + n/steps {
		for kind, size := range map[Kind]func(int, float64) int{Fuse8: fuse8Bytes, Fuse16: fuse16Bytes, Xor8: xor8Bytes} {
			f, err := b.Build(kind, all[:n], Options{Distinct: true})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := len(f.AppendTo(nil))-frameSize, size(n, 0); got != want {
				t.Errorf("%v of %d keys: %d bytes, want %d", kind, n, got, want)
			}
		}
	}
}
