package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"
)

// verdict compares a finding with the same one of another run.
type verdict int

const (
	same verdict = iota
	tie
	near
	differs
)

func (v verdict) String() string { return [...]string{"same", "tie", "near", "differs"}[v] }

// What still counts as near.
const (
	nearTime     = 1.25 // of the committed winner's time, over that of the winner here
	nearBytes    = 1.02 // of its bytes: salts are other ones
	sameShare    = 0.01 // apart
	nearShare    = 0.05
	sameCrossing = 1.1
	nearCrossing = 2.0
)

// quick measures the quick form and prints how its findings compare with the committed.
func quick(ctx context.Context, opt options, out, log io.Writer) error {
	committed, err := readReport(rawDir)
	if err != nil {
		return err
	}
	dir := opt.out
	if dir == "" {
		if dir, err = os.MkdirTemp("", "dwnsync-quick-"); err != nil {
			return err
		}
	}
	if err := measure(ctx, opt, dir, log); err != nil {
		return err
	}
	here, err := readReport(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "measured in %s\n", dir)
	return compareFindings(committed.findings(), here.findings(), out)
}

// compareFindings prints a line for each finding that one of both has. It returns
// errDiffers if one differs, if one is absent that both should have, or if there is none.
func compareFindings(committed, here []finding, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "finding\tcommitted\there\tverdict")
	var counts [differs + 1]int
	leftOut, absent := 0, 0
	for _, was := range committed {
		i := slices.IndexFunc(here, func(f finding) bool { return f.name == was.name })
		if i < 0 && was.leftOut() {
			leftOut++
			continue
		}
		if i < 0 {
			absent++
			fmt.Fprintf(table, "%s\t%v\tabsent\tdiffers\n", was.name, was)
			continue
		}
		v := was.compare(here[i])
		counts[v]++
		fmt.Fprintf(table, "%s\t%v\t%v\t%v\n", was.name, was, here[i], v)
	}
	for _, is := range here {
		if !slices.ContainsFunc(committed, func(f finding) bool { return f.name == is.name }) {
			absent++
			fmt.Fprintf(table, "%s\tabsent\t%v\tdiffers\n", is.name, is)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	compared := counts[same] + counts[tie] + counts[near] + counts[differs]
	fmt.Fprintf(out, "\n%d findings: %d same, %d tie, %d near, %d differ; %d are absent on one side; %d are of cases that a quick form leaves out\n",
		compared, counts[same], counts[tie], counts[near], counts[differs], absent, leftOut)
	if counts[differs]+absent > 0 || compared == 0 {
		return fmt.Errorf("%w: %d of %d, and %d are absent on one side", errDiffers, counts[differs], compared, absent)
	}
	return nil
}

func (f finding) compare(here finding) verdict {
	switch {
	case f.crossing != nil:
		return f.crossing.compare(*here.crossing)
	case f.share != nil:
		if v := compareShares(*f.share, *here.share); v != differs || !f.alike(here) {
			return v
		}
		return tie
	case f.statement != "":
		if f.statement == here.statement {
			return same
		}
		return differs
	}
	was, is := ranking(f.contenders, f.unit), ranking(here.contenders, f.unit)
	if len(was) == 0 || len(is) == 0 {
		return differs
	}
	winner := f.title(was[0])
	i := slices.IndexFunc(is, func(p point) bool { return here.title(p) == winner })
	switch {
	case i < 0:
		return differs // the winner has lost its name, or is no contender any more
	case i == 0:
		return same
	}
	factor := is[i].median(f.unit) / is[0].median(f.unit)
	switch {
	case factor == 1, (timed(f.unit) || is[i].lucky(f.unit) && (varies(is[i], f.unit) || varies(is[0], f.unit))) && !differ(is[i], is[0], f.unit):
		return tie
	case timed(f.unit) && factor <= nearTime, !timed(f.unit) && factor <= nearBytes:
		return near
	}
	return differs
}

// varies reports whether what was measured is not the same in all runs.
func varies(p point, unit string) bool {
	return slices.Min(p.values[unit]) < slices.Max(p.values[unit])
}

// alike reports whether a test cannot tell two shares apart: the interval of what they
// differ by, shape by shape, holds 0. It takes as many shapes as an interval.
func (f finding) alike(here finding) bool {
	var apart []float64
	for shape, share := range f.shares {
		if other, ok := here.shares[shape]; ok {
			apart = append(apart, other-share)
		}
	}
	if len(apart) < enough {
		return false
	}
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(apart, &benchmath.DefaultThresholds), confidence)
	return s.Lo <= 0 && 0 <= s.Hi
}

func compareShares(was, is float64) verdict {
	switch apart := math.Abs(was - is); {
	case apart <= sameShare:
		return same
	case apart <= nearShare:
		return near
	}
	return differs
}

func (x crossing) compare(here crossing) verdict {
	if x.unknown || here.unknown {
		return differs
	}
	if x.never || here.never {
		if x.never == here.never {
			return same
		}
		return differs
	}
	factor := max(x.n/here.n, here.n/x.n)
	switch {
	case factor <= sameCrossing:
		return same
	case factor <= nearCrossing:
		return near
	}
	return differs
}
