package main

import (
	"fmt"
	"slices"
	"strings"
)

// quickCount is how often a quick form runs a benchmark: fewer, and no test could tell
// two of them apart.
const quickCount = 4

// pass is one file of raw results.
type pass struct {
	file  string
	of    binary
	parts []part
	// seeded passes have another seed in every run, so that the luck of a few salts
	// does not pass for a property of a strategy.
	seeded bool
	seed   int  // of the first run
	stores bool // it makes stores, which are kept from run to run
}

// part is a pattern of benchmarks and how often they are run.
type part struct {
	bench, benchtime string
	count            int
	flags            []string
}

// files are the names of all raw files, in the order in which they are measured.
func files() []string {
	return []string{"quality", "peers", "portable", "filters", "memory", "lost", "segments", "reconcile", "roots", "real", "links", "io", "sync", "summaries", "strategies"}
}

// exactUnits are those of what does not vary from run to run.
func exactUnits() []string {
	return []string{"bits/key", "fpr", "denied/op", "whole-B/op", "data-B/op", "cells/diff", "p99-cells/diff", "error/d", "mean/d"}
}

func passes(opt options) []pass {
	var all []pass
	for _, name := range files() {
		p := pass{file: name, of: ours()}
		switch name {
		case "quality", "peers":
			p.of = peers()
		case "portable":
			p.of = portable()
		case "reconcile", "real", "segments", "links", "sync", "strategies":
			p.seeded = true
		}
		p.stores = name == "io" || name == "summaries"
		if opt.quick {
			p.seed = quickSeeds
		}
		p.parts = parts(name, opt)
		all = append(all, p)
	}
	return all
}

// parts are what the file of that name consists of. The larger a size, the less often it
// is run where that takes long; cells of tables say so.
func parts(name string, opt options) []part {
	if opt.quick {
		return quickParts(name, opt)
	}
	sizes := "(1000|100000)"
	var flags []string
	if opt.large {
		flags, sizes = append(flags, "-large"), "(1000|100000|1000000)"
	}
	if opt.huge {
		flags, sizes = append(flags, "-huge"), "(1000|100000|1000000|10000000)"
	}
	one := func(bench, benchtime string, count int) []part { return []part{{bench, benchtime, count, flags}} }
	switch name {
	case "quality": // seeds fix all that it is read for: repeating it would say nothing new
		return one("^BenchmarkFilterQuality$/././^bits=(8|16)$", "1x", 1)
	case "peers":
		return one("^BenchmarkFilter(Build|Contains)$/././^bits=(8|16)$/^n="+sizes+"$", opt.benchtime, opt.count)
	case "portable":
		return one("^BenchmarkFilterBuild$/./^filter=(ribbon|fuse8|fuse16)$/^bits=(8|16)$/^n="+sizes+"$", opt.benchtime, opt.count)
	case "filters":
		return one("^BenchmarkFilterSegmented$", opt.benchtime, opt.count)
	case "memory":
		return one("^BenchmarkMemory$", "1x", 1)
	case "lost": // one operation is the mean of hundreds of runs
		return []part{{"^BenchmarkLost$", "1x", 1, nil}}
	case "roots":
		return one("^BenchmarkRoot$", opt.benchtime, opt.count)
	case "real":
		if opt.git != "" {
			flags = []string{"-git=" + opt.git, "-revisions=" + opt.revisions}
		}
		return []part{{"^BenchmarkReal$", "10x", opt.count, flags}}
	case "sync":
		return one("^BenchmarkSync$", "4x", opt.count)
	case "summaries":
		stores := "^n=100000?$" // 100000 is a small size here, which the benchmarks have with -large only
		if opt.large {
			stores = "^n="
		}
		// Cells and estimates are drawn by fixed numbers: repeating them would say nothing new.
		return []part{
			{"^BenchmarkSummary(Insert|Range|Fold|Decode)$", opt.benchtime, opt.count, flags},
			{"^BenchmarkSummary(Cells|Estimate)$", "1x", 1, flags},
			{"^BenchmarkSummaryOpen$/" + stores, "1x", opt.count, []string{"-large"}},
			{"^BenchmarkSummaryScoped$/./" + stores, "1x", opt.count, []string{"-large"}},
		}
	}
	return largeParts(name, opt)
}

