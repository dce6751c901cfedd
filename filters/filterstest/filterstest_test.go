package filterstest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// wrapped is a filter with some of its answers replaced.
type wrapped struct {
	filters.Filter
	contains func(filters.Filter, uint64) bool
	appendTo func(filters.Filter, []byte) []byte
	length   func(filters.Filter) int
}

func (w wrapped) Contains(key uint64) bool {
	if w.contains == nil {
		return w.Filter.Contains(key)
	}
	return w.contains(w.Filter, key)
}

func (w wrapped) AppendTo(dst []byte) []byte {
	if w.appendTo == nil {
		return w.Filter.AppendTo(dst)
	}
	return w.appendTo(w.Filter, dst)
}

func (w wrapped) Len() int {
	if w.length == nil {
		return w.Filter.Len()
	}
	return w.length(w.Filter)
}

type (
	buildFunc  = func(filters.Kind, []uint64, filters.Options) (filters.Filter, error)
	decodeFunc = func([]byte, filters.Limits) (filters.Filter, error)
)

// building returns a Build whose filters are changed by change.
func building(change func(w *wrapped, keys []uint64)) buildFunc {
	return func(kind filters.Kind, keys []uint64, opt filters.Options) (filters.Filter, error) {
		f, err := filters.Build(kind, keys, opt)
		if err != nil {
			return nil, err
		}
		w := wrapped{Filter: f}
		change(&w, keys)
		return w, nil
	}
}

// fails reports whether target fails the check of that name.
func fails(t *testing.T, target filterstest.Target, name string) bool {
	t.Helper()
	for check := range filterstest.Checks() {
		if check.Name == name {
			err := check.Run(target)
			t.Log(err)
			return err != nil
		}
	}
	t.Fatalf("there is no check %q", name)
	return false
}

// TestBroken hands the suite filters that are broken in one way each, and
// expects the check that is there for it to fail.
func TestBroken(t *testing.T) {
	for _, test := range brokenBuilds() {
		t.Run(test.name, func(t *testing.T) {
			target := filterstest.Target{Kind: filters.Fuse8, Rate: 0x1p-8, Build: test.broken}
			if !fails(t, target, test.check) {
				t.Errorf("check %q passes", test.check)
			}
		})
	}
	for _, test := range brokenDecodes() {
		t.Run(test.name, func(t *testing.T) {
			target := filterstest.Target{Kind: filters.Fuse8, Rate: 0x1p-8, Decode: test.broken}
			if !fails(t, target, test.check) {
				t.Errorf("check %q passes", test.check)
			}
		})
	}
}

// broken is a function with a fault that a check has to find.
type broken[F any] struct {
	name   string
	check  string
	broken F
}

func brokenBuilds() []broken[buildFunc] {
	return []broken[buildFunc]{
		{"the empty set contains keys", "small sets", building(func(w *wrapped, keys []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return len(keys) == 0 || f.Contains(key) }
		})},
		{"one key in 2^12 is lost", "no false negatives", building(func(w *wrapped, _ []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return key>>52 != 0 && f.Contains(key) }
		})},
		{"11501 keys cannot be built", "awkward sizes", failingFor(11_501)},
		{"keys below 2^16 are lost", "awkward keys", building(func(w *wrapped, _ []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return key >= 1<<16 && f.Contains(key) }
		})},
		{"the rate is a tenth higher", "rate", building(func(w *wrapped, _ []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return f.Contains(key) || key%2560 == 0 }
		})},
		{"small sets have a higher rate", "rate of small sets", building(func(w *wrapped, keys []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return f.Contains(key) || len(keys) == 5 && key%256 == 0 }
		})},
		{"duplicates are counted", "duplicates", building(func(w *wrapped, keys []uint64) {
			w.length = func(filters.Filter) int { return len(keys) }
		})},
		{"the order shows", "deterministic", building(func(w *wrapped, keys []uint64) {
			first := byte(append(keys, 0)[0])
			w.appendTo = func(f filters.Filter, dst []byte) []byte { return append(f.AppendTo(dst), first) }
		})},
		{"the caller's slice is sorted", "slice of the caller", building(func(_ *wrapped, keys []uint64) {
			slices.Sort(keys)
		})},
		{"the caller's slice is kept", "slice of the caller", building(func(w *wrapped, keys []uint64) {
			w.appendTo = func(_ filters.Filter, dst []byte) []byte {
				return binary.LittleEndian.AppendUint64(dst, append(keys, 0)[0])
			}
		})},
		{"Contains allocates", "no allocation", building(func(w *wrapped, _ []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return len(f.AppendTo(nil)) > 0 && f.Contains(key) }
		})},
		{"AppendTo forgets its prefix", "round trip", building(func(w *wrapped, _ []uint64) {
			w.appendTo = func(f filters.Filter, _ []byte) []byte { return f.AppendTo(nil) }
		})},
	}
}

func brokenDecodes() []broken[decodeFunc] {
	return []broken[decodeFunc]{
		{"decoding changes its input", "round trip", decodeThen(func(data []byte) { data[0]++ })},
		{"what is missing is taken for zeros", "truncated", tolerant(func(data []byte) []byte {
			return filterstest.FixChecksum(append(bytes.Clone(data), 0))
		})},
		{"the checksum does not matter", "flipped bits", tolerant(filterstest.FixChecksum)},
		{"limits do not matter", "limits", func(data []byte, _ filters.Limits) (filters.Filter, error) {
			return filters.Decode(data, filters.Limits{})
		}},
		{"errors are of no kind", "flipped bits", func(data []byte, limits filters.Limits) (filters.Filter, error) {
			f, err := filters.Decode(data, limits)
			if err != nil {
				return nil, errors.New("nameless")
			}
			return f, nil
		}},
		{"claims are allocated", "hostile fields", func(data []byte, limits filters.Limits) (filters.Filter, error) {
			if len(data) >= 8 {
				sink = make([]byte, min(binary.LittleEndian.Uint32(data[4:]), 1<<24))
			}
			return filters.Decode(data, limits)
		}},
		{"another filter is decoded", "hostile fields", tolerant(func(data []byte) []byte {
			f, _ := filters.Build(filters.Bloom, []uint64{1}, filters.Options{})
			return f.AppendTo(nil)
		})},
	}
}

var sink []byte

func failingFor(n int) buildFunc {
	return func(kind filters.Kind, keys []uint64, opt filters.Options) (filters.Filter, error) {
		if len(keys) == n {
			return nil, errors.New("no luck")
		}
		return filters.Build(kind, keys, opt)
	}
}

func decodeThen(change func(data []byte)) decodeFunc {
	return func(data []byte, limits filters.Limits) (filters.Filter, error) {
		f, err := filters.Decode(data, limits)
		if len(data) > 0 {
			change(data)
		}
		return f, err
	}
}

// tolerant returns a Decode that mends with repair what would be refused.
func tolerant(repair func(data []byte) []byte) decodeFunc {
	return func(data []byte, limits filters.Limits) (filters.Filter, error) {
		f, err := filters.Decode(data, limits)
		if err != nil {
			return filters.Decode(repair(bytes.Clone(data)), limits)
		}
		return f, nil
	}
}

func TestFixChecksum(t *testing.T) {
	f, err := filters.Build(filters.Xor8, filterstest.Keys(1, 10), filters.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := f.AppendTo(nil)
	got := bytes.Clone(want)
	clear(got[len(got)-4:])
	if got := filterstest.FixChecksum(got); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if got := filterstest.FixChecksum([]byte{1, 2}); !bytes.Equal(got, []byte{1, 2}) {
		t.Errorf("changed data too short to %x", got)
	}
}
