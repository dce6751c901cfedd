package main

import (
	"testing"
)

// twoModes has, in six runs, syncs of one round and now and then of two.
func twoModes(system, d string) point {
	return point{
		labels:     map[string]string{"system": system, "d": d},
		values:     map[string][]float64{metadata: {100, 100, 200, 100, 100, 150}, "prepare-sec/op": {1, 1, 9, 1, 1, 1}},
		iterations: []int{10, 10, 10, 10, 10, 10},
	}
}

func TestLucky(t *testing.T) {
	p := twoModes("fuse", "100")
	if got := p.median(metadata); got != 125 {
		t.Errorf("the mean is %v", got)
	}
	s := p.summary(metadata)
	// Student's t would say from 82, below what a sync can take.
	if s.Center != 125 || s.Lo < 100 || s.Lo >= 110 || s.Hi <= 150 || s.Hi > 200 || p.summary(metadata).Lo != s.Lo {
		t.Errorf("%+v", s)
	}
	if got, want := p.cell(metadata), "125 B ±40 %, 60×"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := p.median("prepare-sec/op"); got != 1 {
		t.Errorf("what does not depend on salts has the median 1, not %v", got)
	}
	// A run of more operations counts for more.
	p.iterations[2] = 70
	if got := p.median(metadata); got != 162.5 {
		t.Errorf("the weighted mean is %v", got)
	}
	if p.values[metadata] = []float64{100, 100, 100, 100, 100, 100}; p.cell(metadata) != "100 B, 120×" {
		t.Errorf("a bare value: %q", p.cell(metadata))
	}
	for _, q := range []point{twoModes("list", "100"), twoModes("riblt", "100"), twoModes("fuse", "0"), twoModes("", "100")} {
		if q.lucky(metadata) || q.median(metadata) != 100 {
			t.Errorf("%v is lucky, or has not the median %v", q.labels, q.median(metadata))
		}
	}
	drawn := twoModes("riblt", "100")
	drawn.labels["direction"] = pull
	if got := drawn.median(metadata); got != 125 {
		t.Errorf("of a baseline that has another difference in each sync the mean is %v", got)
	}
	few := twoModes("fuse", "100")
	few.values[metadata], few.iterations = []float64{100, 200}, []int{1, 1}
	if got := few.cell(metadata); got != "150 B, 2×" {
		t.Errorf("of two runs: %q", got)
	}
}
