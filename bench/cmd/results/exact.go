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
	d.line("A node that lacks d messages of n, scattered, syncs 100 times in a row; means of as many such runs as the table says. `bloom-kept` is a Bloom filter of one size to which a node adds what it gets, instead of building it anew for each sync. Fixed salt: a plain filter with the same salt for ever, where nothing else happens, or (busy) while 10 messages reach both sides between two syncs. Fresh salts: a new one each time, but no proof. Engine: dwnsync's strategy of that filter. Hidden are the messages missing after the first sync, lost those after the last; claimed are the syncs that ended as if nothing was missing.")
	header := []string{"filter", "n", "d", "runs: fixed", "busy and fresh, engine", "hidden"}
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

// keptFilter is the one of the pass that is not built anew for each sync.
const keptFilter = "bloom-kept"

// lostText says what a way loses in its worst cases: of a filter that is kept, and of those
// that are built for each sync.
func (r report) lostText(w way) string {
	var kept, rebuilt []point
	for _, p := range r.lost(w) {
		if p.labels["filter"] == keptFilter {
			kept = append(kept, p)
		} else {
			rebuilt = append(rebuilt, p)
		}
	}
	text := worstLost(rebuilt)
	if len(kept) > 0 {
		text = "a Bloom filter that is kept and added to " + worstLost(kept) + "; rebuilt for each sync " + text
	}
	return text
}

func worstLost(of []point) string {
	if len(of) == 0 {
		return "not measured"
	}
	share := func(p point) float64 { return p.median("lost-msgs") / number(p.labels["d"]) }
	worst, claimed := of[0], of[0]
	for _, p := range of {
		if share(p) > share(worst) {
			worst = p
		}
		if p.median("claimed") > claimed.median("claimed") {
			claimed = p
		}
	}
	at := func(p point) string {
		return fmt.Sprintf(" (%s, d = %s)", code(p.labels["filter"]), count(p.labels["d"]))
	}
	lost, claims := "0 lost", "0 false claims of success"
	if share(worst) > 0 {
		lost = "up to " + percent(share(worst)) + " of what is missing lost" + at(worst)
	}
	if x := claimed.median("claimed"); x > 0 {
		claims = "up to " + digits(x) + " false claims of success" + at(claimed)
	}
	return lost + ", " + claims
}
