package main

import (
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchmath"

	"github.com/dwn-sync/dwnsync/bench/internal/link"
	"github.com/dwn-sync/dwnsync/filters"
)

// TestUpToDate: RESULTS.md and its plots are what follows from the raw results in the
// repository, and there are no other plots.
func TestUpToDate(t *testing.T) {
	t.Chdir("../../..")
	want, err := render(rawDir)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		got, err := os.ReadFile(name)
		if err != nil || string(got) != string(text) {
			t.Errorf("%s is not what %s gives (%v): run ./scripts/results render", name, rawDir, err)
		}
	}
	plots, err := filepath.Glob(rawDir + "/*.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range plots {
		if want[filepath.ToSlash(name)] == nil {
			t.Errorf("%s is no plot of %s", name, output)
		}
	}
}

// TestRenderTwice: the same raw files give the same bytes.
func TestRenderTwice(t *testing.T) {
	dir := fake{count: 6, large: true}.write(t)
	a, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(a, b, slices.Equal[[]byte]) {
		t.Error("rendered twice, it differs")
	}
}

// TestRender: a report has a number wherever it speaks of one, is of a length that can be
// read, and refers to all of its plots.
func TestRender(t *testing.T) {
	for name, f := range map[string]fake{"small": {count: 6}, "large": {count: 6, large: true}, "quick": {count: quickCount}} {
		all, err := render(f.write(t))
		if err != nil {
			t.Fatal(err)
		}
		text := string(all[output])
		for _, bad := range []string{"NaN", "Inf", "%!", "map["} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: there is %q", name, bad)
			}
		}
		open := regexp.MustCompile(`(?s)<details>.*?</details>`).ReplaceAllString(text, "")
		if lines := strings.Count(open, "\n"); lines > 440 {
			t.Errorf("%s: %d lines", name, lines)
		}
		for plot := range all {
			if plot != output && !strings.Contains(text, plot) {
				t.Errorf("%s: %s is not shown", name, plot)
			}
		}
		for _, plot := range []string{"growth", "io", "links", "pareto", "segments", "against"} {
			if svg := string(all[plotPath(plot, darkTheme())]); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
				t.Errorf("%s: plot %s has no number somewhere", name, plot)
			}
		}
	}
}