// largeParts are those of the passes whose large sizes take minutes.
func largeParts(name string, opt options) []part {
	large := []string{"-large"}
	var all []part
	if name == "segments" { // bytes only: a run is made for the luck of its salts
		all = []part{{"^BenchmarkSegmentedSaves$/./././^n=10000$", "5x", opt.count, nil}}
		if opt.large {
			all = append(all, part{"^BenchmarkSegmentedSaves$/./././^n=100000$", "1x", opt.count, large})
		}
		return all
	}
	const million = "^n=1000000$"
	switch name {
	case "reconcile": // of salts the luck shows in bytes: the more syncs the better
		all = []part{
			{"^BenchmarkReconcile$/././^n=10000?$", "10x", opt.count, nil},
			{"^BenchmarkReconcile$/././^n=100000$/^d=100$", "10x", opt.count, nil},
			{"^BenchmarkReconcile$/././^n=100000$/^d=(0|1|1000|10000)$", "1x", opt.count, nil},
			{"^BenchmarkReconcile$/././" + million + "/^d=(0|1|1000|10000|100000)$", "1x", 2, large},
			{"^BenchmarkReconcile$/././" + million + "/^d=100$", "4x", opt.count, large},
		}
	case "strategies":
		return strategyParts(opt)
	case "links": // the slower the link, the fewer: a list of a million takes a minute on the slowest
		all = []part{
			{"^BenchmarkLink$/^link=lan$/./^n=1000?0?0?$/^d=100$", "10x", opt.count, nil},
			{"^BenchmarkLink$/^link=50ms-20mbit$/./^n=1000?0?0?$/^d=100$", "5x", opt.count, nil},
			{"^BenchmarkLink$/^link=200ms-1mbit$/./^n=1000?0?0?$/^d=100$", "2x", opt.count, nil},
			{"^BenchmarkLink$/./^strategy=(fuse|ribbon|segmented|segmented-again|list)$/^n=1000?0?0?$/^d=0$", "1x", opt.count, nil},
			{"^BenchmarkLink$/./^strategy=(fuse|ribbon|segmented)$/" + million + "/^d=0$", "1x", 2, large},
			{"^BenchmarkLink$/./^strategy=(fuse|ribbon|segmented)$/" + million + "/^d=100$", "1x", opt.count, large},
		}
	case "io": // n = 100000 is a small size here, which the benchmark has with -large only
		all = []part{
			{"^BenchmarkLinearIO$/./^n=1000?0?0?$", "1x", opt.count, large},
			{"^BenchmarkLinearIO$/./" + million, "1x", opt.count, large},
		}
	}
	if !opt.large {
		all = slices.DeleteFunc(all, func(p part) bool { return strings.Contains(p.bench, million) })
	}
	if opt.huge && name == "io" {
		all = append(all, part{"^BenchmarkLinearIO$/./^n=10000000$", "1x", 1, []string{"-large", "-huge"}})
	}
	return all
}

// Strategies that keep summaries, and what stands beside them. Of what is another divergence
// each time it takes more.
const (
	keptStrategies  = "^BenchmarkStrategies$/^strategy=(sketch|cursor|auto|auto-again)$/^divergence=[^m]/./"
	keptMixed       = "^BenchmarkStrategies$/^strategy=(sketch|cursor|auto|auto-again)$/^divergence=mixed$/./"
	chosenStrategy  = "^BenchmarkStrategies$/^strategy=auto$/^divergence=(scattered|recent)$/^direction=pull$/"
	wholeStrategies = "^BenchmarkStrategies$/^strategy=sketch$/^divergence=fresh$/./"
	otherStrategies = "^BenchmarkStrategies$/^strategy=(ribbon|segmented|list)$/^divergence=[^m]/./"
	otherSystems    = "^BenchmarkStrategies$/^strategy=(riblt|negentropy)$/^divergence=[^m]/./"
	otherMixed      = "^BenchmarkStrategies$/^strategy=(ribbon|segmented|list|riblt|negentropy)$/^divergence=mixed$/./"
	someSystems     = "^BenchmarkStrategies$/^strategy=(riblt|negentropy)$/^divergence=(scattered|recent)$/^direction=pull$/"
)

// strategyParts are those of strategies: the more is missing, the longer a sync and what
// makes the items go again take.
func strategyParts(opt options) []part {
	large, huge := []string{"-large"}, []string{"-large", "-huge"}
	all := []part{
		{keptStrategies + "^n=10000$", "20x", opt.count, nil},
		{keptStrategies + "^n=100000$/^d=(0|1|10|100|1000)$", "20x", opt.count, nil},
		{keptStrategies + "^n=100000$/^d=10000$", "8x", opt.count, nil},
		{keptStrategies + "^n=100000$/^d=100000$", "1x", testable, nil},
		{keptMixed + "^n=10000?0$", "20x", opt.count, nil},
		{otherStrategies + "^n=10000$", "4x", opt.count, nil},
		{otherStrategies + "^n=100000$", "1x", testable, nil},
		{otherSystems + "^n=10000$", "20x", opt.count, nil},
		{otherSystems + "^n=100000$", "4x", testable, nil},
		{otherMixed + "^n=10000$", "20x", opt.count, nil},
		{otherMixed + "^n=100000$", "20x", 2, nil},
	}
	if opt.large {
		all = append(
			all,
			part{keptStrategies + "^n=1000000$/^d=(0|1|10|100|1000)$", "10x", opt.count, large},
			part{chosenStrategy + "^n=1000000$/^d=100$", "2000x", 1, large}, // the limit is of one round for 99 of 100
			part{keptStrategies + "^n=1000000$/^d=10000$", "5x", testable, large},
			part{keptStrategies + "^n=1000000$/^d=100000$", "1x", testable, large},
			part{chosenStrategy + "^n=1000000$/^d=10000$", "15x", opt.count, large}, // with these 20 each
			part{chosenStrategy + "^n=1000000$/^d=100000$", "4x", opt.count, large}, // the design has limits for these
			part{keptStrategies + "^n=1000000$/^d=1000000$", "1x", 1, large},
			part{keptMixed + "^n=1000000$", "10x", opt.count, large},
			part{otherStrategies + "^n=1000000$", "1x", 1, large},
			part{otherSystems + "^n=1000000$", "1x", 1, large},
			part{otherMixed + "^n=1000000$", "10x", 1, large},
		)
	}
	if opt.huge {
		all = append(
			all,
			part{keptStrategies + "^n=10000000$/^d=(0|1|10|100|1000)$", "10x", 2, huge},
			part{keptStrategies + "^n=10000000$/^d=(10000|100000)$", "2x", 2, huge},
			part{keptMixed + "^n=10000000$", "10x", 2, huge},
			part{wholeStrategies + "^n=10000000$", "1x", 1, huge},
			part{someSystems + "^n=10000000$/^d=(0|100|10000|100000)$", "1x", 1, huge},
		)
	}
	return all
}

