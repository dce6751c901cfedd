package filters_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// segmented builds a filter of keys and decodes it again.
func segmented(t testing.TB, keys []uint64, opt filters.Options) *filters.SegmentedFilter {
	t.Helper()
	built, err := filters.Build(filters.Segmented, keys, opt)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := filters.Decode(built.AppendTo(nil), filters.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return decoded.(*filters.SegmentedFilter)
}

// bucketKeys returns n distinct keys of one bucket, in ascending order.
func bucketKeys(bucket uint32, n int) []uint64 {
	keys := filterstest.Keys(uint64(bucket)+1, n)
	for i, key := range keys {
		keys[i] = filters.SegmentKey(bucket, key)
	}
	slices.Sort(keys)
	return keys
}

func TestSegmentKey(t *testing.T) {
	for _, test := range []struct {
		bucket    uint32
		key, want uint64
	}{
		{0, 0, 0},
		{0, 0xffffffffffffffff, 0x000000ffffffffff},
		{1, 0x0123456789abcdef, 0x0000010123456789},
		{filters.MaxBucket, 0, 0xffffff0000000000},
		{filters.MaxBucket + 1, 0, 0xffffff0000000000},
		{0xffffffff, 1 << 24, 0xffffff0000000001},
	} {
		if got := filters.SegmentKey(test.bucket, test.key); got != test.want {
			t.Errorf("SegmentKey(%#x, %#x) = %#x, want %#x", test.bucket, test.key, got, test.want)
		}
	}
}

// TestSegmentedConformance adds the extreme rates to those of TestConformance.
func TestSegmentedConformance(t *testing.T) {
	for _, bits := range []int{1, 32} {
		t.Run(fmt.Sprintf("bits=%d", bits), func(t *testing.T) {
			filterstest.Run(t, filterstest.Target{
				Kind: filters.Segmented, Options: filters.Options{Bits: bits}, Rate: 1 / float64(uint64(1)<<bits),
			})
		})
	}
}

func TestSegmentedEmpty(t *testing.T) {
	f := segmented(t, nil, filters.Options{})
	if f.Len() != 0 || f.Generation() != 0 || f.Contains(0) || len(f.Doubtful([]uint64{1, 2})) > 0 {
		t.Errorf("%d keys, generation %x", f.Len(), f.Generation())
	}
	in := []uint64{7}
	if f.ContainsBatch([]uint64{1, 2}, in); in[0] != 0 {
		t.Errorf("the empty set contains %b", in[0])
	}
}

func TestSegmentedRates(t *testing.T) {
	keys := filterstest.Keys(1, 3000)
	for rate, bits := range map[float64]int{0.99: 1, 0.5: 1, 0.49: 2, 0x1p-8: 8, 0.003: 9, 0x1p-32: 32} {
		got := segmented(t, keys, filters.Options{FalsePositiveRate: rate}).AppendTo(nil)
		if want := segmented(t, keys, filters.Options{Bits: bits}).AppendTo(nil); !bytes.Equal(got, want) {
			t.Errorf("rate %g does not give %d bits", rate, bits)
		}
		s, err := filters.NewSegments(filters.Options{FalsePositiveRate: rate})
		if err != nil {
			t.Fatal(err)
		}
		if s.Add(keys...); !bytes.Equal(s.Filter().AppendTo(nil), got) {
			t.Errorf("rate %g gives other Segments", rate)
		}
	}
	eight, nine := segmented(t, keys, filters.Options{Bits: 8}), segmented(t, keys, filters.Options{Bits: 9})
	if eight.Generation() == nine.Generation() {
		t.Error("the generation does not depend on the rate")
	}
	for _, opt := range []filters.Options{{FalsePositiveRate: 1}, {FalsePositiveRate: 0x1p-33}, {Bits: 33}, {Bits: 8, FalsePositiveRate: 0.1}} {
		if s, err := filters.NewSegments(opt); s != nil || !errors.Is(err, filters.ErrRate) {
			t.Errorf("NewSegments(%v): %v, want ErrRate", opt, err)
		}
	}
}

// TestSegmentedWorkers: the result does not depend on how many goroutines built it.
func TestSegmentedWorkers(t *testing.T) {
	keys := filterstest.Keys(1, 40_000)
	for _, distinct := range []bool{false, true} {
		want := segmented(t, keys, filters.Options{}).AppendTo(nil)
		got := segmented(t, keys, filters.Options{Workers: 3, Distinct: distinct}).AppendTo(nil)
		if !bytes.Equal(got, want) {
			t.Errorf("three workers, distinct %v: another filter", distinct)
		}
	}
	repeated := append(slices.Clone(keys), keys[:100]...)
	if got := segmented(t, repeated, filters.Options{Distinct: true}); got.Len() != len(keys) {
		t.Errorf("%d keys where the promise of distinct ones is broken", got.Len())
	}
}

// TestSegmentedBatch asks in ascending, descending and random order, and across gaps.
func TestSegmentedBatch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	keys := append(slices.Concat(bucketKeys(3, 3000), bucketKeys(4, 1), bucketKeys(900, 50), bucketKeys(901, 2000)), 1<<63)
	f := segmented(t, keys, filters.Options{})
	asked := slices.Clone(keys)
	for range 4000 {
		asked = append(asked, filters.SegmentKey(uint32(r.IntN(6)+r.IntN(2)*898), r.Uint64()), r.Uint64())
	}
	for name, order := range map[string]func(){
		"ascending":  func() { slices.Sort(asked) },
		"descending": func() { slices.Reverse(asked) },
		"random":     func() { r.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] }) },
	} {
		order()
		for _, n := range []int{0, 1, 63, 64, 65, len(asked)} {
			in := make([]uint64, n/64+2)
			for i := range in {
				in[i] = 0xaaaaaaaaaaaaaaaa
			}
			f.ContainsBatch(asked[:n], in)
			for i, key := range asked[:n] {
				if got := in[i/64]>>(i%64)&1 == 1; got != f.Contains(key) {
					t.Fatalf("%s: the batch answers %v for %#x", name, got, key)
				}
			}
			if n%64 > 0 && in[n/64]>>(n%64) != 0 {
				t.Errorf("%s: bits beyond the last of %d keys", name, n)
			}
			if in[(n+63)/64] != 0xaaaaaaaaaaaaaaaa {
				t.Errorf("%s: the word behind %d answers is written", name, n)
			}
		}
		in := make([]uint64, len(asked)/64+1)
		if allocs := testing.AllocsPerRun(5, func() { f.ContainsBatch(asked, in) }); allocs > 0 {
			t.Errorf("%s: a batch allocates %v times", name, allocs)
		}
	}
}

