package main

import (
	"fmt"
	"slices"
	"strings"
)

// ways are how a node of the pass lost syncs again and again.
type way struct{ salt, traffic, title string }

func ways() []way {
	return []way{
		{"fixed", "quiet", "fixed salt"},
		{"fixed", "busy", "fixed salt, busy"},
		{"fresh", "quiet", "fresh salts"},
		{"engine", "quiet", "engine"},
	}
}

func (r report) exactness(d document) {
	s := r["lost"]
	d.line("## 4. Exactness: what a filter loses\n")
	d.line("A node that lacks d messages of n, scattered, syncs 100 times in a row; means of many such runs. `bloom-kept` is a Bloom filter of one size to which a node adds what it gets, instead of building it anew for each sync. Fixed salt: a plain filter with the same salt for ever, where nothing else happens, or (busy) while 10 messages reach both sides between two syncs. Fresh salts: a new one each time, but no proof. Engine: dwnsync's strategy of that filter. Hidden are the messages missing after the first sync, lost those after the last; claimed are the syncs that ended as if nothing was missing.")
	header := []string{"filter", "n", "d", "runs: fixed", "others", "hidden"}
	for _, w := range ways() {
		header = append(header, w.title+": lost", "claimed")
	}
	rows := [][]string{header}
	n := s.numbers("n")[0]
	all := s.where("/n:%s", n).numbers("d")
	for _, missing := range slices.Compact([]string{all[0], all[len(all)-1]}) {
		for _, filter := range s.where("/n:%s /d:%s", n, missing).labels("filter") {
			rows = append(rows, r.lostRow(filter, n, missing))
		}
	}
	d.table(rows)
	r.again(d, "lost")
}

func (r report) lostRow(filter, n, missing string) []string {
	row := []string{code(filter), count(n), count(missing)}
	at := func(w way) point {
		return r["lost"].one("/filter:%q /salt:%s /traffic:%s /n:%s /d:%s", filter, w.salt, w.traffic, n, missing)
	}
	row = append(row, at(ways()[0]).cell("runs/op"), r.otherRuns(filter, n, missing), at(ways()[0]).cell("hidden-msgs"))
	for _, w := range ways() {
		row = append(row, at(w).cell("lost-msgs"), at(w).cell("claimed"))
	}
	return row
}

// otherRuns says how many runs are behind the ways of a row but the first.
func (r report) otherRuns(filter, n, missing string) string {
	var all []string
	for _, w := range ways()[1:] {
		p := r["lost"].one("/filter:%q /salt:%s /traffic:%s /n:%s /d:%s", filter, w.salt, w.traffic, n, missing)
		if text := p.cell("runs/op"); p.has("runs/op") && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return "–"
	}
	return strings.Join(all, ", ")
}

// lost are the cases of a way.
func (r report) lost(w way) []point {
	return r["lost"].where("/salt:%s /traffic:%s", w.salt, w.traffic).points
}

// lostText says what a way loses in its worst case.
func (r report) lostText(w way) string {
	of := r.lost(w)
	if len(of) == 0 {
		return "not measured"
	}
	share := func(p point) float64 { return p.median("lost-msgs") / number(p.labels["d"]) }
	worst, claimed := of[0], 0.0
	for _, p := range of {
		if share(p) > share(worst) {
			worst = p
		}
		claimed = max(claimed, p.median("claimed"))
	}
	lost := "0 lost for ever"
	if share(worst) > 0 {
		lost = fmt.Sprintf("up to %s of what is missing (%s, d = %s) lost for ever", percent(share(worst)), code(worst.labels["filter"]), count(worst.labels["d"]))
	}
	if claimed == 0 {
		return lost + ", 0 false claims of success"
	}
	return fmt.Sprintf("%s, up to %s false claims of success", lost, digits(claimed))
}
