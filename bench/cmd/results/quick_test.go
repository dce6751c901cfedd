package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestVerdicts: each verdict comes about, by a winner in bytes or in time and by a
// crossover size.
func TestVerdicts(t *testing.T) {
	committed := fake{count: 6, large: true}.report(t).findings()
	find := func(all []finding, name string) finding {
		for _, f := range all {
			if f.name == name {
				return f
			}
		}
		t.Fatalf("there is no finding %q", name)
		return finding{}
	}
	const (
		bytes  = "least metadata of ours, scattered, n = 100 000, d = 100"
		time   = "built fastest, 2^-8, n = 100 000"
		long   = "fuse costs more than a second, 200ms-1mbit"
		cold   = "a cold first request takes a second, fuse8"
		riblt  = "rateless IBLT sends less than filters, scattered, d = 100"
		saved  = "saved by segments again, recent, n = 10 000"
		losing = "100 syncs, ribbon, salt engine, quiet, n = 10 000, d = 1 000"
	)
	for _, c := range []struct {
		name    string
		here    fake
		finding string
		want    verdict
	}{
		{"least", fake{}, bytes, same},
		{"two alike", fake{larger: map[string]float64{"fuse": 1.01 / 1.13}}, bytes, tie},
		{"a hundredth more", fake{larger: map[string]float64{"fuse": 0.885}}, bytes, near},
		{"another least", fake{larger: map[string]float64{"fuse": 0.5}}, bytes, differs},
		{"no such contender", fake{larger: map[string]float64{"ribbon": 3}}, bytes, differs},
		{"fastest", fake{}, time, same},
		{"a test shows no difference", fake{slower: map[string]float64{"ribbon": 25. / 40}}, time, tie},
		{"a little slower", fake{slower: map[string]float64{"ribbon": 0.54}}, time, near},
		{"slower", fake{slower: map[string]float64{"ribbon": 0.3}}, time, differs},
		{"the same size", fake{}, long, same},
		{"half the size", fake{slower: map[string]float64{"fuse": 1.7}}, long, near},
		{"a third of the size", fake{slower: map[string]float64{"fuse": 4}}, long, differs},
		{"extrapolated", fake{}, cold, same},
		{"extrapolated, near", fake{slower: map[string]float64{"fuse8": 1.6}}, cold, near},
		{"extrapolated, not near", fake{slower: map[string]float64{"fuse8": 0.2}}, cold, differs},
		{"overtaken", fake{}, riblt, same},
		{"overtaken later", fake{larger: map[string]float64{"riblt": 10}}, riblt, differs},
		{"saved", fake{}, saved, same},
		{"saved a little less", fake{larger: map[string]float64{"segmented-again": 1.2}}, saved, near},
		{"not saved", fake{larger: map[string]float64{"segmented-again": 3}}, saved, differs},
		{"nothing lost", fake{}, losing, same},
		{"lost", fake{loses: "engine"}, losing, differs},
	} {
		c.here.count = quickCount
		here := c.here.report(t).findings()
		was, is := find(committed, c.finding), find(here, c.finding)
		if got := was.compare(is); got != c.want {
			t.Errorf("%s: %v, here %v: %v, want %v", c.name, was, is, got, c.want)
		}
	}
}

// TestCompareFindings: what differs is an error, what was not measured is told.
func TestCompareFindings(t *testing.T) {
	committed := fake{count: 6, large: true}.report(t).findings()
	var out bytes.Buffer
	if err := compareFindings(committed, fake{count: quickCount}.report(t).findings(), &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), " 0 differ; 0 are absent on one side; ") || strings.Contains(out.String(), "; 0 are of cases that a quick form leaves out") {
		t.Error(out.String())
	}
	out.Reset()
	slow := fake{count: quickCount, slower: map[string]float64{"fuse": 9}}
	if err := compareFindings(committed, slow.report(t).findings(), &out); !errors.Is(err, errDiffers) {
		t.Errorf("%v, want %v\n%s", err, errDiffers, out.String())
	}
}

