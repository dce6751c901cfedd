package datasets_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
)

var update = flag.Bool("update", false, "write the golden digests of the workloads; they are a promise, so only new ones may change")

// every calls f for every shape and divergence, with the D that Fresh and Disjoint
// must have instead of d.
func every(n, d int, f func(w datasets.Workload)) {
	for _, shape := range datasets.Shapes() {
		for _, divergence := range datasets.Divergences() {
			w := datasets.Workload{Shape: shape, Divergence: divergence, N: n, D: d}
			if whole(divergence) {
				w.D = n
			}
			f(w)
		}
	}
}

// whole reports whether nothing but D = N is possible.
func whole(d datasets.Divergence) bool { return d == datasets.Fresh || d == datasets.Disjoint }

// holding is a key with who holds it.
type holding struct {
	key     datasets.Key
	holders datasets.Holders
}

func collect(t *testing.T, w datasets.Workload) []holding {
	t.Helper()
	keys, err := w.Keys()
	if err != nil {
		t.Fatalf("%s: %v", w, err)
	}
	all := make([]holding, 0, w.N)
	for k, h := range keys {
		all = append(all, holding{k, h})
	}
	return all
}

// digest is SHA-256 over every key: its time and holders as 64-bit big-endian
// numbers around its ID.
func digest(all []holding) string {
	sum := sha256.New()
	var b []byte
	for _, k := range all {
		b = binary.BigEndian.AppendUint64(b[:0], uint64(k.key.Time))
		b = append(b, k.key.ID[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(k.holders))
		sum.Write(b)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// The digests are a promise: whoever measured with a workload can be compared with
// for ever, on any machine.
func TestWorkloadsAreFixed(t *testing.T) {
	golden := filepath.Join("testdata", "workloads.txt")
	var got bytes.Buffer
	every(10_000, 1000, func(w datasets.Workload) {
		w.Seed = 4
		fmt.Fprintf(&got, "%s seed=%d %s\n", w, w.Seed, digest(collect(t, w)))
	})
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(lines) || line != lines[i] {
			t.Errorf("line %d of %s: %s is no more", i+1, golden, line)
		}
	}
	if bytes.Count(want, []byte("\n")) != 48 || got.Len() != len(want) {
		t.Errorf("%d digests, %s has %d, want 48", len(lines)-1, golden, bytes.Count(want, []byte("\n")))
	}
}

func TestWorkloadRepeats(t *testing.T) {
	every(500, 20, func(w datasets.Workload) {
		keys, err := w.Keys()
		if err != nil {
			t.Fatal(err)
		}
		first := collect(t, w)
		i := 0
		for k, h := range keys {
			if first[i] != (holding{k, h}) {
				t.Fatalf("%s: key %d differs the second time", w, i)
			}
			i++
		}
		w.Seed++
		if slices.Equal(collect(t, w), first) {
			t.Errorf("%s: the seed changes nothing", w)
		}
	})
}

// Shape, divergence and seed are independent, as Workload says.
func TestWorkloadParts(t *testing.T) {
	const n, d = 2000, 100
	base := collect(t, datasets.Workload{N: n, D: d})
	every(n, d, func(w datasets.Workload) {
		for i, k := range collect(t, w) {
			if k.key.ID != base[i].key.ID {
				t.Fatalf("%s: another ID of key %d", w, i)
			}
			if w.Shape == datasets.Steady && k.key != base[i].key {
				t.Fatalf("%s: another key %d", w, i)
			}
			if w.Divergence == datasets.Scattered && k.holders != base[i].holders {
				t.Fatalf("%s: other holders of key %d", w, i)
			}
		}
	})
}

func TestWorkloadDefaults(t *testing.T) {
	for _, c := range []struct {
		workload datasets.Workload
		want     string
	}{
		{datasets.Workload{}, "shape=steady/divergence=scattered/n=0/d=0"},
		{datasets.Workload{N: 100000, D: 100, Seed: 9}, "shape=steady/divergence=scattered/n=100000/d=100"},
		{datasets.Workload{Shape: datasets.Late, Divergence: datasets.Fresh, N: 7}, "shape=late/divergence=fresh/n=7/d=7"},
		{datasets.Workload{Divergence: datasets.Disjoint, N: 7}, "shape=steady/divergence=disjoint/n=7/d=7"},
		{datasets.Workload{Divergence: datasets.Replicas, N: 80, D: 10}, "shape=steady/divergence=replicas/n=80/d=10/replicas=8"},
	} {
		if got := c.workload.String(); got != c.want {
			t.Errorf("%#v is %s, want %s", c.workload, got, c.want)
		}
		if _, err := c.workload.Keys(); err != nil {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}

func TestWorkloadRefuses(t *testing.T) {
	for name, w := range map[string]datasets.Workload{
		"unknown shape":           {Shape: "round"},
		"unknown divergence":      {Divergence: "some"},
		"negative n":              {N: -1},
		"negative d":              {N: 1, D: -1},
		"more missing than there": {N: 10, D: 11},
		"fresh with some":         {Divergence: datasets.Fresh, N: 10, D: 9},
		"disjoint with some":      {Divergence: datasets.Disjoint, N: 10, D: 9},
		"three of a pair":         {N: 10, D: 1, Replicas: 3},
		"one replica":             {Divergence: datasets.Replicas, N: 10, D: 1, Replicas: 1},
		"negative replicas":       {Divergence: datasets.Replicas, N: 10, Replicas: -1},
		"too many replicas":       {Divergence: datasets.Replicas, N: 1000, D: 1, Replicas: 65},
		"too much missing of all": {Divergence: datasets.Replicas, N: 79, D: 10},
	} {
		t.Run(name, func(t *testing.T) {
			if keys, err := w.Keys(); !errors.Is(err, datasets.ErrOptions) || keys != nil {
				t.Errorf("Keys: %v, want ErrOptions", err)
			}
			if _, _, err := w.Split(); !errors.Is(err, datasets.ErrOptions) {
				t.Errorf("Split: %v, want ErrOptions", err)
			}
		})
	}
}

func TestWorkloadStopsWhenTold(t *testing.T) {
	keys, err := datasets.Workload{N: 1 << 30, D: 1}.Keys()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range keys {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("got %d keys, want 3", n)
	}
}

func TestSplit(t *testing.T) {
	every(3000, 150, func(w datasets.Workload) {
		here, there, err := w.Split()
		if err != nil {
			t.Fatal(err)
		}
		held := [2]map[datasets.Key]bool{{}, {}}
		for _, k := range collect(t, w) {
			for r := range held {
				if k.holders.Has(r) {
					held[r][k.key] = true
				}
			}
		}
		for r, keys := range [][]datasets.Key{here, there} {
			if !slices.IsSortedFunc(keys, datasets.Key.Compare) {
				t.Errorf("%s: the keys of replica %d are not sorted", w, r)
			}
			if len(keys) != len(held[r]) {
				t.Errorf("%s: %d keys of replica %d, want %d", w, len(keys), r, len(held[r]))
			}
			for _, k := range keys {
				if !held[r][k] {
					t.Fatalf("%s: replica %d does not hold %x", w, r, k.ID)
				}
			}
		}
	})
}

// Memory does not grow with the number of keys.
func TestWorkloadStreams(t *testing.T) {
	every(1000, 50, func(w datasets.Workload) {
		small := allocated(t, w)
		w.N, w.D = 100*w.N, 100*w.D
		if large := allocated(t, w); large > small+4096 || large > 16<<10 {
			t.Errorf("%s: %d bytes allocated, for a hundredth of the keys %d", w, large, small)
		}
	})
}

// allocated returns the bytes that a pass over w allocates in all, freed or not: the
// least of three passes, as the runtime allocates now and then too.
func allocated(t *testing.T, w datasets.Workload) uint64 {
	t.Helper()
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		keys, err := w.Keys()
		if err != nil {
			t.Fatal(err)
		}
		for range keys {
			continue
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// Every shape, and every divergence of Steady: their costs add up.
func BenchmarkWorkload(b *testing.B) {
	const n = 100_000
	every(n, n/100, func(w datasets.Workload) {
		if w.Shape != datasets.Steady && w.Divergence != datasets.Scattered {
			return
		}
		b.Run(w.String(), func(b *testing.B) {
			keys, err := w.Keys()
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for range keys {
					continue
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
		})
	})
}
