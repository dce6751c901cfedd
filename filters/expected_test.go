package filters

import (
	"math"
	"testing"
)

// TestExpectedLen holds what is expected to what Build makes.
func TestExpectedLen(t *testing.T) {
	for _, kind := range Kinds() {
		for _, n := range []int{0, 1, 7, 1000, 20_000} {
			for _, opt := range []Options{{}, {Bits: 8}, {Bits: 20}} {
				f, err := Build(kind, uniformKeys(uint64(n)+1, n), opt)
				got, ok := ExpectedLen(kind, n, opt)
				if kind == Segmented || err != nil {
					if ok && kind == Segmented || ok && n > 0 {
						t.Errorf("%v of %d keys by %+v: %d bytes, though %v", kind, n, opt, got, err)
					}
					continue
				}
				if want := len(f.AppendTo(nil)); !ok || math.Abs(float64(got-want)) > max(2, 0.01*float64(want)) {
					t.Errorf("%v of %d keys by %+v: expected %d bytes, they are %d", kind, n, opt, got, want)
				}
			}
		}
	}
	if _, ok := ExpectedLen(Kind(99), 1, Options{}); ok {
		t.Error("a length of a kind that does not exist")
	}
}