// TestCompareAbsent: what should be there and is not, on either side, is an error that
// lists it, and so is a comparison of nothing.
func TestCompareAbsent(t *testing.T) {
	all := fake{count: quickCount}.report(t).findings()
	for i, f := range all {
		less := slices.Delete(slices.Clone(all), i, i+1)
		var out bytes.Buffer
		err := compareFindings(all, less, &out)
		if listed := strings.Contains(out.String(), f.name+" "); errors.Is(err, errDiffers) == f.leftOut() || listed == f.leftOut() {
			t.Errorf("without %s here: %v, listed %t", f.name, err, listed)
		}
		out.Reset()
		if err := compareFindings(less, all, &out); !errors.Is(err, errDiffers) || !strings.Contains(out.String(), f.name) {
			t.Errorf("without %s before: %v", f.name, err)
		}
	}
	if err := compareFindings(nil, nil, io.Discard); !errors.Is(err, errDiffers) {
		t.Errorf("nothing is compared: %v", err)
	}
}

// TestLeftOut: a quick form has what it is not said to leave out, and nothing else.
func TestLeftOut(t *testing.T) {
	for _, c := range []struct {
		finding
		want bool
	}{
		{finding{file: "peers", n: "1000"}, false},
		{finding{file: "peers", n: "1000000"}, true},
		{finding{file: "segments", n: "10000"}, false},
		{finding{file: "segments", n: "100000"}, true},
		{finding{file: "links"}, false},
		{finding{file: "links", n: "10000"}, false},
		{finding{file: "links", n: "100000"}, true},
		{finding{file: "lost", filter: "bloom", n: "10000", d: "1"}, false},
		{finding{file: "lost", filter: "xor8", n: "10000", d: "1"}, true},
		{finding{file: "lost", filter: "bloom", n: "10000", d: "100"}, true},
		{finding{file: "lost", filter: "bloom", n: "100000", d: "1"}, true},
		{finding{file: "reconcile"}, false},
		{finding{file: "reconcile", n: "10000", d: "1000"}, false},
		{finding{file: "reconcile", n: "100000", d: "100"}, false},
		{finding{file: "reconcile", n: "100000", d: "1000"}, true},
		{finding{file: "reconcile", n: "1000000", d: "100"}, true},
		{finding{file: "io"}, false},
		{finding{file: "sync"}, false},
		{finding{file: "summaries", n: "100000"}, false},
		{finding{file: "summaries", d: "100000"}, false},
		{finding{file: "summaries", n: "1000000"}, true},
		{finding{file: "real", data: "corpus"}, false},
		{finding{file: "real", data: "git"}, true},
		{finding{file: "quality", n: "100"}, false},
		{finding{file: "quality", n: "1000000"}, true},
		{finding{file: "quality", n: "10000000"}, true},
	} {
		if got := c.leftOut(); got != c.want {
			t.Errorf("%+v: %t", c.finding, got)
		}
	}
}

// TestQuickSeeds: no run of a quick form has a seed that a whole one has.
func TestQuickSeeds(t *testing.T) {
	for i, p := range passes(options{count: 6, quick: true}) {
		whole := passes(options{count: 6, large: true, huge: true})[i]
		for _, part := range whole.parts {
			if p.seed < whole.seed+part.count {
				t.Errorf("%s: seeds from %d, and %d from %d", p.file, p.seed, part.count, whole.seed)
			}
		}
	}
}

// TestQuickRuns: a run of a quick form has as many syncs as one of the whole form has,
// where the luck of salts decides who needs least bytes.
func TestQuickRuns(t *testing.T) {
	for _, file := range []string{"reconcile", "real", "sync"} {
		whole := parts(file, options{count: enough})
		for _, quick := range parts(file, options{quick: true}) {
			i := slices.IndexFunc(whole, func(p part) bool { return p.bench == quick.bench })
			if i < 0 || whole[i].benchtime != quick.benchtime {
				t.Errorf("%s: %+v is no part of %+v", file, quick, whole)
			}
		}
	}
}

