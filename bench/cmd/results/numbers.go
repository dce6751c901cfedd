package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
)

// cell is the median of what was measured, and its interval if there is one and it
// shows in the digits. Of fewer values than an interval takes it says how many, and of
// what depends on luck, of which it is the mean, how many syncs it is the mean of.
func (p point) cell(unit string) string {
	if !p.has(unit) {
		return "–"
	}
	s, values := p.summary(unit), p.values[unit]
	format := func(x float64) string { return quantity(x, unit) }
	text := format(s.Center)
	switch {
	case p.lucky(unit):
		return fmt.Sprintf("%s, %d×", shown(s, format), p.syncs(unit))
	case slices.Min(values) == slices.Max(values) && (len(values) > 1 || !timed(unit)):
		return text
	case len(values) < enough && timed(unit):
		return fmt.Sprintf("%s (%d run%s)", text, len(values), plural(len(values)))
	case len(values) < enough:
		return text
	}
	return shown(s, format)
}

// wide is the part of the centre beyond which "±" would mislead.
const wide = 0.5

// shown is the centre of a summary and its interval: the wider half, in per cent of
// the centre, or where that is wide, both ends.
func shown(s benchmath.Summary, format func(float64) string) string {
	wider := math.Max(s.Hi-s.Center, s.Center-s.Lo) / s.Center
	switch text := fixed(100*wider, 0); {
	case !finite(wider), text == "0":
		return format(s.Center)
	case wider > wide:
		return fmt.Sprintf("%s (%s–%s)", format(s.Center), format(s.Lo), format(s.Hi))
	default:
		return format(s.Center) + " ±" + text + " %"
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// timed reports whether a unit is one of time, of which one run says little.
func timed(unit string) bool {
	name, _, _ := strings.Cut(unit, "/")
	return name == "sec" || strings.HasSuffix(name, "-sec")
}

// quantity is a value with at most four digits and its unit, per operation or key.
func quantity(x float64, unit string) string {
	if !finite(x) {
		return "–"
	}
	name, _, _ := strings.Cut(unit, "/")
	switch {
	case timed(unit):
		return seconds(x)
	case name == "B" || strings.HasSuffix(name, "-B"):
		return bytesOf(x)
	case x >= 1000:
		return count(fixed(x, 0))
	default:
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
}

func seconds(x float64) string {
	switch {
	case !finite(x):
		return "–"
	case x == 0:
		return "0 s"
	}
	return spaced(benchunit.Scale(x, benchunit.Decimal)) + "s"
}

func bytesOf(x float64) string {
	switch {
	case !finite(x):
		return "–"
	case 0 < x && x < 0.01:
		return "< 0.01 B"
	case x < 10 && x != math.Trunc(x):
		return strconv.FormatFloat(x, 'g', 3, 64) + " B"
	case x < 1000:
		return fixed(x, 0) + " B"
	}
	return spaced(benchunit.Scale(x, benchunit.Decimal)) + "B"
}

// spaced puts a space between a scaled number and its prefix, and leaves it three digits.
func spaced(scaled string) string {
	digit := strings.LastIndexAny(scaled, "0123456789") + 1
	prefix := scaled[digit:]
	x, err := strconv.ParseFloat(scaled[:digit], 64)
	if err != nil {
		return scaled
	}
	return digits(x) + " " + prefix
}

// paired is the median of what p is to base within each run, with its interval, and
// "~" where that does not exclude 1. It is for points of one file, each of which was
// measured once in every run: what a run had to suffer from it had to suffer twice.
func paired(p, base point, unit string) string {
	s, ok := pairedSummary(p, base, unit)
	switch {
	case p.first == base.first && p.has(unit):
		return "1"
	case !ok:
		return "–"
	case len(p.values[unit]) < enough && timed(unit):
		return digits(s.Center)
	case s.Lo <= 1 && 1 <= s.Hi:
		return "~ " + shown(s, digits)
	}
	return shown(s, digits)
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

// count writes a number of things with spaces between thousands.
func count(label string) string {
	for i := len(label) - 3; i > 0; i -= 3 {
		label = label[:i] + " " + label[i:]
	}
	return label
}

// about writes a computed size with two digits.
func about(x float64) string {
	if !finite(x) {
		return "–"
	}
	if x < 10 {
		return strconv.FormatFloat(x, 'g', 2, 64)
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-1)
	return count(fixed(math.Round(x/unit)*unit, 0))
}

// digits writes x with three significant digits, and no fraction of a large one.
func digits(x float64) string {
	if !finite(x) {
		return "–"
	}
	if math.Abs(x) >= 100 {
		return count(fixed(x, 0))
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

func percent(x float64) string {
	if !finite(x) {
		return "–"
	}
	return digits(100*x) + " %"
}

func fixed(x float64, places int) string {
	if !finite(x) {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', places, 64)
}
