package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// summaries makes up the pass of that name: a rateless IBLT is kept and decodes one
// difference in less, and needs fewer cells of few.
func (f fake) summaries(text *strings.Builder) {
	for _, n := range f.sizes(10_000, 100_000) {
		f.lines(text, fmt.Sprintf("BenchmarkSummaryInsert/system=ours/n=%d", n), f.count, "ns/op", 1500*f.factor(f.slower, "ours"), "cpu-ns/op", 1600.0, "B/item", 16*f.factor(f.larger, "ours"), "tree-B/item", 4.0, "table-B/item", 1.0, "index-B/item", 11.0)
		f.lines(text, fmt.Sprintf("BenchmarkSummaryInsert/system=ours-steady/n=%d", n), f.count, "ns/op", 1700.0, "cpu-ns/op", 1800.0, "B/item", 16.0)
		f.lines(text, fmt.Sprintf("BenchmarkSummaryInsert/system=riblt/n=%d", n), f.count, "ns/op", 400.0, "cpu-ns/op", 410.0, "B/item", 3e6/float64(n))
		for _, query := range []string{"sum", "between"} {
			f.lines(text, fmt.Sprintf("BenchmarkSummaryRange/query=%s/n=%d", query, n), f.count, "ns/op", 100*float64(len(query)), "items/op", 10.0)
		}
		f.lines(text, fmt.Sprintf("BenchmarkSummaryFold/n=%d/cells=160", n), f.count, "ns/op", 0.02*float64(n), "sketch-B", 1440.0)
		for _, tail := range []int{0, n / 10, n} {
			f.lines(text, fmt.Sprintf("BenchmarkSummaryOpen/n=%d/tail=%d", n, tail), f.count, "ns/op", float64(n)*2000+float64(tail)*11_000*f.factor(f.slower, "ours"), "open-ns/op", float64(n)*1000, "view-ns/op", float64(n+tail)*1000, "cpu-ns/op", float64(n)*900, "entries", float64(tail))
		}
		for _, scope := range []string{"records", "deletes"} {
			f.lines(text, fmt.Sprintf("BenchmarkSummaryScoped/scope=%s/n=%d", scope, n), f.count, "ns/op", float64(n)*2000, "cpu-ns/op", float64(n)*2000, "items", float64(n/len(scope)))
		}
	}
	for _, d := range []float64{1, 32, 10_000} {
		for i, system := range []string{"ours", "riblt"} {
			label, slow := fmt.Sprintf("system=%s/d=%d", system, int(d)), f.factor(f.slower, system)
			each := 100 * float64(1+i) * slow
			if system == "riblt" && d == 1 {
				each = 50
			}
			f.lines(text, "BenchmarkSummaryDecode/"+label, f.count, "ns/op", each*d, "decode-ns/op", each*d, "ns/diff", each, "found", d)
			cells := map[string]float64{"ours": 1.3 + 14.7/d, "riblt": 1.4 - 0.4/d}[system] * f.factor(f.larger, system)
			f.lines(text, "BenchmarkSummaryCells/"+label, f.count, "cells/diff", cells, "p99-cells/diff", 1.1*cells, "trials", 500.0)
		}
	}
	for _, c := range []string{"level=0/d=100", "level=1/d=100000"} {
		f.lines(text, "BenchmarkSummaryEstimate/"+c, f.count, "error/d", 0.088, "mean/d", 0.999, "trials", 500.0)
	}
}

