package main

import (
	"fmt"
	"math"
)

// finding is something that the report states and a rerun can contradict.
type finding struct {
	name string
	// file is the pass that it follows from; the others are what it is about, if anything.
	file, n, d, filter, data string
	// contenders, if it is about who is least in a unit; timed units have ties.
	contenders []point
	title      func(point) string
	unit       string
	crossing   *crossing          // if it is about a size
	share      *float64           // if it is about a part of 1
	shares     map[string]float64 // of which that is the median, by shape
	statement  string             // if it is one
}

func (f finding) String() string {
	switch {
	case f.crossing != nil:
		return "n = " + f.crossing.String()
	case f.share != nil:
		return percent(*f.share)
	case f.statement != "":
		return f.statement
	}
	return winnersBy(f.contenders, f.title, f.unit)
}

// findings are the winners and the crossover sizes of a report, each under a name that
// is the same in every report that has the same case.
func (r report) findings() []finding {
	var all []finding
	all = append(all, r.crossovers()...)
	all = append(all, r.filterFindings()...)
	all = append(all, r.reconcileFindings()...)
	all = append(all, r.segmentFindings()...)
	byStrategy := func(p point) string { return p.labels["strategy"] }
	for _, link := range r.links().labels("link") {
		s := r.links().where("/link:%q", link)
		for _, n := range s.numbers("n") {
			all = append(all, finding{name: fmt.Sprintf("fastest on %s, n = %s", link, count(n)), file: "links", n: n, contenders: s.where("/n:%s", n).points, title: byStrategy, unit: "sec/op"})
		}
	}
	for _, c := range r["sync"].labels("case") {
		all = append(all, finding{name: "least metadata, real messages, " + c, file: "sync", contenders: r["sync"].where("/case:%q", c).points, title: byStrategy, unit: metadata})
	}
	for _, data := range r["real"].labels("data") {
		all = append(all, finding{name: "least metadata, real sets, " + data, file: "real", data: data, contenders: r["real"].where("/data:%q", data).points, title: bySystemName, unit: metadata})
	}
	all = append(all, r.summaryFindings()...)
	all = append(all, r.strategyFindings()...)
	return append(all, r.lossFindings()...)
}

func (r report) crossovers() []finding {
	var all []finding
	add := func(file string, x crossing, format string, args ...any) {
		if x.unknown {
			return
		}
		all = append(all, finding{name: fmt.Sprintf(format, args...), file: file, crossing: &x})
	}
	for _, link := range r.links().labels("link") {
		h := r.linkHurts(link, yardstick)
		add("links", h.messages, "%s costs more than %d messages, %s", yardstick, missing, link)
		add("links", h.problem, "%s is a problem, %s", yardstick, link)
		add("links", h.long, "%s costs more than a second, %s", yardstick, link)
	}
	for _, filter := range r["io"].labels("filter") {
		add("io", r.coldHurts(filter), "a cold first request takes a second, %s", filter)
	}
	for _, divergence := range r["reconcile"].labels("divergence") {
		for _, b := range baselines() {
			add("reconcile", r.overtakes(divergence, b), "%s sends less than filters, %s, d = %d", systemName(b), divergence, missing)
		}
	}
	return all
}

func (r report) filterFindings() []finding {
	var all []finding
	for _, bits := range rates() {
		s := r["quality"].where("/bits:%s", bits)
		for _, n := range s.numbers("n") {
			all = append(all, finding{name: fmt.Sprintf("smallest filter, 2^-%s, n = %s", bits, count(n)), file: "quality", n: n, contenders: honest(s.where("/n:%s", n).points), title: filterName, unit: "bits/key"})
		}
		for _, n := range r["peers"].numbers("n") {
			fit := r.contenders(bits, n)
			all = append(
				all,
				finding{name: fmt.Sprintf("built fastest, 2^-%s, n = %s", bits, count(n)), file: "peers", n: n, contenders: fit, title: filterName, unit: perKey},
				finding{name: fmt.Sprintf("asked fastest one by one, 2^-%s, n = %s", bits, count(n)), file: "peers", n: n, contenders: r.asked(fit, "one"), title: filterName, unit: perKey},
				finding{name: fmt.Sprintf("asked fastest at once, 2^-%s, n = %s", bits, count(n)), file: "peers", n: n, contenders: r.asked(fit, "batch"), title: filterName, unit: perKey},
			)
		}
	}
	return all
}

func (r report) reconcileFindings() []finding {
	var all []finding
	for _, w := range r.workloads("") {
		of := fmt.Sprintf("%s, n = %s, d = %s", w.divergence, count(w.n), count(w.d))
		points := r.at(w).points
		own, _ := split(points)
		var timed []point
		for _, p := range points {
			timed = append(timed, bothSides(p))
		}
		all = append(
			all,
			finding{name: "least metadata, " + of, file: "reconcile", n: w.n, d: w.d, contenders: unkept(points), title: bySystemName, unit: metadata},
			finding{name: "least metadata of ours, " + of, file: "reconcile", n: w.n, d: w.d, contenders: unkept(own), title: bySystemName, unit: metadata},
			finding{name: "least processor time, " + of, file: "reconcile", n: w.n, d: w.d, contenders: timed, title: bySystemName, unit: "both-sec/op"},
		)
	}
	return all
}

// segmentFindings are what nodes that synced before save, the median over the shapes.
func (r report) segmentFindings() []finding {
	var all []finding
	for _, n := range r["segments"].numbers("n") {
		of := r.savingsAt(n)
		for _, divergence := range r["segments"].labels("divergence") {
			share := medianSaved(of, divergence, again)
			if math.IsNaN(share) {
				continue
			}
			all = append(all, finding{
				name: fmt.Sprintf("saved by segments again, %s, n = %s", divergence, count(n)), file: "segments", n: n,
				share: &share, shares: sharesOf(of, divergence, again),
			})
		}
	}
	return all
}

func (r report) lossFindings() []finding {
	var all []finding
	for _, p := range r["lost"].points {
		f := finding{name: fmt.Sprintf("100 syncs, %s, salt %s, %s, n = %s, d = %s", p.labels["filter"], p.labels["salt"], p.labels["traffic"], count(p.labels["n"]), count(p.labels["d"])), file: "lost", n: p.labels["n"], d: p.labels["d"], filter: p.labels["filter"]}
		switch {
		case p.labels["salt"] == "engine" && p.median("lost-msgs") > 0: // of a plain filter that is luck
			f.statement = "messages are lost"
		case p.median("claimed") > 0:
			f.statement = "success is claimed wrongly"
		default:
			f.statement = "success is never claimed wrongly"
		}
		all = append(all, f)
	}
	return all
}