// TestDoubtful: what is in doubt are the segments with another set of keys, whole.
func TestDoubtful(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	var keys []uint64
	for bucket := range uint32(64) {
		keys = append(keys, bucketKeys(bucket, 1000)...) // a segment each, or two
	}
	f := segmented(t, keys, filters.Options{})
	if got := f.Doubtful(keys); len(got) > 0 {
		t.Fatalf("in doubt of the right keys: %v", got)
	}
	if got := f.Doubtful(nil); len(got) != 1 || got[0] != (filters.Interval{Prefix: 0, Bits: 18}) {
		t.Errorf("in doubt without a key: %v, want the 64 buckets as one", got)
	}
	for _, bucket := range []int{0, 17, 63} {
		own := keys[1000*bucket : 1000*bucket+1000]
		for name, known := range map[string][]uint64{
			"one lacks":      slices.Delete(slices.Clone(keys), 1000*bucket+500, 1000*bucket+501),
			"all lack":       slices.Delete(slices.Clone(keys), 1000*bucket, 1000*bucket+1000),
			"one more":       insert(keys, own[0]+r.Uint64N(own[999]-own[0])),
			"one is another": insert(slices.Delete(slices.Clone(keys), 1000*bucket+500, 1000*bucket+501), own[0]+1),
		} {
			got := f.Doubtful(known)
			for i, key := range keys {
				if in := got.Contains(key); in && i/1000 != bucket {
					t.Errorf("bucket %d, %s: %#x of bucket %d is in doubt", bucket, name, key, i/1000)
				}
			}
			if len(got) == 0 || len(got) > 1 {
				t.Errorf("bucket %d, %s: %v", bucket, name, got)
			}
		}
	}
	with := segmented(t, []uint64{0, 5}, filters.Options{}) // key 0 adds nothing to the sum
	if got := with.Doubtful([]uint64{5}); len(got) != 1 {
		t.Errorf("in doubt without key 0: %v", got)
	}
	if got := f.Doubtful(insert(keys, 1<<50)); len(got) > 0 {
		t.Errorf("in doubt for a key outside all segments: %v", got)
	}
}