// TestLinear: bounds and winners follow from the numbers, ours or not.
func TestLinear(t *testing.T) {
	all, err := render(fake{count: 6, large: true}.write(t))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(all[output]), "## 8. Linear summaries")
	text, _, _ = strings.Cut(text, "## 9.")
	for _, want := range []string{
		"\n| insert | 2 µs | 1.51 µs",
		"\n| fold into 160 cells | 300 µs | 19.9 µs",
		"\n| open, 100 000 to read | 3 s | 3.1 s",
		"Fewest cells in the mean: rateless IBLT at d = 1, 32; ours at d = 10 000.",
		"Fewest bytes: rateless IBLT at d = 1; ours at d = 32, 10 000.",
		"Decoded in least time: rateless IBLT at d = 1; ours at d = 32, 10 000.",
		"Kept up to date in least time: rateless IBLT at n = 10 000, 100 000, 1 000 000.",
		"\n| 1 | 100 000 | 500 | 8.8 % | 99.9 % |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if yes, no := strings.Count(text, "| yes |"), strings.Count(text, "| **no** |"); yes != 7 || no != 2 {
		t.Errorf("%d figures are within their bounds, %d not, want 7 and 2\n%s", yes, no, text)
	}
	slow := fake{count: 6, large: true, slower: map[string]float64{"ours": 2}, larger: map[string]float64{"ours": 2}}.report(t)
	var out []string
	for _, w := range slow.wanted() {
		if !w.kept() {
			out = append(out, w.what)
		}
	}
	if got := strings.Join(out, ", "); got != "insert, memory per item, open, nothing to read from the log, open, 100 000 to read" {
		t.Errorf("not within their bounds: %s", got)
	}
}

// TestSummariesIncomplete: without a line that a table or a statement is made of, the
// file is refused.
func TestSummariesIncomplete(t *testing.T) {
	for _, gone := range []string{
		"SummaryInsert/system=riblt/n=10000-", "SummaryInsert/system=ours/n=100000-", "SummaryDecode/system=ours/d=32-", "SummaryDecode/system=riblt/d=1-",
		"SummaryCells/system=riblt/d=32-", "SummaryRange/query=between/n=10000-", "SummaryFold/n=100000/", "SummaryOpen/n=10000/tail=0-",
		"SummaryScoped/scope=records/n=10000-", "SummaryEstimate/",
	} {
		_, err := edited(t, fake{count: 6}, "summaries", func(text string) string {
			var kept strings.Builder
			for line := range strings.Lines(text) {
				if !strings.HasPrefix(line, "Benchmark"+gone) {
					kept.WriteString(line)
				}
			}
			return kept.String()
		})
		if !errors.Is(err, errRaw) || !strings.Contains(fmt.Sprint(err), "summaries.txt") {
			t.Errorf("without %s: %v", gone, err)
		}
	}
}

// TestMeasureSummaries: what the section asks for is measured, under the names, labels and
// units that it asks for.
func TestMeasureSummaries(t *testing.T) {
	dir := fake{count: 6}.write(t)
	t.Chdir("../../..")
	built := t.TempDir()
	if err := ours().build(t.Context(), built); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("command: x\ncommit: 0123456789ab\n")
	fixtures := t.TempDir()
	for _, bench := range []string{
		"^BenchmarkSummary(Insert|Range)$/./^n=10000$", "^BenchmarkSummaryFold$/^n=10000$", "^BenchmarkSummary(Cells|Decode)$/./^d=(1|32|10000)$",
		"^BenchmarkSummaryEstimate$/^level=0$/^d=10?0?$", "^BenchmarkSummaryOpen$/^n=10000$", "^BenchmarkSummaryScoped$/./^n=10000$",
	} {
		out, err := pass{of: ours(), stores: true}.run(t.Context(), built, fixtures, part{bench: bench, benchtime: "1x"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "benchtime: 1x\ncount: 1\n%s", out)
	}
	if err := os.WriteFile(filepath.Join(dir, "summaries.txt"), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(all[output]), "## 8. Linear summaries")
	section, _, _ = strings.Cut(section, "## 9.")
	for line := range strings.Lines(section) {
		if measured := strings.TrimSuffix(line, "| – |\n"); strings.Contains(measured, "–") || strings.Contains(line, "NaN") {
			t.Errorf("not measured: %s", line)
		}
	}
}