// quickParts are a form of the same that takes minutes: cases of the whole form, by the
// same names.
func quickParts(name string, opt options) []part {
	large := []string{"-large"}
	often, once := quickCount, 1
	switch name {
	case "quality":
		return []part{{"^BenchmarkFilterQuality$/././^bits=(8|16)$", "1x", once, nil}}
	case "peers":
		return []part{{"^BenchmarkFilter(Build|Contains)$/././^bits=(8|16)$/^n=(1000|100000)$", opt.benchtime, often, nil}}
	case "portable":
		return []part{{"^BenchmarkFilterBuild$/./^filter=(ribbon|fuse8|fuse16)$/^bits=(8|16)$/^n=100000$", opt.benchtime, often, nil}}
	case "filters":
		return []part{{"^BenchmarkFilterSegmented$/^n=100000$", opt.benchtime, often, nil}}
	case "memory":
		return []part{{"^BenchmarkMemory$", "1x", once, nil}}
	case "lost":
		return []part{{"^BenchmarkLost$/^filter=(bloom|bloom-kept|fuse8|ribbon)$/././^n=10000$/^d=(1|1000)$", "1x", once, nil}}
	case "segments":
		return []part{{"^BenchmarkSegmentedSaves$/./././^n=10000$", "5x", often, nil}}
	case "reconcile":
		return []part{
			{"^BenchmarkReconcile$/././^n=10000?$", "10x", enough, nil},
			{"^BenchmarkReconcile$/././^n=100000$/^d=100$", "10x", often, nil},
		}
	case "roots":
		return []part{{"^BenchmarkRoot$/^n=10000?0?$", opt.benchtime, often, nil}}
	case "real":
		return []part{{"^BenchmarkReal$", "10x", enough, nil}}
	case "links":
		return []part{
			{"^BenchmarkLink$/^link=(lan|50ms-20mbit)$/./^n=10000?$/^d=100$", "5x", often, nil},
			{"^BenchmarkLink$/^link=200ms-1mbit$/./^n=10000?$/^d=100$", "1x", often, nil},
			{"^BenchmarkLink$/./^strategy=fuse$/^n=1000?0?0?$/^d=0$", "1x", often, nil},
			{"^BenchmarkLink$/./^strategy=list$/^n=10000?$/^d=0$", "1x", often, nil},
		}
	case "io":
		return []part{{"^BenchmarkLinearIO$/./^n=1000?0?0?$", "1x", often, large}}
	case "strategies":
		return []part{
			{keptStrategies + "^n=10000$", "4x", enough, nil},
			{keptMixed + "^n=10000$", "20x", enough, nil},
			{otherStrategies + "^n=10000$", "1x", often, nil},
			{otherSystems + "^n=10000$", "8x", enough, nil},
			{otherMixed + "^n=10000$", "20x", often, nil},
		}
	case "summaries":
		return []part{
			{"^BenchmarkSummary(Insert|Range|Fold|Decode)$", opt.benchtime, often, nil},
			{"^BenchmarkSummary(Cells|Estimate)$", "1x", once, nil},
			{"^BenchmarkSummaryOpen$/^n=100000?$", "1x", often, large},
			{"^BenchmarkSummaryScoped$/./^n=100000?$", "1x", often, large},
		}
	}
	// As many syncs a run as the whole form has: of single ones a test tells strategies apart
	// that differ by the luck of which took a round more.
	return []part{{"^BenchmarkSync$", "4x", often, nil}}
}

// selected are the passes of these files, or all of them.
func selected(all []pass, only []string) ([]pass, error) {
	if only == nil {
		return all, nil
	}
	for _, name := range only {
		if !slices.Contains(files(), name) {
			return nil, fmt.Errorf("%w: there is no file %q, only %v", errUsage, name, files())
		}
	}
	return slices.DeleteFunc(all, func(p pass) bool { return !slices.Contains(only, p.file) }), nil
}
