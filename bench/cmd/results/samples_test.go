package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// raw has a strategy that is twice as slow as another, and one that is as fast.
const raw = `date: 2026-11-22
Unit wire-B/op assume=exact
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
BenchmarkX/strategy=twice/n=1000-2 5 1550 ns/op 10 wire-B/op
BenchmarkX/strategy=twice/n=1000-2 5 1450 ns/op 10 wire-B/op
`

func TestSamples(t *testing.T) {
	s, err := parseSamples(strings.NewReader(raw), "raw")
	if err != nil {
		t.Fatal(err)
	}
	if s.config["date"] != "2026-11-22" || len(s.points) != 4 {
		t.Fatalf("read %d points, config %v", len(s.points), s.config)
	}
	fuse, slow, like, twice := s.one("/strategy:fuse"), s.one("/strategy:slow /n:1000"), s.one(".name:X /strategy:%q", "like"), s.one("/strategy:twice")
	for _, c := range []struct{ name, got, want string }{
		{"time", fuse.cell("sec/op"), "1.25 µs ±20 %"},
		{"exact", fuse.cell("wire-B/op"), "10 B"},
		{"twice", twice.cell("sec/op"), "1.5 µs (2 runs)"},
		{"absent", fuse.cell("fpr"), "–"},
		{"paired", paired(slow, fuse, "sec/op"), "2 ±5 %"},
		{"paired exact", paired(slow, fuse, "wire-B/op"), "2"},
		{"paired with itself", paired(fuse, fuse, "sec/op"), "1"},
		{"paired with fewer", paired(fuse, twice, "sec/op"), "–"},
		{"winners", winners([]point{slow, fuse, like}, "strategy", "sec/op"), "`fuse` ~ `like`"},
		{"one winner", winners([]point{slow, fuse}, "strategy", "sec/op"), "`fuse`"},
		{"no winner", winners([]point{like, fuse}, "strategy", "wire-B/op"), "`like` ~ `fuse` (no difference shown)"},
		{"a sum", fuse.sum("both-sec/op", "sec/op", "sec/op").cell("both-sec/op"), "2.5 µs ±20 %"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
	if got := s.where("/strategy:none").points; got != nil {
		t.Errorf("found %v", got)
	}
	if got := s.labels("strategy"); !slices.Equal(got, []string{"fuse", "slow", "like", "twice"}) {
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
		if _, err := parseSamples(strings.NewReader(text), name); !errors.Is(err, errRaw) {
			t.Errorf("%s: %v, want %v", name, err, errRaw)
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
		{digits(12345), "12 345"},
		{about(987_654), "990 000"},
		{about(1234), "1 200"},
		{quantity(999, "wire-B/op"), "999 B"},
		{quantity(123789, "wire-B/op"), "124 kB"},
		{quantity(2e-9, "sec/key"), "2 ns"},
		{quantity(0.25, "scan-sec/op"), "250 ms"},
		{bytesOf(bound(1e6, 100)), "184 B"}, // known of the literature: 14.7 bits each
		{bytesOf(bound(1e6, 1e4)), "10.1 kB"},
		{bytesOf(0.00016), "< 0.01 B"},
		{bytesOf(0), "0 B"},
		{heatText(0.926), "93 %"},
		{heatText(-0.00467), "-0.5 %"},
		{heatText(-0.0003), "0 %"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestCross(t *testing.T) {
	type knot = struct{ n, y float64 }
	rising := curve{knot{1000, 1}, knot{10_000, 10}, knot{100_000, 100}}
	for name, c := range map[string]struct {
		curve, other curve
		want         string
	}{
		"between two sizes":     {rising, flat(50), "50 000"},
		"at the last":           {rising, flat(100), "100 000"},
		"beyond the last":       {rising, flat(1000), "1 000 000 (extrapolated)"},
		"below the first":       {rising, flat(0.5), "500 (extrapolated)"},
		"of a falling other":    {rising, curve{knot{1000, 20}, knot{100_000, 20}}, "20 000"},
		"above from the start":  {rising, curve{knot{1000, 0.5}, knot{100_000, 2}}, "≤ 1 000"},
		"never":                 {curve{knot{1000, 1}, knot{10_000, 1}}, flat(50), "never"},
		"of a single size":      {curve{knot{1000, 1}}, flat(0.5), "–"},
		"of a curve that falls": {curve{knot{1000, 9}, knot{10_000, 1}}, flat(50), "never"},
		"with nothing":          {rising, nil, "–"},
	} {
		if got := cross(c.curve, c.other).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := rising.above0().at(10_000); got < 9.99 || got > 10.01 {
		t.Errorf("10 above 0 is %v", got)
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct{ at, want []float64 }{
		{[]float64{10, 50, 90}, []float64{10, 50, 90}},
		{[]float64{10, 11, 12}, []float64{10, 20, 30}},
		{[]float64{95, 96, 97}, []float64{80, 90, 100}},
		{[]float64{-5, 50}, []float64{0, 50}},
		{nil, nil},
	} {
		if got := spread(c.at, 10, 0, 100); !slices.Equal(got, c.want) {
			t.Errorf("%v are spread to %v, want %v", c.at, got, c.want)
		}
	}
}
