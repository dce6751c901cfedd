package filters_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

const segmentRule = "a run is {bucket, first, keys}: SegmentKey(bucket, key(i)) for i from first to first+keys-1, " +
	"which is 2^40 times bucket plus key(i) div 2^24; id(i) is SHA-256 of the 8 little-endian bytes of i, " +
	"key(i) is SipHash-2-4 of id(i), keyed with 16 bytes of zero"

type run struct {
	Bucket uint32 `json:"bucket"`
	First  int    `json:"first"`
	Keys   int    `json:"keys"`
}

// segmentsVector is a set of segment keys and its filter.
type segmentsVector struct {
	Name       string `json:"name"`
	Bits       int    `json:"bits"` // the rate is 2^-bits
	Runs       []run  `json:"runs"`
	Generation string `json:"generation"` // 16 hexadecimal digits, the highest first
	Encoding   string `json:"encoding"`
}

// deltaVector leads from one of the sets to another, both named.
type deltaVector struct {
	Name     string `json:"name"`
	From     string `json:"from"`
	To       string `json:"to,omitempty"`
	Error    string `json:"error,omitempty"` // with which it is refused
	Encoding string `json:"encoding"`
}

type intervalVector struct {
	Prefix string `json:"prefix"` // 16 hexadecimal digits, the highest first
	Bits   int    `json:"bits"`
}

type intervalsVector struct {
	Name      string           `json:"name"`
	Intervals []intervalVector `json:"intervals"`
	Error     string           `json:"error,omitempty"` // with which the encoding is refused
	Encoding  string           `json:"encoding"`
}

// doubtfulVector is what a reader who has a set of keys doubts of a filter.
type doubtfulVector struct {
	Name      string `json:"name"`
	Filter    string `json:"filter"` // name of a set
	Reader    []run  `json:"reader"`
	Intervals string `json:"intervals"` // encoding
}

