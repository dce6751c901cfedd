package filters_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

var fuzzLimits = filters.Limits{MaxKeys: 1 << 20, MaxBytes: 1 << 22}

// FuzzDecode: whatever decodes answers keys and encodes to the same bytes.
func FuzzDecode(f *testing.F) {
	addVectors(f)
	f.Fuzz(checkDecode)
}

// FuzzDecodeChecked is FuzzDecode with a checksum that always fits, so that the
// fuzzer reaches what stands behind it.
func FuzzDecodeChecked(f *testing.F) {
	addVectors(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		checkDecode(t, filterstest.FixChecksum(bytes.Clone(data)))
	})
}

func addVectors(f *testing.F) {
	for _, encoding := range vectorEncodings(f) {
		f.Add(encoding)
	}
}

func checkDecode(t *testing.T, data []byte) {
	filter, err := filters.Decode(data, fuzzLimits)
	if err != nil {
		if filter != nil {
			t.Fatal("an error and a filter")
		}
		return
	}
	for key := uint64(1); key < math.MaxUint64/3; key *= 3 {
		filter.Contains(key)
		filter.Contains(^key)
	}
	if got := filter.AppendTo(nil); !bytes.Equal(got, data) {
		t.Fatalf("%x encodes to %x", data, got)
	}
	if filter.Len() == 0 && filter.Contains(0) {
		t.Fatal("the empty set contains 0")
	}
}

// FuzzBuild: filters of every kind over any keys contain them, before and after
// they travelled, and a List of whole keys contains nothing else.
func FuzzBuild(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 8))
	f.Add(bytes.Repeat([]byte{0xff}, 8))
	f.Add([]byte("two keys, as thisand another one"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var keys []uint64
		set := map[uint64]bool{}
		for ; len(data) >= 8; data = data[8:] {
			key := binary.LittleEndian.Uint64(data)
			keys, set[key] = append(keys, key), true
		}
		for _, kind := range filters.Kinds() {
			checkBuilt(t, kind, keys, set)
		}
	})
}

func checkBuilt(t *testing.T, kind filters.Kind, keys []uint64, set map[uint64]bool) {
	built, err := filters.Build(kind, keys, filters.Options{})
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := filters.Decode(built.AppendTo(nil), fuzzLimits)
	if err != nil {
		t.Fatal(err)
	}
	for _, filter := range []filters.Filter{built, decoded} {
		if filter.Len() != len(set) {
			t.Fatalf("%v of %d distinct keys has %d", kind, len(set), filter.Len())
		}
		for _, key := range keys {
			if !filter.Contains(key) {
				t.Fatalf("%v denies %#x", kind, key)
			}
		}
	}
	if kind != filters.List {
		return
	}
	exact, err := filters.Build(kind, keys, filters.Options{FalsePositiveRate: 0x1p-64})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		for bit := range 64 {
			if other := key ^ 1<<bit; exact.Contains(other) != set[other] {
				t.Fatalf("a list of whole keys answers %v for %#x", !set[other], other)
			}
		}
	}
}
