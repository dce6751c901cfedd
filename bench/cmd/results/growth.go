package main

import (
	"fmt"
	"strconv"
)

// distribution is where the bytes and rounds of p come from: many salts if those
// were measured, otherwise the runs that were timed, p itself.
func (r *report) distribution(p point) point {
	found := r.salts.where("strategy="+p.labels["strategy"], "case="+p.labels["case"], "n="+p.labels["n"], "d="+p.labels["d"])
	if len(found) == 0 {
		return p
	}
	return found[0]
}

func (r *report) growthTables(d document) {
	d.line("## How does it grow?\n")
	d.line("The same engine without disk, network and signatures: a pull of d of the responder's n items of 32 bytes, missing evenly over time. Metadata and rounds are means, and the 99th percentile of rounds is taken, over %d syncs with salts of their own, which are the same whenever this is run. Times are those of both sides together, of %s runs. Where there is no 99th percentile, bytes and rounds are of the timed runs too.\n", r.salts.iters, r.engine.config["count"])
	for _, n := range distinct(r.engine.points, "n") {
		for _, missing := range distinct(r.engine.where("n="+n), "d") {
			r.growthTable(d, n, missing)
		}
	}
}

func (r *report) growthTable(d document, n, missing string) {
	points := r.engine.where("n="+n, "d="+missing)
	first := base(points, "strategy")
	d.line("### n = %s, d = %s", count(n), count(missing))
	rows := [][]string{{"strategy", "metadata", "per item held", "per item missing", "rounds, mean", "rounds, 99 %", "time", "time / fuse"}}
	const unit = "metadata-B/op"
	for _, p := range points {
		q := r.distribution(p)
		perMissing, p99 := "–", "–"
		if p.number("d") > 0 {
			perMissing = fixed(q.median(unit)/p.number("d"), 1) + " B"
		}
		if len(r.salts.where("n="+n, "d="+missing)) > 0 {
			p99 = fixed(q.median("rounds-p99"), 0)
		}
		rows = append(rows, []string{
			p.labels["strategy"], q.cell(unit), fixed(q.median(unit)/p.number("n"), 2) + " B", perMissing,
			fixed(q.median("rounds/op"), 2), p99, p.cell("sec/op"), ratio(p, first, "sec/op"),
		})
	}
	d.table(rows)
	best := winners(points, "strategy", unit)
	if len(r.salts.where("n="+n, "d="+missing)) > 0 {
		best, _ = r.leastMetadata(points)
	}
	d.line("Least metadata: %s. Fastest: %s.\n", best, winners(points, "strategy", "sec/op"))
}

// leastMetadata returns which of the strategies sends the least on average, and how much.
func (r *report) leastMetadata(points []point) (strategy string, bytes float64) {
	for i, p := range points {
		if b := r.distribution(p).median("metadata-B/op"); i == 0 || b < bytes {
			strategy, bytes = p.labels["strategy"], b
		}
	}
	return strategy, bytes
}

// comparable returns the measured points of the case that a quoted figure is about.
func (r *report) comparable(q quoted) []point {
	n, missing := strconv.FormatFloat(q.n, 'f', 0, 64), strconv.FormatFloat(q.d, 'f', 0, 64)
	return r.engine.where("case="+q.divergence, "n="+n, "d="+missing)
}

// peersBetter counts the cases with measurements of ours in which a peer's quoted
// figure is below the best of them, and all such cases.
func (r *report) peersBetter() (better, all int) {
	beaten := map[[2]float64]bool{}
	for _, q := range quotes() {
		if points := r.comparable(q); len(points) > 0 {
			_, ours := r.leastMetadata(points)
			key := [2]float64{q.n, q.d}
			beaten[key] = beaten[key] || q.bytes < ours
		}
	}
	for _, b := range beaten {
		all++
		if b {
			better++
		}
	}
	return better, all
}

func (r *report) peerTables(d document) {
	d.line("## Against other systems\n")
	d.line("%s\n", quotedSource)
	d.line("A rateless IBLT and a sketch send what grows with the difference, not with what exists: where few items differ, a filter over everything loses to them, and loses more the larger the set. Times of others are not compared, since they are of another machine.\n")
	rows := [][]string{{"n", "d", "system", "bytes", "rounds", "bytes / least of ours", "source"}}
	var readings []string
	for i, q := range quotes() {
		points := r.comparable(q)
		if len(points) == 0 {
			continue
		}
		strategy, ours := r.leastMetadata(points)
		n, missing := count(points[0].labels["n"]), count(points[0].labels["d"])
		if i == 0 || quotes()[i-1].n != q.n || quotes()[i-1].d != q.d {
			for _, p := range points {
				m := r.distribution(p)
				rows = append(rows, []string{
					n, missing, "`" + p.labels["strategy"] + "`", quantity(m.median("metadata-B/op"), "B"),
					fixed(m.median("rounds/op"), 2), digits(m.median("metadata-B/op") / ours), "measured",
				})
			}
		}
		source := "*quoted*"
		if q.remark != "" {
			source += "; " + q.remark
		}
		rows = append(rows, []string{n, missing, q.peer, quantity(q.bytes, "B"), strconv.Itoa(q.roundTrips), digits(q.bytes / ours), source})
		readings = append(readings, fmt.Sprintf("- n = %s, d = %s: %s (*quoted*) sends %s `%s`, the least of ours.", n, missing, q.peer, times(q.bytes, ours), strategy))
	}
	d.table(rows)
	for _, line := range readings {
		d.line("%s", line)
	}
}

// times says how a compares with b.
func times(a, b float64) string {
	switch {
	case a < b:
		return digits(b/a) + " times fewer bytes than"
	case a > b:
		return digits(a/b) + " times the bytes of"
	}
	return "as many bytes as"
}
