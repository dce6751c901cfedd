package filters

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestGolombAgainstSlow(t *testing.T) {
	for n := 1; n <= 600; n++ {
		for _, r := range []int{1 + n%32, 8} {
			checkGolomb(t, uniformKeys(uint64(n), n), r, uniformKeys(uint64(n)+1000, 100))
		}
	}
	for r := 1; r <= 32; r++ {
		for _, n := range []int{1, 2, 3, 1000, 5000} {
			checkGolomb(t, uniformKeys(uint64(r), n), r, uniformKeys(uint64(r)+50, 500))
		}
	}
}

// awkwardKeys are sets of n keys with places that repeat, and with differences of
// many words.
func awkwardKeys(n int) map[string][]uint64 {
	sets := map[string]func(i uint64) uint64{
		"all zero":      func(uint64) uint64 { return 0 },
		"all ones":      func(uint64) uint64 { return math.MaxUint64 },
		"consecutive":   func(i uint64) uint64 { return i },
		"at the top":    func(i uint64) uint64 { return math.MaxUint64 - i },
		"in the middle": func(i uint64) uint64 { return 1<<63 - uint64(n)/2 + i },
		"high bits":     func(i uint64) uint64 { return i << 52 },
		"at both ends":  func(i uint64) uint64 { return i ^ -(i & 1) },
		"three heaps":   func(i uint64) uint64 { return i%3<<62 + i<<30 },
		"even":          func(i uint64) uint64 { return math.MaxUint64 / uint64(n) * i },
	}
	keys := make(map[string][]uint64)
	for name, key := range sets {
		for i := range uint64(n) {
			keys[name] = append(keys[name], key(i))
		}
	}
	return keys
}

func TestGolombAwkward(t *testing.T) {
	for _, n := range []int{1, 2, 7, 64, 600, 3000} {
		for name, keys := range awkwardKeys(n) {
			for _, r := range []int{1, 3, 4, 8, 26, 31, 32} {
				t.Run(fmt.Sprintf("%s/%d/%d", name, n, r), func(t *testing.T) {
					others := uniformKeys(uint64(n), 100)
					for _, key := range keys[:min(n, 100)] {
						others = append(others, key-1, key+1)
					}
					checkGolomb(t, keys, r, others)
				})
			}
		}
	}
}

// TestGolombGolden: by hand, n 2^r = 12: places 0, 3, 6 with p = 2, so 1+00, 1+11, 1+11.
func TestGolombGolden(t *testing.T) {
	for _, test := range []struct {
		keys []uint64
		r    int
		want string
	}{
		{[]uint64{0, 1 << 62, 1 << 63}, 2, "444601070300000002f901"},
		{[]uint64{math.MaxUint64}, 32, "444601070100000020feffffff01"},
		{[]uint64{1 << 63}, 8, "4446010701000000080200"},
		{[]uint64{1 << 63}, 1, "44460107010000000103"},
	} {
		got := golombOf(t, test.keys, test.r).AppendTo(nil)
		if text := hex.EncodeToString(got[:len(got)-checksumSize]); text != test.want {
			t.Errorf("%x at rate 2^-%d: got %s, want %s", test.keys, test.r, text, test.want)
		}
	}
}

// TestGolombSize holds encodings to their size: per key r + 1.542 bits, a little
// more where r is small, and 14 bytes.
func TestGolombSize(t *testing.T) {
	for r, most := range map[int]float64{1: 1.756, 5: 1.567, 8: 1.545, 16: 1.543, 32: 1.543} {
		for _, n := range []int{1, 10, 100, 1000, 100_000} {
			sets, total := max(1, 20_000/n), 0
			for i := range sets {
				total += len(bodyOf(golombOf(t, uniformKeys(uint64(i), n), r)))
			}
			mean := float64(total) / float64(sets)
			noise := 3 * 1.2 * math.Sqrt(float64(n)/float64(sets)) / 8 // of codes, a bit or so each
			if limit := 1 + float64(n)*(float64(r)+most)/8 + 0.9 + noise; mean > limit || mean < limit-float64(n)/80-3 {
				t.Errorf("%d keys at rate 2^-%d: %.2f bytes, want at most %.2f", n, r, mean, limit)
			}
			if told := golombBytes(n, math.Ldexp(1, -r)); math.Abs(float64(told)-mean) > 0.6+noise {
				t.Errorf("%d keys at rate 2^-%d: %.2f bytes, and %d foretold", n, r, mean, told)
			}
		}
	}
}

