package filters

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/filters/internal/ribbon"
)

func ribbonKeys(seed uint64, n int) []uint64 {
	rng := rand.New(rand.NewPCG(seed, 6))
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = rng.Uint64()
	}
	return keys
}

func mustRibbon(t *testing.T, b *Builder, keys []uint64, width int) Filter {
	t.Helper()
	f, err := b.Build(Ribbon, keys, Options{Bits: width, Distinct: true})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestRibbonSizes holds ribbon filters to the sizes that they exist for.
func TestRibbonSizes(t *testing.T) {
	for _, test := range []struct {
		n, width int
		most     float64 // bits per key, all included
	}{
		{1, 8, 112},
		{10, 8, 19.2},
		{64, 8, 9.75},
		{100, 8, 9.3},
		{500, 8, 8.25},
		{10_000, 8, 8.09},
		{10_000, 16, 16.15},
		{10_000, 5, 5.07},
		{11_500, 8, 8.09},
		{100_000, 8, 8.07},
		{100_000, 16, 16.12},
		{100_000, 5, 5.05},
		{1_000_000, 8, 8.065},
	} {
		if test.n > 100_000 && testing.Short() {
			continue
		}
		got := BitsPerKey(mustRibbon(t, new(Builder), ribbonKeys(1, test.n), test.width))
		t.Logf("%d keys at %d bits: %.3f bits per key", test.n, test.width, got)
		if got > test.most || got < float64(test.width) {
			t.Errorf("%d keys at %d bits: %.3f bits per key, want at most %v", test.n, test.width, got, test.most)
		}
	}
}

// TestRibbonEveryN builds, encodes and decodes every small number of keys, and
// compares the size with what is expected of it.
func TestRibbonEveryN(t *testing.T) {
	var b Builder
	larger := 0
	for n := 1; n <= 1300; n++ {
		width := 1 + n%32
		keys := ribbonKeys(uint64(n), n)
		f := mustRibbon(t, &b, keys, width)
		decoded := checkRibbonTrip(t, f)
		in := make([]uint64, (n+63)/64)
		decoded.ContainsBatch(keys, in)
		for i, key := range keys {
			if !f.Contains(key) || !decoded.Contains(key) || in[i/64]>>(i%64)&1 == 0 {
				t.Fatalf("of %d keys %#x is denied", n, key)
			}
		}
		size, want := len(f.AppendTo(nil))-frameSize, ribbonBytes(n, math.Ldexp(1, -width))
		if size > want {
			larger++
		}
		if size > want+4 || size < want-4 {
			t.Errorf("%d keys at %d bits: %d bytes, expected %d", n, width, size, want)
		}
	}
	if larger > 400 {
		t.Errorf("%d of 1300 are larger than expected", larger)
	}
}

// checkRibbonTrip returns what f decodes to, encoded.
func checkRibbonTrip(t *testing.T, f Filter) Filter {
	t.Helper()
	encoding := f.AppendTo(nil)
	decoded, err := Decode(encoding, Limits{})
	if err != nil {
		t.Fatalf("%d keys: %v", f.Len(), err)
	}
	if got := decoded.AppendTo([]byte("before")); !bytes.Equal(got[6:], encoding) || decoded.Len() != f.Len() {
		t.Fatalf("%d keys: encodes differently once decoded", f.Len())
	}
	return decoded
}

// TestRibbonResists forces what happens to a shard that resists its attempts.
func TestRibbonResists(t *testing.T) {
	for _, n := range []int{2, 64, 400, 5000} {
		keys := ribbonKeys(uint64(n), n)
		usual := len(mustRibbon(t, new(Builder), keys, 8).AppendTo(nil))
		for _, test := range []struct {
			name   string
			refuse int
			kind   Kind
		}{
			{"retried", 7, Ribbon},
			{"widened", 16, Ribbon},
			{"widened most", ribbon.Attempts - 1, Ribbon},
			{"another kind", ribbon.Attempts, Golomb},
		} {
			var b Builder
			b.ribbon.Refuse = test.refuse
			f := mustRibbon(t, &b, keys, 8)
			if f.Kind() != test.kind || f.Len() != n {
				t.Fatalf("%d keys, %s: %v of %d keys, want %v", n, test.name, f.Kind(), f.Len(), test.kind)
			}
			for _, key := range keys {
				if !f.Contains(key) {
					t.Fatalf("%d keys, %s: %#x is denied", n, test.name, key)
				}
			}
			if size := len(checkRibbonTrip(t, f).AppendTo(nil)); size <= usual {
				t.Errorf("%d keys, %s: %d bytes, and %d if nothing resists", n, test.name, size, usual)
			}
		}
	}
}

// TestRibbonRefuses changes encodings in ways that a decoder has to notice, with a
// checksum that fits.
func TestRibbonRefuses(t *testing.T) {
	one := mustRibbon(t, new(Builder), ribbonKeys(1, 61), 3).AppendTo(nil) // 183 bits, one more in the last byte
	many := mustRibbon(t, new(Builder), ribbonKeys(1, 1500), 3).AppendTo(nil)
	for _, test := range []struct {
		name string
		of   []byte
		body func(body []byte) []byte
	}{
		{"nothing", one, func([]byte) []byte { return nil }},
		{"other bits", one, func(body []byte) []byte { body[0]++; return body }},
		{"a byte more", one, func(body []byte) []byte { return append(body, 0) }},
		{"a byte less", one, func(body []byte) []byte { return body[:len(body)-1] }},
		{"a bit beyond the last slot", one, func(body []byte) []byte { body[len(body)-1] |= 0x80; return body }},
		{"a large attempt that is small", one, largeAttempt(6)},
		{"an attempt too large", one, largeAttempt(ribbon.Attempts)},
		{"an attempt that makes more slots", one, func(body []byte) []byte {
			return append([]byte{body[0] | 0xe0, 16}, body[1:]...)
		}},
		{"an attempt of many shards", many, func(body []byte) []byte { body[0] |= 0x20; return body }},
		{"a byte less of many", many, func(body []byte) []byte { return body[:len(body)-1] }},
		{"a byte more of many", many, func(body []byte) []byte { return append(body, 0) }},
		{"metadata of zeros", many, func(body []byte) []byte { clear(body[1:]); return body }},
		{"fewer keys than none in a shard", many, shards([]int{-1, 500, 1001}, []int{0, 0, 0}, 0)},
		{"more keys in a shard than there are", many, shards([]int{1501, -1, 0}, []int{0, 0, 0}, 0)},
		{"more keys in two shards than there are", many, shards([]int{1000, 501, -1}, []int{0, 0, 0}, 0)},
		{"attempt 64", many, shards([]int{500, 500, 500}, []int{0, ribbon.Attempts, 0}, 0)},
		{"bits behind the shards", many, shards([]int{500, 500, 500}, []int{0, 0, 0}, 1)},
	} {
		body := test.body(bytes.Clone(test.of[headerSize : len(test.of)-checksumSize]))
		data := sealFrame(append(bytes.Clone(test.of[:headerSize]), body...), 0)
		if f, err := Decode(data, Limits{}); f != nil || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, %v, want ErrMalformed", test.name, f, err)
		}
	}
	for _, encoding := range [][]byte{one, many} {
		if _, err := Decode(encoding, Limits{MaxBytes: len(encoding)}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("with no more memory than the encoding takes: got %v, want ErrTooLarge", err)
		}
	}
}

