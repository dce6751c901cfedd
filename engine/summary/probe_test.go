package summary_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// probeOf returns a probe of a set of n keys: with a filter, and salted, where told.
func probeOf(t testing.TB, n int, dense, salted bool) *summary.Probe {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(n), 3))
	params := summary.ParamsFor(uint64(n))
	expander := summary.NewExpander(vectorSecret(1), params)
	sketch := newSketch(t, expander.Cells(), 16)
	p := &summary.Probe{Params: params}
	var keys []summary.Key
	for range n {
		k := summary.Key{Time: random.Int64N(1 << 40)}
		k.ID[0], k.ID[31] = byte(random.Uint32()), byte(random.Uint32())
		keys = append(keys, k)
		sketch.Insert(expander.Key(k).Short)
		if p.Last.Compare(k) < 0 {
			p.Last = k
		}
	}
	for i := range p.Estimator {
		p.Estimator[i] = byte(random.Uint32())
	}
	for _, s := range treeOf(t, keys).Spine(6) {
		p.Spine = append(p.Spine, summary.Segment{Bucket: s.Bucket, Root: summary.Root{Count: s.Root.Count}})
	}
	if dense {
		p.Level, p.Dense, p.Filter = 2, []summary.Bucket{p.Spine[0].Bucket}, []byte("filter")
	}
	if salted {
		p.Salt = [16]byte{1, 2, 3}
	}
	p.Cells = sketch.AppendCells(nil, 0, sketch.Cells())
	return p
}

// treeOf returns the tree of keys with leaves of two.
func treeOf(t testing.TB, keys []summary.Key) *summary.Tree {
	t.Helper()
	set, err := summary.NewSet(vectorSecret(1), summary.SetOptions{Leaf: 2})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(keys, summary.Key.Compare)
	var items []summary.SetItem
	for _, k := range keys {
		items = append(items, summary.SetItem{Key: k})
	}
	if err := set.Build(items); err != nil {
		t.Fatal(err)
	}
	return set.Snapshot().Tree()
}

func equalProbes(a, b *summary.Probe) bool {
	return a.Params == b.Params && a.Salt == b.Salt && a.Last == b.Last && a.Level == b.Level && a.Estimator == b.Estimator &&
		slices.Equal(a.Spine, b.Spine) && slices.Equal(a.Dense, b.Dense) && bytes.Equal(a.Filter, b.Filter) && bytes.Equal(a.Cells, b.Cells)
}

// segments returns some ranges of a set, an empty one among them.
func someRanges(t testing.TB) []summary.Segment {
	t.Helper()
	var keys []summary.Key
	for i := range int64(40) {
		keys = append(keys, summary.Key{Time: i * i << 20})
	}
	segments, _ := treeOf(t, keys).CutWithin(summary.Bucket{}, 30)
	return segments
}

// TestProbeVectors holds the forms of probes, ranges and buckets, and what is none, to the
// golden file. What is refused is refused however it is cut or lengthened.
func TestProbeVectors(t *testing.T) {
	type vector struct {
		What  string `json:"what"`
		Form  string `json:"form"`
		Hex   string `json:"hex"`
		Valid bool   `json:"valid"`
	}
	var got []vector
	note := func(what, form string, valid bool, data []byte) {
		got = append(got, vector{what, form, hex.EncodeToString(data), valid})
	}
	for _, c := range []struct {
		what          string
		n             int
		dense, salted bool
	}{{"of nothing", 0, false, false}, {"of one item", 1, false, false}, {"of 50 items", 50, false, false}, {"with a filter, salted", 50, true, true}} {
		p := probeOf(t, c.n, c.dense, c.salted)
		data := p.AppendBinary(nil)
		note(c.what, "probe", true, data)
		back, err := summary.DecodeProbe(data)
		if err != nil || !equalProbes(back, p) {
			t.Fatalf("%s: %v: got %+v, want %+v", c.what, err, back, p)
		}
		for cut := range len(data) {
			if _, err := summary.DecodeProbe(data[:cut]); err == nil && (len(data)-cut)%p.Params.CellSize() != 0 {
				t.Fatalf("%s: a probe cut to %d bytes is read", c.what, cut)
			}
		}
	}
	ranges, buckets := someRanges(t), []summary.Bucket{}
	for _, s := range ranges {
		buckets = append(buckets, s.Bucket)
	}
	note("30 ranges", "ranges", true, summary.AppendRanges(nil, ranges))
	note("no ranges", "ranges", true, summary.AppendRanges(nil, nil))
	note("everything", "ranges", true, summary.AppendRanges(nil, []summary.Segment{{Root: summary.Root{Count: 3}}}))
	note("30 buckets", "buckets", true, summary.AppendBuckets(nil, buckets))
	note("no buckets", "buckets", true, summary.AppendBuckets(nil, nil))
	for what, refused := range refusedProbes(t) {
		for form, data := range refused {
			note(what, form, false, data)
		}
	}
	slices.SortStableFunc(got, func(a, b vector) int {
		if a.Valid != b.Valid {
			return map[bool]int{true: -1, false: 1}[a.Valid]
		}
		return bytes.Compare([]byte(a.Form+a.What), []byte(b.Form+b.What))
	})
	for _, v := range golden(t, "probes.json", got) {
		data, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeAgain(v.Form, data)
		if v.Valid && (err != nil || !bytes.Equal(again, data)) || !v.Valid && !errors.Is(err, summary.ErrEncoding) {
			t.Errorf("%s %s: %v", v.Form, v.What, err)
		}
	}
}

