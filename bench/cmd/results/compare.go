package main

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"
)

// sides are what two runs measured, by unit and benchmark.
type sides struct {
	units  []string // as they come in the old run, then in the new
	names  []string
	values [2]map[measured][]float64
	assume benchfmt.UnitMetadataMap
}

// measured is a unit of a benchmark of a package.
type measured struct{ unit, name string }

// compare prints, for each unit, what two folders or files of raw results say about the
// benchmarks that both have, and which they have not in common.
func compare(before, after string, out io.Writer) error {
	s := sides{assume: benchfmt.UnitMetadataMap{}}
	for i, path := range []string{before, after} {
		s.values[i] = map[measured][]float64{}
		if err := s.read(i, path); err != nil {
			return err
		}
	}
	for _, unit := range s.units {
		if err := s.print(out, unit); err != nil {
			return err
		}
	}
	s.printAbsent(out, 0, "only in "+before)
	s.printAbsent(out, 1, "only in "+after)
	return nil
}

// rawFiles are the raw files of a folder, or the one file that a path names.
func rawFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	found, err := fs.Glob(os.DirFS(path), "*.txt")
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%w: %s has none", errRaw, path)
	}
	for i := range found {
		found[i] = filepath.Join(path, found[i])
	}
	return found, err
}

func (s *sides) read(side int, path string) error {
	paths, err := rawFiles(path)
	if err != nil {
		return err
	}
	pkg, err := new(benchproc.ProjectionParser).Parse("pkg", nil)
	if err != nil {
		return err
	}
	from := benchfmt.Files{Paths: paths}
	for from.Scan() {
		switch r := from.Result().(type) {
		case *benchfmt.SyntaxError:
			return fmt.Errorf("%w: %w", errRaw, r)
		case *benchfmt.Result:
			name := withoutCores(r.Name)
			if strings.HasSuffix(pkg.Project(r).Get(pkg.Fields()[0]), "/peers") {
				name = "peers " + name
			}
			if r.GetConfig("tags") == portable().tags {
				name = "portable " + name
			}
			s.add(side, name, r)
		}
	}
	for key, value := range from.Units() {
		s.assume[key] = value
	}
	return from.Err()
}

// withoutCores is a benchmark's name without the number of processors at its end.
func withoutCores(name benchfmt.Name) string {
	full := name.String()
	_, parts := name.Parts()
	if len(parts) > 0 {
		if last := string(parts[len(parts)-1]); strings.HasPrefix(last, "-") {
			return strings.TrimSuffix(full, last)
		}
	}
	return full
}

func (s *sides) add(side int, name string, r *benchfmt.Result) {
	if !slices.Contains(s.names, name) {
		s.names = append(s.names, name)
	}
	for _, v := range r.Values {
		unit := unitOf(v)
		if !slices.Contains(s.units, unit) {
			s.units = append(s.units, unit)
		}
		key := measured{unit, name}
		s.values[side][key] = append(s.values[side][key], v.Value)
	}
}

// print writes the table of a unit, if both sides have a benchmark of it.
func (s *sides) print(out io.Writer, unit string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	assume := s.assume.GetAssumption(unit)
	var logs [2]float64
	positive, rows := 0, 0
	for _, name := range s.names {
		a, b := s.values[0][measured{unit, name}], s.values[1][measured{unit, name}]
		if len(a) == 0 || len(b) == 0 {
			continue
		}
		if rows == 0 {
			fmt.Fprintf(table, "\n%s\told\tnew\tchange\t\n", unit)
		}
		rows++
		was, is := benchmath.NewSample(a, &benchmath.DefaultThresholds), benchmath.NewSample(b, &benchmath.DefaultThresholds)
		old, now, test := s.summary(unit, name, a), s.summary(unit, name, b), assume.Compare(was, is)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", name, withInterval(old, unit), withInterval(now, unit),
			change(test, old.Center, now.Center), test)
		if old.Center > 0 && now.Center > 0 {
			logs[0] += math.Log(old.Center)
			logs[1] += math.Log(now.Center)
			positive++
		}
	}
	if positive > 1 {
		old, now := math.Exp(logs[0]/float64(positive)), math.Exp(logs[1]/float64(positive))
		fmt.Fprintf(table, "geomean of %d\t%s\t%s\t%+.2f%%\t\n", positive, quantity(old, unit), quantity(now, unit), 100*(now/old-1))
	}
	return table.Flush()
}

// summary is what a report would say of the values of a benchmark: of what depends on
// salts the mean, and of all else the median.
func (s *sides) summary(unit, name string, values []float64) benchmath.Summary {
	p := point{labels: labelsOf(benchfmt.Name(name)), values: map[string][]float64{unit: values}, units: s.assume}
	return p.summary(unit)
}

// withInterval is the centre of a summary with its interval, or what says that there
// are too few values for one.
func withInterval(s benchmath.Summary, unit string) string {
	if math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		return quantity(s.Center, unit) + " ±∞"
	}
	return shown(s, func(x float64) string { return quantity(x, unit) })
}

// change is a difference in per cent, or "~" where a test shows none.
func change(test benchmath.Comparison, old, now float64) string {
	switch {
	case old == now:
		return "0 %"
	case test.P > test.Alpha:
		return "~"
	case old == 0:
		return "?"
	}
	return fmt.Sprintf("%+.2f %%", 100*(now/old-1))
}

// printAbsent says which benchmarks only one side has, and which units of the others.
func (s *sides) printAbsent(out io.Writer, side int, title string) {
	var lines []string
	for _, name := range s.names {
		var units []string
		known := false
		for _, unit := range s.units {
			_, here := s.values[side][measured{unit, name}]
			_, there := s.values[1-side][measured{unit, name}]
			known = known || there
			if here && !there {
				units = append(units, unit)
			}
		}
		switch {
		case len(units) > 0 && !known:
			lines = append(lines, name)
		case len(units) > 0:
			lines = append(lines, name+": "+strings.Join(units, ", "))
		}
	}
	if len(lines) == 0 {
		return
	}
	slices.SortFunc(lines, cmp.Compare[string])
	fmt.Fprintf(out, "\n%s: %d\n", title, len(lines))
	for _, line := range lines {
		fmt.Fprintf(out, "  %s\n", line)
	}
}