// largeAttempt returns a change of the attempt of 61 keys, with a solution of as many
// slots as it asks for.
func largeAttempt(attempt byte) func(body []byte) []byte {
	return func(body []byte) []byte {
		more := solutionBytes(ribbon.Slots(61, 1, int(attempt)), 3) - solutionBytes(61, 3)
		body = append([]byte{body[0] | 0xe0, attempt}, body[1:]...)
		return append(body, make([]byte, more)...)
	}
}

// shards returns a change of the metadata of 1500 keys, three shards, to that of
// shards of these keys and attempts, of which the last one's keys are not written, with
// more behind them, and a solution of as many slots as they ask for.
func shards(keys, attempts []int, more uint64) func(body []byte) []byte {
	return func(body []byte) []byte {
		table := ribbon.New(3, 3)
		size, err := decodeShards(table, 1500, body)
		if err != nil {
			panic(err)
		}
		w := bitWriter{dst: body[:1:1]}
		slots := 0
		for i := range keys {
			if i < 2 {
				surplus := zigzag(keys[i] - 500)
				w.unary(surplus >> ribbonRice)
				w.bits(surplus%(1<<ribbonRice), ribbonRice)
			}
			w.unary(uint64(attempts[i]))
			slots += ribbon.Slots(keys[i], 3, attempts[i])
		}
		w.bits(more, 1)
		solution := make([]byte, solutionBytes(slots, 3))
		copy(solution, body[size:])
		for at := 3 * slots; at < 8*len(solution); at++ {
			solution[at/8] &^= 1 << (at % 8)
		}
		return append(w.flush(), solution...)
	}
}