// decodeAgain decodes and encodes a form.
func decodeAgain(form string, data []byte) ([]byte, error) {
	switch form {
	case "probe":
		p, err := summary.DecodeProbe(data)
		if err != nil {
			return nil, err
		}
		return p.AppendBinary(nil), nil
	case "ranges":
		segments, err := summary.DecodeRanges(data)
		return summary.AppendRanges(nil, segments), err
	default:
		buckets, err := summary.DecodeBuckets(data, summary.MaxRanges)
		return summary.AppendBuckets(nil, buckets), err
	}
}

// refusedProbes returns what is no probe, no ranges, no buckets.
func refusedProbes(t *testing.T) map[string]map[string][]byte {
	refused := map[string]map[string][]byte{}
	add := func(what, form string, data []byte) {
		if refused[what] == nil {
			refused[what] = map[string][]byte{}
		}
		refused[what][form] = data
	}
	probe := func(what string, change func(*summary.Probe)) {
		p := probeOf(t, 50, true, false)
		change(p)
		add(what, "probe", p.AppendBinary(nil))
	}
	probe("level 4", func(p *summary.Probe) { p.Level = summary.EstimatorLevels })
	probe("short IDs of 65 bits", func(p *summary.Probe) { p.Params.ShortBits = 65 })
	probe("check of 1 bit", func(p *summary.Probe) { p.Params.CheckBits = 1 })
	probe("spine out of order", func(p *summary.Probe) { p.Spine[0], p.Spine[1] = p.Spine[1], p.Spine[0] })
	probe("spine overlaps", func(p *summary.Probe) { p.Spine[1].Bucket = summary.Bucket{} })
	probe("spine with an empty bucket", func(p *summary.Probe) { p.Spine[0].Root.Count = 0 })
	probe("spine of 2^64 items", func(p *summary.Probe) { p.Spine[0].Root.Count = math.MaxUint64 })
	probe("spine of 65 buckets", func(p *summary.Probe) { p.Spine = slices.Repeat(p.Spine[:1], 65) })
	probe("last key below the last bucket", func(p *summary.Probe) { p.Last = summary.Key{Time: -1} })
	probe("dense buckets twice", func(p *summary.Probe) { p.Dense = append(p.Dense, p.Dense[0]) })
	probe("65 dense buckets", func(p *summary.Probe) { p.Dense = slices.Repeat(p.Dense, 65) })
	probe("15 cells", func(p *summary.Probe) { p.Cells = p.Cells[:15*p.Params.CellSize()] })
	probe("a part of a cell", func(p *summary.Probe) { p.Cells = append(p.Cells, 1) })
	good := probeOf(t, 50, false, false).AppendBinary(nil)
	for at, what := range map[int]string{0: "magic", 2: "version", 3: "no short IDs", 4: "no checks"} {
		wrong := slices.Clone(good)
		if wrong[at]++; at > 2 {
			wrong[at] = 0
		}
		add(what, "probe", wrong)
	}
	segments := someRanges(t)
	ranges := summary.AppendRanges(nil, segments)
	add("magic", "ranges", append([]byte("DX"), ranges[2:]...))
	add("version", "ranges", append([]byte("DR\x02"), ranges[3:]...))
	add("cut", "ranges", ranges[:len(ranges)-1])
	add("more", "ranges", append(slices.Clone(ranges), 0))
	add("nothing", "ranges", nil)
	add("4097 of them", "ranges", summary.AppendRanges(nil, slices.Repeat(segments[:1], summary.MaxRanges+1)))
	add("out of order", "ranges", summary.AppendRanges(nil, []summary.Segment{segments[1], segments[0]}))
	add("twice", "ranges", summary.AppendRanges(nil, []summary.Segment{segments[1], segments[1]}))
	add("a bucket of 321 bits", "ranges", append([]byte("DR\x01\x01\xc1\x02"), make([]byte, 60)...))
	add("bits after the last", "ranges", []byte("DR\x01\x01\x04\x88\x00"))
	add("a count that is longer than it need be", "ranges", []byte("DR\x01\x01\x04\x80\x80\x00"))
	add("a number that is longer than it need be", "buckets", []byte{0x81, 0x00, 4, 0x80})
	add("out of order", "buckets", []byte{2, 1, 0x80, 1, 0})
	add("more", "buckets", []byte{1, 1, 0x80, 0})
	return refused
}

