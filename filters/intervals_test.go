package filters_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// randomIntervals returns intervals in their one form, and a slow Contains.
func randomIntervals(t *testing.T, r *rand.Rand, most int) (filters.Intervals, func(uint64) bool) {
	keys := make([]uint64, 1+r.IntN(most))
	for i := range keys {
		keys[i] = r.Uint64() >> r.IntN(64)
	}
	f := segmented(t, keys, filters.Options{})
	slices.Sort(keys)
	lost := r.Uint64N(1000)
	known := slices.DeleteFunc(keys, func(uint64) bool { return r.Uint64N(1000*500) < lost })
	intervals := f.Doubtful(known)
	return intervals, func(key uint64) bool {
		return slices.ContainsFunc(intervals, func(i filters.Interval) bool {
			return i.Bits == 0 || (key^i.Prefix)>>(64-i.Bits) == 0
		})
	}
}

func TestIntervalsRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	longest := 0
	for range 200 {
		intervals, contains := randomIntervals(t, r, 1<<r.IntN(17))
		longest = max(longest, len(intervals))
		data := intervals.AppendTo([]byte("prefix"))[6:]
		got, err := filters.DecodeIntervals(data, filters.Limits{MaxBytes: max(len(data), 16*len(intervals))})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, intervals) {
			t.Fatalf("%v becomes %v", intervals, got)
		}
		for _, i := range intervals {
			for _, key := range []uint64{i.Prefix, i.Last(), i.Prefix - 1, i.Last() + 1, r.Uint64()} {
				if intervals.Contains(key) != contains(key) {
					t.Fatalf("%v contains %#x: %v", intervals, key, intervals.Contains(key))
				}
			}
		}
	}
	if longest < 20 {
		t.Errorf("at most %d intervals were tried", longest)
	}
}

func TestIntervalsOfNothing(t *testing.T) {
	data := filters.Intervals(nil).AppendTo(nil)
	got, err := filters.DecodeIntervals(data, filters.Limits{})
	if err != nil || len(got) > 0 || len(data) != 7 {
		t.Errorf("got %v, %v from %x", got, err, data)
	}
	if got.Contains(0) || got.Contains(math.MaxUint64) {
		t.Error("no intervals contain a key")
	}
}

// intervalVectors are the bytes between version and checksum.
var intervalVectors = []struct {
	name string
	body []byte
	want filters.Intervals // nil: refused
}{
	{"everything", []byte{0}, filters.Intervals{{0, 0}}},
	{"lower half", []byte{1}, filters.Intervals{{0, 1}}},
	{"upper half", []byte{0x81, 0}, filters.Intervals{{1 << 63, 1}}},
	{"last key", []byte{0xc0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, filters.Intervals{{math.MaxUint64, 64}}},
	{"a key and the next quarter", []byte{64, 2}, filters.Intervals{{0, 64}, {1 << 62, 2}}},
	{"first and third quarter", []byte{2, 0x82, 0}, filters.Intervals{{0, 2}, {2 << 62, 2}}},
	{"middle quarters", []byte{0x82, 0, 2}, filters.Intervals{{1 << 62, 2}, {2 << 62, 2}}},
	{"halves of one", []byte{1, 1}, nil},
	{"halves of one further on", []byte{0x82, 1, 2}, nil},
	{"behind everything", []byte{0, 64}, nil},
	{"no room at the end", []byte{0x81, 0, 1}, nil},
	{"no room for so long a one", []byte{64, 0}, nil},
	{"gap beyond the end", []byte{0x81, 1}, nil},
	{"gap of 2^64-1", []byte{0xc0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, nil},
	{"65 bits", []byte{65}, nil},
	{"no gap", []byte{0x82}, nil},
	{"gap too long by a byte", []byte{0x82, 0x80, 0}, nil},
	{"gap of eleven bytes", []byte{0xc0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, nil},
}

// intervalsOf frames the bytes between version and checksum.
func intervalsOf(body []byte) []byte {
	return filterstest.FixChecksum(slices.Concat([]byte("DI\x01"), body, make([]byte, 4)))
}

func TestIntervalsWire(t *testing.T) {
	for _, v := range intervalVectors {
		t.Run(v.name, func(t *testing.T) {
			data := intervalsOf(v.body)
			got, err := filters.DecodeIntervals(data, filters.Limits{})
			if v.want == nil {
				if !errors.Is(err, filters.ErrMalformed) || got != nil {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || !slices.Equal(got, v.want) {
				t.Fatalf("got %v, %v, want %v", got, err, v.want)
			}
			if again := got.AppendTo(nil); !bytes.Equal(again, data) {
				t.Errorf("%x encodes to %x", data, again)
			}
		})
	}
}

func TestIntervalsRefused(t *testing.T) {
	good := intervalsOf([]byte{64, 2})
	for _, test := range []struct {
		name   string
		data   []byte
		limits filters.Limits
		want   error
	}{
		{"nothing", nil, filters.Limits{}, filters.ErrMalformed},
		{"too short", good[:6], filters.Limits{}, filters.ErrMalformed},
		{"magic", filterstest.FixChecksum([]byte("DS\x01aaaa")), filters.Limits{}, filters.ErrMalformed},
		{"version", filterstest.FixChecksum([]byte("DI\x02aaaa")), filters.Limits{}, filters.ErrVersion},
		{"checksum", append(slices.Clone(good[:8]), 0), filters.Limits{}, filters.ErrChecksum},
		{"length", good, filters.Limits{MaxBytes: len(good) - 1}, filters.ErrTooLarge},
		{"memory", good, filters.Limits{MaxBytes: 31}, filters.ErrTooLarge},
		{"negative limit", good, filters.Limits{MaxBytes: -1}, filters.ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := filters.DecodeIntervals(test.data, test.limits); got != nil || !errors.Is(err, test.want) {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
	if _, err := filters.DecodeIntervals(good, filters.Limits{MaxBytes: 32}); err != nil {
		t.Errorf("refused at its limit: %v", err)
	}
}

// FuzzDecodeIntervals: whatever decodes is in its one form and encodes to the same bytes.
func FuzzDecodeIntervals(f *testing.F) {
	for _, v := range intervalVectors {
		f.Add(v.body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data := intervalsOf(body)
		got, err := filters.DecodeIntervals(data, filters.Limits{})
		if err != nil {
			return
		}
		for at, i := range got {
			if i.Bits < 0 || i.Bits > 64 || i.Prefix&(i.Last()^i.Prefix) != 0 {
				t.Fatalf("%v is no interval", i)
			}
			if at > 0 && got[at-1].Last() >= i.Prefix {
				t.Fatalf("%v and %v overlap or do not ascend", got[at-1], i)
			}
			if !got.Contains(i.Prefix) || !got.Contains(i.Last()) {
				t.Fatalf("%v do not contain the ends of %v", got, i)
			}
		}
		if again := got.AppendTo(nil); !bytes.Equal(again, data) {
			t.Fatalf("%x encodes to %x", data, again)
		}
	})
}