// TestRibbonHelpers: TestRibbonRefuses relies on functions that make what is accepted if nothing is wrong.
func TestRibbonHelpers(t *testing.T) {
	many := mustRibbon(t, new(Builder), ribbonKeys(1, 1500), 3).AppendTo(nil)
	body := many[headerSize : len(many)-checksumSize]
	for _, change := range []func([]byte) []byte{
		shards([]int{500, 500, 500}, []int{0, 0, 0}, 0),
		shards([]int{0, 0, 1500}, []int{0, ribbon.Attempts - 1, 7}, 0),
		shards([]int{1500, 0, 0}, []int{16, 0, 32}, 0),
	} {
		if _, err := decodeRibbon(1500, change(bytes.Clone(body)), 1<<20); err != nil {
			t.Error(err)
		}
	}
	one := mustRibbon(t, new(Builder), ribbonKeys(1, 61), 3).AppendTo(nil)
	if _, err := decodeRibbon(61, largeAttempt(63)(bytes.Clone(one[headerSize:len(one)-checksumSize])), 1<<20); err != nil {
		t.Error(err)
	}
}

// TestRibbonShards: metadata of any shards is read as it was written.
func TestRibbonShards(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 768; n < 100_000; n += n / 7 {
		table := ribbon.New(8, ribbon.Shards(n))
		left := n
		for i := range table.Shards() {
			keys := rng.IntN(left + 1)
			if i == table.Shards()-1 {
				keys = left
			}
			left -= keys
			table.Place(i, keys, rng.IntN(ribbon.Attempts))
		}
		body := appendShards(nil, table, n)
		got := ribbon.New(8, ribbon.Shards(n))
		size, err := decodeShards(got, n, append(bytes.Clone(body), 0xff, 0xff))
		if err != nil || size != len(body) {
			t.Fatalf("%d keys: %d bytes, %v, want %d", n, size, err, len(body))
		}
		for i := range table.Shards() {
			gotKeys, gotAttempt := got.Shard(i)
			if keys, attempt := table.Shard(i); gotKeys != keys || gotAttempt != attempt {
				t.Fatalf("shard %d: %d keys, attempt %d, want %d, %d", i, gotKeys, gotAttempt, keys, attempt)
			}
		}
	}
}

// TestRibbonByHand reads an encoding as the comment in ribbon.go has it.
func TestRibbonByHand(t *testing.T) {
	const n, width = 40, 8
	keys := ribbonKeys(5, n)
	body := mustRibbon(t, new(Builder), keys, width).AppendTo(nil)[headerSize:]
	attempt, payload := uint64(body[0]>>5), body[1:]
	if attempt == 7 {
		attempt, payload = uint64(body[1]), body[2:]
	}
	for _, key := range keys {
		h := key
		h ^= h >> 32
		h *= 0xd6e8feb86659fd93
		h ^= h >> 32
		h *= 0xd6e8feb86659fd93
		h ^= h >> 32
		g := h * (0x9e3779b97f4a7c15 + attempt*0xa0761d6478bd642e)
		g ^= g >> 32
		c := g * 0xc28f82822b650bed
		c ^= c >> 32
		want := c * 0x9fb21c651e98df25 >> (64 - width)
		c >>= 64 - n
		var got uint64
		for slot := range n {
			for bit := range width {
				at := bit*n + slot
				got ^= c >> slot & 1 * (uint64(payload[at/8]) >> (at % 8) & 1) << bit
			}
		}
		if got != want {
			t.Fatalf("key %#x sums up to %#x, want %#x", key, got, want)
		}
	}
}

// FuzzDecodeRibbon: whatever decodes answers and encodes to the same bytes.
func FuzzDecodeRibbon(f *testing.F) {
	for i, n := range []int{1, 2, 3, 63, 64, 65, 200, 768, 1300} {
		table := new(Builder).ribbon.Build(ribbonKeys(1, n), 1+4*i%32, 1)
		body := (&ribbonFilter{n: n, table: table}).AppendTo(nil)
		f.Add(uint32(n), body[headerSize:len(body)-checksumSize])
	}
	f.Add(uint32(1<<28), []byte{0})
	f.Fuzz(func(t *testing.T, n uint32, body []byte) {
		header := binary.LittleEndian.AppendUint32([]byte{'D', 'F', version, byte(Ribbon)}, n)
		data := sealFrame(append(header, body...), 0)
		decoded, err := Decode(data, Limits{MaxBytes: 1 << 22})
		if err != nil || decoded.Len() == 0 {
			return
		}
		if got := decoded.AppendTo(nil); !bytes.Equal(got, data) {
			t.Fatalf("%x encodes to %x", data, got)
		}
		keys := ribbonKeys(uint64(n), 130)
		in := make([]uint64, 3)
		decoded.ContainsBatch(keys, in)
		for i, key := range keys {
			if decoded.Contains(key) != (in[i/64]>>(i%64)&1 == 1) {
				t.Fatal("Contains and ContainsBatch disagree")
			}
		}
	})
}

func ExampleBuild_ribbon() {
	keys := []uint64{1, 2, 3}
	f, err := Build(Ribbon, keys, Options{Bits: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Kind(), f.Len(), f.Contains(2), f.Contains(4))
	// Output: ribbon 3 true false
}
