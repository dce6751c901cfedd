package filters

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// slowList encodes a list bit by bit, as the text in list.go says.
func slowList(keys []uint64, width int) []byte {
	n := len(keys)
	rice := max(0, width-len(fmt.Sprintf("%b", n)))
	shortened := make([]uint64, n)
	for i, key := range keys {
		shortened[i] = key >> (64 - width)
	}
	slices.Sort(shortened)
	var text strings.Builder // the bits in order, as 0 and 1
	var last uint64
	for _, value := range shortened {
		text.WriteString(strings.Repeat("0", int((value-last)>>rice)))
		text.WriteByte('1')
		for bit := range rice {
			fmt.Fprint(&text, (value-last)>>bit&1)
		}
		last = value
	}
	payload := make([]byte, (text.Len()+7)/8)
	for i, bit := range text.String() {
		payload[i/8] |= byte(bit-'0') << (i % 8)
	}
	return append([]byte{byte(width)}, payload...)
}

func TestListAgainstSlow(t *testing.T) {
	for n := 1; n < 140; n += 1 + n/4 {
		for width := ceilLog2(n) + 1; width <= 64; width++ {
			for name, keys := range map[string][]uint64{
				"uniform":   slices.Sorted(slices.Values(uniformKeys(uint64(n), n))),
				"clustered": clustered(n),
			} {
				checkAgainstSlow(t, fmt.Sprintf("%d %s keys of %d bits", n, name, width), keys, width)
			}
		}
	}
}

func clustered(n int) []uint64 {
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = ^uint64(n) + uint64(i)
	}
	return keys
}

func checkAgainstSlow(t *testing.T, name string, keys []uint64, width int) {
	t.Helper()
	f := &listFilter{width: width}
	for _, key := range keys {
		f.values = append(f.values, key>>(64-width))
	}
	encoding := f.AppendTo(nil)
	body := encoding[headerSize : len(encoding)-checksumSize]
	if want := slowList(keys, width); !bytes.Equal(body, want) {
		t.Fatalf("%s:\n got %x\nwant %x", name, body, want)
	}
	decoded, err := Decode(encoding, Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if got := decoded.(*listFilter).values; !slices.Equal(got, f.values) {
		t.Fatalf("%s: decoded to %x", name, got)
	}
}

// TestListMemory: a list that is short as bytes may be too long as numbers.
func TestListMemory(t *testing.T) {
	f := mustBuildRate(t, uniformKeys(1, 1000), 0.5)
	encoding := f.AppendTo(nil)
	if _, err := Decode(encoding, Limits{MaxBytes: 8000}); err != nil {
		t.Error(err)
	}
	if _, err := Decode(encoding, Limits{MaxBytes: 7999}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d bytes that hold 8000: got %v, want ErrTooLarge", len(encoding), err)
	}
}

func mustBuildRate(t *testing.T, keys []uint64, rate float64) Filter {
	t.Helper()
	f, err := Build(List, keys, Options{FalsePositiveRate: rate})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestListWidth checks the width by whole numbers: n/2^w is at most the rate,
// and one bit less would not do for n a power of two.
func TestListWidth(t *testing.T) {
	for n := 1; n <= 64; n++ {
		keys := uniformKeys(1, n)
		for _, rate := range []float64{0.999, 0.5, 0.3, 0x1p-8, 0x1.8p-9, 0x0.ffp-8, 1e-9, 0x1p-40} {
			f, err := buildList(new(Builder), keys, rate)
			if err != nil {
				t.Fatal(err)
			}
			width := f.(*listFilter).width
			if expected := chance(n, width); expected.Cmp(new(big.Float).SetFloat64(rate)) > 0 {
				t.Errorf("%d keys of %d bits: a rate of %v, want at most %v", n, width, expected, rate)
			}
			if n&(n-1) == 0 && chance(n, width-1).Cmp(new(big.Float).SetFloat64(rate)) <= 0 {
				t.Errorf("%d keys at rate %v: %d bits are more than needed", n, rate, width)
			}
		}
	}
}

// chance returns n / 2^width.
func chance(n, width int) *big.Float {
	c := new(big.Float).SetInt64(int64(n))
	return c.SetMantExp(c, -width)
}
