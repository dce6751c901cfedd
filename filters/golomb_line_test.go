package filters

import (
	"math"
	"math/big"
	"slices"
	"testing"
)

// TestGolombSkips asks for few keys, so that a merge has to skip lines.
func TestGolombSkips(t *testing.T) {
	keys := uniformKeys(1, 20_000)
	f := golombOf(t, keys, 8)
	places, _ := slowGolomb(keys, 8)
	asked := slices.Concat(uniformKeys(2, 50), keys[:50], []uint64{0, math.MaxUint64})
	slices.Sort(asked)
	checkAnswers(t, f, places, asked)
	slices.Reverse(asked)
	checkAnswers(t, f, places, asked)
}

// TestGolombBoundedWork: a key in a gap of many lines is denied without a look at them.
func TestGolombBoundedWork(t *testing.T) {
	keys := awkwardKeys(8000)["at both ends"]
	f := golombOf(t, keys, 8)
	if lines := len(f.ends); lines < 100 {
		t.Fatalf("%d lines, which is too few for this test", lines)
	}
	if !f.Contains(keys[0]) || !f.Contains(keys[len(keys)-1]) {
		t.Fatal("a key is denied")
	}
	gap := f.line(-1, 1<<63, slowPlace(1<<63, f.n, f.r)) // the last line before the gap
	end := f.places[gap+1]
	for _, key := range []uint64{1 << 61, 1 << 62, 1 << 63, math.MaxUint64 - 1<<61} {
		want := slowPlace(key, f.n, f.r)
		if want == 0 || want >= end {
			t.Fatalf("%#x is not in the gap", key)
		}
		forgeGap(f, gap, want)
		in := make([]uint64, 1)
		if f.ContainsBatch([]uint64{key}, in); f.Contains(key) || in[0] != 0 {
			t.Errorf("%#x: read behind line %d of %d", key, gap, len(f.ends))
		}
	}
}

// forgeGap lets the code that leads out of a line lead to another place, if it is
// read to its end, which is in a later line.
func forgeGap(f *golombFilter, line int, to uint64) {
	r := riceReader{data: f.data, rice: golombRice(f.r), top: math.MaxUint64}
	var values [1]uint64
	before := r
	for r.pos <= (line+1)*golombLine {
		before = r
		r.read(values[:], math.MaxInt)
	}
	number := to - before.last
	one := before.pos + int(number>>r.rice)
	if one < (line+2)*golombLine {
		panic("the place is too near")
	}
	for bit := before.pos; bit <= one+r.rice; bit++ {
		f.data[bit/8] &^= 1 << (bit % 8)
		if bit == one || bit > one && number>>(bit-one-1)&1 != 0 {
			f.data[bit/8] |= 1 << (bit % 8)
		}
	}
}

// TestGolombLongCodes puts codes of more than a word at every bit around the end
// of a line, and asks for all places that a reader may take them for.
func TestGolombLongCodes(t *testing.T) {
	for _, r := range []int{8, 26, 32} {
		rice := golombRice(r)
		for start := golombLine - 80; start <= golombLine+8; start++ {
			for _, zeros := range []int{56 - rice, 57 - rice, 63 - rice, 64} {
				n := 200
				places := placesWithCodeAt(n, rice, start, zeros)
				keys := make([]uint64, n)
				for i, place := range places {
					keys[i] = keyAt(place, n, r)
				}
				var others []uint64
				for i := 1; i < n; i++ {
					if places[i]-places[i-1] < 1<<rice {
						continue
					}
					for bit := range rice + 1 {
						others = append(others, keyAt(places[i]-1<<bit, n, r), keyAt(places[i]>>bit<<bit, n, r))
					}
				}
				checkGolomb(t, keys, r, others)
			}
		}
	}
}

// placesWithCodeAt returns n ascending places of which one has a code that begins at
// the bit and has that many zeros, and all ones after them.
func placesWithCodeAt(n, rice, start, zeros int) []uint64 {
	places := []uint64{}
	var last uint64
	add := func(number uint64) { last += number; places = append(places, last) }
	for bit := 0; bit < start; {
		quotient := 0
		if left := start - bit; left < 2*(rice+1) {
			quotient = left - (rice + 1)
		}
		add(uint64(quotient) << rice)
		bit += quotient + 1 + rice
	}
	add(uint64(zeros)<<rice | (1<<rice - 1))
	for len(places) < n {
		add(uint64(len(places) % 3))
	}
	return places
}

// keyAt returns the first key with a place.
func keyAt(place uint64, n, r int) uint64 {
	key := new(big.Int).Lsh(new(big.Int).SetUint64(place), 64)
	universe := new(big.Int).Lsh(big.NewInt(int64(n)), uint(r))
	key.Add(key, universe).Sub(key, big.NewInt(1))
	return key.Div(key, universe).Uint64()
}