// TestAbsent: no raw file may be left out.
func TestAbsent(t *testing.T) {
	for _, name := range files() {
		dir := fake{count: 6}.write(t)
		if err := os.Remove(filepath.Join(dir, name+".txt")); err != nil {
			t.Fatal(err)
		}
		if _, err := render(dir); !errors.Is(err, errRaw) || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestAnswer: the answer is computed from the numbers.
func TestAnswer(t *testing.T) {
	r := fake{count: 6, large: true}.report(t)
	if got := r.problem(); !strings.Contains(got, "**Yes**, within the sizes measured: it is one on lan from n = 480 000, 50ms-20mbit from n = 160 000, 200ms-1mbit from n = 89 000. A") || !strings.Contains(got, "1.13 kB of metadata at n = 1 000 and 1.13 MB at n = 1 000 000, × 1 000 for × 1 000") {
		t.Error(got)
	}
	// 8 bits a byte of 1.1 n bytes on 1 Mbit/s are as long as 100 kB at n = 91 000.
	h := r.linkHurts("200ms-1mbit", "fuse")
	if h.messages.n < 80_000 || h.messages.n > 95_000 || h.long.n < 100_000 || h.long.n > 120_000 || h.long.extrapolated || h.problem != h.messages {
		t.Errorf("hurts from %+v", h)
	}
	// On the fastest link the messages take 0.8 ms, which nobody notices.
	if h := r.linkHurts("lan", "fuse"); h.messages.n > 10_000 || h.problem.n < 400_000 || h.problem.n > 500_000 {
		t.Errorf("hurts on lan from %+v", h)
	}
	if h := r.linkHurts("lan", "none"); !h.messages.unknown || !h.long.unknown || !h.problem.unknown {
		t.Errorf("without measurements it hurts from %+v", h)
	}
	small := fake{count: 6}.report(t).problem()
	if !strings.Contains(small, "**Yes**, within the sizes measured: it is one on 200ms-1mbit from n = 89 000; not on lan (measured to n = 100 000; 470 000 (extrapolated)), 50ms-20mbit (measured to n = 100 000; 160 000 (extrapolated)).") {
		t.Error(small)
	}
	if x := r.coldHurts("fuse8"); x.n < 900_000 || x.n > 1_000_000 {
		t.Errorf("a cold request hurts from %v", x)
	}
	if x := r.overtakes("scattered", "riblt"); x.n < 2400 || x.n > 2600 {
		t.Errorf("a rateless IBLT overtakes at %v", x)
	}
	saves, fails := r.cured()
	if !slices.Equal(saves, []string{"newest", "recent"}) || !slices.Equal(fails, []string{"disjoint", "scattered"}) {
		t.Errorf("saves %v, fails %v", saves, fails)
	}
	if got, want := r.lostText(ways()[0]), "up to 0.3 % of what is missing lost (`ribbon`, d = 1 000), up to 3 false claims of success (`ribbon`, d = 1 000)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := r.savedList(append(saves, fails...)), "newest 99 %, recent 80 %, disjoint 0 %, scattered -10 %"; got != want {
		t.Errorf("saved: %q, want %q", got, want)
	}
	if got, want := r.keepingList(), "recent 85, newest 104, disjoint 5 points of 100 at n = 100 000"; got != want {
		t.Errorf("keeping saves %q, want %q", got, want)
	}
	// 19 + 25 d bytes are less than 1.01 n without a difference, and for d = 100 from 10 000 on.
	if won, of := r.wins("riblt"); won != 14 || of != 21 {
		t.Errorf("a rateless IBLT wins %d of %d", won, of)
	}
	if got := r.better(); !strings.Contains(got, "rateless IBLT sends 2.52 kB") {
		t.Error(got)
	}
}

// TestMeasure: the passes whose benchmarks take seconds are measured with the names,
// labels and units that the report asks for.
func TestMeasure(t *testing.T) {
	t.Chdir("../../..")
	built := t.TempDir()
	if err := ours().build(t.Context(), built); err != nil {
		t.Fatal(err)
	}
	for bench, units := range map[string][]string{
		"^BenchmarkReconcile$/^system=(fuse|riblt|negentropy|mst)$/^divergence=scattered$/^n=1000$/^d=100$":      {metadata, "rounds/op", "here-sec/op", "there-sec/op"},
		"^BenchmarkReconcile$/^system=riblt$/^divergence=recent$/^n=10000$/^d=100$":                              {"prepare-sec/op"},
		"^BenchmarkLink$/^link=lan$/^strategy=(fuse|segmented-again)$/^n=1000$/^d=100$":                          {"sec/op", "wire-B/op", "rounds/op"},
		"^BenchmarkLinearIO$/^filter=fuse8$/^n=1000$":                                                            {"open-sec/op", "scan-sec/op", "hash-sec/op", "construct-sec/op", "serialise-sec/op", "send-sec/op", "summary-B/op", "store-B/msg"},
		"^BenchmarkSegmentedSaves$/^strategy=(fuse|ribbon|segmented|segmented-again)$/^shape=steady$/^div.*=new": {metadata, "rounds/op"},
		"^BenchmarkSync$/^strategy=fuse$/^case=recent$":                                                          {"sec/op", metadata},
		"^BenchmarkMemory$/^filter=fuse8$/^n=10000$":                                                             {"heap-B/key", "build-B/key"},
		"^BenchmarkLost$/^filter=ribbon$/^salt=fresh$/./^n=10000$/^d=100$":                                       {"lost-msgs", "hidden-msgs", "syncs-to-all", "claimed"},
	} {
		text, err := pass{of: ours(), seeded: true}.run(t.Context(), built, "", part{bench: bench, benchtime: "1x"}, 1)
		if err != nil {
			t.Error(err)
			continue
		}
		s, err := parseSamples(strings.NewReader(string(text)), bench)
		if err != nil {
			t.Errorf("%s: %v", bench, err)
		}
		for _, p := range s.points {
			for _, unit := range units {
				if len(p.values[unit]) != 1 {
					t.Errorf("%v has %d values of %s, want 1", p.labels, len(p.values[unit]), unit)
				}
			}
			if _, ok := p.labels["n"]; !ok {
				t.Errorf("%v has no label n", p.labels)
			}
		}
	}
}

// TestMeasureFilters measures filters, in a hurry, and renders that with made-up other
// files: what the tables ask for has been measured, under the names that they ask for.
func TestMeasureFilters(t *testing.T) {
	dir := fake{count: 6}.write(t)
	t.Chdir("../../..")
	opt := options{count: 1, benchtime: "1x", only: []string{"quality", "peers", "portable", "filters"}}
	if err := measure(t.Context(), opt, dir, t.Output()); err != nil {
		t.Fatal(err)
	}
	all, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := readReport(dir)
	if err != nil {
		t.Fatal(err)
	}
	if p := r["quality"].points[0]; p.assume("bits/key") != benchmath.AssumeExact || p.assume("fpr") != benchmath.AssumeExact || p.assume("sec/op") != benchmath.AssumeNothing {
		t.Errorf("sizes are assumed to be %v, times %v", p.assume("bits/key"), p.assume("sec/op"))
	}
	_, about, _ := strings.Cut(string(all[output]), "## 3.")
	about, _, _ = strings.Cut(about, "## 4.")
	for _, kind := range filters.Kinds() {
		if !strings.Contains(about, "\n| `"+kind.String()+"` |") {
			t.Errorf("there is no %v in a table", kind)
		}
	}
	for line := range strings.Lines(about) {
		// Raw filters cannot be asked for many keys at once.
		absent := strings.Contains(line, "| – |") && !strings.Contains(line, "| raw ")
		if absent || strings.Contains(line, "NaN") {
			t.Errorf("not measured: %s", line)
		}
	}
}

// TestPortable: what is measured as portable is built without assembly.
func TestPortable(t *testing.T) {
	cmd := exec.Command("go", "list", "-tags", portable().tags, "-f", "{{range .SFiles}}{{.}} {{end}}", "./filters/...")
	cmd.Dir = "../../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if files := strings.Fields(string(out)); len(files) > 0 {
		t.Errorf("with the tag %s there is %v", portable().tags, files)
	}
}

