package main

import (
	"fmt"
	"slices"
	"strings"
)

// summariesOf are the points of a benchmark of the pass summaries.
func (r report) summariesOf(bench string) samples {
	return r["summaries"].where(".name:Summary%s", bench)
}

// linear are the summaries that a view keeps up to date on write.
func (r report) linear(d document) {
	d.line("## 8. Linear summaries\n")
	d.line("What a view keeps up to date on write, beside what keeping a rateless IBLT takes: a prefix of its cells, 140 000 whatever n is, which are neither an index of short IDs nor a tree. One insertion is of an item of any time, into a view of 0.9 n to n whose items were written at a rate that doubled eight times; ours includes the refinement of leaves that became dense, with keys at hand. At a steady rate all leaves become dense together: n = 1 000 000 is near the worst moment for that, n = 100 000 a lucky one. Not in it: the table doubles, 0.2 µs an insertion on average; a snapshot before every insertion, 4 µs more at n = 1 000 000; and reading the log, which is in the times of opening below. Memory is that of the heap.")
	r.keptTable(d)
	r.wantedTable(d)
	r.cellsTable(d)
	r.estimateTable(d)
	r.openTable(d)
	r.again(d, "summaries")
}

// keptTable is what a view keeps, by its size.
func (r report) keptTable(d document) {
	rows := [][]string{{
		"n", "insert", "its processor time", "insert, steady rate", "insert, rateless IBLT", "memory per item", "of it tree, table, index", "memory per item, rateless IBLT",
		"fingerprint of a bucket", "of a range", "fold into 160 cells",
	}}
	for _, n := range r.summariesOf("Insert").numbers("n") {
		own, other := r.inserted("ours", n), r.inserted("riblt", n)
		parts := listed([]string{"tree-B/item", "table-B/item", "index-B/item"}, own.cell)
		row := []string{count(n), own.cell("sec/op"), own.cell("cpu-sec/op"), r.inserted("ours-steady", n).cell("sec/op"), other.cell("sec/op"), own.cell("B/item"), parts, other.cell("B/item")}
		for _, query := range []string{"sum", "between"} {
			row = append(row, r.summariesOf("Range").one("/query:%s /n:%s", query, n).cell("sec/op"))
		}
		rows = append(rows, append(row, r.summariesOf("Fold").one("/n:%s", n).cell("sec/op")))
	}
	d.table(rows)
}

func (r report) inserted(system, n string) point {
	return r.summariesOf("Insert").one("/system:%s /n:%s", system, n)
}

// mostMemory is the bound of the design for all summaries of a view, in bytes per item.
const mostMemory = 24

// wanted is a figure that the design sets a bound to.
type wanted struct {
	what  string
	at    point
	unit  string
	bound float64
}

// keepingWanted is how many of wanted are about what keeping takes: they come first.
const keepingWanted = 3

// wanted are those of the largest view that was measured, as the design has them for 10^6.
func (r report) wanted() []wanted {
	n := r.summariesOf("Insert").largest("n")
	opened := func(tail string) point { return r.summariesOf("Open").one("/n:%s /tail:%s", n, tail) }
	all := []wanted{
		{"insert", r.inserted("ours", n), "sec/op", 2e-6},
		{"insert, steady rate", r.inserted("ours-steady", n), "sec/op", 2e-6},
		{"memory per item", r.inserted("ours", n), "B/item", mostMemory},
		{"fingerprint of a range", r.summariesOf("Range").one("/query:between /n:%s", n), "sec/op", 2e-6},
		{"fold into 160 cells", r.summariesOf("Fold").one("/n:%s", n), "sec/op", 300e-6},
		{"decode, d = 32", r.summariesOf("Decode").one("/system:ours /d:32"), "decode-sec/op", 30e-6},
		{"decode per difference, d = 10 000", r.summariesOf("Decode").one("/system:ours /d:10000"), "sec/diff", 1e-6},
		{"open, nothing to read from the log", opened("0"), "sec/op", 2},
	}
	for _, tail := range r.tails(n) {
		all = append(all, wanted{"open, " + count(tail) + " to read", opened(tail), "sec/op", 3})
	}
	return all
}

// tails are the numbers of entries that were read from the log on opening a view of n
// items, but none and all.
func (r report) tails(n string) []string {
	return slices.DeleteFunc(r.summariesOf("Open").where("/n:%s", n).numbers("tail"), func(tail string) bool { return tail == "0" || tail == n })
}

// kept reports whether the median is within the bound.
func (w wanted) kept() bool { return w.at.median(w.unit) <= w.bound }

