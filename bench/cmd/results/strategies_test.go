package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// strategies makes up the pass of that name: a sketch is of 2400 bytes and finds 200
// differences, and costs a round more for more; a filter helps where they lie together.
func (f fake) strategies(text *strings.Builder) {
	for _, n := range f.sizes(10_000, 100_000) {
		f.situation(text, "scattered", pull, n, 0)
		for d := 1; d <= min(n, 100_000); d *= 10 {
			f.situation(text, "scattered", pull, n, d)
			f.situation(text, "recent", pull, n, d)
			f.situation(text, "newest", pull, n, d)
			f.situation(text, "scattered", both, n, d)
		}
		f.situation(text, "mixed", pull, n, n/10)
		f.situation(text, "fresh", pull, n, n)
		f.situation(text, "disjoint", both, n, n)
	}
}

// situation is one case of each strategy.
func (f fake) situation(text *strings.Builder, divergence, direction string, n, d int) {
	sketch, rounds := 2400.0, 1.0
	if d > 200 && divergence != "newest" && divergence != "fresh" && divergence != "mixed" {
		sketch, rounds = sketch+map[string]float64{"scattered": 12, "recent": 3, "disjoint": 12}[divergence]*float64(d), 2
	}
	for _, s := range []struct {
		name          string
		bytes, rounds float64
	}{
		{"sketch", sketch, rounds},
		{"cursor", 480, 1},
		{"auto", sketch + 10, rounds},
		{"auto-again", 480, 1},
		{"ribbon", 1.03 * float64(n), 1},
		{"segmented", 1.04 * float64(n), 1},
		{"list", 5 * float64(n), 1},
		{"riblt", 19 + 25*float64(d), 1},
		{"negentropy", 367 + 110*float64(d), 3},
	} {
		bytes := s.bytes * f.factor(f.larger, s.name)
		f.lines(text, fmt.Sprintf("BenchmarkStrategies/strategy=%s/divergence=%s/direction=%s/n=%d/d=%d", s.name, divergence, direction, n, d), f.count,
			metadata, bytes, "p99-metadata-B", 1.01*bytes, "rounds/op", s.rounds, "rounds-p99", s.rounds*f.factor(f.longer, s.name),
			"here-ns/op", 1e5, "there-ns/op", 1e5*f.factor(f.slower, s.name), "p99-there-ns", 1.2e5*f.factor(f.slower, s.name), "bound-B/op", math.Sqrt(float64(d)))
	}
}

