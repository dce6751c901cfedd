package filters

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// reference is a slow Segments: a set, of which everything is computed anew.
type reference map[uint64]bool

func (r reference) keys() []uint64 { return slices.Sorted(maps.Keys(r)) }

// segments returns the segments as the definition has them, bit by bit.
func (r reference) segments() (segments []Interval) {
	var split func(keys []uint64, i Interval)
	split = func(keys []uint64, i Interval) {
		if len(keys) > 1024 {
			bit := uint64(1) << (63 - i.Bits)
			var halves [2][]uint64
			for _, key := range keys {
				halves[key>>(63-i.Bits)&1] = append(halves[key>>(63-i.Bits)&1], key)
			}
			split(halves[0], Interval{i.Prefix, i.Bits + 1})
			split(halves[1], Interval{i.Prefix | bit, i.Bits + 1})
		} else if len(keys) > 0 {
			segments = append(segments, i)
		}
	}
	split(r.keys(), Interval{})
	return segments
}

// history does the same to Segments and to its reference, and checks the outcome.
type history struct {
	segments *Segments
	set      reference
	filters  []*SegmentedFilter // one for each call of Filter
}

func newHistory(t testing.TB, bits int) *history {
	s, err := NewSegments(Options{Bits: bits})
	if err != nil {
		t.Fatal(err)
	}
	return &history{segments: s, set: reference{}, filters: []*SegmentedFilter{s.Filter()}}
}

func (h *history) add(t testing.TB, keys []uint64) {
	before := len(h.set)
	for _, key := range keys {
		h.set[key] = true
	}
	if got := h.segments.Add(keys...); got != len(h.set)-before || h.segments.Len() != len(h.set) {
		t.Fatalf("%d keys were new, want %d; %d in all, want %d", got, len(h.set)-before, h.segments.Len(), len(h.set))
	}
}

func (h *history) remove(t testing.TB, keys []uint64) {
	before := len(h.set)
	for _, key := range keys {
		delete(h.set, key)
	}
	if got := h.segments.Remove(keys...); got != before-len(h.set) || h.segments.Len() != len(h.set) {
		t.Fatalf("%d keys were there, want %d; %d in all, want %d", got, before-len(h.set), h.segments.Len(), len(h.set))
	}
}

// filter takes a filter, and brings an earlier one up to date.
func (h *history) filter(t testing.TB, earlier int) {
	f := h.segments.Filter()
	base := h.filters[earlier]
	h.filters = append(h.filters, f)
	delta, ok := h.segments.AppendDelta([]byte("prefix"), base.Generation())
	if !ok {
		if len(h.filters)-1-earlier <= maxHistory {
			t.Fatalf("the generation %d filters ago is forgotten", len(h.filters)-1-earlier)
		}
		return
	}
	baseBytes := base.AppendTo(nil)
	got, err := base.Apply(delta[len("prefix"):], Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.AppendTo(nil), f.AppendTo(nil)) || got.Generation() != f.Generation() {
		t.Fatal("a delta leads to another filter")
	}
	if !bytes.Equal(base.AppendTo(nil), baseBytes) {
		t.Fatal("applying a delta changed the filter")
	}
}

// delta checks the delta from an earlier filter to the last one, whatever was added or
// removed since.
func (h *history) delta(t testing.TB, earlier int) {
	base, last := h.filters[earlier], h.filters[len(h.filters)-1]
	delta, ok := h.segments.AppendDelta(nil, base.Generation())
	if !ok {
		return // filter checks that
	}
	if got, err := base.Apply(delta, Limits{}); err != nil || !bytes.Equal(got.AppendTo(nil), last.AppendTo(nil)) {
		t.Fatalf("the delta before the next filter leads to %v, %v", got, err)
	}
	if !bytes.Equal(delta, deltaBetween(base, last, h.segments.bits)) {
		t.Fatal("the delta depends on what was between the filters")
	}
}

