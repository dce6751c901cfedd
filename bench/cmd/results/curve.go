package main

import (
	"cmp"
	"math"
	"slices"
)

// curve is what was measured at some sizes, linear between two of them and, beyond the
// last, on the line through the last two: what it is used for grows linearly.
type curve []struct{ n, y float64 }

// farthest is where curves end: nothing is claimed about larger sizes.
const farthest = 1e10

// curveOf takes the medians of a unit by the label n.
func curveOf(points []point, unit string) curve {
	var c curve
	for _, p := range points {
		if p.has(unit) {
			c = append(c, struct{ n, y float64 }{number(p.labels["n"]), p.median(unit)})
		}
	}
	slices.SortFunc(c, func(a, b struct{ n, y float64 }) int { return cmp.Compare(a.n, b.n) })
	return c
}

// flat is the same everywhere.
func flat(y float64) curve { return curve{{0, y}} }

func (c curve) at(n float64) float64 {
	if len(c) == 1 {
		return c[0].y
	}
	i := 1
	for i < len(c)-1 && n > c[i].n {
		i++
	}
	a, b := c[i-1], c[i]
	return a.y + (b.y-a.y)*(n-a.n)/(b.n-a.n)
}

// above0 is the curve less what it comes to at n = 0: what of it grows with n.
// One size does not say.
func (c curve) above0() curve {
	if len(c) < 2 {
		return nil
	}
	grown := slices.Clone(c)
	for i := range grown {
		grown[i].y -= c.at(0)
	}
	return grown
}

func (c curve) last() float64 {
	if len(c) == 0 {
		return 0
	}
	return c[len(c)-1].n
}

// logarithmic extends a curve beyond its last size as one that grows with the logarithm
// of n, which is how the messages of trees grow.
func (c curve) logarithmic() curve {
	if len(c) < 2 {
		return c
	}
	a, b := c[len(c)-2], c[len(c)-1]
	slope := max(0, (b.y-a.y)/math.Log(b.n/a.n))
	grown := slices.Clone(c)
	for n := 2 * b.n; n < farthest; n *= 2 {
		grown = append(grown, struct{ n, y float64 }{n, b.y + slope*math.Log(n/b.n)})
	}
	return grown
}

// crossing is the least size from which one curve is above another.
type crossing struct {
	n            float64
	extrapolated bool // beyond what was measured of the rising curve
	fromStart    bool // it already is above at the smallest size that was measured
	never        bool // up to farthest
	unknown      bool // too little was measured
}

// cross returns where c rises above other. Both are linear between their knots, so
// between two knots that have a crossing it is where their lines meet.
func cross(c, other curve) crossing {
	if len(c) < 2 || len(other) == 0 {
		return crossing{unknown: true}
	}
	less := func(n float64) float64 { return c.at(n) - other.at(n) }
	start := max(c[0].n, other[0].n)
	if less(start) > 0 && start > 0 {
		// Below the smallest size the line through the first two says where.
		zero := less(0)
		if zero >= 0 || len(other) > 1 {
			return crossing{n: start, fromStart: true}
		}
		return crossing{n: start * -zero / (less(start) - zero), extrapolated: true}
	}
	var knots []float64
	for _, k := range slices.Concat(c, other) {
		if k.n > start {
			knots = append(knots, k.n)
		}
	}
	slices.Sort(knots)
	before := start
	for _, n := range append(knots, farthest) {
		if a, b := less(before), less(n); a <= 0 && b > 0 {
			at := before + (n-before)*-a/(b-a)
			return crossing{n: at, extrapolated: at > c.last()}
		}
		before = n
	}
	return crossing{never: true}
}

func (x crossing) String() string {
	switch {
	case x.unknown:
		return "–"
	case x.never:
		return "never"
	case x.fromStart:
		return "≤ " + about(x.n)
	case x.extrapolated:
		return about(x.n) + " (extrapolated)"
	}
	return about(x.n)
}