// TestStrategies: limits, the map and what auto chooses follow from the numbers.
func TestStrategies(t *testing.T) {
	section := func(f fake) string {
		all, err := render(f.write(t))
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(all[output]), "## 9. Strategies")
		text, _, _ = strings.Cut(text, "## 10.")
		return text
	}
	for name, c := range map[string]struct {
		f     fake
		wants []string
	}{
		"ours": {fake{count: 6, large: true}, []string{
			"costs at n = 1 000 000, in",
			"\n| a known cursor, any d | 1 round, ≤ 512 B | 480 B | 485 B | 1 | 60 | yes | – |",
			"\n| equal sets | 1 round, ≤ 2.5 kB | 2.41 kB | 2.43 kB | 1 | 60 | yes |",
			"\n| d = 10 000 scattered | 2 rounds, ≤ 150 kB | 122 kB | 124 kB | 2 | 60 | yes | rateless IBLT 250 kB; 1 |",
			"\n| d = 100 000 scattered | 3 rounds, ≤ 540 kB | 1.2 MB | 1.21 MB | 2 | 60 | **no** |",
			"\n| d = 100 000 recent | 3 rounds, ≤ 220 kB | 302 kB | 305 kB | 2 | 60 | **no** |",
			"\n| any gap at the newest end | 2 rounds, ≤ 5 kB | 2.41 kB |",
			"\n| time of the responder, d ≤ 100 | ≤ 2 ms | 100 µs | 120 µs |  | 60 | yes |",
			"\n| keeping summaries: insert | ≤ 2 µs | 1.51 µs |  |  |  | yes | rateless IBLT 401 ns |",
			"\n| keeping summaries: memory per item | ≤ 24 B | 16 B |  |  |  | yes | rateless IBLT 3 B |",
			"\n| scattered pull | 10 000 | **rateless IBLT** 19 B | **rateless IBLT** 44 B | **rateless IBLT** 269 B | `sketch` 2.4 kB | `ribbon` 10.3 kB | `ribbon` 10.3 kB | – |",
			"\n| scattered pull | 1 000 000 | **rateless IBLT** 19 B | **rateless IBLT** 44 B | **rateless IBLT** 269 B | `sketch` 2.4 kB | `sketch` 14.4 kB → **rateless IBLT** | `sketch` 122 kB | `ribbon` 1.03 MB |",
			"in bytes in 27 of 80 situations, with d = 0, 1, 10; in bytes and rounds in 33 of 80 situations, with d = 0, 1, 10, 1 000.",
			"`auto` beside the best single strategy that had the same knowledge: in bytes and rounds, which is what it chooses by, at most × 10.6 for disjoint both, d = 1 000 000, n = 1 000 000; more than × 1.25 in 16 of 80 situations (**missed**: × 1.95 for scattered pull, d = 1 000, n = 10 000; ",
			"; in bytes alone at most × 11.9 for scattered pull, d = 10 000, n = 10 000; more than × 1.25 in 11 of",
			" No sync took more than 2 rounds.",
			"<details><summary>Every situation of n = 10 000</summary>\n\nEvery situation of n = 10 000: ", " |\n\n</details>\n", "\nEvery situation of n = 1 000 000: ",
			"\n| scattered pull | 100 | 10 B | 100 µs | 100 µs | 2.4 kB; 2.42 kB; 1 | 2.41 kB; 2.43 kB; 1 | 480 B; 485 B; 1 | 480 B; 485 B; 1 | 10.3 kB; 10.4 kB; 1 | 10.4 kB; 10.5 kB; 1 | 50 kB; 50.5 kB; 1 | 2.52 kB; 2.54 kB; 1 | 11.4 kB; 11.5 kB; 3 |",
		}},
		"slower, larger": {fake{count: 6, large: true, slower: map[string]float64{"auto": 21}, larger: map[string]float64{"auto": 1.2, "auto-again": 1.07, "cursor": 1.1}, longer: map[string]float64{"auto": 2}}, []string{
			"\n| a known cursor, any d | 1 round, ≤ 512 B | 514 B | 519 B | 1 | 60 | **no** |",
			"\n| time of the responder, d ≤ 100 | ≤ 2 ms | 2.11 ms | 2.52 ms |  | 60 | **no** |",
			"\n| d = 10 000 scattered | 2 rounds, ≤ 150 kB | 147 kB | 148 kB | 2; 4 | 60 | the mean alone |",
			" No sync took more than 4 rounds; more than 3 (**missed**): 4 for scattered pull, d = 1 000, n = 10 000; ",
		}},
		"by luck": {fake{count: 6, large: true, slower: map[string]float64{"auto": 19}, larger: map[string]float64{"auto": 1.03}}, []string{
			"\n| time of the responder, d ≤ 100 | ≤ 2 ms | 1.91 ms | 2.28 ms |  | 60 | the mean alone |",
			"\n| equal sets | 1 round, ≤ 2.5 kB | 2.48 kB | 2.51 kB | 1 | 60 | the mean alone |",
		}},
		"small": {fake{count: 6}, []string{"costs at n = 100 000, in"}},
	} {
		if got := c.f.report(t).kept(); name == "ours" && !strings.Contains(got, "at n = 1 000 000, `auto` sends 2.41 kB for nothing missing, 2.41 kB for 100 missing anywhere, in 1 round; after a sync before, `auto-again` sends 480 B for 100 new ones, in 1.") {
			t.Error(got)
		}
		text := section(c.f)
		for _, want := range c.wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: there is no %q in\n%s", name, want, text)
			}
		}
	}
}

// TestStrategiesIncomplete: without a line that the limits or the map need, the file is refused.
func TestStrategiesIncomplete(t *testing.T) {
	for _, gone := range []string{
		"strategy=sketch/divergence=scattered/direction=pull/n=10000/d=0-", "strategy=cursor/divergence=newest/direction=pull/n=100000/d=100-",
		"strategy=sketch/divergence=fresh/direction=pull/n=10000/", "strategy=sketch/divergence=mixed/direction=pull/n=10000/",
		"strategy=sketch/divergence=scattered/direction=both/n=10000/d=100-", "strategy=riblt/divergence=scattered/direction=pull/n=10000/d=100-",
	} {
		_, err := edited(t, fake{count: 6}, "strategies", func(text string) string {
			var kept strings.Builder
			for line := range strings.Lines(text) {
				if !strings.HasPrefix(line, "BenchmarkStrategies/"+gone) {
					kept.WriteString(line)
				}
			}
			return kept.String()
		})
		if !errors.Is(err, errRaw) || !strings.Contains(fmt.Sprint(err), "strategies.txt") {
			t.Errorf("without %s: %v", gone, err)
		}
	}
}

