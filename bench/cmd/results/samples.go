package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
)

// errRaw reports a file of raw results that cannot be used.
var errRaw = errors.New("raw results")

// samples are the measurements of one raw file.
type samples struct {
	config map[string]string
	points []point // in the order in which they were first measured
	iters  int     // of the last result
}

// point is one benchmark: its labels, with its base name as label "", and for
// each unit what was measured.
type point struct {
	labels map[string]string
	values map[string][]float64
}

func readSamples(path string) (samples, error) {
	file, err := os.Open(path)
	if err != nil {
		return samples{}, err
	}
	defer file.Close()
	s := samples{config: map[string]string{}}
	reader := benchfmt.NewReader(file, path)
	for reader.Scan() {
		switch r := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return s, fmt.Errorf("%w: %w", errRaw, r)
		case *benchfmt.Result:
			s.add(r)
		}
	}
	if err := reader.Err(); err != nil {
		return s, err
	}
	if len(s.points) == 0 {
		return s, fmt.Errorf("%w: %s has none", errRaw, path)
	}
	return s, nil
}

func (s *samples) add(r *benchfmt.Result) {
	for _, c := range r.Config {
		s.config[c.Key] = string(c.Value)
	}
	s.iters = r.Iters
	labels := map[string]string{}
	base, parts := r.Name.Parts()
	labels[""] = string(base)
	for _, p := range parts {
		if key, value, ok := strings.Cut(strings.TrimPrefix(string(p), "/"), "="); ok {
			labels[key] = value
		}
	}
	i := slices.IndexFunc(s.points, func(p point) bool { return maps.Equal(p.labels, labels) })
	if i < 0 {
		i = len(s.points)
		s.points = append(s.points, point{labels, map[string][]float64{}})
	}
	for _, v := range r.Values {
		s.points[i].values[v.Unit] = append(s.points[i].values[v.Unit], v.Value)
	}
}

// where returns the points that have these labels, given as "key=value".
func (s samples) where(labels ...string) []point {
	var found []point
	for _, p := range s.points {
		if !slices.ContainsFunc(labels, func(l string) bool { key, value, _ := strings.Cut(l, "="); return p.labels[key] != value }) {
			found = append(found, p)
		}
	}
	return found
}

// one returns the point that has these labels, or an empty one.
func (s samples) one(labels ...string) point {
	if found := s.where(labels...); len(found) > 0 {
		return found[0]
	}
	return point{}
}

// distinct returns the values of a label in the order in which they come.
func distinct(points []point, label string) []string {
	var values []string
	for _, p := range points {
		if v := p.labels[label]; !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

func (p point) number(label string) float64 {
	v, err := strconv.ParseFloat(p.labels[label], 64)
	if err != nil {
		panic("label " + label + " of a benchmark of our own is no number")
	}
	return v
}

const confidence = 0.95

func (p point) sample(unit string) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(p.values[unit]), &benchmath.DefaultThresholds)
}

func (p point) summary(unit string) benchmath.Summary {
	if len(p.values[unit]) == 0 {
		return benchmath.Summary{}
	}
	return benchmath.AssumeNothing.Summary(p.sample(unit), confidence)
}

// median of what was measured in that unit; 0 if nothing was.
func (p point) median(unit string) float64 { return p.summary(unit).Center }

// cell is the median, and its interval where that shows in the digits.
func (p point) cell(unit string) string {
	if len(p.values[unit]) == 0 {
		return "–"
	}
	s := p.summary(unit)
	center, low, high := quantity(s.Center, unit), quantity(s.Lo, unit), quantity(s.Hi, unit)
	if low == center && center == high || slices.Min(p.values[unit]) == slices.Max(p.values[unit]) {
		return center
	}
	return fmt.Sprintf("%s (%s – %s)", center, low, high)
}

// quantity is a value with at least three digits and its unit, per operation or key.
func quantity(x float64, unit string) string {
	name, _, _ := strings.Cut(unit, "/")
	scaled := benchunit.Scale(x, benchunit.Decimal)
	switch {
	case name == "sec":
		return scaled + "s"
	case name == "B" || strings.HasSuffix(name, "-B"):
		if x < 1000 {
			return fmt.Sprintf("%.0f B", x)
		}
		return scaled + "B"
	case name == "fpr":
		return strconv.FormatFloat(x, 'g', 3, 64)
	default:
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
}

// ratio is p's median over base's, with the interval that follows from the
// intervals of both, and "~" where a test cannot tell the two apart.
func ratio(p, base point, unit string) string {
	if maps.Equal(p.labels, base.labels) {
		return "1"
	}
	a, b := p.summary(unit), base.summary(unit)
	if a.Center == 0 || b.Center == 0 {
		return "–"
	}
	center, low, high := fixed(a.Center/b.Center, 2), fixed(a.Lo/b.Hi, 2), fixed(a.Hi/b.Lo, 2)
	text := fmt.Sprintf("%s (%s – %s)", center, low, high)
	if low == center && center == high {
		text = center
	}
	if !differ(p, base, unit) {
		text = "~ " + text
	}
	return text
}

// paired is the median of what p is to base within each run, with its interval, and
// "~" where that does not exclude 1. It is for points of one file, each of which was
// measured once in every run: what a run had to suffer from it had to suffer twice.
func paired(p, base point, unit string) string {
	if maps.Equal(p.labels, base.labels) && len(p.values[unit]) > 0 {
		return "1"
	}
	s, ok := pairedSummary(p, base, unit)
	if !ok {
		return "–"
	}
	center, low, high := fixed(s.Center, 2), fixed(s.Lo, 2), fixed(s.Hi, 2)
	text := fmt.Sprintf("%s (%s – %s)", center, low, high)
	if low == center && center == high {
		text = center
	}
	if s.Lo <= 1 && 1 <= s.Hi {
		text = "~ " + text
	}
	return text
}

func pairedSummary(p, base point, unit string) (benchmath.Summary, bool) {
	a, b := p.values[unit], base.values[unit]
	if len(a) == 0 || len(a) != len(b) || slices.Min(b) <= 0 {
		return benchmath.Summary{}, false
	}
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(ratios, &benchmath.DefaultThresholds), confidence), true
}

// differ reports whether a Mann-Whitney test tells the two apart.
func differ(p, q point, unit string) bool {
	c := benchmath.AssumeNothing.Compare(p.sample(unit), q.sample(unit))
	return c.P <= c.Alpha
}

// least returns the name of the point with the smallest median, followed by those
// that a test cannot tell from it.
func least(points []point, name func(point) string, unit string) (names []string) {
	points = slices.Clone(points)
	slices.SortStableFunc(points, func(p, q point) int { return cmp.Compare(p.median(unit), q.median(unit)) })
	for i, p := range points {
		if i == 0 || !differ(p, points[0], unit) {
			names = append(names, name(p))
		}
	}
	return names
}
