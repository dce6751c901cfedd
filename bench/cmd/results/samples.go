package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"
)

// errRaw reports a file of raw results that cannot be used.
var errRaw = errors.New("raw results")

// samples are the measurements of one raw file, or some of them.
type samples struct {
	config map[string]string // the lines "key: value" of the file
	units  benchfmt.UnitMetadataMap
	points []point // in the order in which they were first measured
}

// point is one benchmark: its labels, and for each unit what was measured.
type point struct {
	labels map[string]string
	values map[string][]float64
	// iterations are how many operations each run had, of which its values are means.
	iterations []int
	units      benchfmt.UnitMetadataMap
	first      *benchfmt.Result // which filters are asked about
}

func readSamples(path string) (samples, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return samples{}, fmt.Errorf("%w: %w", errRaw, err)
	}
	if err := intact(text, filepath.Base(path)); err != nil {
		return samples{}, err
	}
	return parseSamples(bytes.NewReader(text), filepath.Base(path))
}

func parseSamples(from io.Reader, name string) (samples, error) {
	s := samples{config: map[string]string{}}
	full, err := new(benchproc.ProjectionParser).Parse(".fullname", nil)
	if err != nil {
		return s, err
	}
	index := map[benchproc.Key]int{}
	reader := benchfmt.NewReader(from, name)
	for reader.Scan() {
		switch r := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return s, fmt.Errorf("%w: %w", errRaw, r)
		case *benchfmt.Result:
			key := full.Project(r)
			if _, ok := index[key]; !ok {
				index[key] = len(s.points)
				s.points = append(s.points, newPoint(r))
			}
			if err := s.points[index[key]].sound(r); err != nil {
				return s, err
			}
			s.add(index[key], r)
		}
	}
	if err := reader.Err(); err != nil {
		return s, fmt.Errorf("%w: %w", errRaw, err)
	}
	if len(s.points) == 0 {
		return s, fmt.Errorf("%w: %s has none", errRaw, name)
	}
	s.units = maps.Clone(reader.Units())
	for i := range s.points {
		s.points[i].units = s.units
	}
	return s, nil
}

func newPoint(r *benchfmt.Result) point {
	return point{labels: labelsOf(r.Name), values: map[string][]float64{}, first: r.Clone()}
}

// labelsOf are the parts "key=value" of a benchmark's name.
func labelsOf(name benchfmt.Name) map[string]string {
	labels := map[string]string{}
	_, parts := name.Parts()
	for _, part := range parts {
		if key, value, ok := strings.Cut(strings.TrimPrefix(string(part), "/"), "="); ok {
			labels[key] = value
		}
	}
	return labels
}

func (s *samples) add(i int, r *benchfmt.Result) {
	for _, c := range r.Config {
		if c.File {
			s.config[c.Key] = string(c.Value)
		}
	}
	s.points[i].iterations = append(s.points[i].iterations, r.Iters)
	for _, v := range r.Values {
		unit := unitOf(v)
		s.points[i].values[unit] = append(s.points[i].values[unit], v.Value)
	}
}

// unitOf is the base unit of a value. The reader leaves a value of 0 in the unit that it had.
func unitOf(v benchfmt.Value) string {
	_, unit := benchunit.Tidy(1, v.Unit)
	return unit
}

// where returns the points that a filter of benchproc lets through, as in
// ".name:Link /n:1000".
func (s samples) where(format string, args ...any) samples {
	filter, err := benchproc.NewFilter(fmt.Sprintf(format, args...))
	if err != nil {
		panic(err) // the filters are our own
	}
	found := s
	found.points = nil
	for _, p := range s.points {
		if m, err := filter.Match(p.first); err == nil && m.All() {
			found.points = append(found.points, p)
		}
	}
	return found
}

// one returns the first point that a filter lets through, or one without values.
func (s samples) one(format string, args ...any) point {
	if found := s.where(format, args...).points; len(found) > 0 {
		return found[0]
	}
	return point{}
}