func segmentKeys(runs []run) (keys []uint64) {
	for _, r := range runs {
		for _, key := range vectorKeys(filters.Salt{}, r.First, r.Keys) {
			keys = append(keys, filters.SegmentKey(r.Bucket, key))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// days are 300 keys in each of eight neighbouring buckets, and more.
func days(more ...run) []run {
	runs := make([]run, 8)
	for i := range runs {
		runs[i] = run{uint32(100 + i), 300 * i, 300}
	}
	return append(runs, more...)
}

var segmentSets = []segmentsVector{
	{Name: "nothing", Bits: 8, Runs: []run{}},
	{Name: "one key", Bits: 8, Runs: []run{{0, 0, 1}}},
	{Name: "as many as one segment holds", Bits: 8, Runs: []run{{5, 0, 1024}}},
	{Name: "one more", Bits: 8, Runs: []run{{5, 0, 1025}}},
	{Name: "and some at the end", Bits: 8, Runs: []run{{5, 0, 1025}, {filters.MaxBucket, 2000, 3}}},
	{Name: "and one far away", Bits: 8, Runs: []run{{5, 0, 1025}, {1 << 23, 2003, 1}, {filters.MaxBucket, 2000, 3}}},
	{Name: "days", Bits: 8, Runs: days()},
	{Name: "a late arrival", Bits: 8, Runs: days(run{103, 5000, 1})},
	{Name: "another day", Bits: 8, Runs: days(run{103, 5000, 1}, run{108, 6000, 100})},
	{Name: "a day less", Bits: 8, Runs: slices.Delete(days(), 2, 3)},
	{Name: "coarse", Bits: 1, Runs: days()},
	{Name: "fine", Bits: 32, Runs: []run{{7, 0, 40}}},
}

func segmentSet(t testing.TB, name string) segmentsVector {
	t.Helper()
	at := slices.IndexFunc(segmentSets, func(v segmentsVector) bool { return v.Name == name })
	if at < 0 {
		t.Fatalf("no set %q", name)
	}
	return segmentSets[at]
}

func (v segmentsVector) segments(t testing.TB) *filters.Segments {
	t.Helper()
	segments, err := filters.NewSegments(filters.Options{Bits: v.Bits})
	if err != nil {
		t.Fatal(err)
	}
	segments.Add(segmentKeys(v.Runs)...)
	return segments
}

func TestVectorsSegments(t *testing.T) {
	vectors := slices.Clone(segmentSets)
	for i, v := range vectors {
		f := v.segments(t).Filter()
		vectors[i].Generation = fmt.Sprintf("%016x", f.Generation())
		vectors[i].Encoding = hex.EncodeToString(f.AppendTo(nil))
		built := mustBuild(t, filters.Segmented, segmentKeys(v.Runs), filters.Options{Bits: v.Bits})
		if got := hex.EncodeToString(built.AppendTo(nil)); got != vectors[i].Encoding {
			t.Errorf("%s: Build and Segments differ", v.Name)
		}
	}
	compare(t, "segments.json", segmentRule, vectors)
}

func TestVectorsDeltas(t *testing.T) {
	var vectors []deltaVector
	for _, walk := range [][]string{
		{"nothing", "one key"},
		{"one key", "nothing"},
		{"one key", "one key"},
		{"nothing", "as many as one segment holds", "one more"},
		{"one more", "as many as one segment holds"},
		{"one more", "and some at the end", "and one far away"},
		{"and one far away", "one more"},
		{"days", "a late arrival", "another day"},
		{"days", "a day less"},
		{"a late arrival", "and some at the end"},
	} {
		vectors = append(vectors, walkVectors(t, walk)...)
	}
	for _, edit := range refusedDeltas {
		delta := walkVectors(t, []string{edit.from, edit.to})[0]
		data := unhex(t, delta.Encoding)
		data = filterstest.FixChecksum(append(edit.change(data[:len(data)-4]), 0, 0, 0, 0))
		vectors = append(vectors, deltaVector{Name: edit.name, From: edit.from, Error: edit.err, Encoding: hex.EncodeToString(data)})
	}
	compare(t, "deltas.json", "from and to name sets of segments.json", vectors)
}

// walkVectors makes a delta from each set of a walk to the last one.
func walkVectors(t *testing.T, walk []string) (vectors []deltaVector) {
	t.Helper()
	first, last := walk[0], walk[len(walk)-1]
	segments := segmentSet(t, first).segments(t)
	generations := []uint64{segments.Filter().Generation()}
	for i, name := range walk[1:] {
		before, after := segmentKeys(segmentSet(t, walk[i]).Runs), segmentKeys(segmentSet(t, name).Runs)
		segments.Remove(slices.DeleteFunc(before, func(key uint64) bool {
			_, stays := slices.BinarySearch(after, key)
			return stays
		})...)
		segments.Add(after...)
		generations = append(generations, segments.Filter().Generation())
	}
	for i, from := range walk[:len(walk)-1] {
		delta, ok := segments.AppendDelta(nil, generations[i])
		if !ok {
			t.Fatalf("no delta from %q to %q", from, last)
		}
		vectors = append(vectors, deltaVector{
			Name: fmt.Sprintf("from %q to %q", from, last), From: from, To: last, Encoding: hex.EncodeToString(delta),
		})
	}
	return vectors
}

// TestVectorsDeltasApply applies the deltas to the filters, as they are in the files.
func TestVectorsDeltasApply(t *testing.T) {
	encodings := map[string]string{}
	for _, v := range read[segmentsVector](t, "segments.json") {
		encodings[v.Name] = v.Encoding
	}
	for _, v := range read[deltaVector](t, "deltas.json") {
		base, err := filters.Decode(unhex(t, encodings[v.From]), filters.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		before := base.AppendTo(nil)
		got, err := base.(*filters.SegmentedFilter).Apply(unhex(t, v.Encoding), filters.Limits{})
		switch {
		case v.Error != "" && (got != nil || !errors.Is(err, refusals()[v.Error])):
			t.Errorf("%s: got %v, %v, want %s", v.Name, got, err, v.Error)
		case v.Error != "":
			t.Logf("%s: %v", v.Name, err)
		case err != nil:
			t.Errorf("%s: %v", v.Name, err)
		case hex.EncodeToString(got.AppendTo(nil)) != encodings[v.To]:
			t.Errorf("%s: leads to another filter", v.Name)
		}
		if !bytes.Equal(base.AppendTo(nil), before) {
			t.Errorf("%s: changes the filter that it starts from", v.Name)
		}
	}
}

func TestVectorsIntervals(t *testing.T) {
	const (
		top  = uint64(1) << 63
		last = uint64(math.MaxUint64)
	)
	day := filters.SegmentKey(100, 0)
	of := func(prefix uint64, bits int) filters.Interval { return filters.Interval{Prefix: prefix, Bits: bits} }
	var vectors []intervalsVector
	for _, v := range []struct {
		name      string
		intervals filters.Intervals
	}{
		{"none", nil},
		{"all keys", filters.Intervals{of(0, 0)}},
		{"the lower half", filters.Intervals{of(0, 1)}},
		{"the upper half", filters.Intervals{of(top, 1)}},
		{"the first key and the last", filters.Intervals{of(0, 64), of(last, 64)}},
		{"neighbours of different length", filters.Intervals{of(0, 2), of(top/2, 3), of(top/2+top/4, 4), of(top, 1)}},
		{"neighbours that are no halves of one", filters.Intervals{of(top/2, 2), of(top, 2)}},
		{"a bucket, and a part of the next but one", filters.Intervals{of(day, 24), of(day+2<<40, 27)}},
		{"gaps of one bucket and of many", filters.Intervals{of(day, 24), of(day+2<<40, 24), of(last&^(1<<40-1), 24)}},
	} {
		encoding := v.intervals.AppendTo(nil)
		vectors = append(vectors, intervalsVector{
			Name: v.name, Intervals: vectorsOf(v.intervals), Encoding: hex.EncodeToString(encoding),
		})
		decoded, err := filters.DecodeIntervals(encoding, filters.Limits{})
		if err != nil || !slices.Equal(decoded, v.intervals) {
			t.Errorf("%s: decodes to %v, %v", v.name, decoded, err)
		}
	}
	for _, v := range refusedIntervals {
		data := filterstest.FixChecksum(append(bytes.Clone(v.data), 0, 0, 0, 0))
		_, err := filters.DecodeIntervals(data, filters.Limits{})
		if !errors.Is(err, refusals()[v.err]) {
			t.Errorf("%s: got %v, want %s", v.name, err, v.err)
		}
		t.Logf("%s: %v", v.name, err)
		vectors = append(vectors, intervalsVector{
			Name: v.name, Intervals: []intervalVector{}, Error: v.err, Encoding: hex.EncodeToString(data),
		})
	}
	compare(t, "intervals.json", "an interval is all keys whose upper bits are those of prefix", vectors)
}

func vectorsOf(intervals filters.Intervals) []intervalVector {
	vectors := []intervalVector{}
	for _, i := range intervals {
		vectors = append(vectors, intervalVector{fmt.Sprintf("%016x", i.Prefix), i.Bits})
	}
	return vectors
}

func TestVectorsDoubtful(t *testing.T) {
	vectors := []doubtfulVector{
		{Name: "the same keys", Filter: "days", Reader: days()},
		{Name: "no keys", Filter: "days", Reader: []run{}},
		{Name: "one key less", Filter: "a late arrival", Reader: days()},
		{Name: "more keys, some of them let through", Filter: "days", Reader: days(run{103, 5000, 1000})},
		{Name: "a day less", Filter: "days", Reader: slices.Delete(days(), 2, 3)},
		{Name: "keys outside of all segments", Filter: "and some at the end", Reader: []run{
			{5, 0, 1025}, {1 << 22, 0, 50}, {filters.MaxBucket, 2000, 3},
		}},
		{Name: "another last key", Filter: "and one far away", Reader: []run{
			{5, 0, 1025}, {1 << 23, 2003, 1}, {filters.MaxBucket, 2001, 3},
		}},
	}
	for i, v := range vectors {
		f := segmentSet(t, v.Filter).segments(t).Filter()
		through := slices.DeleteFunc(segmentKeys(v.Reader), func(key uint64) bool { return !f.Contains(key) })
		vectors[i].Intervals = hex.EncodeToString(f.Doubtful(through).AppendTo(nil))
	}
	compare(t, "doubtful.json", segmentRule+"; filter names a set of segments.json", vectors)
}

// deltaEdit is a change to a delta, checksum not included, that a reader has to notice.
type deltaEdit struct {
	name, from, to string
	err            string
	change         func(data []byte) []byte
}

// A delta has its bits at 3, the generations at 4 and 12, and then intervals.
var refusedDeltas = []deltaEdit{
	{"another magic", "nothing", "one key", "malformed", set(1, 'F')},
	{"version 2", "nothing", "one key", "version", set(2, 2)},
	{"without generations", "one key", "one key", "malformed", func(data []byte) []byte { return data[:19] }},
	{"from another generation", "one key", "nothing", "base", xor(4, 1)},
	{"to another generation", "one key", "nothing", "malformed", xor(12, 1)},
	{"of no bits", "nothing", "one key", "malformed", set(3, 0)},
	{"of 33 bits", "nothing", "one key", "malformed", set(3, 33)},
	{"of other bits than the filter", "one key", "as many as one segment holds", "malformed", set(3, 9)},
	{"one byte short", "nothing", "one key", "malformed", oneLess},
	{"with a trailing byte", "nothing", "one key", "malformed", oneMore},
	{"that empties what is to stay", "one key", "one key", "malformed", putIn(20, 0, 0, 0)},
	{"of an interval half as long", "one more", "as many as one segment holds", "malformed", set(20, 1)},
	{"that empties where nothing is", "nothing", "nothing", "malformed", putIn(20, 0, 0, 0)},
	{"that empties half of a segment", "one key", "nothing", "malformed", set(20, 1)},
	{"that empties two segments as one", "one more", "nothing", "malformed", func(data []byte) []byte {
		return append(data[:20], 0, 0, 0)
	}},
	{"that repeats a segment", "one key", "one key", "malformed", func(data []byte) []byte {
		return append(data, 0, 1, 0, 0x3a, 0x7d, 0x76, 0xe2, 0x65, 0xa9, 0x8d, 0xb9)
	}},
}

// refusedIntervals are encodings of intervals but for their checksum.
var refusedIntervals = []struct {
	name, err string
	data      []byte
}{
	{"another magic", "malformed", []byte("DF\x01")},
	{"version 0", "version", []byte("DI\x00")},
	{"without a version", "malformed", []byte("DI")},
	{"65 bits", "malformed", []byte("DI\x01\x41")},
	{"no number behind the mark of a gap", "malformed", []byte("DI\x01\x81")},
	{"a gap that goes on for ever", "malformed", []byte("DI\x01\xc0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
	{"a gap with a byte too many", "malformed", []byte("DI\x01\xc0\x80\x00")},
	{"a gap beyond the last key", "malformed", []byte("DI\x01\x81\x01")},
	{"behind the last key", "malformed", []byte("DI\x01\x00\x40")},
	{"two halves of one", "malformed", []byte("DI\x01\x02\x02")},
	{"two halves of one, further on", "malformed", []byte("DI\x01\x03\x82\x00\x02")},
}
