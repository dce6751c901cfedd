package filterstest_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// wrapped is a filter with some of its answers replaced.
type wrapped struct {
	filters.Filter
	contains func(filters.Filter, uint64) bool
	batch    func(f filters.Filter, keys, in []uint64)
	appendTo func(filters.Filter, []byte) []byte
	length   func(filters.Filter) int
}

func (w wrapped) Contains(key uint64) bool {
	if w.contains == nil {
		return w.Filter.Contains(key)
	}
	return w.contains(w.Filter, key)
}

func (w wrapped) ContainsBatch(keys, in []uint64) {
	switch {
	case w.batch != nil:
		w.batch(w.Filter, keys, in)
	case w.contains != nil:
		in = in[:(len(keys)+63)/64]
		clear(in)
		for i, key := range keys {
			if w.Contains(key) {
				in[i/64] |= 1 << (i % 64)
			}
		}
	default:
		w.Filter.ContainsBatch(keys, in)
	}
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
// expects the check that is there for it to fail. Every check has its fault.
func TestBroken(t *testing.T) {
	faults := slices.Concat(brokenFilters(), brokenBuilds(), brokenDecodes(), brokenBuilders())
	found := map[string]bool{}
	for _, fault := range faults {
		found[fault.check] = true
		t.Run(fault.name, func(t *testing.T) {
			target := fault.target
			target.Rate = 0x1p-8
			if target.Kind == filters.Smallest {
				target.Kind = filters.Fuse8
			}
			if !fails(t, target, fault.check) {
				t.Errorf("check %q passes", fault.check)
			}
		})
	}
	for check := range filterstest.Checks() {
		if !found[check.Name] {
			t.Errorf("no fault shows that check %q can fail", check.Name)
		}
	}
}

// broken is a target with a fault that a check has to find.
type broken struct {
	name   string
	check  string
	target filterstest.Target
}

// filter returns a broken target: Build's filters are changed by change.
func filter(name, check string, change func(w *wrapped, keys []uint64)) broken {
	return broken{name, check, filterstest.Target{Build: building(change)}}
}

func build(name, check string, f buildFunc) broken {
	return broken{name, check, filterstest.Target{Build: f}}
}

func decode(name, check string, f decodeFunc) broken {
	return broken{name, check, filterstest.Target{Decode: f}}
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
