package main

import "fmt"

// rootsLine says how much of the processor time of our strategies is that of roots.
func (r report) rootsLine(d document, n string) {
	root := r["roots"].one("/n:%s", n)
	equal := bothSides(r["reconcile"].one("/divergence:scattered /n:%s /d:0 /system:%q", n, yardstick))
	d.line("Part of the time of ours is that of roots, HMAC-SHA-256 of every key by each side in every round: one of n = %s takes %s (roots.txt), so two of them are %s of what `%s` takes at d = 0.\n",
		count(n), root.cell("sec/op"), percent(2*root.median("sec/op")/equal.median("both-sec/op")), yardstick)
}

// transferLine says what our strategies do besides, and baselines do not.
func (r report) transferLine(d document, n string) {
	points := r["reconcile"].where("/divergence:scattered /n:%s /system:%q", n, yardstick)
	p := points.one("/d:%s", points.largest("d"))
	d.line("Not in these times: to read, pack and store the items that are missing, which baselines do not do: of `%s` at d = %s it takes %s.\n", yardstick, count(p.labels["d"]), p.cell("transfer-sec/op"))
}

// real are sets that nobody made for a benchmark.
func (r report) real(d document) {
	s := r["real"]
	what := "the shipped DWN messages of one tenant (corpus), of which the initiator lacks the newest twentieth"
	if name := s.config["git"]; name != "" {
		what += fmt.Sprintf("; and the commits of a git repository (%s), of which each side holds what its revision reaches", name)
	}
	d.line("The same with real sets: %s. Here n counts what either side holds.", what)
	rows := [][]string{againstHeader("data", "n")}
	for _, data := range s.labels("data") {
		points := s.where("/data:%q", data).points
		rows = append(rows, againstRow(points, data, count(points[0].labels["n"])))
	}
	d.table(rows)
	r.again(d, "real")
}
