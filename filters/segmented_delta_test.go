package filters

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
)

// deltaBase returns Segments of a lone key, 1500 keys in one bucket and two pairs.
func deltaBase(t testing.TB) *Segments {
	s, err := NewSegments(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Add(1<<63, 7, 8, SegmentKey(200, 0), SegmentKey(200, 1))
	for _, key := range uniformKeys(1, 1500) {
		s.Add(SegmentKey(100, key))
	}
	return s
}

// sealDelta returns a delta with the right checksum.
func sealDelta(bits byte, from, to uint64, body []byte) []byte {
	delta := append([]byte("DS\x01"), bits)
	delta = binary.LittleEndian.AppendUint64(delta, from)
	delta = binary.LittleEndian.AppendUint64(delta, to)
	return sealFrame(append(delta, body...), 0)
}

func deltaBody(delta []byte) []byte { return delta[3+deltaHeader : len(delta)-checksumSize] }

// someDeltas returns deltas from the filter of deltaBase.
func someDeltas(t testing.TB) (base *SegmentedFilter, deltas [][]byte) {
	for _, change := range []func(*Segments){
		func(*Segments) {},
		func(s *Segments) { s.Add(9) },
		func(s *Segments) { s.Remove(1 << 63) },
		func(s *Segments) { s.Remove(7, 8) },
		func(s *Segments) { s.Remove(s.slots[s.order[1]].keys...) }, // few enough for one segment
		func(s *Segments) { s.Add(SegmentKey(1<<20, 5), SegmentKey(1<<23, 5)) },
		func(s *Segments) { s.Remove(1<<63, 7, 8, SegmentKey(200, 0), SegmentKey(200, 1)) },
	} {
		s := deltaBase(t)
		base = s.Filter()
		change(s)
		s.Filter()
		delta, ok := s.AppendDelta(nil, base.Generation())
		if !ok {
			t.Fatal("no delta")
		}
		deltas = append(deltas, delta)
	}
	return base, deltas
}

// repeated returns a delta of no change that has a segment of its base.
func repeated(e entry, generation uint64) []byte {
	return appendDelta(nil, 8, generation, generation, []change{{e.Interval, e.segment}})
}

// emptied returns a delta that takes away all segments of base that share keys with i.
func emptied(base *SegmentedFilter, i Interval) []byte {
	to := base.generation
	for _, e := range base.entries {
		if !e.before(i) && !i.before(e.Interval) {
			to -= e.digest
		}
	}
	return appendDelta(nil, 8, base.generation, to, []change{{i, nil}})
}

func TestApplyRefuses(t *testing.T) {
	base, deltas := someDeltas(t)
	grown, err := base.Apply(deltas[1], Limits{})
	if err != nil {
		t.Fatal(err)
	}
	from, to := base.Generation(), grown.Generation()
	body := deltaBody(deltas[1])
	lone := deltaBody(deltas[5]) // a new segment at least
	repeats := appendDelta(nil, 8, from, to, []change{
		{grown.entries[0].Interval, grown.entries[0].segment},
		{base.entries[1].Interval, base.entries[1].segment},
	})
	edit := func(at int, value byte) []byte {
		data := slices.Clone(deltas[1])
		data[at] = value
		return sealFrame(data[:len(data)-checksumSize], 0)
	}
	for _, test := range []struct {
		name   string
		base   *SegmentedFilter
		delta  []byte
		limits Limits
		want   error
	}{
		{"nothing", base, nil, Limits{}, ErrMalformed},
		{"too short", base, deltas[0][:deltaSize-1], Limits{}, ErrMalformed},
		{"magic", base, edit(1, 'F'), Limits{}, ErrMalformed},
		{"version", base, edit(2, 2), Limits{}, ErrVersion},
		{"checksum", base, append(slices.Clone(deltas[1][:len(deltas[1])-1]), 0), Limits{}, ErrChecksum},
		{"another base", grown, deltas[1], Limits{}, ErrBase},
		{"an empty base", &SegmentedFilter{}, deltas[1], Limits{}, ErrBase},
		{"another rate", base, edit(3, 9), Limits{}, ErrMalformed},
		{"another rate and no segment", base, sealDelta(9, from, from, nil), Limits{}, ErrMalformed},
		{"no rate", base, edit(3, 0), Limits{}, ErrMalformed},
		{"no rate of nothing", &SegmentedFilter{}, sealDelta(0, 0, 0, nil), Limits{}, ErrMalformed},
		{"33 bits for nothing", &SegmentedFilter{}, sealDelta(33, 0, 0, nil), Limits{}, ErrMalformed},
		{"a segment that is there", base, repeated(base.entries[0], from), Limits{}, ErrMalformed},
		{"a segment that is there, and a change", base, slices.Clone(repeats), Limits{}, ErrMalformed},
		{"emptied where nothing is", base, emptied(base, Interval{3 << 62, 2}), Limits{}, ErrMalformed},
		{"a part of a segment emptied", base, emptied(base, Interval{1 << 63, 64}), Limits{}, ErrMalformed},
		{"more than a segment emptied", base, emptied(base, Interval{}), Limits{}, ErrMalformed},
		{"another result", base, sealDelta(8, from, to+1, body), Limits{}, ErrMalformed},
		{"result of no change", base, sealDelta(8, from, to, nil), Limits{}, ErrMalformed},
		{"one byte more", base, sealDelta(8, from, to, append(slices.Clone(body), 0)), Limits{}, ErrMalformed},
		{"one byte less", base, sealDelta(8, from, to, body[:len(body)-1]), Limits{}, ErrMalformed},
		{"the same twice", base, sealDelta(8, from, to, slices.Concat(body, body)), Limits{}, ErrMalformed},
		{"emptied with a kind", base, sealDelta(8, from, from, []byte{0x81, 0, 0, 0x30}), Limits{}, ErrMalformed},
		{"length", base, deltas[1], Limits{MaxBytes: len(deltas[1]) - 1}, ErrTooLarge},
		{"keys", base, deltas[1], Limits{MaxKeys: grown.Len() - 1}, ErrTooLarge},
		{"negative keys", base, deltas[1], Limits{MaxKeys: -1}, ErrTooLarge},
		{"memory of the result", base, deltas[1], Limits{MaxBytes: grown.memory - memoryNotCounted - 1}, ErrTooLarge},
		{"memory of the delta", base, deltas[5], Limits{MaxBytes: len(lone)}, ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := test.base.Apply(test.delta, test.limits); got != nil || !errors.Is(err, test.want) {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
	limits := Limits{MaxKeys: grown.Len(), MaxBytes: grown.memory - memoryNotCounted}
	if _, err := base.Apply(deltas[1], limits); err != nil {
		t.Errorf("refused at its limits: %v", err)
	}
}

// TestApplyChecksShape: a result that no set of keys has is refused, though its generation fits.
func TestApplyChecksShape(t *testing.T) {
	base, _ := someDeltas(t)
	at := slices.IndexFunc(base.entries, func(e entry) bool { return e.n > 500 })
	for name, c := range map[string]change{
		"few keys are split":         {base.entries[at].Interval, nil},
		"a segment lies too deep":    {Interval{1 << 62, 20}, &segment{Interval: Interval{1 << 62, 20}, n: 1, sum: mix(1 << 62)}},
		"a segment lies in no split": {Interval{1 << 62, 3}, &segment{Interval: Interval{1 << 62, 3}, n: 1, sum: mix(1 << 62)}},
		"its key lies elsewhere":     {Interval{1 << 62, 2}, &segment{Interval: Interval{1 << 62, 2}, n: 1, sum: mix(5)}},
	} {
		t.Run(name, func(t *testing.T) {
			to := base.generation
			if c.segment == nil {
				to -= base.entries[at].digest
			} else {
				to += digestOf(c.Interval, c.n, c.sum, 8)
			}
			delta := appendDelta(nil, 8, base.generation, to, []change{c})
			if got, err := base.Apply(delta, Limits{}); got != nil || !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v, %v, want ErrMalformed", got, err)
			}
		})
	}
}

// TestApplyWithoutLimits: the highest limits are no low ones.
func TestApplyWithoutLimits(t *testing.T) {
	base, deltas := someDeltas(t)
	for _, most := range []int{math.MaxInt, math.MaxInt - memoryNotCounted} {
		for _, delta := range deltas {
			if _, err := base.Apply(delta, Limits{MaxBytes: most, MaxKeys: math.MaxInt}); err != nil {
				t.Errorf("refused at %d bytes: %v", most, err)
			}
		}
	}
}

// TestApplyAllocatesLast: a delta that is wrong at its very end, or too large, costs no
// more memory than the error does.
func TestApplyAllocatesLast(t *testing.T) {
	s, err := NewSegments(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Add(uniformKeys(1, 50_000)...)
	f := s.Filter()
	delta, _ := s.AppendDelta(nil, 0)
	body := deltaBody(delta)
	for name, test := range map[string]struct {
		delta  []byte
		limits Limits
	}{
		"a byte less":        {sealDelta(8, 0, f.generation, body[:len(body)-1]), Limits{}},
		"a byte more":        {sealDelta(8, 0, f.generation, append(slices.Clone(body), 0)), Limits{}},
		"another generation": {sealDelta(8, 0, f.generation+1, body), Limits{}},
		"too many keys":      {delta, Limits{MaxKeys: f.Len() - 1}},
		"too much memory":    {delta, Limits{MaxBytes: len(delta) + 1}},
	} {
		allocs := testing.AllocsPerRun(3, func() {
			if _, err := new(SegmentedFilter).Apply(test.delta, test.limits); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
		if allocs > 20 { // an error; 64 segments would be more
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

// FuzzApply: whatever a delta makes of a filter, a whole encoding could have said. The
// bytes are what stands between the header and the checksum, so that the fuzzer
// reaches what is behind them.
func FuzzApply(f *testing.F) {
	base, deltas := someDeltas(f)
	for _, delta := range deltas {
		f.Add(deltaBody(delta))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzApply(t, base, sealDelta(8, 0, 0, body), Limits{})
	})
}

// FuzzApplyBytes is FuzzApply with all of a delta but its checksum and generations,
// from two filters.
func FuzzApplyBytes(f *testing.F) {
	base, deltas := someDeltas(f)
	for _, delta := range deltas {
		f.Add(delta)
	}
	s := deltaBase(f)
	s.Filter()
	whole, _ := s.AppendDelta(nil, 0)
	f.Add(whole)
	f.Add(sealDelta(0, 0, 0, nil))
	f.Fuzz(func(t *testing.T, delta []byte) {
		for _, base := range []*SegmentedFilter{base, {}} {
			fuzzApply(t, base, slices.Clone(delta), Limits{MaxKeys: 1 << 20, MaxBytes: 1 << 22})
		}
	})
}

// fuzzApply applies delta, in which it puts right the generations and the checksum.
func fuzzApply(t *testing.T, base *SegmentedFilter, delta []byte, limits Limits) {
	if len(delta) >= deltaSize {
		var all tally
		if bits := int(delta[3]); 1 <= bits && bits <= maxRateBits {
			all, _ = base.tally(recordReader{bits: bits, rest: deltaBody(delta)})
		}
		binary.LittleEndian.PutUint64(delta[4:], base.generation)
		binary.LittleEndian.PutUint64(delta[12:], all.generation)
		delta = sealFrame(delta[:len(delta)-checksumSize], 0)
	}
	encoding := base.AppendTo(nil)
	got, err := base.Apply(delta, limits)
	if !bytes.Equal(base.AppendTo(nil), encoding) {
		t.Fatal("the base changed")
	}
	if err != nil {
		if got != nil || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrVersion) {
			t.Fatalf("got %v, %v", got, err)
		}
		return
	}
	data := got.AppendTo(nil)
	decoded, err := Decode(data, Limits{})
	if err != nil {
		t.Fatalf("the result is refused: %v", err)
	}
	if got.Generation() != decoded.(*SegmentedFilter).Generation() || !bytes.Equal(decoded.AppendTo(nil), data) {
		t.Fatal("decoding the result gives another filter")
	}
	checkAsked(t, got, decoded)
	if again := deltaBetween(base, got, int(delta[3])); !bytes.Equal(again, delta) {
		t.Fatalf("%x is not the delta, %x is", delta, again)
	}
}

// checkAsked asks two filters that have to be the same, one key by one and at once: the
// ends of their segments, lone keys, and others.
func checkAsked(t *testing.T, f *SegmentedFilter, same Filter) {
	keys := uniformKeys(7, 100)
	for _, e := range f.entries {
		keys = append(keys, e.first, e.Last(), unmix(e.sum))
		if e.n == 1 && !f.Contains(unmix(e.sum)) {
			t.Fatalf("the only key %#x is denied", unmix(e.sum))
		}
	}
	in := make([]uint64, (len(keys)+63)/64)
	f.ContainsBatch(keys, in)
	for i, key := range keys {
		if got := f.Contains(key); got != same.Contains(key) || got != (in[i/64]>>(i%64)&1 == 1) {
			t.Fatalf("%#x is answered differently", key)
		}
	}
}

// deltaBetween is the delta from a filter to another by definition.
func deltaBetween(from, to *SegmentedFilter, bits int) []byte {
	var changes []change
	for _, e := range to.entries {
		if !slices.ContainsFunc(from.entries, func(old entry) bool { return old.digest == e.digest }) {
			changes = append(changes, change{e.Interval, e.segment})
		}
	}
	for _, old := range from.entries {
		if !slices.ContainsFunc(to.entries, func(e entry) bool { return !e.before(old.Interval) && !old.before(e.Interval) }) {
			changes = append(changes, change{old.Interval, nil})
		}
	}
	sortChanges(changes)
	return appendDelta(nil, bits, from.generation, to.generation, changes)
}
