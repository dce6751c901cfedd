package main

import "github.com/dwn-sync/dwnsync/datasets"

// shapeText is a shape with what it is, in short.
func shapeText(s datasets.Shape) string {
	return string(s) + " (" + map[datasets.Shape]string{
		datasets.Steady:  "even in time",
		datasets.Bursty:  "in bursts",
		datasets.Growing: "dense now, sparse before",
		datasets.Instant: "all within a second",
		datasets.Late:    "late arrivals, with a long tail",
		datasets.Skewed:  "authors' clocks are off, some by years",
	}[s] + ")"
}

// divergenceText is a divergence with what it is, in short.
func divergenceText(v datasets.Divergence) string {
	return string(v) + " (" + map[datasets.Divergence]string{
		datasets.Scattered: "d missing anywhere",
		datasets.Recent:    "95 % of d are among the newest 2 d",
		datasets.Newest:    "the newest d",
		datasets.Hole:      "a run of d in the middle",
		datasets.Partition: "both sides wrote d/2 each, lately",
		datasets.Fresh:     "the initiator is empty",
		datasets.Disjoint:  "nothing in common",
		datasets.Replicas:  "one of many replicas, each of which lacks another d",
	}[v] + ")"
}
