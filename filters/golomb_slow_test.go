package filters

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// slowPlace is the place of a key as the text in golomb.go says.
func slowPlace(key uint64, n, r int) uint64 {
	product := new(big.Int).Lsh(big.NewInt(int64(n)), uint(r))
	product.Mul(product, new(big.Int).SetUint64(key))
	return product.Rsh(product, 64).Uint64()
}

func slowRice(r int) int {
	if r < 4 {
		return r
	}
	return r - 1
}

// slowGolomb returns the ascending places of keys and the body of their filter.
func slowGolomb(keys []uint64, r int) (places []uint64, body []byte) {
	for _, key := range keys {
		places = append(places, slowPlace(key, len(keys), r))
	}
	slices.Sort(places)
	return places, append([]byte{byte(r)}, slowCodes(places, slowRice(r))...)
}

// slowCodes writes the Rice codes of the differences of values bit by bit.
func slowCodes(values []uint64, rice int) []byte {
	var text strings.Builder // the bits in order, as 0 and 1
	var last uint64
	for _, value := range values {
		text.WriteString(strings.Repeat("0", int((value-last)>>rice)))
		text.WriteByte('1')
		for bit := range rice {
			text.WriteByte('0' + byte((value-last)>>bit&1))
		}
		last = value
	}
	codes := make([]byte, (text.Len()+7)/8)
	for i, bit := range []byte(text.String()) {
		codes[i/8] |= (bit - '0') << (i % 8)
	}
	return codes
}

// slowPlaces reads the body of a filter of n keys bit by bit; nil if it is none.
func slowPlaces(n int, body []byte) (places []uint64) {
	if len(body) == 0 || body[0] < 1 || body[0] > 32 {
		return nil
	}
	r := int(body[0])
	var bits []byte
	for i := range 8 * (len(body) - 1) {
		bits = append(bits, body[1+i/8]>>(i%8)&1)
	}
	var place uint64
	for range n {
		zeros := bytes.IndexByte(bits, 1)
		if zeros < 0 || len(bits) < zeros+1+slowRice(r) {
			return nil
		}
		place += uint64(zeros) << slowRice(r)
		bits = bits[zeros+1:]
		for i := range slowRice(r) {
			place += uint64(bits[i]) << i
		}
		if bits = bits[slowRice(r):]; place >= uint64(n)<<r {
			return nil
		}
		places = append(places, place)
	}
	if len(bits) > 7 || bytes.IndexByte(bits, 1) >= 0 {
		return nil
	}
	return places
}

// golombOf builds from keys as they are, repeating or not.
func golombOf(t testing.TB, keys []uint64, r int) *golombFilter {
	t.Helper()
	f, err := Build(Golomb, keys, Options{Bits: r, Distinct: true})
	if err != nil {
		t.Fatal(err)
	}
	return f.(*golombFilter)
}

func bodyOf(f Filter) []byte {
	encoding := f.AppendTo(nil)
	return encoding[headerSize : len(encoding)-checksumSize]
}

// checkGolomb compares a filter of keys, built and decoded, with the slow one: bytes
// and answers, for keys one by one, in any order and ascending.
func checkGolomb(t *testing.T, keys []uint64, r int, others []uint64) {
	t.Helper()
	built := golombOf(t, keys, r)
	places, body := slowGolomb(keys, r)
	if got := bodyOf(built); !bytes.Equal(got, body) {
		t.Fatalf("%d keys at rate 2^-%d:\n got %x\nwant %x", len(keys), r, got, body)
	}
	decoded, err := Decode(built.AppendTo(nil), Limits{})
	if err != nil {
		t.Fatalf("%d keys at rate 2^-%d: %v", len(keys), r, err)
	}
	asked := slices.Concat(others, keys)
	checkAnswers(t, built, places, asked)
	slices.Sort(asked)
	checkAnswers(t, decoded.(*golombFilter), places, asked)
}

func checkAnswers(t *testing.T, f *golombFilter, places, asked []uint64) {
	t.Helper()
	in := make([]uint64, (len(asked)+63)/64)
	f.ContainsBatch(asked, in)
	for i, key := range asked {
		_, want := slices.BinarySearch(places, slowPlace(key, f.n, f.r))
		if got := f.Contains(key); got != want {
			t.Fatalf("%d keys at rate 2^-%d: Contains(%#x) = %v", f.n, f.r, key, got)
		}
		if got := in[i/64]>>(i%64)&1 != 0; got != want {
			t.Fatalf("%d keys at rate 2^-%d: ContainsBatch answers %v for %#x, key %d", f.n, f.r, got, key, i)
		}
	}
}

// FuzzGolomb: any keys, at any rate, against the slow filter.
func FuzzGolomb(f *testing.F) {
	for r := range byte(33) {
		f.Add(r, []byte("three keys, one of which repeats; one of which repeats; one o"), []byte("asked of"))
	}
	f.Add(byte(8), bytes.Repeat([]byte{0xff}, 640), make([]byte, 64))
	f.Fuzz(func(t *testing.T, r byte, set, others []byte) {
		if keys := keysIn(set); len(keys) > 0 && len(keys) < 1000 {
			checkGolomb(t, keys, int(r%32)+1, keysIn(others))
		}
	})
}

func keysIn(data []byte) (keys []uint64) {
	for ; len(data) >= 8; data = data[8:] {
		keys = append(keys, binary.LittleEndian.Uint64(data))
	}
	return keys
}

// FuzzGolombDecode: what the slow reader accepts, and nothing else, is decoded, and
// answers and encodes as it should.
func FuzzGolombDecode(f *testing.F) {
	for _, r := range []int{1, 2, 4, 8, 20, 32} {
		for _, n := range []int{1, 2, 9, 200} {
			for _, keys := range append(slices.Collect(maps.Values(awkwardKeys(n))), uniformKeys(1, n)) {
				f.Add(uint16(n), bodyOf(golombOf(f, keys, r)))
			}
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, body []byte) {
		if n == 0 || len(body) > 2000 {
			return
		}
		places := slowPlaces(int(n), body)
		decoded, err := decodeGolomb(int(n), body, math.MaxInt)
		if (err == nil) != (places != nil) {
			t.Fatalf("%d keys, %x: got %v, the slow reader finds %d places", n, body, err, len(places))
		}
		if err != nil {
			return
		}
		if got := bodyOf(decoded); !bytes.Equal(got, body) {
			t.Fatalf("%x encodes to %x", body, got)
		}
		checkAnswers(t, decoded.(*golombFilter), places, slices.Concat(keysIn(body), uniformKeys(uint64(n), 20), []uint64{0, math.MaxUint64}))
	})
}