// labels returns the values of a label in the order in which they come.
func (s samples) labels(label string) []string {
	var values []string
	for _, p := range s.points {
		if v, ok := p.labels[label]; ok && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

// numbers returns the values of a label that are numbers, ascending.
func (s samples) numbers(label string) []string {
	values := s.labels(label)
	slices.SortFunc(values, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	return values
}

// largest returns the largest value of a label that is a number.
func (s samples) largest(label string) string {
	values := s.numbers(label)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// number is a label's value as a number; those of our benchmarks are.
func number(label string) float64 {
	v, err := strconv.ParseFloat(label, 64)
	if err != nil {
		panic("label " + strconv.Quote(label) + " of a benchmark of our own is no number")
	}
	return v
}

// confidence is that of all intervals; it takes at least six values.
const (
	confidence = 0.95
	enough     = 6
)

func (p point) has(unit string) bool { return len(p.values[unit]) > 0 }

func (p point) sample(unit string) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(p.values[unit]), &benchmath.DefaultThresholds)
}

func (p point) assume(unit string) benchmath.Assumption { return p.units.GetAssumption(unit) }

func (p point) summary(unit string) benchmath.Summary {
	if !p.has(unit) {
		return benchmath.Summary{}
	}
	if p.lucky(unit) {
		return p.luckySummary(unit)
	}
	return p.assume(unit).Summary(p.sample(unit), confidence)
}

// median of what was measured in that unit, or the mean if the unit is a lucky one. If
// nothing was measured it is no number, which is neither less nor more than any other.
func (p point) median(unit string) float64 {
	if !p.has(unit) {
		return math.NaN()
	}
	if p.lucky(unit) {
		return p.mean(unit)
	}
	return p.summary(unit).Center
}

// sum is the point with a unit that adds up others of each run. Where one of them is
// absent there is no sum.
func (p point) sum(unit string, of ...string) point {
	q := p
	q.values = maps.Clone(p.values)
	if q.values == nil {
		return q
	}
	total := make([]float64, len(p.values[of[0]]))
	for _, u := range of {
		if len(p.values[u]) != len(total) {
			delete(q.values, unit)
			return q
		}
		for i, v := range p.values[u] {
			total[i] += v
		}
	}
	q.values[unit] = total
	return q
}

// differ reports whether a test tells the two apart: Mann-Whitney, unless the unit is
// exact.
func differ(p, q point, unit string) bool {
	if !p.has(unit) || !q.has(unit) {
		return false
	}
	if p.assume(unit) == benchmath.AssumeExact {
		return p.median(unit) != q.median(unit)
	}
	c := p.assume(unit).Compare(p.sample(unit), q.sample(unit))
	return c.P <= c.Alpha
}

// ranking orders points by their medians of a unit.
func ranking(points []point, unit string) []point {
	ranked := slices.DeleteFunc(slices.Clone(points), func(p point) bool { return !p.has(unit) })
	slices.SortStableFunc(ranked, func(p, q point) int { return cmp.Compare(p.median(unit), q.median(unit)) })
	return ranked
}

// tied are those of a ranking that a test cannot tell from the first, itself included.
// Of too few runs none is told apart that does not vary.
func tied(ranked []point, unit string) []point {
	all := ranked[:1:1]
	for _, p := range ranked[1:] {
		if few := min(len(p.values[unit]), len(ranked[0].values[unit])) < testable; few && p.median(unit) != ranked[0].median(unit) {
			continue
		}
		if !differ(p, ranked[0], unit) {
			all = append(all, p)
		}
	}
	return all
}

// testable is the least number of runs of each of two that a test can tell apart.
const testable = 4

// untested reports whether the first two of a ranking were measured too seldom for a test,
// though they vary.
func untested(ranked []point, unit string) bool {
	if len(ranked) < 2 || ranked[0].assume(unit) == benchmath.AssumeExact {
		return false
	}
	a, b := ranked[0].values[unit], ranked[1].values[unit]
	same := slices.Min(a) == slices.Max(a) && slices.Min(b) == slices.Max(b)
	return min(len(a), len(b)) < testable && !same
}
