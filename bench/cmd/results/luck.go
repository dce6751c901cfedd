package main

import (
	"math/rand/v2"
	"slices"

	"golang.org/x/perf/benchmath"
)

// lucky reports whether what was measured in a unit depends on the luck of salts: now and
// then a sync takes a round more. Of that the mean is what a user pays; a median would
// be that of the one or of the other.
func (p point) lucky(unit string) bool {
	units := []string{metadata, "up-B/op", "down-B/op", "summary-B/op", "wire-B/op", "rounds/op", "here-sec/op", "there-sec/op", "both-sec/op"}
	return p.chances() && (slices.Contains(units, unit) || unit == "sec/op")
}

// chances reports whether the point is of syncs that can take a round more: with salts,
// with something missing, and by a summary that lets some of it through. Where each sync
// lacks something else, all of them are.
func (p point) chances() bool {
	name := p.labels["system"] + p.labels["strategy"] // it has one of both
	drawn := p.labels["direction"] != ""
	return name != "" && (drawn || name != "list" && !isBaseline(name)) && p.labels["d"] != "" && p.labels["d"] != "0"
}

// syncs is how many operations are behind what was measured in a unit.
func (p point) syncs(unit string) int {
	if len(p.iterations) != len(p.values[unit]) {
		return len(p.values[unit])
	}
	n := 0
	for _, i := range p.iterations {
		n += i
	}
	return n
}

// mean is that of all operations: runs count for as many as they had.
func (p point) mean(unit string) float64 {
	sum, weights := 0.0, 0.0
	for i, v := range p.values[unit] {
		weight := 1.0
		if len(p.iterations) == len(p.values[unit]) {
			weight = float64(p.iterations[i])
		}
		sum += weight * v
		weights += weight
	}
	return sum / weights
}

const (
	resamples = 4000
	// bootTail is what is cut off at each end of the means of resamples: the percentile
	// that makes up for what a bootstrap of six runs is too narrow, the standard
	// normal distribution at -sqrt(6/5) times Student's t of 5 degrees of freedom at 2.5 %.
	bootTail = 24 // of 10 000
)

// luckySummary is the mean and its interval by a bootstrap of the runs, always the same
// one. Fewer runs than enough give no interval.
func (p point) luckySummary(unit string) benchmath.Summary {
	values := p.values[unit]
	s := benchmath.Summary{Center: p.mean(unit), Confidence: confidence}
	s.Lo, s.Hi = s.Center, s.Center
	if len(values) < enough || slices.Min(values) == slices.Max(values) {
		return s
	}
	random := rand.New(rand.NewPCG(1, 2))
	means := make([]float64, resamples)
	again := point{values: map[string][]float64{unit: make([]float64, len(values))}, iterations: make([]int, len(values))}
	for i := range means {
		for j := range values {
			k := random.IntN(len(values))
			again.values[unit][j], again.iterations[j] = values[k], 1
			if len(p.iterations) == len(values) {
				again.iterations[j] = p.iterations[k]
			}
		}
		means[i] = again.mean(unit)
	}
	slices.Sort(means)
	cut := resamples * bootTail / 10_000
	s.Lo, s.Hi = min(means[cut], s.Center), max(means[resamples-1-cut], s.Center)
	return s
}

// moreRounds is the mean number of rounds after the first.
func (p point) moreRounds() string {
	if !p.has("rounds/op") {
		return "–"
	}
	return fixed(p.mean("rounds/op")-1, 2)
}