// check compares the last filter with one built from the reference.
func (h *history) check(t testing.TB) {
	f := h.filters[len(h.filters)-1]
	var got []Interval
	for _, e := range f.entries {
		got = append(got, e.Interval)
	}
	if want := h.set.segments(); !slices.Equal(got, want) {
		t.Fatalf("the segments are\n%v, want\n%v", got, want)
	}
	built, err := Build(Segmented, h.set.keys(), Options{Bits: h.segments.bits})
	if err != nil {
		t.Fatal(err)
	}
	encoding := f.AppendTo(nil)
	if !bytes.Equal(encoding, built.AppendTo(nil)) {
		t.Fatal("the filter depends on the history of its keys")
	}
	decoded, err := Decode(encoding, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(decoded.AppendTo(nil), encoding) || decoded.(*SegmentedFilter).Generation() != f.Generation() {
		t.Fatal("decoding gives another filter")
	}
	for key := range h.set {
		if !f.Contains(key) || !decoded.Contains(key) {
			t.Fatalf("%#x is denied", key)
		}
	}
	if len(f.Doubtful(h.set.keys())) > 0 {
		t.Fatal("the filter doubts its own keys")
	}
	h.checkSlots(t)
}

// checkSlots checks that each slot is of one sort, and that those in use are few.
func (h *history) checkSlots(t testing.TB) {
	s := h.segments
	live, graves, free := s.live.GetCardinality(), s.graves.GetCardinality(), s.free.GetCardinality()
	if live != uint64(len(s.order)) || live+graves+free != uint64(len(s.slots)) {
		t.Fatalf("%d segments in %d slots: %d live, %d graves, %d free", len(s.order), len(s.slots), live, graves, free)
	}
	if s.live.Intersects(s.graves) || s.live.Intersects(s.free) || s.graves.Intersects(s.free) {
		t.Fatal("a slot is of two sorts")
	}
	for _, step := range s.history {
		if step.changed.Intersects(s.free) {
			t.Fatal("a slot is free of which a delta may be asked for")
		}
	}
}

// someKeys returns keys that lie close together or far apart, in few buckets or many.
func someKeys(r *rand.Rand, n int) []uint64 {
	keys := make([]uint64, n)
	base, width, stride := r.Uint64()>>r.IntN(3)<<r.IntN(64), 1+r.IntN(64), r.IntN(50)
	random := r.IntN(2) == 0
	for i := range keys {
		keys[i] = base + uint64(i)<<stride
		if random {
			keys[i] = base + r.Uint64()>>(64-width)
		}
	}
	return keys
}

// TestSegmentsHistory: whatever was added and removed in whatever order, filters are
// those of the set, and deltas lead from each to each later one.
func TestSegmentsHistory(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			h := newHistory(t, 1+r.IntN(8))
			for range 120 {
				h.change(t, r)
				h.delta(t, r.IntN(len(h.filters)))
				if r.IntN(3) > 0 {
					h.filter(t, len(h.filters)-1-r.IntN(min(len(h.filters), 1<<r.IntN(8))))
				}
				if r.IntN(8) == 0 {
					h.filter(t, len(h.filters)-1)
					h.check(t)
				}
			}
		})
	}
}

// change adds or removes keys at random.
func (h *history) change(t testing.TB, r *rand.Rand) {
	all := h.set.keys()
	from := r.IntN(len(all) + 1)
	to := min(len(all), from+1<<r.IntN(13))
	switch r.IntN(8) {
	case 0, 1, 2:
		h.add(t, someKeys(r, 1<<r.IntN(13)))
	case 3: // one by one
		for _, key := range someKeys(r, 1+r.IntN(1500)) {
			h.add(t, []uint64{key})
		}
	case 4:
		h.remove(t, slices.Concat(all[from:to], someKeys(r, 20)))
	case 5:
		for _, key := range all[from:to] {
			h.remove(t, []uint64{key})
		}
	case 6: // and back
		h.remove(t, all[from:to])
		if r.IntN(2) == 0 {
			h.filter(t, len(h.filters)-1)
		}
		h.add(t, all[from:to])
	case 7: // most of all
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		h.remove(t, all[:len(all)-len(all)>>r.IntN(7)])
	}
}

// TestSegmentsDeltaBeforeFilter: a segment that was split since the last filter is still in that.
func TestSegmentsDeltaBeforeFilter(t *testing.T) {
	h := newHistory(t, 8)
	h.add(t, uniformKeys(1, 5000))
	h.filter(t, 0)
	h.add(t, uniformKeys(2, 50))
	h.filter(t, 1)
	h.add(t, uniformKeys(3, 4000))
	for earlier := range h.filters {
		h.delta(t, earlier)
	}
}

// FuzzSegments is TestSegmentsHistory with four bytes for each change: what, where, how
// dense, how many.
func FuzzSegments(f *testing.F) {
	f.Add([]byte("aAAzrAAB"))
	f.Add([]byte{0, 0, 0, 255, 1, 0, 0, 255, 0, 1, 56, 64, 0, 1, 20, 100, 1, 1, 56, 32, 2, 0, 0, 0, 1, 1, 20, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		h := newHistory(t, 1)
		for n := 0; len(data) >= 4 && n < 40; data, n = data[4:], n+1 {
			keys := make([]uint64, 1+12*int(data[3]))
			for i := range keys {
				keys[i] = uint64(data[1])<<57 + uint64(data[1])<<20 + uint64(i)<<(data[2]%64)
			}
			switch data[0] % 5 {
			case 0:
				h.add(t, keys)
			case 1:
				h.remove(t, keys)
			case 2:
				h.filter(t, int(data[1])%len(h.filters))
			case 3:
				h.filter(t, len(h.filters)-1)
				h.check(t)
			case 4:
				h.delta(t, int(data[1])%len(h.filters))
			}
		}
		h.filter(t, 0)
		h.check(t)
	})
}

