package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
)

// TestUpToDate: RESULTS.md is what follows from the raw results in the repository.
func TestUpToDate(t *testing.T) {
	t.Chdir("../../..")
	got, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	want, err := render(rawDir)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not what %s gives: run ./scripts/results -render", output, rawDir)
	}
}

// TestMeasure: the benchmarks of syncs have the names, flags and units that a report
// needs.
func TestMeasure(t *testing.T) {
	t.Chdir("../../..")
	built := t.TempDir()
	if err := ours().build(t.Context(), built); err != nil {
		t.Fatal(err)
	}
	for bench, units := range map[string][]string{
		"^BenchmarkEngine$/^strategy=fuse$/^case=scattered$/^n=1000": {"sec/op", "metadata-B/op", "rounds/op", "rounds-p99"},
		"^BenchmarkSync$/^strategy=fuse$/^case=recent$":              {"sec/op", "metadata-B/op", "wire-B/op", "tcp-B/op", "data-B/op", "rounds/op"},
	} {
		text, err := pass{of: ours(), bench: bench, benchtime: "1x", seeded: true}.run(t.Context(), built, 1)
		if err != nil {
			t.Fatal(err)
		}
		s, err := readSamples(write(t, string(text)))
		if err != nil {
			t.Fatalf("%s: %v", bench, err)
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

// TestFilterReport measures filters, in a hurry, and renders that: what the tables ask
// for has been measured, under the names that they ask for.
func TestFilterReport(t *testing.T) {
	t.Chdir("../../..")
	opt := options{count: 1, syncs: 1, salts: 1, benchtime: "1x", date: "today"}
	hurried := slices.DeleteFunc(passes(opt), func(p pass) bool { return p.seeded })
	raw, err := measure(t.Context(), opt, hurried, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sync", "engine", "salts"} {
		if raw[name], err = os.ReadFile(filepath.Join(rawDir, name+".txt")); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := store(dir, raw); err != nil {
		t.Fatal(err)
	}
	text, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	about, _, _ := strings.Cut(string(text), "## What does a sync cost?")
	for _, kind := range filters.Kinds() {
		if !strings.Contains(about, "\n| `"+kind.String()+"` |") {
			t.Errorf("there is no %v in a table", kind)
		}
	}
	for line := range strings.Lines(about) {
		// Raw filters cannot be asked for many keys at once.
		absent := strings.Contains(line, "| – |") && !strings.Contains(line, "| raw ") && !strings.Contains(line, "| apply |")
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

// TestPasses: what has salts is seeded, and the command is told as it was given.
func TestPasses(t *testing.T) {
	opt := options{count: 6, syncs: 1, salts: 1, benchtime: "1x", large: true, huge: true}
	for _, p := range passes(opt) {
		if p.seeded != strings.Contains("sync engine salts", p.file) || p.count < 1 || p.benchtime == "" {
			t.Errorf("%+v", p)
		}
	}
	if got, want := opt.command(), "./scripts/results -count 6 -benchtime 1x -syncs 1 -salts 1 -large -huge"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "raw.txt")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// raw has a strategy that is twice as slow as another, and one that is as fast.
const raw = `date: 2026-11-22
goos: linux
BenchmarkX/strategy=fuse/n=1000-2 5 1000 ns/op 10 wire-B/op
BenchmarkX/strategy=fuse/n=1000-2 5 1100 ns/op 10 wire-B/op
BenchmarkX/strategy=fuse/n=1000-2 5 1200 ns/op 10 wire-B/op
BenchmarkX/strategy=fuse/n=1000-2 5 1300 ns/op 10 wire-B/op
BenchmarkX/strategy=fuse/n=1000-2 5 1400 ns/op 10 wire-B/op
BenchmarkX/strategy=fuse/n=1000-2 5 1500 ns/op 10 wire-B/op
BenchmarkX/strategy=slow/n=1000-2 5 2100 ns/op 20 wire-B/op
BenchmarkX/strategy=slow/n=1000-2 5 2200 ns/op 20 wire-B/op
BenchmarkX/strategy=slow/n=1000-2 5 2400 ns/op 20 wire-B/op
BenchmarkX/strategy=slow/n=1000-2 5 2600 ns/op 20 wire-B/op
BenchmarkX/strategy=slow/n=1000-2 5 2800 ns/op 20 wire-B/op
BenchmarkX/strategy=slow/n=1000-2 5 3000 ns/op 20 wire-B/op
BenchmarkX/strategy=like/n=1000-2 5 1050 ns/op 10 wire-B/op
BenchmarkX/strategy=like/n=1000-2 5 1150 ns/op 10 wire-B/op
BenchmarkX/strategy=like/n=1000-2 5 1250 ns/op 10 wire-B/op
BenchmarkX/strategy=like/n=1000-2 5 1350 ns/op 10 wire-B/op
BenchmarkX/strategy=like/n=1000-2 5 1450 ns/op 10 wire-B/op
BenchmarkX/strategy=like/n=1000-2 5 1550 ns/op 10 wire-B/op
`

func TestSamples(t *testing.T) {
	s, err := readSamples(write(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	if s.config["date"] != "2026-11-22" || s.iters != 5 || len(s.points) != 3 {
		t.Fatalf("read %d points of %d operations, config %v", len(s.points), s.iters, s.config)
	}
	fuse, slow, like := s.where("strategy=fuse")[0], s.where("strategy=slow", "n=1000")[0], s.where("strategy=like", "=X")[0]
	for _, c := range []struct{ name, got, want string }{
		{"time", fuse.cell("sec/op"), "1.250µs (1.000µs – 1.500µs)"},
		{"exact", fuse.cell("wire-B/op"), "10 B"},
		{"once", point{values: map[string][]float64{"rounds/op": {1.2999999999999998}}}.cell("rounds/op"), "1.3"},
		{"absent", fuse.cell("fpr"), "–"},
		{"ratio to itself", ratio(fuse, fuse, "sec/op"), "1"},
		{"ratio", ratio(slow, fuse, "sec/op"), "2.00 (1.40 – 3.00)"},
		{"exact ratio", ratio(slow, fuse, "wire-B/op"), "2.00"},
		{"tie", ratio(like, fuse, "sec/op"), "~ 1.04 (0.70 – 1.55)"},
		{"paired", paired(slow, fuse, "sec/op"), "2.00 (2.00 – 2.10)"},
		{"paired exact", paired(slow, fuse, "wire-B/op"), "2.00"},
		{"paired tie", paired(like, point{values: map[string][]float64{"sec/op": {1.15e-6, 1.1e-6, 1.3e-6, 1.3e-6, 1.4e-6, 1.6e-6}}}, "sec/op"), "~ 1.00 (0.91 – 1.05)"},
		{"paired with itself", paired(fuse, fuse, "sec/op"), "1"},
		{"paired with fewer", paired(fuse, point{values: map[string][]float64{"sec/op": {1}}}, "sec/op"), "–"},
		{"absent ratio", ratio(slow, fuse, "fpr"), "–"},
		{"winners", winners(s.points, "strategy", "sec/op"), "fuse ~ like"},
		{"one winner", winners([]point{slow, fuse}, "strategy", "sec/op"), "fuse"},
		{"no winner", winners([]point{like, fuse}, "strategy", "wire-B/op"), "like ~ fuse (no difference shown)"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
	if got := s.where("strategy=none"); got != nil {
		t.Errorf("found %v", got)
	}
	if got := distinct(s.points, "strategy"); !slices.Equal(got, []string{"fuse", "slow", "like"}) {
		t.Errorf("strategies %q", got)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       "goos: linux\nPASS\n",
		"syntax":        "BenchmarkX/n=1 5 many ns/op\n",
		"a cut result":  raw + "BenchmarkX/strategy=like/n=1000-2 5 1",
		"another thing": "<html>",
	} {
		if _, err := readSamples(write(t, text)); !errors.Is(err, errRaw) {
			t.Errorf("%s: %v, want %v", name, err, errRaw)
		}
	}
}

func TestParse(t *testing.T) {
	for args, fine := range map[string]bool{
		"-render":                     true,
		"-date D":                     true,
		"-date D -count 6":            true,
		"":                            false,
		"-date D -count 5":            false,
		"-date D -salts 0":            false,
		"-date D -syncs 0":            false,
		"-date D more":                false,
		"-date D -no-such-flag-known": false,
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		if fine != (err == nil) || !fine && !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count("7"), "7"},
		{count("1431"), "1 431"},
		{count("1000000"), "1 000 000"},
		{digits(2.3456), "2.35"},
		{digits(123.4), "123"},
		{quantity(999, "wire-B/op"), "999 B"},
		{quantity(123456, "wire-B/op"), "123.5kB"},
		{quantity(2e-9, "sec/key"), "2.000ns"},
		{times(10, 20), "2 times fewer bytes than"},
		{times(30, 20), "1.5 times the bytes of"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
