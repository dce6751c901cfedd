package peers

import (
	"flag"
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// once runs a benchmark for a single operation and returns what it reported.
func once(t *testing.T, bench func(*testing.B)) map[string]float64 {
	t.Helper()
	benchtime := flag.Lookup("test.benchtime")
	before := benchtime.Value.String()
	if err := flag.Set("test.benchtime", "1x"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := flag.Set("test.benchtime", before); err != nil {
			t.Fatal(err)
		}
	}()
	r := testing.Benchmark(bench)
	if r.N == 0 {
		t.Fatalf("failed; go test -bench tells why")
	}
	return r.Extra
}

// within fails where a metric is absent or out of [low, high].
func within(t *testing.T, metrics map[string]float64, unit string, low, high float64) {
	t.Helper()
	if got, ok := metrics[unit]; !ok || !(got >= low && got <= high) {
		t.Errorf("%s is %v (reported: %t), want %v to %v", unit, got, ok, low, high)
	}
}

// TestContenders runs each benchmark of each contender once.
func TestContenders(t *testing.T) {
	keys := filterstest.Keys(1, 1000)
	for _, bits := range rates() {
		for _, c := range contenders(bits) {
			t.Run(c.String(), func(t *testing.T) { testContender(t, c, keys) })
		}
	}
}

func testContender(t *testing.T, c contender, keys []uint64) {
	within(t, once(t, func(b *testing.B) { benchBuild(b, c, keys) }), "ns/key", 0.01, math.Inf(1))
	if c.buildOnly() {
		return
	}
	quality := once(t, func(b *testing.B) { benchQuality(b, c, keys) })
	// No filter is smaller than the bits of its rate; none here is 2.5 times that.
	within(t, quality, "bits/key", float64(c.bits), 2.5*float64(c.bits))
	// Above five standard deviations of 2^20 probes is no chance, and none stays far
	// below what it was asked for. blobloom does not keep low rates.
	rate := math.Ldexp(1, -c.bits)
	sigma := math.Sqrt(rate / (1 << 20))
	most := rate + 5*sigma
	if c.filter == "blobloom" {
		most *= 4
	}
	within(t, quality, "fpr", max(0, rate/4-5*sigma), most)
	if c.lossy() {
		within(t, quality, "denied/op", 0, float64(len(keys)/20))
	} else {
		within(t, quality, "denied/op", 0, 0)
	}
	testContains(t, c, keys)
}

func testContains(t *testing.T, c contender, keys []uint64) {
	f, err := c.start(len(keys), c.bits)(keys)
	if err != nil {
		t.Fatal(err)
	}
	asks := map[string]func([]uint64) int{"one": f.ask}
	if f, ok := f.(batcher); ok {
		asks["batch"] = f.askBatch
	}
	hit, miss := hits(keys), misses()
	for by, ask := range asks {
		for name, from := range map[string][]uint64{"hit": hit, "miss": miss} {
			m := once(t, func(b *testing.B) { benchAsk(b, ask, from, name == "hit" && !c.lossy()) })
			within(t, m, "ns/key", 0.01, math.Inf(1))
			if t.Failed() {
				t.Fatalf("case=%s/by=%s", name, by)
			}
		}
		if got, want := ask(miss[:asked]), f.ask(miss[:asked]); got != want {
			t.Errorf("by=%s: %d of %d others let through, one by one %d", by, got, asked, want)
		}
	}
}

// TestPairs: what wraps a library stands right behind it and stores as much as it
// does, but for the header.
func TestPairs(t *testing.T) {
	keys := filterstest.Keys(1, 1000)
	for name, bits := range map[string]int{"bloom": 8, "xor8": 8, "fuse8": 8, "fuse16": 16} {
		all := contenders(bits)
		for i, c := range all {
			if c.filter != name || c.impl != "raw" {
				continue
			}
			if i+1 == len(all) || all[i+1].filter != name || all[i+1].impl != "ours" {
				t.Fatalf("ours does not follow %v", c)
			}
			raw, err := c.start(len(keys), bits)(keys)
			if err != nil {
				t.Fatal(err)
			}
			our, err := all[i+1].start(len(keys), bits)(keys)
			if err != nil {
				t.Fatal(err)
			}
			if extra := our.size() - raw.size(); extra < -24 || extra > 24 {
				t.Errorf("%v has %d bytes, ours %d", c, raw.size(), our.size())
			}
		}
	}
}
