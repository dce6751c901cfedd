package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"
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
	units  benchfmt.UnitMetadataMap
	first  *benchfmt.Result // which filters are asked about
}

func readSamples(path string) (samples, error) {
	file, err := os.Open(path)
	if err != nil {
		return samples{}, fmt.Errorf("%w: %w", errRaw, err)
	}
	defer file.Close()
	return parseSamples(file, filepath.Base(path))
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
	p := point{labels: map[string]string{}, values: map[string][]float64{}, first: r.Clone()}
	_, parts := r.Name.Parts()
	for _, part := range parts {
		if key, value, ok := strings.Cut(strings.TrimPrefix(string(part), "/"), "="); ok {
			p.labels[key] = value
		}
	}
	return p
}

func (s *samples) add(i int, r *benchfmt.Result) {
	for _, c := range r.Config {
		if c.File {
			s.config[c.Key] = string(c.Value)
		}
	}
	for _, v := range r.Values {
		s.points[i].values[v.Unit] = append(s.points[i].values[v.Unit], v.Value)
	}
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

// lucky reports whether a unit depends on the luck of salts: now and then a sync takes a
// round more. Of such a unit the mean is what a user pays; a median would be that of the
// one or the other.
func lucky(unit string) bool {
	return slices.Contains([]string{"metadata-B/op", "up-B/op", "down-B/op", "summary-B/op", "wire-B/op", "rounds/op"}, unit)
}

func (p point) summary(unit string) benchmath.Summary {
	if !p.has(unit) {
		return benchmath.Summary{}
	}
	if values := p.values[unit]; lucky(unit) && len(values) > 1 && slices.Min(values) < slices.Max(values) {
		return benchmath.AssumeNormal.Summary(p.sample(unit), confidence)
	}
	return p.assume(unit).Summary(p.sample(unit), confidence)
}

// median of what was measured in that unit, or the mean if the unit is a lucky one; 0 if
// nothing was measured.
func (p point) median(unit string) float64 { return p.summary(unit).Center }

// sum is the point with a unit that adds up others of each run.
func (p point) sum(unit string, of ...string) point {
	q := p
	q.values = maps.Clone(p.values)
	var total []float64
	for _, u := range of {
		for i, v := range p.values[u] {
			if i >= len(total) {
				total = append(total, 0)
			}
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

// ties counts how many of a ranking a test cannot tell from the first, itself included.
func ties(ranked []point, unit string) int {
	n := 0
	for n < len(ranked) && (n == 0 || !differ(ranked[n], ranked[0], unit)) {
		n++
	}
	return n
}
