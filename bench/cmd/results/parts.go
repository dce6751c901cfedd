package main

import (
	"strings"

	"golang.org/x/perf/benchmath"
)

// partTables are about single kinds and abilities of filters.
func (r *report) partTables(d document) {
	r.ribbonTable(d)
	r.wrapTable(d)
	r.workersTable(d)
	r.mergeTable(d)
	r.memoryTable(d)
	r.segmentedTable(d)
}

// duel is a filter of dwnsync against a raw one, at one rate and size.
type duel struct{ ours, raw, bits, n string }

// find returns both filters' points of a benchmark; raw filters are asked one by one.
func (c duel) find(s samples, by string, labels ...string) (ours, raw point) {
	labels = append(labels, "bits="+c.bits, "n="+c.n)
	ours = s.one(append(labels, "impl=ours", "filter="+c.ours, "by="+by)...)
	if by != "" {
		by = "one"
	}
	return ours, s.one(append(labels, "impl=raw", "filter="+c.raw, "by="+by)...)
}

func (c duel) size(s samples) string {
	ours, raw := c.find(s, "")
	return fixed(ours.median("bits/key")/raw.median("bits/key"), 3)
}

func (c duel) build(s samples) string {
	ours, raw := c.find(s, "", "=FilterBuild")
	return paired(ours, raw, perKey)
}

func (c duel) ask(s samples, which, by string) string {
	ours, raw := c.find(s, by, "=FilterContains", "case="+which)
	return paired(ours, raw, perKey)
}

// byRate returns points ordered by rate, and otherwise as they come.
func byRate(points []point) (ordered []point) {
	for _, bits := range distinct(points, "bits") {
		for _, p := range points {
			if p.labels["bits"] == bits {
				ordered = append(ordered, p)
			}
		}
	}
	return ordered
}

func (r *report) ribbonTable(d document) {
	d.line("### Ribbon against fuse\n")
	d.line("`ribbon` over raw fuse: its size, its builder reused as that of raw fuse, and its answers to 4096 keys outside, all at once, over the raw filter's answers one by one. Portable: both without assembly, in runs of their own.")
	rows := [][]string{{"rate", "n", "size", "build", "build, portable", "ask at once", "ask at once, portable", "ask one by one"}}
	for _, p := range byRate(r.peers.where("=FilterBuild", "impl=ours", "filter=ribbon")) {
		bits, n := p.labels["bits"], p.labels["n"]
		fuse, ok := r.rival(bits)
		if !ok {
			continue
		}
		c := duel{"ribbon", fuse, bits, n}
		rows = append(rows, []string{
			"2^-" + bits, count(n), c.size(r.quality), c.build(r.peers), c.build(r.portable),
			c.ask(r.peers, "miss", "batch"), c.ask(r.portable, "miss", "batch"), c.ask(r.peers, "miss", "one"),
		})
	}
	d.table(rows)
}

func (r *report) wrapTable(d document) {
	d.line("### What does wrapping cost?\n")
	d.line("Time of a kind of dwnsync over that of the library inside it, which is called directly, without an interface. Both reuse memory, but raw xor8, which cannot. Asked all at once, what is compared with is the library one by one: it has nothing else.")
	rows := [][]string{{"filter", "rate", "n", "build", "ask, inside", "ask, outside", "at once, inside", "at once, outside"}}
	raw := byRate(r.peers.where("=FilterBuild", "impl=raw"))
	for _, filter := range distinct(r.peers.where("=FilterBuild", "impl=ours"), "filter") {
		for _, p := range raw {
			bits, n := p.labels["bits"], p.labels["n"]
			if _, fuse := r.rival(bits); p.labels["filter"] != filter || !fuse {
				continue
			}
			c := duel{filter, filter, bits, n}
			rows = append(rows, []string{
				"`" + filter + "`", "2^-" + bits, count(n), c.build(r.peers),
				c.ask(r.peers, "hit", "one"), c.ask(r.peers, "miss", "one"), c.ask(r.peers, "hit", "batch"), c.ask(r.peers, "miss", "batch"),
			})
		}
	}
	d.table(rows)
}