// insert returns a copy of keys, which ascend, with one more.
func insert(keys []uint64, key uint64) []uint64 {
	at, _ := slices.BinarySearch(keys, key)
	return slices.Insert(slices.Clone(keys), at, key)
}

// segmentedBody returns what stands between header and checksum.
func segmentedBody(f filters.Filter) []byte {
	data := f.AppendTo(nil)
	return data[8 : len(data)-4]
}

// frame makes an encoding of n keys of the kind Segmented from a body.
func segmentedFrame(n int, body []byte) []byte {
	data := binary.LittleEndian.AppendUint32([]byte("DF\x01\x08"), uint32(n))
	return filterstest.FixChecksum(append(append(data, body...), 0, 0, 0, 0))
}

// one returns the record of a segment of one key at a position of one byte.
func one(t testing.TB, position byte, key uint64) []byte {
	record := segmentedBody(segmented(t, []uint64{key}, filters.Options{}))[1:] // without bits
	record[0] = position
	return record
}

func TestSegmentedRefused(t *testing.T) {
	full := segmentedBody(segmented(t, bucketKeys(0, 1024), filters.Options{}))[2:] // without bits and position
	pair := segmentedBody(segmented(t, []uint64{1, 2}, filters.Options{}))
	for _, test := range []struct {
		name string
		n    int
		body []byte
		ok   bool
	}{
		{"one key", 1, append([]byte{8}, one(t, 0, 5)...), true},
		{"two keys", 2, pair, true},
		{"full segment and a key", 1025, slices.Concat([]byte{8}, one(t, 1, 5), append([]byte{1}, full...)), true},
		{"full segment and a key deep down", 1025, slices.Concat([]byte{8}, one(t, 54, 5), append([]byte{54}, full...)), true},
		{"full segment in 55 bits and a key", 1025, slices.Concat([]byte{8}, one(t, 55, 5), append([]byte{55}, full...)), false},
		{"full segment and a key of the other half", 1025, slices.Concat([]byte{8}, one(t, 1, 1<<63), append([]byte{1}, full...)), false},
		{"full segment and the first key behind", 1025, slices.Concat([]byte{8}, one(t, 54, 1<<10), append([]byte{54}, full...)), false},
		{"no bits", 1, nil, false},
		{"0 bits", 1, append([]byte{0}, one(t, 0, 5)...), false},
		{"33 bits", 1, append([]byte{33}, one(t, 0, 5)...), false},
		{"no segment", 1, []byte{8}, false},
		{"more keys claimed", 2, append([]byte{8}, one(t, 0, 5)...), false},
		{"fewer keys claimed", 1, pair, false},
		{"empty segment", 1, slices.Concat([]byte{8, 1, 0, 0}, one(t, 1, 5)), false},
		{"one key with a filter", 1, append([]byte{8, 0, 1, 5 << 3}, pair[4:]...), false},
		{"two keys without a filter", 2, append([]byte{8, 0, 2, 0}, make([]byte, 8)...), false},
		{"bloom inside", 2, append([]byte{8, 0, 2, 1 << 3}, pair[4:]...), false},
		{"segmented inside", 2, append([]byte{8, 0, 2, 8 << 3}, pair[4:]...), false},
		{"unknown kind inside", 2, append([]byte{8, 0, 2, 31 << 3}, pair[4:]...), false},
		{"1025 keys", 1025, append([]byte{8, 0, 1, full[1] | 4}, full[2:]...), false},
		{"position cut off", 1, []byte{8, 0x81}, false},
		{"record cut off", 1, append([]byte{8}, one(t, 0, 5)[:9]...), false},
		{"inner length cut off", 2, pair[:12], false},
		{"inner body cut off", 2, pair[:len(pair)-1], false},
		{"inner body one byte longer", 2, append(slices.Clone(pair), 0), false},
		{"inner length of ten bytes", 2, append(slices.Clone(pair[:12]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), false},
		{"a segment that is too deep", 1, append([]byte{8}, one(t, 1, 5)...), false},
		{"two segments of too few keys", 2, slices.Concat([]byte{8}, one(t, 1, 5), one(t, 1, 1<<63)), false},
		{"one key and a full segment split too deep", 1025, slices.Concat([]byte{8}, one(t, 2, 5), append([]byte{1}, full...)), false},
		{"empty segment beside enough keys", 1025, slices.Concat([]byte{8, 2, 0, 0, 3}, full, one(t, 3, 3<<61)), false},
		{"segment behind the last", 2, slices.Concat([]byte{8}, one(t, 0, 5), one(t, 0, 5)), false},
		{"too few keys beside too many", 1027, slices.Concat([]byte{8}, one(t, 2, 5), one(t, 2, 1<<62), append([]byte{2}, full...), one(t, 2, 3<<62)), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := segmentedFrame(test.n, test.body)
			f, err := filters.Decode(data, filters.Limits{})
			if !test.ok {
				if f != nil || !errors.Is(err, filters.ErrMalformed) {
					t.Errorf("got %v, %v, want ErrMalformed", f, err)
				}
				t.Log(err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if again := f.AppendTo(nil); !bytes.Equal(again, data) {
				t.Errorf("%x encodes to %x", data, again)
			}
		})
	}
}

// TestSegmentedInside puts whole filters into a segment, such as could be there and such as could not.
func TestSegmentedInside(t *testing.T) {
	for _, test := range []struct {
		name string
		kind filters.Kind
		n    int
		bits int
		ok   bool
	}{
		{"ribbon", filters.Ribbon, 100, 8, true},
		{"golomb", filters.Golomb, 100, 8, true},
		{"ribbon of 1024 keys", filters.Ribbon, 1024, 8, true},
		{"ribbon of 1025 keys", filters.Ribbon, 1025, 8, false},
		{"ribbon of one key", filters.Ribbon, 1, 8, false},
		{"ribbon of another rate", filters.Ribbon, 100, 9, false},
		{"golomb of another rate", filters.Golomb, 100, 9, false},
		{"bloom", filters.Bloom, 100, 8, false},
		{"fuse8", filters.Fuse8, 100, 8, false},
		{"segmented", filters.Segmented, 100, 8, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := filters.Build(test.kind, filterstest.Keys(1, test.n), filters.Options{Bits: test.bits})
			if err != nil {
				t.Fatal(err)
			}
			inner := segmentedBody(f)
			if test.kind == filters.Fuse8 {
				inner[0] = 8 // of the seed: where other kinds tell the rate
			}
			body := binary.LittleEndian.AppendUint16([]byte{8, 0}, uint16(test.n)|uint16(test.kind)<<11)
			body = binary.AppendUvarint(append(body, 1, 2, 3, 4, 5, 6, 7, 8), uint64(len(inner)-test.n))
			decoded, err := filters.Decode(segmentedFrame(test.n, append(body, inner...)), filters.Limits{})
			if test.ok != (err == nil) || err != nil && !errors.Is(err, filters.ErrMalformed) {
				t.Errorf("got %v, %v", decoded, err)
			}
		})
	}
}
