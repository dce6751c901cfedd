package main

import (
	"slices"
	"testing"
)

// measuredAs is a point whose runs gave these values in a unit.
func measuredAs(name, unit string, values ...float64) point {
	return point{labels: map[string]string{"strategy": name}, values: map[string][]float64{unit: values}}
}

func byStrategy(p point) string { return p.labels["strategy"] }

// ranked is a finding about who is least.
func ranked(unit string, points ...point) finding {
	return finding{contenders: points, title: byStrategy, unit: unit}
}

// TestNear: each threshold holds just below and not just above.
func TestNear(t *testing.T) {
	was := ranked("sec/op", measuredAs("a", "sec/op", 1, 1, 1, 1, 1, 1))
	wasBytes := ranked("total-B/op", measuredAs("a", "total-B/op", 1000))
	for _, c := range []struct {
		name string
		was  finding
		here finding
		want verdict
	}{
		{"time, near", was, ranked("sec/op", measuredAs("a", "sec/op", 1.24, 1.24, 1.24, 1.24), measuredAs("b", "sec/op", 1, 1, 1, 1)), near},
		{"time, not near", was, ranked("sec/op", measuredAs("a", "sec/op", 1.26, 1.26, 1.26, 1.26), measuredAs("b", "sec/op", 1, 1, 1, 1)), differs},
		{"bytes, near", wasBytes, ranked("total-B/op", measuredAs("a", "total-B/op", 1019), measuredAs("b", "total-B/op", 1000)), near},
		{"bytes, not near", wasBytes, ranked("total-B/op", measuredAs("a", "total-B/op", 1021), measuredAs("b", "total-B/op", 1000)), differs},
		{"bytes, alike", wasBytes, ranked("total-B/op", measuredAs("b", "total-B/op", 1000), measuredAs("a", "total-B/op", 1000)), tie},
		{"no contender here", wasBytes, ranked("total-B/op"), differs},
		{"no contender before", ranked("total-B/op"), wasBytes, differs},
	} {
		if got := c.was.compare(c.here); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCompareCrossings(t *testing.T) {
	for _, c := range []struct {
		name      string
		was, here crossing
		want      verdict
	}{
		{"same", crossing{n: 1000}, crossing{n: 1090}, same},
		{"near", crossing{n: 1000}, crossing{n: 1110}, near},
		{"near, below", crossing{n: 1990}, crossing{n: 1000}, near},
		{"above", crossing{n: 1000}, crossing{n: 2010}, differs},
		{"below", crossing{n: 2010}, crossing{n: 1000}, differs},
		{"both never", crossing{never: true}, crossing{never: true}, same},
		{"once never", crossing{n: 1000}, crossing{never: true}, differs},
		{"no longer never", crossing{never: true}, crossing{n: 1000}, differs},
		{"both unknown", crossing{unknown: true}, crossing{unknown: true}, differs},
		{"once unknown", crossing{never: true}, crossing{unknown: true}, differs},
	} {
		if got := c.was.compare(c.here); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCompareShares(t *testing.T) {
	for _, c := range []struct {
		was, here float64
		want      verdict
	}{{0.5, 0.509, same}, {0.5, 0.511, near}, {0.5, 0.451, near}, {0.5, 0.551, differs}, {0.5, 0.449, differs}} {
		if got := compareShares(c.was, c.here); got != c.want {
			t.Errorf("%v and %v: %v, want %v", c.was, c.here, got, c.want)
		}
	}
	shares := func(add ...float64) finding {
		f := finding{share: new(float64), shares: map[string]float64{}}
		for i, x := range add {
			f.shares[string(rune('a'+i))] = x
			*f.share += x
		}
		return f
	}
	none := shares(0, 0, 0, 0, 0, 0)
	for name, c := range map[string]struct {
		here finding
		want verdict
	}{
		"to both sides":  {shares(0.1, -0.1, 0.2, -0.1, 0.1, 0.1), tie},
		"to one side":    {shares(0.1, 0.1, 0.2, 0.1, 0.1, 0.1), differs},
		"too few shapes": {shares(0.1, -0.1, 0.2, 0.1, 0.1), differs},
	} {
		if got := none.compare(c.here); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestLossFindings: an engine that loses is told apart from a filter alone that does.
func TestLossFindings(t *testing.T) {
	lost := func(salt string, lost, claimed float64) point {
		return point{
			labels: map[string]string{"filter": "fuse8", "salt": salt, "traffic": "quiet", "n": "1000", "d": "10"},
			values: map[string][]float64{"lost-msgs": {lost}, "claimed": {claimed}},
		}
	}
	for want, p := range map[string]point{
		"messages are lost":                lost("engine", 0.001, 0),
		"success is claimed wrongly":       lost("fixed", 3, 0.001),
		"success is never claimed wrongly": lost("engine", 0, 0),
	} {
		r := report{"lost": samples{points: []point{p}}}
		if got := r.lossFindings(); len(got) != 1 || got[0].statement != want {
			t.Errorf("%v: %v, want %s", p.values, got, want)
		}
	}
}

// TestHonest: a filter that denies a key it has, or lets more through than its rate and
// five standard deviations, is no contender.
func TestHonest(t *testing.T) {
	quality := func(name string, denied, fpr float64) point {
		return point{labels: map[string]string{"bits": "8", "strategy": name}, values: map[string][]float64{"denied/op": {denied}, "fpr": {fpr}}}
	}
	var names []string
	// Five standard deviations above 2^-8 are 0.004211.
	for _, p := range honest([]point{
		quality("good", 0, 1./256), quality("denies", 1, 1./256), quality("just", 0, 0.00420), quality("not", 0, 0.00422),
		{labels: map[string]string{"bits": "8", "strategy": "absent"}},
	}) {
		names = append(names, byStrategy(p))
	}
	if want := []string{"good", "just"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}
