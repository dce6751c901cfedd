package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// intact returns errRaw unless a raw file holds all that it says was run: each of its
// parts begins with a line "count: N" and has N runs, each with its line PASS, and each
// of its benchmarks N times. A file that was cut, or of which a run failed, has not.
func intact(text []byte, name string) error {
	var p runs
	parts := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		switch fields := strings.Fields(line); {
		case strings.HasPrefix(line, "--- FAIL") || line == "FAIL":
			return fmt.Errorf("%w: a run of %s failed", errRaw, name)
		case strings.HasPrefix(line, "count: "):
			if err := p.check(name); err != nil {
				return err
			}
			count, err := strconv.Atoi(strings.TrimPrefix(line, "count: "))
			if err != nil || count < 1 {
				return fmt.Errorf("%w: %s has the line %q", errRaw, name, line)
			}
			p = runs{want: count, of: map[string]int{}}
			parts++
		case line == "PASS":
			p.passed++
		case strings.HasPrefix(line, "Benchmark") && len(fields) > 2:
			if parts == 0 {
				return fmt.Errorf("%w: %s does not say how often %s was run", errRaw, name, fields[0])
			}
			p.of[fields[0]]++
		}
	}
	if !bytes.HasSuffix(bytes.TrimSpace(text), []byte("\nPASS")) || parts == 0 {
		return fmt.Errorf("%w: %s is cut: it does not end with PASS", errRaw, name)
	}
	return p.check(name)
}

// runs are those of one part of a file.
type runs struct {
	want, passed int
	of           map[string]int // by benchmark
}

func (p runs) check(name string) error {
	if p.passed != p.want {
		return fmt.Errorf("%w: %s has %d runs with PASS of a part, want %d", errRaw, name, p.passed, p.want)
	}
	for bench, got := range p.of {
		if got != p.want {
			return fmt.Errorf("%w: %s has %d runs of %s, want %d", errRaw, name, got, bench, p.want)
		}
	}
	return nil
}

// sound returns errRaw if a result is none that a benchmark of ours can have: labels that
// count are numbers, values are finite and not negative, and nothing takes no time.
func (p point) sound(r *benchfmt.Result) error {
	for _, label := range []string{"n", "d", "bits"} {
		text, ok := p.labels[label]
		if v, err := strconv.ParseFloat(text, 64); ok && (err != nil || !finite(v) || v < 0) {
			return fmt.Errorf("%w: %s=%s of %s is no number", errRaw, label, text, r.Name)
		}
	}
	for _, v := range r.Values {
		none := v.Value == 0 && slices.Contains([]string{"sec/op", perKey}, unitOf(v))
		if !finite(v.Value) || v.Value < 0 || none {
			return fmt.Errorf("%w: %s is said to have %v %s", errRaw, r.Name, v.Value, v.Unit)
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