func (r *report) workersTable(d document) {
	d.line("### Do two workers build faster?\n")
	d.line("Filters built in reused memory with Workers 1 and 2; how many times faster two are.")
	rows := [][]string{{"filter", "n", "one worker, per key", "two workers, per key", "times faster"}}
	for _, one := range r.filters.where("=FilterBuildParallel", "workers=1") {
		two := r.filters.one("=FilterBuildParallel", "filter="+one.labels["filter"], "bits="+one.labels["bits"], "n="+one.labels["n"], "workers=2")
		rows = append(rows, []string{name(one), count(one.labels["n"]), one.cell(perKey), two.cell(perKey), paired(one, two, perKey)})
	}
	d.table(rows)
}

func (r *report) mergeTable(d document) {
	d.line("### Sorted lists against sorted keys\n")
	d.line("`golomb` and `list` at 2^-8: built from keys in random order, sorting included, and asked for n ascending keys at once, which decodes all of the filter.")
	rows := [][]string{{"filter", "n", "build, per key", "merge, inside, per key", "merge, outside, per key"}}
	for _, p := range r.filters.where("=FilterContainsBatch", "order=ascending", "case=hit") {
		labels := []string{"filter=" + p.labels["filter"], "bits=" + p.labels["bits"], "n=" + p.labels["n"]}
		outside := r.filters.one(append(labels, "=FilterContainsBatch", "order=ascending", "case=miss")...)
		built := r.peers.one(append(labels, "=FilterBuild", "impl=ours")...)
		rows = append(rows, []string{name(p), count(p.labels["n"]), built.cell(perKey), p.cell(perKey), outside.cell(perKey)})
	}
	d.table(rows)
}

func (r *report) memoryTable(d document) {
	sizes := distinct(r.filters.where("=FilterBuild"), "n")
	n := sizes[len(sizes)-1]
	d.line("### Memory, encoding, decoding\n")
	d.line("Memory that a build allocates, and that remains of it with a builder that has built before; per key, at n = %s.", count(n))
	rows := [][]string{{"filter", "rate", "new, B", "reused, B", "reused, allocations", "encode", "decode", "decode, B"}}
	for _, p := range r.filters.where("=FilterBuild", "n="+n) {
		labels := []string{"filter=" + p.labels["filter"], "bits=" + p.labels["bits"], "n=" + n}
		encode := r.filters.one(append(labels, "=FilterEncode")...)
		if encode.labels == nil {
			continue // another rate of a kind that is in the table
		}
		reused := r.peers.one(append(labels, "=FilterBuild", "impl=ours")...)
		decode := r.filters.one(append(labels, "=FilterDecode")...)
		rows = append(rows, []string{
			name(p), "2^-" + p.labels["bits"], bytesPerKey(p), bytesPerKey(reused), reused.cell("allocs/op"),
			encode.cell(perKey), decode.cell(perKey), bytesPerKey(decode),
		})
	}
	d.table(rows)
}

// bytesPerKey is what one operation over n keys allocates, divided by n.
func bytesPerKey(p point) string {
	if len(p.values["B/op"]) == 0 {
		return "–"
	}
	return fixed(p.median("B/op")/p.number("n"), 1)
}

func (r *report) segmentedTable(d document) {
	d.line("### A filter kept up to date\n")
	d.line("`segmented` at 2^-8, n keys in 1000 buckets: built from nothing and encoded; 100 keys added or removed, the filter taken and the difference encoded, of the newest bucket or of all; such a difference of the newest bucket applied. Shares are of the time to build, and of the bytes of the whole.")
	rows := [][]string{{"n", "what", "time", "share of the time", "bytes", "share of the bytes"}}
	all := r.filters.where("=FilterSegmented")
	for _, p := range all {
		whole := r.filters.one("=FilterSegmented", "n="+p.labels["n"], "case=whole")
		bytes, share := p.cell("whole-B/op"), "100 %"
		switch p.labels["case"] {
		case "apply":
			bytes, share = "–", "–"
		case "newest", "scattered":
			bytes, share = p.cell("delta-B/op"), percent(p.median("delta-B/op")/p.median("whole-B/op"))
		}
		time := "100 %"
		if s, ok := pairedSummary(p, whole, "sec/op"); ok && p.labels["case"] != "whole" {
			time = percentRange(s)
		}
		rows = append(rows, []string{count(p.labels["n"]), p.labels["case"], p.cell("sec/op"), time, bytes, share})
	}
	d.table(rows)
}

func percent(x float64) string { return digits(100*x) + " %" }

func percentRange(s benchmath.Summary) string {
	text := percent(s.Center)
	if low, high := percent(s.Lo), percent(s.Hi); low != text || high != text {
		text += " (" + strings.TrimSuffix(low, " %") + " – " + high + ")"
	}
	return text
}
