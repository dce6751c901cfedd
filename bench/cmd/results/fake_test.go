package main

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fake makes up raw files: what a machine would measure on which costs are linear.
type fake struct {
	count  int
	large  bool
	slower map[string]float64 // factor of the times of a filter, system or strategy
	larger map[string]float64 // and of its bytes
	longer map[string]float64 // and of its 99th percentile of rounds
	loses  string             // a kind of salt that loses nothing otherwise
}

func (f fake) factor(of map[string]float64, name string) float64 {
	if x, ok := of[name]; ok {
		return x
	}
	return 1
}

// lines are the runs of one benchmark, whose times jitter by 2 % between them.
func (f fake) lines(text *strings.Builder, name string, runs int, metrics ...any) {
	for i := range runs {
		fmt.Fprintf(text, "%s-2 10", name)
		jitter := 1 + 0.01*math.Sin(float64(7*i+len(name)))
		for j := 0; j < len(metrics); j += 2 {
			unit, v := metrics[j].(string), metrics[j+1].(float64)
			if strings.Contains(unit, "ns/") {
				v *= jitter
			}
			fmt.Fprintf(text, " %.8g %s", v, unit)
		}
		fmt.Fprintln(text)
	}
}

// runs is how often the benchmarks of a file are run.
func (f fake) runs(file string) int {
	switch file {
	case "quality", "memory", "lost":
		return 1
	case "segments":
		return 2
	}
	return f.count
}

func (f fake) sizes(of ...int) []int {
	if f.large {
		return append(of, 1_000_000)
	}
	return of
}

