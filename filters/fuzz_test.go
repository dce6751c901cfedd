package filters_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
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

// addVectors adds the encodings of all vectors but the long ones, which a fuzzer
// is slow to change.
func addVectors(f *testing.F) {
	for _, encoding := range vectorEncodings(f) {
		if len(encoding) < 1<<11 {
			f.Add(encoding)
		}
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
	checkAnswers(t, filter, spreadKeys())
	if got := filter.AppendTo(nil); !bytes.Equal(got, data) {
		t.Fatalf("%x encodes to %x", data, got)
	}
	if filter.Len() == 0 && filter.Contains(0) {
		t.Fatal("the empty set contains 0")
	}
}

// spreadKeys returns some keys of every magnitude, in no order.
func spreadKeys() (keys []uint64) {
	for key := uint64(1); key < math.MaxUint64/3; key *= 3 {
		keys = append(keys, key, ^key, key*0x9e3779b97f4a7c15)
	}
	return append(keys, 0)
}

// checkAnswers fails unless f answers keys alike one by one, at once, and at once
// ascending.
func checkAnswers(t *testing.T, f filters.Filter, keys []uint64) {
	t.Helper()
	in := make([]uint64, (len(keys)+63)/64)
	for _, keys := range [][]uint64{keys, slices.Sorted(slices.Values(keys))} {
		f.ContainsBatch(keys, in)
		for i, key := range keys {
			if one, batch := f.Contains(key), in[i/64]>>(i%64)&1 != 0; one != batch {
				t.Fatalf("%v answers %v for %#x, and %v in a batch", f.Kind(), one, key, batch)
			}
		}
	}
}

// FuzzBuild: filters of every kind and rate over any keys contain them, before and
// after they travelled, also where the keys repeat against a promise, and a List of
// whole keys contains nothing else.
func FuzzBuild(f *testing.F) {
	f.Add([]byte{}, uint8(0), false)
	f.Add(make([]byte, 8), uint8(1), true)
	f.Add(bytes.Repeat([]byte{0xff}, 8), uint8(32), false)
	f.Add([]byte("two keys, as thisand another one"), uint8(8), false)
	f.Add(bytes.Repeat([]byte("the same"), 700), uint8(5), true)
	for _, n := range []int{70, 600, 1100} { // of one shard or segment, and of more
		var data []byte
		for _, key := range filterstest.Keys(1, n) {
			data = binary.LittleEndian.AppendUint64(data, key)
		}
		f.Add(data, uint8(n%11), n%2 == 0)
	}
	f.Fuzz(func(t *testing.T, data []byte, bits uint8, distinct bool) {
		var builder filters.Builder
		var keys []uint64
		set := map[uint64]bool{}
		for ; len(data) >= 8; data = data[8:] {
			key := binary.LittleEndian.Uint64(data)
			keys, set[key] = append(keys, key), true
		}
		opt := filters.Options{Bits: int(bits % 33), Distinct: distinct}
		for _, kind := range append(filters.Kinds(), filters.Smallest) {
			built, err := builder.Build(kind, keys, opt)
			if err != nil { // the kind does not go down to this rate
				built, err = builder.Build(kind, keys, filters.Options{Distinct: distinct})
			}
			if err != nil {
				t.Fatal(err)
			}
			checkBuilt(t, built, keys, len(set), distinct)
		}
		checkExact(t, keys, set)
	})
}

func checkBuilt(t *testing.T, built filters.Filter, keys []uint64, distinct int, promised bool) {
	t.Helper()
	encoding := built.AppendTo(nil)
	decoded, err := filters.Decode(encoding, fuzzLimits)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(decoded.AppendTo(nil), encoding) {
		t.Fatalf("%v: decoding and encoding again gives other bytes", built.Kind())
	}
	for _, filter := range []filters.Filter{built, decoded} {
		if n := filter.Len(); n != distinct && !(promised && n > distinct && n <= len(keys)) {
			t.Fatalf("%v of %d distinct keys has %d", filter.Kind(), distinct, n)
		}
		for _, key := range keys {
			if !filter.Contains(key) {
				t.Fatalf("%v denies %#x", filter.Kind(), key)
			}
		}
		checkAnswers(t, filter, append(spreadKeys(), keys...))
	}
}

// checkExact asks a list of whole keys for all keys one bit away from some of them.
func checkExact(t *testing.T, keys []uint64, set map[uint64]bool) {
	t.Helper()
	exact, err := filters.Build(filters.List, keys, filters.Options{FalsePositiveRate: 0x1p-64})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys[:min(len(keys), 50)] {
		for bit := range 64 {
			if other := key ^ 1<<bit; exact.Contains(other) != set[other] {
				t.Fatalf("a list of whole keys answers %v for %#x", !set[other], other)
			}
		}
	}
}
