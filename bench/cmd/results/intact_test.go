package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// edited writes made-up raw files, changes one by a function, and reads them.
func edited(t *testing.T, f fake, file string, edit func(string) string) (map[string][]byte, error) {
	t.Helper()
	dir := f.write(t)
	path := filepath.Join(dir, file+".txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := edit(string(text))
	if changed == string(text) {
		t.Fatalf("%s is not changed", file)
	}
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	return render(dir)
}

// TestIntact: a file that was cut anywhere, or has a run too few, or one that failed, is refused.
func TestIntact(t *testing.T) {
	for name, edit := range map[string]func(string) string{
		"no end":           func(s string) string { return strings.TrimSuffix(s, "PASS\n") },
		"cut":              func(s string) string { return s[:len(s)*2/3] },
		"cut after a line": func(s string) string { return s[:strings.LastIndex(s[:len(s)/2], "\n")+1] },
		"cut and mended": func(s string) string {
			return s[:strings.LastIndex(s[:len(s)/2], "\n")+1] + strings.Repeat("PASS\n", 6)
		},
		"a run too few": func(s string) string { return regexp.MustCompile(`(?m)^Benchmark.*\n`).ReplaceAllString(s, "") },
		"one line less": func(s string) string {
			i := strings.Index(s, "\nBenchmark") + 1
			return s[:i] + s[i+strings.Index(s[i:], "\n")+1:]
		},
		"a failure":        func(s string) string { return strings.Replace(s, "PASS\n", "--- FAIL: BenchmarkX\nPASS\n", 1) },
		"failed":           func(s string) string { return strings.Replace(s, "PASS\n", "FAIL\nPASS\n", 1) },
		"no count":         func(s string) string { return strings.Replace(s, "count: 6\n", "", 1) },
		"another count":    func(s string) string { return strings.Replace(s, "count: 6\n", "count: 5\n", 1) },
		"no number":        func(s string) string { return strings.Replace(s, "count: 6\n", "count: six\n", 1) },
		"n is no number":   func(s string) string { return strings.ReplaceAll(s, "/n=1000/", "/n=1k/") },
		"d below zero":     func(s string) string { return strings.ReplaceAll(s, "/d=0-2", "/d=-1-2") },
		"it takes no time": func(s string) string { return regexp.MustCompile(`\S+ ns/op`).ReplaceAllString(s, "0 ns/op") },
		"endless":          func(s string) string { return regexp.MustCompile(`\S+ ns/op`).ReplaceAllString(s, "+Inf ns/op") },
	} {
		if _, err := edited(t, fake{count: 6}, "links", edit); !errors.Is(err, errRaw) {
			t.Errorf("%s: %v, want %v", name, err, errRaw)
		}
	}
}

// without removes the lines of results that match.
func without(pattern string) func(string) string {
	return func(s string) string {
		return regexp.MustCompile(`(?m)^Benchmark.*(?:`+pattern+`).*\n`).ReplaceAllString(s, "")
	}
}

// unitless removes what was measured in a unit.
func unitless(unit string) func(string) string {
	return func(s string) string {
		return regexp.MustCompile(` \S+ `+regexp.QuoteMeta(unit)+`( |\n)`).ReplaceAllString(s, "$1")
	}
}

// TestIncomplete: where a section has lost what it is about, the error names it; where
// something else is absent, there is no number and none that looks like a good one.
func TestIncomplete(t *testing.T) {
	for _, c := range []struct {
		file  string
		edit  func(string) string
		names string // in the error; "" for none
	}{
		{"reconcile", without("system=fuse/"), "fuse"},
		{"reconcile", without("system=mst/"), "mst"},
		{"reconcile", without("system=fuse/.*n=10+000/"), "fuse"},
		{"reconcile", unitless("there-ns/op"), "there-sec/op"},
		{"reconcile", unitless("rounds/op"), "rounds/op"},
		{"reconcile", without("system=list/"), ""},
		{"reconcile", unitless("prepare-ns/op"), ""},
		{"io", without("filter=fuse8/"), "fuse8"},
		{"io", unitless("scan-ns/op"), "scan-sec/op"},
		{"io", without("filter=fuse8/n=10+000-"), "fuse8"},
		{"io", unitless("disk-B/msg"), ""},
		{"io", without("filter=bloom/"), ""},
		{"links", without("d=0-"), "d = 0"},
		{"links", without("d=100-"), "d = 100"},
		{"links", without("link=lan/"), "lan"},
		{"links", without("strategy=ribbon/.*d=0-"), ""},
		{"segments", without("strategy=segmented-again/"), "segmented-again"},
		{"segments", without("strategy=ribbon/"), "ribbon"},
		{"filters", without("case=whole"), "whole"},
		{"filters", unitless("delta-B/op"), "delta-B/op"},
		{"quality", without("bits=16"), "2^-16"},
		{"peers", without("impl=raw/filter=fuse8/bits=8"), "fuse8"},
		{"peers", without("FilterContains"), ""},
		{"portable", without("filter=ribbon"), "ribbon"},
		{"memory", without("filter="), "filters"},
		{"memory", without("strategy="), "strategies"},
		{"lost", without("salt=engine"), "engine"},
		{"lost", unitless("claimed"), "claimed"},
		{"lost", unitless("hidden-msgs"), ""},
		{"roots", without("n=1000000"), "largest"},
		{"real", without("system=mst/"), "mst"},
		{"real", unitless("rounds/op"), "rounds/op"},
		{"sync", without("strategy=fuse/"), "fuse"},
	} {
		all, err := edited(t, fake{count: 6, large: true}, c.file, c.edit)
		switch {
		case c.names != "" && (!errors.Is(err, errRaw) || !strings.Contains(err.Error(), c.names) || !strings.Contains(err.Error(), c.file)):
			t.Errorf("%s: %v, want %v that names %s", c.file, err, errRaw, c.names)
		case c.names == "" && err != nil:
			t.Errorf("%s: %v", c.file, err)
		}
		for _, bad := range []string{"NaN", "Inf", "%!"} {
			if strings.Contains(string(all[output]), bad) {
				t.Errorf("%s: there is %s", c.file, bad)
			}
		}
	}
}

// TestHeader: every line of a header is read back.
func TestHeader(t *testing.T) {
	opt := options{git: "/somewhere/repository", revisions: "v1,v2", fixtures: t.TempDir()}
	read := map[string]string{}
	for _, p := range passes(opt) {
		header := p.header(t.Context(), opt)
		s, err := parseSamples(strings.NewReader(header+"BenchmarkX/n=1 1 5 ns/op\n"), p.file)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(header, "\n"); len(s.config) != lines {
			t.Errorf("%s: of %d lines %v is read", p.file, lines, s.config)
		}
		maps.Copy(read, s.config)
	}
	if read["tags"] != "purego" || read["git"] != "repository at v1 and v2" || read["readahead-kb"] == "" {
		t.Errorf("headers say %v", read)
	}
}

// TestReadAhead: it is a number or said to be unknown, as of a folder that is not there.
func TestReadAhead(t *testing.T) {
	got := readAhead(t.TempDir())
	t.Log(got)
	if got != "unknown" && !regexp.MustCompile(`^\d+$`).MatchString(got) {
		t.Errorf("%q", got)
	}
	if got := readAhead(filepath.Join(t.TempDir(), "none")); got != "unknown" {
		t.Errorf("of no folder: %q", got)
	}
}
