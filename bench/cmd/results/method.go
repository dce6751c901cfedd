package main

import (
	"fmt"
	"slices"
	"strings"
)

func (r report) method(d document) {
	d.line("## 10. Method, machine, commits\n")
	d.line("- Times include whatever else a machine was doing. Compare ratios, not times, and those of one file.")
	d.line("- Every benchmark of a part of a pass is run once before any of that part again; parts, which differ in how often and how long they are run, follow one another. A number is the median of the runs; \"k×\" marks the mean of k syncs instead, of whatever depends on salts, because with some of them a sync takes a round more. ± is the wider half of an interval of %.0f %% confidence (of medians by order statistics, of means by a bootstrap of the runs, widened for so few), left out below 0.5 %%; where it exceeds 50 %%, both ends are told. An interval takes %d runs; times of fewer say how many. Where all runs agree there is none, which of few syncs does not say that others would.", 100*confidence, enough)
	d.line("- \"~\" marks what a Mann-Whitney test (alpha 0.05) cannot tell apart and, in the ratios of section 3, which are medians of ratios within each run, an interval that holds 1.")
	d.line("- A crossover is where two curves meet, each linear between the sizes measured and, beyond the last, on the line through the last two (of baselines: a line against the logarithm of n): then it is marked extrapolated. The summary's time on a link is what exceeds, at d = 0, the intercept of the first two sizes.")
	d.line("- Metadata are the bytes of all frames, up and down, but those of items and of the signed token; of baselines, all bytes of messages.")
	d.line("- The commands of the table below measure this again: `-large` goes to n = 1 000 000, `-huge` with `-only strategies` to 10 000 000, and with `-only io`, which writes a store of 12 GB into `-fixtures DIR`, a folder on the disk that is meant; `-git DIR -revisions A,B` takes a clone of the repository of section 5. `./scripts/results quick` measures a quick form, with other seeds, and compares its winners and crossovers with these; `./scripts/results compare OLD NEW` compares two folders of raw files; `./scripts/results render` writes this page again.")
	rows := [][]string{{"raw file", "date", "commit", "machine", "command"}}
	for _, name := range files() {
		c := r[name].config
		row := []string{name + ".txt", c["date"], c["commit"], machine(c), code(c["command"])}
		if last := rows[len(rows)-1]; slices.Equal(last[1:], row[1:]) {
			last[0] += ", " + row[0]
			continue
		}
		rows = append(rows, row)
	}
	d.table(rows)
	d.line("Memory is of one run, as is n = 10 000 000 of io.txt; that of strategies.txt is of two or fewer. Not measured: more than one tenant or sync at a time, more than one machine, real networks, disks other than this machine's.%s", r.notCold())
}

// machine is what a raw file says about where it was measured.
func machine(c map[string]string) string {
	return fmt.Sprintf("%s, %s cores, %s/%s, %s", c["cpu"], c["cores"], c["goos"], c["goarch"], c["go"])
}

// notCold names the sizes of the pass io whose bytes from disk could not be counted.
func (r report) notCold() string {
	var sizes []string
	for _, p := range r["io"].points {
		if n := count(p.labels["n"]); !p.has("disk-B/msg") && !slices.Contains(sizes, n) {
			sizes = append(sizes, n)
		}
	}
	if len(sizes) == 0 {
		return ""
	}
	return fmt.Sprintf(" On this file system what is read from the disk could not be counted, so it may not have been cold, for n = %s.", strings.Join(sizes, ", "))
}