// within says the same, of the n that the bounds are for.
func (w wanted) within(n string) string {
	switch {
	case number(n) != designed:
		return "–"
	case w.kept():
		return "yes"
	}
	return "**no**"
}

func (r report) wantedTable(d document) {
	n := r.summariesOf("Insert").largest("n")
	d.line("The bounds of the design, which are for n = 1 000 000, beside what was measured at n = %s:", count(n))
	rows := [][]string{{"", "bound", "measured", "within"}}
	for _, w := range r.wanted() {
		rows = append(rows, []string{w.what, quantity(w.bound, w.unit), w.at.cell(w.unit), w.within(n)})
	}
	d.table(rows)
}

// Bytes of a cell on the wire: ours of 48 and 24 bits; of a rateless IBLT two words of
// 64 bits and at least one byte of its count.
const (
	cellBytes  = 9
	ribltBytes = 17
)

// cellsTable is what it takes to decode d differences.
func (r report) cellsTable(d document) {
	cells, decoded := r.summariesOf("Cells"), r.summariesOf("Decode")
	d.line("A difference of d items: cells per item, ours of positions drawn at random and peeled, the rateless IBLT's of its own run, in the mean and so that 99 of 100 decode (of fewer trials all), over as many differences as trials says; the bytes of cells, ours (%d each) sent at once in as many as 99 of 100 need, the rateless IBLT's (%d or more; at our widths 10 would do) up to the one it stops at, in the mean; and the time to decode one.", cellBytes, ribltBytes)
	rows := [][]string{{
		"d", "trials", "cells, ours", "99 of 100", "cells, rateless IBLT", "99 of 100", "bytes, ours", "rateless IBLT ≥",
		"decode, ours", "rateless IBLT", "per item, ours", "rateless IBLT",
	}}
	for _, v := range cells.numbers("d") {
		row := []string{count(v), cells.one("/system:ours /d:%s", v).cell("trials")}
		for _, system := range []string{"ours", "riblt"} {
			p := cells.one("/system:%s /d:%s", system, v)
			row = append(row, p.cell("cells/diff"), p.cell("p99-cells/diff"))
		}
		own, other := r.sentBytes(v)
		row = append(row, bytesOf(own), bytesOf(other))
		for _, unit := range []string{"decode-sec/op", "sec/diff"} {
			for _, system := range []string{"ours", "riblt"} {
				row = append(row, decoded.one("/system:%s /d:%s", system, v).cell(unit))
			}
		}
		rows = append(rows, row)
	}
	d.table(rows)
	d.line("Fewest cells in the mean: %s. Fewest bytes: %s. Decoded in least time: %s. Kept up to date in least time: %s.\n",
		r.ahead("Cells", "d", "cells/diff"), r.fewestBytes(), r.ahead("Decode", "d", "sec/diff"), r.ahead("Insert", "n", "sec/op"))
}

// sentBytes are the bytes of the cells of d differences: ours sent at once, the rateless
// IBLT's until it stops.
func (r report) sentBytes(d string) (own, other float64) {
	cells, n := r.summariesOf("Cells"), number(d)
	own = cellBytes * n * cells.one("/system:ours /d:%s", d).median("p99-cells/diff")
	other = ribltBytes * n * cells.one("/system:riblt /d:%s", d).median("cells/diff")
	return own, other
}

// ahead says who has least of a unit at which values of a label.
func (r report) ahead(bench, label, unit string) string {
	s := r.summariesOf(bench)
	return grouped(label, s.numbers(label), func(v string) string {
		return winnersBy(s.where("/%s:%s", label, v).points, bySide, unit)
	})
}

func (r report) fewestBytes() string {
	return grouped("d", r.summariesOf("Cells").numbers("d"), func(v string) string {
		if own, other := r.sentBytes(v); own <= other {
			return "ours"
		}
		return systemName("riblt")
	})
}

// bySide is what this section calls a system.
func bySide(p point) string {
	if p.labels["system"] == "ours" {
		return "ours"
	}
	return bySystemName(p)
}

// grouped lists the answers to values of a label, each once, with its values.
func grouped(label string, values []string, answer func(string) string) string {
	var answers []string
	of := map[string][]string{}
	for _, v := range values {
		a := answer(v)
		if !slices.Contains(answers, a) {
			answers = append(answers, a)
		}
		of[a] = append(of[a], count(v))
	}
	for i, a := range answers {
		answers[i] = fmt.Sprintf("%s at %s = %s", a, label, strings.Join(of[a], ", "))
	}
	return strings.Join(answers, "; ")
}

