package filters

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// counted is an interval with a number of keys.
type counted struct {
	Interval
	keys int
}

// slowShape is shape by the definition: every node above a segment has too many
// keys for one, and no node more than there are.
func slowShape(segments []counted) bool {
	for _, s := range segments {
		if s.Bits > 0 && uint64(s.keys-1) > ^uint64(0)>>s.Bits {
			return false
		}
		for i := s.Interval; i.Bits > 0; {
			i = i.parent()
			keys := 0
			for _, other := range segments {
				if i.covers(other.Interval) {
					keys += other.keys
				}
			}
			if keys <= segmentKeys || uint64(keys-1) > ^uint64(0)>>i.Bits {
				return false
			}
		}
	}
	return true
}

func checkCounted(segments []counted) error {
	var shape shape
	for _, s := range segments {
		if err := shape.next(s.Interval, s.keys); err != nil {
			return err
		}
	}
	return shape.end()
}

// TestShape compares shape with its definition, for tries that are right and such
// that are nearly.
func TestShape(t *testing.T) {
	right, wrong := 0, 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		segments := randomTrie(r, Interval{}, 2+r.IntN(5))
		if r.IntN(8) == 0 { // deep down
			bits := 50 + r.IntN(14)
			segments = append(randomTrie(r, Interval{0, bits}, 2), fullBeside(bits)...)
		}
		if r.IntN(2) == 0 && len(segments) > 0 {
			at := r.IntN(len(segments))
			switch r.IntN(3) {
			case 0:
				segments = slices.Delete(segments, at, at+1)
			case 1:
				segments[at].keys = 1 + r.IntN(segmentKeys)
			case 2:
				if segments[at].Bits < 64 {
					segments[at].Bits++
				}
			}
		}
		want, err := slowShape(segments), checkCounted(segments)
		if want != (err == nil) {
			t.Fatalf("%v: %v, want %v", segments, err, want)
		}
		if want {
			right++
		} else {
			wrong++
		}
	}
	if right < 2000 || wrong < 2000 {
		t.Errorf("%d right, %d wrong", right, wrong)
	}
}

// randomTrie returns segments of i, in as many levels at most below it.
func randomTrie(r *rand.Rand, i Interval, levels int) []counted {
	if levels == 0 || i.Bits == 64 || r.IntN(4) == 0 {
		return []counted{{i, 1 + r.IntN(2)*r.IntN(segmentKeys)}}
	}
	low := Interval{i.Prefix, i.Bits + 1}
	high := Interval{i.Prefix | 1<<(63-i.Bits), i.Bits + 1}
	switch r.IntN(5) {
	case 0:
		return randomTrie(r, low, levels-1)
	case 1:
		return randomTrie(r, high, levels-1)
	}
	return append(randomTrie(r, low, levels-1), randomTrie(r, high, levels-1)...)
}

// fullBeside returns full segments, each the other half of a node above key 0, from one
// of so many bits up.
func fullBeside(bits int) (segments []counted) {
	for ; bits > 0; bits-- {
		segments = append(segments, counted{Interval{1 << (64 - bits), bits}, segmentKeys})
	}
	return segments
}

// TestShapeDeep goes down to the last bit: 54 bits leave room for 1024 keys, 55 do not.
func TestShapeDeep(t *testing.T) {
	for bits := 1; bits <= 64; bits++ {
		segments := append([]counted{{Interval{0, bits}, 1}}, fullBeside(bits)...)
		if err := checkCounted(segments); errors.Is(err, ErrMalformed) != (bits > 54) || slowShape(segments) != (bits <= 54) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

// TestPositions writes intervals next to each other and far apart, and reads them again.
func TestPositions(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		var intervals []Interval
		for range 20 {
			i := around(r.Uint64()>>r.IntN(64), r.IntN(65))
			if len(intervals) == 0 || intervals[len(intervals)-1].before(i) {
				intervals = append(intervals, i)
			}
		}
		var data []byte
		var w, p positions
		for _, i := range intervals {
			data = w.append(data, i)
		}
		for _, want := range intervals {
			var got Interval
			var err error
			if got, data, err = p.read(data); err != nil || got != want {
				t.Fatalf("%v: got %v, %v, want %v", intervals, got, err, want)
			}
		}
	}
}

// TestSegmentedMemory: what the segments take is within the limit, or an error.
func TestSegmentedMemory(t *testing.T) {
	for _, n := range []int{100, 1000, 5000, 100_000} {
		built, err := Build(Segmented, uniformKeys(1, n), Options{})
		if err != nil {
			t.Fatal(err)
		}
		data := built.AppendTo(nil)
		least := built.(*SegmentedFilter).memory - memoryNotCounted
		if n >= 100_000 && least > len(data)*5/3 {
			t.Errorf("%d bytes of memory for %d on the wire", least, len(data))
		}
		if least < len(data) {
			continue // the length decides
		}
		if _, err := Decode(data, Limits{MaxBytes: least}); err != nil {
			t.Errorf("%d keys in %d bytes: %v", n, least, err)
		}
		for _, most := range []int{math.MaxInt, math.MaxInt - 1, math.MaxInt - memoryNotCounted} {
			if _, err := Decode(data, Limits{MaxBytes: most}); err != nil {
				t.Errorf("%d keys in %d bytes: %v", n, most, err)
			}
		}
		if f, err := Decode(data, Limits{MaxBytes: least - 1}); f != nil || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d keys in %d bytes: %v, %v, want ErrTooLarge", n, least-1, f, err)
		}
	}
}

// FuzzDecodeSegmented: whatever decodes encodes to the same bytes and answers. The bytes are
// what stands between header and checksum, and the number of keys is what they say.
func FuzzDecodeSegmented(f *testing.F) {
	for _, bits := range []int{1, 8, 32} {
		for _, n := range []int{1, 2, 30, 900, 1025, 1300} {
			built, err := Build(Segmented, uniformKeys(uint64(n), n), Options{Bits: bits})
			if err != nil {
				f.Fatal(err)
			}
			data := built.AppendTo(nil)
			f.Add(data[headerSize : len(data)-checksumSize])
		}
	}
	base, _ := someDeltas(f)
	data := base.AppendTo(nil)
	f.Add(data[headerSize : len(data)-checksumSize])
	f.Fuzz(func(t *testing.T, body []byte) {
		n := 0
		for r := (recordReader{bits: 8, rest: body[min(1, len(body)):]}); len(r.rest) > 0; {
			if len(body) > 0 && body[0] >= 1 && body[0] <= maxRateBits {
				r.bits = int(body[0])
			}
			s, err := r.next()
			if err != nil {
				break
			}
			n += s.n
		}
		frame, start := openFrame(nil, Segmented, n, len(body))
		data := sealFrame(append(frame, body...), start)
		decoded, err := Decode(data, Limits{})
		if err != nil {
			return
		}
		if got := decoded.AppendTo(nil); !bytes.Equal(got, data) {
			t.Fatalf("%x encodes to %x", data, got)
		}
		keys := uniformKeys(7, 200)
		in := make([]uint64, 4)
		decoded.ContainsBatch(keys, in)
		for i, key := range keys {
			if decoded.Contains(key) != (in[i/64]>>(i%64)&1 == 1) {
				t.Fatal(fmt.Sprintf("%#x", key), "is answered differently in a batch")
			}
		}
	})
}
