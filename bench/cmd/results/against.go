package main

import (
	"fmt"
	"slices"
	"strings"
)

// workload names what systems of the pass reconcile are compared on.
type workload struct{ divergence, n, d string }

// workloads are those of a size, or of all for n = "".
func (r report) workloads(n string) []workload {
	var all []workload
	seen := map[workload]bool{}
	for _, p := range r["reconcile"].points {
		w := workload{p.labels["divergence"], p.labels["n"], p.labels["d"]}
		if !seen[w] && (n == "" || n == w.n) {
			all = append(all, w)
			seen[w] = true
		}
	}
	return all
}

func (r report) at(w workload) samples {
	return r["reconcile"].where("/divergence:%q /n:%s /d:%s", w.divergence, w.n, w.d)
}

func (r report) system(w workload, name string) point { return r.at(w).one("/system:%q", name) }

// wins counts the workloads in which a baseline sends less than the best of ours.
func (r report) wins(baseline string) (won, of int) {
	for _, w := range r.workloads("") {
		own, _ := split(r.at(w).points)
		p := r.system(w, baseline)
		if !p.has(metadata) || !leastOf(own, metadata).has(metadata) {
			continue
		}
		of++
		if p.median(metadata) < leastOf(own, metadata).median(metadata) {
			won++
		}
	}
	return won, of
}

// trivial counts the workloads with nothing or one message missing.
func (r report) trivial() (n int) {
	for _, w := range r.workloads("") {
		if w.d == "0" || w.d == "1" {
			n++
		}
	}
	return n
}

// leastOwn is, against n, the least metadata of any of our filters and lists.
func (r report) leastOwn(divergence string) curve {
	var c curve
	s := r["reconcile"].where("/divergence:%q /d:%d", divergence, missing)
	for _, n := range s.numbers("n") {
		own, _ := split(unkept(s.where("/n:%s", n).points))
		if p := leastOf(own, metadata); p.has(metadata) {
			c = append(c, struct{ n, y float64 }{number(n), p.median(metadata)})
		}
	}
	return c
}

// unkept are the points of what keeps no summaries. Those that do have one secret in each run here, whose
// luck a few runs do not tell; section 9 draws anew for each sync.
func unkept(points []point) []point {
	return slices.DeleteFunc(slices.Clone(points), func(p point) bool {
		return slices.Contains([]string{"sketch", "auto"}, p.labels["system"])
	})
}

// overtakes is the size from which a baseline sends less than the least of our filters and lists.
func (r report) overtakes(divergence, baseline string) crossing {
	points := r["reconcile"].where("/divergence:%q /d:%d /system:%s", divergence, missing, baseline).points
	sent := curveOf(points, metadata)
	if len(sent) < 2 {
		return crossing{unknown: true}
	}
	return cross(r.leastOwn(divergence), sent.logarithmic())
}

func (r report) against(d document) {
	n := r["reconcile"].largest("n")
	d.line("## 5. Against baselines\n")
	d.line("A rateless IBLT with a maintained prefix, range-based reconciliation (negentropy protocol v1) and a Merkle search tree, written here from their descriptions and measured in the same run, as warm as they can be, of one set in all runs; our filters keep nothing between syncs, and what remembers a sync before is not among them (`segmented-again` of section 2, `cursor` of section 9); `sketch` and `auto` keep summaries (section 8), under another secret in each run. The initiator lacks d of n = %s and holds nothing else; recent: 95 %% of d are among the newest 2 d. Metadata bytes, both directions, and rounds.", count(n))
	r.againstBytes(d, n)
	r.pictureAgainst(d)
	for _, b := range baselines() {
		won, of := r.wins(b)
		var from []string
		for _, divergence := range r["reconcile"].labels("divergence") {
			from = append(from, fmt.Sprintf("%s n = %v", divergence, r.overtakes(divergence, b)))
		}
		d.line("- %s sends less than the least of ours in %d of %d workloads of all sizes; for d = %d less than our filters and lists from %s.", systemName(b), won, of, missing, strings.Join(from, ", "))
	}
	d.line("\nProcessor time of both sides to reconcile, and what a side prepares once:")
	r.againstTimes(d, n)
	r.rootsLine(d, n)
	r.transferLine(d, n)
	r.quotedTable(d)
	r.again(d, "reconcile", "roots")
	r.real(d)
}

func (r report) againstBytes(d document, n string) {
	rows := [][]string{againstHeader("divergence")}
	for _, w := range r.workloads(n) {
		rows = append(rows, againstRow(r.at(w).points, w.divergence))
	}
	d.table(rows)
}

func againstHeader(first ...string) []string {
	header := append(first, "d", "bound", "least of ours", "rounds")
	for _, b := range baselines() {
		header = append(header, systemName(b), "rounds")
	}
	return append(header, "least")
}

// againstRow is what the systems send for one workload, of which points are all.
func againstRow(points []point, first ...string) []string {
	own, _ := split(points)
	least, of := leastOf(own, metadata), points[0].labels
	row := append(first, count(of["d"]), bytesOf(bound(number(of["n"]), number(of["d"]))), strings.TrimPrefix(systemName(least.labels["system"])+" "+least.cell(metadata), "`` "), least.cell("rounds/op"))
	for _, b := range baselines() {
		p := samples{points: points}.one("/system:%q", b)
		row = append(row, p.cell(metadata), p.cell("rounds/op"))
	}
	return append(row, winnersBy(points, bySystemName, metadata))
}

func (r report) againstTimes(d document, n string) {
	kept := append([]string{"sketch"}, baselines()...)
	names := append([]string{yardstick, "segmented"}, kept...)
	header := []string{"divergence", "d"}
	for _, name := range names {
		header = append(header, systemName(name))
	}
	for _, name := range kept {
		header = append(header, "prepare "+systemName(name))
	}
	rows := [][]string{append(header, "fastest")}
	for _, w := range r.workloads(n) {
		row := []string{w.divergence, count(w.d)}
		for _, name := range names {
			row = append(row, bothSides(r.system(w, name)).cell("both-sec/op"))
		}
		for _, name := range kept {
			row = append(row, r.system(w, name).cell("prepare-sec/op"))
		}
		var all []point
		for _, p := range r.at(w).points {
			all = append(all, bothSides(p))
		}
		rows = append(rows, append(row, winnersBy(all, bySystemName, "both-sec/op")))
	}
	d.table(rows)
}