// TestSegmentsRebuildWhatChanged counts builds, and looks for the other segments in
// the next filter: 10^6 keys in 1000 buckets, and 100 more in the newest.
func TestSegmentsRebuildWhatChanged(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	keys := make([]uint64, 1_000_000)
	for i := range keys {
		keys[i] = SegmentKey(uint32(i/1000), r.Uint64())
	}
	s, err := NewSegments(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Add(keys...)
	before := s.Filter()
	segments := len(before.entries)
	if s.builds != segments || segments < 1000 || segments > 1100 {
		t.Fatalf("%d segments, %d built", segments, s.builds)
	}
	if s.Filter() != before || s.builds != segments {
		t.Error("the filter of the same keys was built again")
	}
	const newest = 999
	for range 100 {
		s.Add(SegmentKey(newest, r.Uint64()))
	}
	s.Remove(12345) // not there
	after := s.Filter()
	if built := s.builds - segments; built < 1 || built > 2 {
		t.Errorf("%d segments built for one bucket", built)
	}
	old := map[uint64]*segment{}
	for _, e := range before.entries {
		old[e.first] = e.segment
	}
	for _, e := range after.entries {
		if e.first>>40 != newest && old[e.first] != e.segment {
			t.Errorf("segment at %#x is another one", e.first)
		}
	}
	delta, ok := s.AppendDelta(nil, before.Generation())
	whole := len(after.AppendTo(nil))
	t.Logf("%d bytes, delta %d bytes", whole, len(delta))
	if !ok || 100*len(delta) > whole {
		t.Errorf("delta of %d bytes, %v, for a filter of %d", len(delta), ok, whole)
	}
}

// TestSegmentsBackAndForth: keys that come and go between two filters cost no delta.
func TestSegmentsBackAndForth(t *testing.T) {
	h := newHistory(t, 8)
	r := rand.New(rand.NewPCG(4, 4))
	h.add(t, someKeys(r, 5000))
	h.filter(t, 0)
	f := h.filters[len(h.filters)-1]
	notFull := slices.IndexFunc(f.entries, func(e entry) bool { return 1 < e.n && e.n < segmentKeys })
	for _, key := range []uint64{f.entries[0].first ^ 1<<63, absent(h.set, f.entries[notFull].Interval)} {
		h.add(t, []uint64{key})
		h.remove(t, []uint64{key})
		if h.segments.Filter() != f {
			t.Errorf("the filter is another one after %#x came and went", key)
		}
	}
	delta, ok := h.segments.AppendDelta(nil, f.Generation())
	if !ok || len(delta) != deltaSize {
		t.Errorf("a delta of nothing: %x, %v", delta, ok)
	}
	if got, err := f.Apply(delta, Limits{}); err != nil || got.Generation() != f.Generation() {
		t.Errorf("got %v, %v", got, err)
	}
}

// absent returns a key of i that is not in the set.
func absent(set reference, i Interval) uint64 {
	key := i.Prefix
	for set[key] {
		key++
	}
	return key
}

// TestSegmentsForget: a delta reaches back over 64 changes, and no further; slots do
// not pile up.
func TestSegmentsForget(t *testing.T) {
	h := newHistory(t, 8)
	r := rand.New(rand.NewPCG(5, 5))
	most := 0
	for i := range 300 {
		if i%2 == 0 {
			h.add(t, someKeys(r, 3000))
		} else {
			h.remove(t, h.set.keys())
			h.add(t, []uint64{uint64(i)})
		}
		h.filter(t, len(h.filters)-1)
		if i > 150 {
			most = max(most, len(h.segments.slots))
		} else if i == 150 {
			most = len(h.segments.slots)
		}
		h.checkSlots(t)
	}
	for back := range 100 {
		_, ok := h.segments.AppendDelta(nil, h.filters[len(h.filters)-1-back].Generation())
		if ok != (back <= maxHistory) {
			t.Errorf("delta over %d changes: %v", back, ok)
		}
	}
	if most > 1000 {
		t.Errorf("%d slots", most)
	}
	if dst, ok := h.segments.AppendDelta([]byte("x"), 4711); ok || string(dst) != "x" {
		t.Errorf("delta from a foreign generation: %x, %v", dst, ok)
	}
}
