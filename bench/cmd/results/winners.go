package main

import (
	"slices"
	"strings"
)

// winners names the least of points by a label, and after "~" what a test cannot tell
// from it.
func winners(points []point, label, unit string) string {
	return winnersBy(points, func(p point) string { return code(p.labels[label]) }, unit)
}

func winnersBy(points []point, name func(point) string, unit string) string {
	ranked := ranking(points, unit)
	if len(ranked) == 0 {
		return "–"
	}
	if untested(ranked, unit) {
		return name(ranked[0]) + " (too few runs to test)"
	}
	var names []string
	for _, p := range tied(ranked, unit) {
		names = append(names, name(p))
	}
	text := strings.Join(names, " ~ ")
	if len(names) == len(points) && len(points) > 1 {
		text += " (no difference shown)"
	}
	return text
}

// baselines are the systems that are none of ours.
func baselines() []string { return []string{"riblt", "negentropy", "mst"} }

func isBaseline(name string) bool { return slices.Contains(baselines(), name) }

// systemName is what a table calls a system: in code those of dwnsync.
func systemName(name string) string {
	switch name {
	case "riblt":
		return "rateless IBLT"
	case "negentropy":
		return "negentropy"
	case "mst":
		return "Merkle search tree"
	}
	return code(name)
}

func bySystemName(p point) string { return systemName(p.labels["system"]) }

// split divides points of the pass reconcile into ours and baselines.
func split(points []point) (own, others []point) {
	for _, p := range points {
		if isBaseline(p.labels["system"]) {
			others = append(others, p)
		} else {
			own = append(own, p)
		}
	}
	return own, others
}

// leastOf returns the first of a ranking, or a point without values.
func leastOf(points []point, unit string) point {
	if ranked := ranking(points, unit); len(ranked) > 0 {
		return ranked[0]
	}
	return point{}
}