// TestStrategyParts: every form measures the situations that the design names, by each strategy
// that the table of them has, up to the sizes that take too long for some.
func TestStrategyParts(t *testing.T) {
	kept := []string{"sketch", "auto", "cursor", "auto-again"}
	others := []string{"ribbon", "segmented", "list", "riblt", "negentropy"}
	for _, form := range []struct {
		opt   options
		sizes []int
	}{
		{options{quick: true}, []int{10_000}},
		{options{count: 6}, []int{10_000, 100_000}},
		{options{count: 6, large: true}, []int{10_000, 100_000, 1_000_000}},
		{options{count: 6, large: true, huge: true}, []int{10_000, 100_000, 1_000_000, 10_000_000}},
	} {
		measured := func(strategies []string, tail string) {
			for _, s := range strategies {
				path := strings.Split("BenchmarkStrategies/strategy="+s+"/"+tail, "/")
				if !slices.ContainsFunc(parts("strategies", form.opt), func(p part) bool { return matches(t, p.bench, path) }) {
					t.Errorf("%+v does not measure %v", form.opt, path)
				}
			}
		}
		for _, n := range form.sizes {
			all := slices.Concat(kept, others)
			if n > 1_000_000 {
				all = kept
				measured(others[3:], fmt.Sprintf("divergence=scattered/direction=pull/n=%d/d=10000", n))
			}
			for _, d := range []int{0, 1, 10, 100, 1000, 10_000, 100_000} {
				for _, lacks := range []string{"scattered/direction=pull", "recent/direction=pull", "newest/direction=pull", "scattered/direction=both"} {
					if d <= n/10 {
						measured(all, fmt.Sprintf("divergence=%s/n=%d/d=%d", lacks, n, d))
					}
				}
			}
			measured(all, fmt.Sprintf("divergence=mixed/direction=pull/n=%d/d=%d", n, min(n/10, 100_000)))
			if n > 1_000_000 { // these take minutes each
				measured(kept[:1], fmt.Sprintf("divergence=fresh/direction=pull/n=%d/d=%d", n, n))
				continue
			}
			for _, whole := range []string{"fresh/direction=pull", "disjoint/direction=both"} {
				measured(kept[:2], fmt.Sprintf("divergence=%s/n=%d/d=%d", whole, n, n))
			}
		}
	}
}

// TestMeasureStrategies: what the section asks for is measured, under the names, labels and
// units that it asks for.
func TestMeasureStrategies(t *testing.T) {
	dir := fake{count: 6}.write(t)
	t.Chdir("../../..")
	built := t.TempDir()
	if err := ours().build(t.Context(), built); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("command: x\ncommit: 0123456789ab\n")
	for _, p := range parts("strategies", options{quick: true}) {
		p.benchtime = "1x"
		out, err := pass{of: ours(), seeded: true}.run(t.Context(), built, "", p, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "benchtime: 1x\ncount: 1\n%s", out)
	}
	if err := os.WriteFile(filepath.Join(dir, "strategies.txt"), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(all[output]), "## 9. Strategies")
	section, _, _ = strings.Cut(section, "## 10.")
	if !strings.Contains(section, "\n| scattered pull | 10 000 | ") || strings.Contains(section, "NaN") {
		t.Errorf("not measured:\n%s", section)
	}
}

// TestLimitsBeyond: for more than the limits of the design are for, there is only the
// responder's time, another one.
func TestLimitsBeyond(t *testing.T) {
	var text strings.Builder
	f := fake{count: 6, slower: map[string]float64{"auto": 50}}
	f.situation(&text, "scattered", pull, 1_000_000, 0)
	f.situation(&text, "scattered", pull, 10_000_000, 0)
	s, err := parseSamples(strings.NewReader(text.String()), "strategies.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	report{"strategies": s}.limitsTable(document{&out})
	for _, want := range []string{
		"costs at n = 1 000 000, in",
		"\n| equal sets | 1 round, ≤ 2.5 kB | 2.41 kB |",
		"\n| time of the responder, d ≤ 100 | ≤ 2 ms | 5 ms | 6 ms |  | 60 | **no** |",
		"\n| time of the responder, d ≤ 100, n = 10 000 000 | ≤ 6 ms | 4.98 ms | 6 ms |  | 60 | yes |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
	if got := strings.Count(out.String(), "\n| equal sets |"); got != 1 {
		t.Errorf("%d rows of equal sets, want 1", got)
	}
}