// FuzzDecodeProbe: what is read is written as the same bytes.
func FuzzDecodeProbe(f *testing.F) {
	f.Add(probeOf(f, 0, false, false).AppendBinary(nil))
	f.Add(probeOf(f, 50, true, true).AppendBinary(nil))
	f.Add(summary.AppendRanges(nil, someRanges(f)))
	f.Add(summary.AppendBuckets(nil, []summary.Bucket{{}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, form := range []string{"probe", "ranges", "buckets"} {
			if again, err := decodeAgain(form, data); err == nil && !bytes.Equal(again, data) {
				t.Fatalf("%s: got %x, want %x", form, again, data)
			} else if err != nil && !errors.Is(err, summary.ErrEncoding) {
				t.Fatal(err)
			}
		}
	})
}

// TestShorts: short IDs go to bytes and back, and nothing else is read.
func TestShorts(t *testing.T) {
	for _, p := range []summary.Params{{}, summary.WideParams(), {ShortBits: 1, CheckBits: 2}, {ShortBits: 13, CheckBits: 9}} {
		limit := uint64(math.MaxUint64)
		if p.ShortBits > 0 {
			limit >>= 64 - p.ShortBits
		} else {
			limit >>= 16
		}
		want := []uint64{0, 1, limit / 3, limit - 1, limit}
		slices.Sort(want)
		want = slices.Compact(want)
		data := summary.AppendShorts(nil, slices.Clone(want), p)
		got, err := summary.DecodeShorts(data, p)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v: got %x, %v, want %x", p, got, err, want)
		}
		width := len(data) / len(want)
		for what, wrong := range map[string][]byte{
			"twice":   append(slices.Clone(data), data[len(data)-width:]...),
			"descend": append(slices.Clone(data[width:]), data[:width]...),
		} {
			if _, err := summary.DecodeShorts(wrong, p); !errors.Is(err, summary.ErrEncoding) {
				t.Errorf("%v, %s: %v", p, what, err)
			}
		}
	}
	if _, err := summary.DecodeShorts(make([]byte, 7), summary.Params{}); !errors.Is(err, summary.ErrEncoding) {
		t.Errorf("seven bytes: %v", err)
	}
	if _, err := summary.DecodeShorts([]byte{2}, summary.Params{ShortBits: 1, CheckBits: 2}); !errors.Is(err, summary.ErrEncoding) {
		t.Errorf("two bits: %v", err)
	}
}

// TestSpine: a spine holds every item once, in buckets that ascend, none of them empty, and
// the newest is small.
func TestSpine(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 5))
		hasher := summary.NewHasher(vectorSecret(1))
		var keys []summary.Key
		for range random.IntN(400) {
			k := summary.Key{Time: random.Int64N(1<<(1+seed%60)) - random.Int64N(2)<<40}
			k.ID[random.IntN(32)] = byte(random.Uint32())
			keys = append(keys, k)
		}
		slices.SortFunc(keys, summary.Key.Compare)
		keys = slices.Compact(keys)
		tree := treeOf(t, keys)
		for _, most := range []int{1, 2, 24, summary.MaxSpine} {
			checkSpine(t, tree, keys, hasher, most)
		}
	}
}

func checkSpine(t *testing.T, tree *summary.Tree, keys []summary.Key, hasher *summary.Hasher, most int) {
	t.Helper()
	spine := tree.Spine(most)
	if len(spine) > most || (len(spine) == 0) != (len(keys) == 0) {
		t.Fatalf("%d buckets of at most %d for %d keys", len(spine), most, len(keys))
	}
	left := keys
	for n, s := range spine {
		if n > 0 && spine[n-1].Bucket.Last().Compare(s.Bucket.First()) >= 0 {
			t.Fatalf("buckets %d and %d do not ascend", n-1, n)
		}
		in := 0
		for in < len(left) && s.Bucket.Contains(left[in]) {
			in++
		}
		if in == 0 || hasher.Root(left[:in]) != s.Root {
			t.Fatalf("bucket %d of %d: %d keys, count %d", n, len(spine), in, s.Root.Count)
		}
		left = left[in:]
	}
	if len(left) > 0 {
		t.Fatalf("%d keys in no bucket", len(left))
	}
}