// write writes all raw files into a new folder and returns it.
func (f fake) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files() {
		var text strings.Builder
		fmt.Fprintf(&text, "command: ./scripts/results run -large\ndate: 2026-11-22\ncommit: 0123456789ab\ngo: go1.26\ncores: 2\nsimd: avx512\nlibraries: none\n")
		for _, unit := range exactUnits() {
			fmt.Fprintf(&text, "Unit %s assume=exact\n", unit)
		}
		fmt.Fprintf(&text, "benchtime: 1x\ncount: %d\ngoos: linux\ngoarch: amd64\npkg: example.org/bench\ncpu: imaginary\n", f.runs(name))
		switch name {
		case "quality", "peers", "portable":
			f.contest(&text, name)
		case "filters":
			f.updates(&text)
		case "memory", "lost":
			f.once(&text, name)
		case "segments":
			f.segments(&text)
		case "reconcile":
			f.reconcile(&text)
		case "roots":
			for _, n := range f.sizes(1000, 10_000, 100_000) {
				f.lines(&text, fmt.Sprintf("BenchmarkRoot/n=%d", n), f.count, "ns/op", 150*float64(n), "ns/key", 150.0)
			}
		case "summaries":
			f.summaries(&text)
		case "strategies":
			f.strategies(&text)
		case "real":
			for i, system := range []string{"fuse", "ribbon", "riblt", "negentropy", "mst"} {
				f.lines(&text, "BenchmarkReal/system="+system+"/data=corpus/n=1431/d=71", f.count, metadata, float64(2000-100*i), "rounds/op", 1.0)
			}
		default:
			f.linear(&text, name)
		}
		text.WriteString(strings.Repeat("PASS\n", f.runs(name)))
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (f fake) contest(text *strings.Builder, file string) {
	for _, n := range f.sizes(1000, 100_000) {
		for _, bits := range rates() {
			for i, filter := range []string{"raw/filter=bloom", "ours/filter=bloom", "raw/filter=fuse" + bits, "ours/filter=fuse" + bits, "ours/filter=ribbon", "ours/filter=golomb"} {
				kind := filter[strings.Index(filter, "=")+1:]
				slow, big := f.factor(f.slower, kind), f.factor(f.larger, kind)
				label := fmt.Sprintf("impl=%s/bits=%s/n=%d", filter, bits, n)
				if file == "quality" {
					f.lines(text, "BenchmarkFilterQuality/"+label, 1, "bits/key", number(bits)*(1.5-0.1*float64(i))*big, "denied/op", 0.0, "fpr", math.Ldexp(1, -int(number(bits))))
					continue
				}
				f.lines(text, "BenchmarkFilterBuild/"+label, f.count, "ns/key", (100-15*float64(i))*slow)
				for _, c := range []string{"hit/by=one", "miss/by=one", "hit/by=batch", "miss/by=batch"} {
					if i%2 == 1 || strings.HasSuffix(c, "one") {
						f.lines(text, "BenchmarkFilterContains/"+label+"/case="+c, f.count, "ns/key", (10+5*float64(i))*slow)
					}
				}
			}
		}
	}
}

func (f fake) updates(text *strings.Builder) {
	for _, c := range []string{"whole", "newest", "scattered", "apply"} {
		f.lines(text, "BenchmarkFilterSegmented/n=100000/buckets=1000/case="+c, f.count, "ns/op", float64(len(c))*1e6, "delta-B/op", float64(len(c))*1000, "whole-B/op", 1e5)
	}
}

func (f fake) once(text *strings.Builder, file string) {
	for i, filter := range []string{"bloom", "fuse8", "ribbon"} {
		if file == "memory" {
			f.lines(text, "BenchmarkMemory/filter="+filter+"/n=100000", 1, "heap-B/key", 1.2, "build-B/key", 20.0)
			f.lines(text, "BenchmarkMemory/strategy="+filter+"/n=100000", 1, "peak-B/item", 90.0, "kept-B/item", 0.0)
			continue
		}
		for _, salt := range []string{"fixed", "fresh", "engine"} {
			lost := 0.0
			if salt == "fixed" || salt == f.loses {
				lost = float64(1 + i)
			}
			f.lines(text, "BenchmarkLost/filter="+filter+"/salt="+salt+"/traffic=quiet/n=10000/d=1000", 1, "lost-msgs", lost, "hidden-msgs", 4.0, "syncs-to-all", 3.0, "claimed", lost, "runs/op", 50.0)
			if salt == "fixed" {
				f.lines(text, "BenchmarkLost/filter="+filter+"/salt=fixed/traffic=busy/n=10000/d=1000", 1, "lost-msgs", 0.0, "hidden-msgs", 4.0, "syncs-to-all", 3.0, "claimed", 1.0)
			}
		}
	}
}

func (f fake) segments(text *strings.Builder) {
	saved := map[string]float64{"scattered": 1.1, "recent": 0.2, "newest": 0.01, "disjoint": 1}
	for _, n := range []int{10_000, 100_000} {
		if n > 10_000 && !f.large {
			continue
		}
		for _, shape := range []string{"steady", "bursty"} {
			for _, divergence := range []string{"scattered", "recent", "newest", "disjoint"} {
				parts := map[string]float64{"fuse": 1.1, "ribbon": 1, "segmented": 1.05, "segmented-again": saved[divergence]}
				for _, strategy := range slices.Sorted(maps.Keys(parts)) {
					part := parts[strategy]
					f.lines(text, fmt.Sprintf("BenchmarkSegmentedSaves/strategy=%s/shape=%s/divergence=%s/n=%d/d=%d", strategy, shape, divergence, n, n/100),
						2, metadata, part*float64(n)*f.factor(f.larger, strategy), "rounds/op", 2.0)
				}
			}
		}
	}
}

func (f fake) reconcile(text *strings.Builder) {
	for _, n := range f.sizes(1000, 10_000, 100_000) {
		for _, divergence := range []string{"scattered", "recent"} {
			for _, d := range []int{0, 100, n / 10} {
				if d == 100 && n == 1000 && divergence == "recent" {
					continue // the same as n/10
				}
				for _, system := range []string{"fuse", "ribbon", "segmented", "list", "riblt", "negentropy", "mst"} {
					bytes := map[string]float64{
						"fuse": 1.13 * float64(n), "ribbon": 1.01 * float64(n), "segmented": 1.02*float64(n) + 100, "list": 5 * float64(n),
						"riblt": 19 + 25*float64(d), "negentropy": 367 + 110*float64(d)*math.Log10(float64(n)), "mst": 72 + 700*float64(d)*math.Log10(float64(n)),
					}[system]
					if n == 1000 && d == 100 && strings.Contains(text.String(), fmt.Sprintf("system=%s/divergence=%s/n=1000/d=100-", system, divergence)) {
						continue
					}
					f.lines(text, fmt.Sprintf("BenchmarkReconcile/system=%s/divergence=%s/n=%d/d=%d", system, divergence, n, d), f.count,
						metadata, bytes*f.factor(f.larger, system), "rounds/op", 1.0, "here-ns/op", 50*float64(n)*float64(len(system))*f.factor(f.slower, system),
						"there-ns/op", 60*float64(n)*float64(len(system))*f.factor(f.slower, system), "prepare-ns/op", 100*float64(n))
				}
			}
		}
	}
}

// linear is the passes io, links and sync.
func (f fake) linear(text *strings.Builder, file string) {
	if file == "sync" {
		for i, strategy := range []string{"fuse", "ribbon", "list"} {
			f.lines(text, "BenchmarkSync/strategy="+strategy+"/case=recent/n=2000/d=100", f.count, "ns/op", float64(i+1)*1e8, metadata, float64(i+1)*2000, "rounds/op", 1.0)
		}
		return
	}
	for _, n := range f.sizes(1000, 10_000, 100_000) {
		if file == "io" {
			for _, filter := range []string{"bloom", "fuse8", "ribbon"} {
				slow := f.factor(f.slower, filter)
				f.lines(text, fmt.Sprintf("BenchmarkLinearIO/filter=%s/n=%d", filter, n), f.count,
					"open-ns/op", 2e7+100*float64(n)*slow, "scan-ns/op", 900*float64(n)*slow, "hash-ns/op", 10*float64(n), "construct-ns/op", 40*float64(n),
					"serialise-ns/op", float64(n), "send-ns/op", 5*float64(n), "disk-B/msg", 500.0, "open-disk-B/op", 400*float64(n), "store-B/msg", 1500.0, "summary-B/op", float64(n), "total-ns/msg", 1000.0)
			}
			continue
		}
		for _, link := range []string{"lan", "50ms-20mbit", "200ms-1mbit"} {
			rate := map[string]float64{"lan": 1e9, "50ms-20mbit": 20e6, "200ms-1mbit": 1e6}[link]
			for _, strategy := range []string{"fuse", "ribbon", "list"} {
				each := 8e9/rate*1.1*f.factor(f.slower, strategy) + 50*float64(len(strategy))
				for _, d := range []int{0, missing} {
					f.lines(text, fmt.Sprintf("BenchmarkLink/link=%s/strategy=%s/n=%d/d=%d", link, strategy, n, d), f.count,
						"ns/op", 1e7+8e9*1e3*float64(d)/rate+each*float64(n), "wire-B/op", float64(n), "rounds/op", 1.0)
				}
			}
		}
	}
}

func (f fake) report(t *testing.T) report {
	t.Helper()
	r, err := readReport(f.write(t))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
