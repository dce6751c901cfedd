package filters

import (
	"bytes"
	"encoding/binary"
	"errors"
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

func TestApplyRefuses(t *testing.T) {
	base, deltas := someDeltas(t)
	grown, err := base.Apply(deltas[1], Limits{})
	if err != nil {
		t.Fatal(err)
	}
	from, to := base.Generation(), grown.Generation()
	body := deltaBody(deltas[1])
	lone := deltaBody(deltas[5]) // a new segment at least
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
		"few keys are split":         {Interval{base.entries[at].first, base.entries[at].Bits}, nil},
		"a segment lies too deep":    {Interval{1 << 62, 20}, &segment{Interval: Interval{1 << 62, 20}, n: 1, sum: 5}},
		"a segment lies in no split": {Interval{1 << 62, 3}, &segment{Interval: Interval{1 << 62, 3}, n: 1, sum: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			body := deltaBody(appendDelta(nil, 8, 0, 0, []change{c}))
			entries, err := base.replace(recordReader{bits: 8, rest: body}, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			to := newSegmentedFilter(8, entries).Generation()
			if got, err := base.Apply(sealDelta(8, base.Generation(), to, body), Limits{}); got != nil || !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v, %v, want ErrMalformed", got, err)
			}
		})
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
	encoding := base.AppendTo(nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		var to uint64
		entries, err := base.replace(recordReader{bits: 8, rest: body}, DefaultMaxBytes)
		if err == nil {
			to = newSegmentedFilter(8, entries).Generation()
		}
		got, applyErr := base.Apply(sealDelta(8, base.Generation(), to, body), Limits{})
		if err != nil && applyErr == nil || applyErr != nil && got != nil {
			t.Fatalf("got %v, %v; replacing gave %v", got, applyErr, err)
		}
		if applyErr != nil {
			if !errors.Is(applyErr, ErrMalformed) && !errors.Is(applyErr, ErrTooLarge) {
				t.Fatal(applyErr)
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
		if !bytes.Equal(base.AppendTo(nil), encoding) {
			t.Fatal("the base changed")
		}
	})
}

// FuzzApplyBytes is FuzzApply without help: any bytes.
func FuzzApplyBytes(f *testing.F) {
	base, deltas := someDeltas(f)
	for _, delta := range deltas {
		f.Add(delta)
	}
	f.Fuzz(func(t *testing.T, delta []byte) {
		for _, base := range []*SegmentedFilter{base, {}} {
			got, err := base.Apply(delta, Limits{MaxKeys: 1 << 20, MaxBytes: 1 << 22})
			if (got == nil) == (err == nil) {
				t.Fatalf("got %v, %v", got, err)
			}
		}
	})
}