// TestFindingsNamed: no two findings have one name.
func TestFindingsNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range (fake{count: 6, large: true}).report(t).findings() {
		if seen[f.name] {
			t.Errorf("two findings are named %q", f.name)
		}
		seen[f.name] = true
		if text := f.String(); text == "" || strings.Contains(text, "NaN") {
			t.Errorf("%s: %q", f.name, text)
		}
	}
}

func TestCompare(t *testing.T) {
	before, after := fake{count: 6}.write(t), fake{count: 6, slower: map[string]float64{"golomb": 2}, larger: map[string]float64{"list": 1.5}}.write(t)
	extra := "goos: linux\npkg: example.org/bench\nBenchmarkNew/n=1-2 1 5 ns/op\n"
	if err := os.WriteFile(filepath.Join(after, "extra.txt"), []byte(extra), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := compare(before, after, &out); err != nil {
		t.Fatal(err)
	}
	line := func(of ...string) string {
		for l := range strings.Lines(out.String()) {
			fits := true
			for _, part := range of {
				fits = fits && strings.Contains(l, part)
			}
			if fits {
				return l
			}
		}
		return ""
	}
	for name, ok := range map[string]bool{
		"twice as slow":   strings.Contains(line("FilterBuild/impl=ours/filter=golomb/bits=8/n=1000"), "+100.00 %"),
		"as fast":         strings.Contains(line("FilterBuild/impl=ours/filter=ribbon/bits=8/n=1000"), "0 %"),
		"more bytes":      strings.Contains(line("Reconcile/system=list/divergence=scattered/n=1000/d=0 ", "kB"), "+50.00 %"),
		"geometric means": strings.Count(out.String(), "geomean of") > 5,
		"only in one":     line("  New/n=1") != "" && line("only in "+after) != "" && line("only in "+before) == "",
	} {
		if !ok {
			t.Errorf("%s: not in\n%s", name, out.String())
		}
	}
	if err := compare(before, t.TempDir(), &out); !errors.Is(err, errRaw) {
		t.Errorf("an empty folder: %v", err)
	}
	if err := compare(before, filepath.Join(after, "io.txt"), &out); err != nil {
		t.Errorf("one file: %v", err)
	}
}

// TestWinners: of too few runs that vary none wins, and whoever is tied with the first is
// named, wherever in the ranking.
func TestWinners(t *testing.T) {
	parse := func(runs ...[]float64) []point {
		var text strings.Builder
		for i, of := range runs {
			for _, v := range of {
				fmt.Fprintf(&text, "BenchmarkX/system=%c/n=1 1 %v ns/op\n", 'a'+i, v)
			}
		}
		s, err := parseSamples(strings.NewReader(text.String()), "x")
		if err != nil {
			t.Fatal(err)
		}
		return s.points
	}
	for want, points := range map[string][]point{
		"`a` (too few runs to test)": parse([]float64{1, 2}, []float64{3, 4}),
		"`a`":                        parse([]float64{1, 1}, []float64{3, 3}),
		"`b`":                        parse([]float64{9, 9, 8, 9, 9, 8}, []float64{1, 2, 1, 2, 1, 1}),
		"`a` ~ `c`":                  parse([]float64{10, 11, 12, 13, 14, 15}, []float64{15.5, 15.6, 15.7, 15.8, 15.9, 16}, []float64{10, 11, 16.5, 17, 18, 19}),
	} {
		if got := winners(points, "system", "sec/op"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestCompareTie: times that a test cannot tell apart are marked so, and have intervals.
func TestCompareTie(t *testing.T) {
	dir := t.TempDir()
	for name, strategy := range map[string]string{"old.txt": "fuse", "new.txt": "like"} {
		var text strings.Builder
		for l := range strings.Lines(raw) {
			if strings.Contains(l, "="+strategy+"/") {
				text.WriteString(strings.ReplaceAll(l, strategy, "either"))
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := compare(filepath.Join(dir, "old.txt"), filepath.Join(dir, "new.txt"), &out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(got, "X/strategy=either/n=1000 1.25 µs ±20 % 1.3 µs ±19 % ~ p=") {
		t.Error(got)
	}
}