// estimateTable is how well a difference is estimated.
func (r report) estimateTable(d document) {
	s := r.summariesOf("Estimate")
	d.line("Estimates of d in 256 bytes, by level, of which each samples a sixteenth of the one below: standard error and mean, in parts of d. A level is meant for the differences of sets of its range; below it is no better than its sample.")
	rows := [][]string{{"level", "d", "trials", "standard error", "mean"}}
	for _, p := range s.points {
		rows = append(rows, []string{p.labels["level"], count(p.labels["d"]), p.cell("trials"), percent(p.median("error/d")), percent(p.median("mean/d"))})
	}
	d.table(rows)
}

// openTable is what opening a node takes.
func (r report) openTable(d document) {
	d.line("Opening a node of one tenant with n messages, its files in the page cache: the store (Badger) and the summaries, of which the last entries of the arrival log came after they were saved; with n to read nothing was saved. Below, what a scoped view takes that is asked for the first time.")
	rows := [][]string{{"n", "read from the log", "in all", "store", "summaries", "processor time"}}
	for _, p := range r.summariesOf("Open").points {
		rows = append(rows, []string{count(p.labels["n"]), count(p.labels["tail"]), p.cell("sec/op"), p.cell("open-sec/op"), p.cell("view-sec/op"), p.cell("cpu-sec/op")})
	}
	d.table(rows)
	rows = [][]string{{"scope", "n", "items in it", "time", "processor time"}}
	for _, p := range r.summariesOf("Scoped").points {
		rows = append(rows, []string{p.labels["scope"], count(p.labels["n"]), p.cell("items"), p.cell("sec/op"), p.cell("cpu-sec/op")})
	}
	d.table(rows)
}

// summaryFindings are who keeps, decodes and needs least.
func (r report) summaryFindings() []finding {
	var all []finding
	s := r.summariesOf("Insert")
	for _, n := range s.numbers("n") {
		memory := "more than " + bytesOf(mostMemory)
		if s.one("/system:ours /n:%s", n).median("B/item") <= mostMemory {
			memory = "at most " + bytesOf(mostMemory)
		}
		all = append(
			all,
			finding{name: "kept up to date fastest, n = " + count(n), file: "summaries", n: n, contenders: s.where("/n:%s", n).points, title: bySide, unit: "sec/op"},
			finding{name: "memory of summaries per item, n = " + count(n), file: "summaries", n: n, statement: memory},
		)
	}
	cells, decoded := r.summariesOf("Cells"), r.summariesOf("Decode")
	for _, v := range cells.numbers("d") {
		all = append(
			all,
			finding{name: "fewest cells, d = " + count(v), file: "summaries", d: v, contenders: cells.where("/d:%s", v).points, title: bySide, unit: "cells/diff"},
			finding{name: "decoded fastest, d = " + count(v), file: "summaries", d: v, contenders: decoded.where("/d:%s", v).points, title: bySide, unit: "sec/diff"},
		)
	}
	return all
}

// completeSummaries asks for both systems wherever one is, and for each part of the section.
func (r report) completeSummaries() error {
	for _, system := range []string{"ours", "riblt"} {
		for _, c := range []struct{ bench, label, unit string }{
			{"Insert", "n", "sec/op"},
			{"Insert", "n", "cpu-sec/op"},
			{"Insert", "n", "B/item"},
			{"Cells", "d", "cells/diff"},
			{"Cells", "d", "p99-cells/diff"},
			{"Decode", "d", "sec/diff"},
			{"Decode", "d", "decode-sec/op"},
		} {
			for _, v := range append(r.summariesOf(c.bench).labels(c.label), map[string]string{"n": "10000", "d": "32"}[c.label]) {
				if err := need(r.summariesOf(c.bench).where("/system:%s /%s:%s", system, c.label, v).points, "summaries", c.bench+" by "+system, 1, c.unit); err != nil {
					return err
				}
			}
		}
	}
	for _, n := range r.summariesOf("Insert").labels("n") {
		for bench, filters := range map[string][]string{"Range": {"/query:sum", "/query:between"}, "Fold": {"/cells:160"}, "Open": {"/tail:0", "/tail:" + n}, "Scoped": {"/scope:records"}} {
			for _, filter := range filters {
				if err := need(r.summariesOf(bench).where("%s /n:%s", filter, n).points, "summaries", bench+" "+filter, 1, "sec/op"); err != nil {
					return err
				}
			}
		}
	}
	return need(r.summariesOf("Estimate").points, "summaries", "estimates", 1, "error/d", "mean/d", "trials")
}