// TestPasses: every raw file is measured, by benchmarks, and what has salts is seeded.
func TestPasses(t *testing.T) {
	for _, opt := range []options{{count: 6, benchtime: "1x", large: true, huge: true}, {count: 6, benchtime: "1x"}, {count: quickCount, benchtime: "1x", quick: true}} {
		all := passes(opt)
		for i, p := range all {
			if p.file != files()[i] || len(p.parts) == 0 || p.seeded != strings.Contains("reconcile real segments links sync strategies", p.file) {
				t.Errorf("%+v", p)
			}
			for _, part := range p.parts {
				if part.count < 1 || part.benchtime == "" || !strings.HasPrefix(part.bench, "^Benchmark") {
					t.Errorf("%s: %+v", p.file, part)
				}
				if slices.Contains(part.flags, "-huge") && !slices.Contains(part.flags, "-large") {
					t.Errorf("%s: %+v", p.file, part)
				}
			}
		}
	}
}

// TestPassesComplete: every form measures what the report cannot do without on links.
func TestPassesComplete(t *testing.T) {
	for _, opt := range []options{{large: true}, {}, {quick: true}} {
		for _, name := range link.Names() {
			for _, of := range []string{"fuse/n=1000/d=0", "fuse/n=10000/d=0", "fuse/n=1000/d=100", "list/n=1000/d=0", "list/n=10000/d=0", "list/n=1000/d=100"} {
				path := strings.Split("BenchmarkLink/link="+name+"/strategy="+of, "/")
				if !slices.ContainsFunc(parts("links", opt), func(p part) bool { return matches(t, p.bench, path) }) {
					t.Errorf("%+v does not measure %v", opt, path)
				}
			}
		}
	}
}

// matches reports whether go test -bench runs the benchmark of that path.
func matches(t *testing.T, bench string, path []string) bool {
	t.Helper()
	for i, pattern := range strings.Split(bench, "/") {
		if !regexp.MustCompile(pattern).MatchString(path[i]) {
			return false
		}
	}
	return true
}

func TestParse(t *testing.T) {
	for args, fine := range map[string]bool{
		"run":                        true,
		"run -count 6 -large -huge":  true,
		"run -only io,links":         true,
		"run -git D -revisions A,B":  true,
		"run -git D":                 false,
		"run -revisions A,B":         false,
		"render":                     true,
		"quick -out D":               true,
		"compare OLD NEW":            true,
		"run -count 5":               false,
		"run -huge":                  false,
		"run -only nothing":          false,
		"run more":                   false,
		"render -large":              false,
		"quick -count 9":             false,
		"compare OLD":                false,
		"measure":                    false,
		"run -no-such-flag-is-known": false,
	} {
		fields := strings.Fields(args)
		_, err := parse(fields[0], fields[1:], io.Discard)
		if fine != (err == nil) || !fine && !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	opt, err := parse("run", []string{"-large", "-only", "io"}, io.Discard)
	if err != nil || opt.given != "./scripts/results run -large -only io" {
		t.Errorf("the command is told as %q, %v", opt.given, err)
	}
}
