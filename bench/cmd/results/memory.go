package main

import "strings"

func (r report) memory(d document) {
	d.line("## 6. Memory\n")
	s := r["memory"]
	n := s.largestWith("n", "filter")
	d.line("Bytes per key that a filter retains and that building it allocates; bytes per item that one sync of equal sets has at its peak, both sides together, besides what was there before, and that are kept between syncs. n = %s.", count(n))
	rows := [][]string{{"filter", "retained", "allocated to build"}}
	for _, p := range s.where("/n:%s", n).points {
		if filter, ok := p.labels["filter"]; ok {
			rows = append(rows, []string{code(filter), p.cell("heap-B/key"), p.cell("build-B/key")})
		}
	}
	d.table(rows)
	rows = [][]string{{"strategy", "peak of a sync, per item", "kept between syncs, per item"}}
	for _, p := range s.points {
		strategy, ok := p.labels["strategy"]
		if ok && p.labels["n"] == s.largestWith("n", "strategy") {
			rows = append(rows, []string{code(strategy) + ", n = " + count(p.labels["n"]), p.cell("peak-B/item"), p.cell("kept-B/item")})
		}
	}
	d.table(rows)
	r.again(d, "memory")
}

// largestWith is the largest value of a number label among points that have another.
func (s samples) largestWith(label, other string) string {
	return s.having(other).largest(label)
}

// having are the points that have a label.
func (s samples) having(label string) samples {
	found := s
	found.points = nil
	for _, p := range s.points {
		if _, ok := p.labels[label]; ok {
			found.points = append(found.points, p)
		}
	}
	return found
}

// messages are syncs of real messages between real stores.
func (r report) messages(d document) {
	d.line("## 7. Real messages, end to end\n")
	s := r["sync"]
	d.line("A pull of the DWN messages of one tenant of the shipped set over HTTP on loopback, between two nodes with Badger and every write synced to disk, which keep their summaries and remember no sync before: signatures, storage and proof included. n messages are at the responder, the initiator lacks d: none (equal), the newest (recent), every second (half; in half-first the nodes share no secret yet), all (empty).")
	header := []string{"strategy"}
	cases := s.labels("case")
	for _, c := range cases {
		p := s.one("/case:%q", c)
		header = append(header, c+", n = "+count(p.labels["n"])+", d = "+count(p.labels["d"]))
	}
	rows := [][]string{header}
	for _, strategy := range s.labels("strategy") {
		row := []string{code(strategy)}
		for _, c := range cases {
			p := s.one("/case:%q /strategy:%q", c, strategy)
			row = append(row, p.cell(metadata)+"; "+p.cell("sec/op"))
		}
		rows = append(rows, row)
	}
	d.table(rows)
	var least []string
	for _, c := range cases {
		least = append(least, c+" "+winners(s.where("/case:%q", c).points, "strategy", metadata))
	}
	d.line("Least metadata: %s.\n", strings.Join(least, "; "))
	r.again(d, "sync")
}