func TestGolombRates(t *testing.T) {
	for rate, r := range map[float64]int{0: 8, 0.999: 1, 0.5: 1, 0.499: 2, 0.25: 2, 0.01: 7, 0x1p-32: 32, 0x1.1p-32: 32} {
		f, err := Build(Golomb, []uint64{1, 2}, Options{FalsePositiveRate: rate})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.(*golombFilter).r; got != r {
			t.Errorf("rate %v: 2^-%d, want 2^-%d", rate, got, r)
		}
	}
	if _, err := Build(Golomb, nil, Options{FalsePositiveRate: 0x0.fp-32}); !errors.Is(err, ErrRate) {
		t.Errorf("below 2^-32: got %v, want ErrRate", err)
	}
}

// TestGolombLastPlace: n 2^r - 1 is a place, n 2^r is none.
func TestGolombLastPlace(t *testing.T) {
	if _, err := decodeGolomb(1, []byte{8, 0xfe, 1}, math.MaxInt); err != nil {
		t.Error(err)
	}
	if _, err := decodeGolomb(1, []byte{8, 4, 0}, math.MaxInt); !errors.Is(err, ErrMalformed) {
		t.Errorf("place 256 of 256: got %v, want ErrMalformed", err)
	}
}

// TestGolombRefuses edits a filter of 99 keys; the slow reader refuses the same.
func TestGolombRefuses(t *testing.T) {
	good := bodyOf(golombOf(t, uniformKeys(4, 99), 8))
	with := func(change func(body []byte) []byte) []byte { return change(slices.Clone(good)) }
	for name, body := range map[string][]byte{
		"nothing":             {},
		"no payload":          {8},
		"rate 2^0":            with(func(b []byte) []byte { b[0] = 0; return b }),
		"rate 2^-33":          with(func(b []byte) []byte { b[0] = 33; return b }),
		"another rate":        with(func(b []byte) []byte { b[0] = 9; return b }),
		"one byte short":      good[:len(good)-1],
		"one byte more":       append(slices.Clone(good), 0),
		"bit in the padding":  with(func(b []byte) []byte { b[len(b)-1] |= 0x80; return b }),
		"no ones":             with(func(b []byte) []byte { clear(b[1:]); return b }),
		"first place too far": with(func(b []byte) []byte { clear(b[1:8]); return b }),
		"far too long":        append([]byte{8}, make([]byte, 125)...),
	} {
		if slowPlaces(99, body) != nil {
			t.Errorf("%s: the slow reader accepts %x", name, body)
		}
		if f, err := decodeGolomb(99, body, math.MaxInt); f != nil || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, %v, want ErrMalformed", name, f, err)
		}
	}
}

func TestGolombMemory(t *testing.T) {
	f := golombOf(t, uniformKeys(1, 10_000), 8)
	held := 8*len(f.places) + 2*len(f.ends) + len(f.data)
	if told := golombMemory(f.size); held < told || held > told+16 {
		t.Errorf("%d bytes held, %d told", held, told)
	}
	if held > f.size*117/100 {
		t.Errorf("%d bytes held for a payload of %d", held, f.size)
	}
	body := bodyOf(f)
	if _, err := decodeGolomb(f.n, body, golombMemory(f.size)); err != nil {
		t.Error(err)
	}
	if _, err := decodeGolomb(f.n, body, golombMemory(f.size)-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func TestGolombAllocations(t *testing.T) {
	keys, in := uniformKeys(1, 5000), make([]uint64, 79)
	for _, r := range []int{8, 32} { // places of 32 and of 64 bits
		var b Builder
		for _, opt := range []Options{{Bits: r}, {Bits: r, Distinct: true}} {
			build := func() { _, _ = b.Build(Golomb, keys, opt) }
			if allocs := testing.AllocsPerRun(5, build); allocs > 0 {
				t.Errorf("%+v: building allocates %v times", opt, allocs)
			}
		}
		f := golombOf(t, keys, r)
		if allocs := testing.AllocsPerRun(5, func() { f.ContainsBatch(keys, in); f.Contains(7) }); allocs > 0 {
			t.Errorf("asking allocates %v times", allocs)
		}
	}
}
