package main

import (
	"fmt"
	"slices"
	"strconv"
)

// limit is a row of the design: what a sync may cost.
type limit struct {
	what          string
	at            point   // what costs most, of the situations that the row is about
	bytes, rounds float64 // 0 for none
	time          float64 // seconds of the responder, 0 for none
	peers         []point // of the same situation
}

// designed is the n that the design has its limits for, but for the responder's time.
const designed = 1_000_000

// limits are those of the design at n: up to the one that they are for all, and beyond it the
// responder's time.
func (r report) limits(n string) []limit {
	at := func(divergence string, d string) []situation {
		return slices.DeleteFunc(r.situations(n), func(c situation) bool {
			return c.direction != pull || c.divergence != divergence || d != "" && c.d != d
		})
	}
	known := slices.Concat(at("scattered", ""), at("recent", ""), at("newest", ""))
	few := slices.DeleteFunc(slices.Clone(known), func(c situation) bool { return number(c.d) > 100 })
	if number(n) > designed {
		return []limit{r.limit("time of the responder, d ≤ 100", few, r.ourDefault, "there-sec/op", limit{time: 6e-3})}
	}
	cursor := r.limit("a known cursor, any d", known, r.ourAgain, metadata, limit{bytes: 512, rounds: 1})
	cursor.peers = nil // none of them knows of a sync before
	return []limit{
		cursor,
		r.limit("equal sets", at("scattered", "0"), r.ourDefault, metadata, limit{bytes: 2500, rounds: 1}),
		r.limit("d = 100 scattered", at("scattered", "100"), r.ourDefault, metadata, limit{bytes: 2500, rounds: 1}),
		r.limit("d = 10 000 scattered", at("scattered", "10000"), r.ourDefault, metadata, limit{bytes: 150e3, rounds: 2}),
		r.limit("d = 10 000 recent", at("recent", "10000"), r.ourDefault, metadata, limit{bytes: 35e3, rounds: 2}),
		r.limit("d = 100 000 scattered", at("scattered", "100000"), r.ourDefault, metadata, limit{bytes: 540e3, rounds: 3}),
		r.limit("d = 100 000 recent", at("recent", "100000"), r.ourDefault, metadata, limit{bytes: 220e3, rounds: 3}),
		r.limit("any gap at the newest end", at("newest", ""), r.ourDefault, metadata, limit{bytes: 5e3, rounds: 2}),
		r.limit("an empty initiator", at("fresh", ""), r.ourDefault, metadata, limit{bytes: 3e3, rounds: 1}),
		r.limit("time of the responder, d ≤ 100", few, r.ourDefault, "there-sec/op", limit{time: 2e-3}),
	}
}

// ourAgain is what a user gets who synced before.
func (r report) ourAgain(c situation) point {
	if p := r.by(c, "auto-again"); p.has(metadata) {
		return p
	}
	return r.by(c, "cursor")
}

// limit returns l with its name, and the situation that costs most in a unit.
func (r report) limit(what string, in []situation, of func(situation) point, unit string, l limit) limit {
	l.what = what
	for _, c := range in {
		if p := of(c); p.has(unit) && (!l.at.has(unit) || p.median(unit) > l.at.median(unit)) {
			l.at, l.peers = p, slices.DeleteFunc(r.single(c), func(p point) bool { return !isBaseline(p.labels["strategy"]) })
		}
	}
	return l
}

// verdict says whether the mean is within the limit, and the 99th percentile too. One sync in
// a hundred may take a round more than the limit.
func (l limit) verdict() string {
	over := func(bytes, rounds float64) bool { return bytes > l.bytes || rounds > l.rounds }
	switch {
	case l.time > 0 && l.at.median("there-sec/op") > l.time:
		return "**no**"
	case l.time > 0 && l.at.late("p99-there-sec") > l.time:
		return "the mean alone"
	case l.time > 0:
		return "yes"
	case over(l.at.median(metadata), l.at.mean("rounds/op")-0.01):
		return "**no**"
	case over(l.at.late("p99-metadata-B"), l.at.late("rounds-p99")):
		return "the mean alone"
	}
	return "yes"
}

// reach is the limit in words.
func (l limit) reach() string {
	if l.time > 0 {
		return "≤ " + seconds(l.time)
	}
	return fmt.Sprintf("%v round%s, ≤ %s", l.rounds, plural(int(l.rounds)), bytesOf(l.bytes))
}

// limitsAt is the n that the limits are for, or else the largest below it that was measured.
func (r report) limitsAt() string {
	at := ""
	for _, n := range r["strategies"].numbers("n") {
		if at == "" || number(n) <= designed {
			at = n
		}
	}
	return at
}

// limitsTable is the table of the design beside what was measured, at the size that its
// limits are for or else the largest below it, with what it has for larger ones.
func (r report) limitsTable(d document) {
	at := r.limitsAt()
	d.line("The limits of the design, which are for n = 1 000 000, beside what `auto` (with a cursor `auto-again`), or where that was not measured `sketch` and `cursor`, costs at n = %s, in the situation that costs most:", count(at))
	rows := [][]string{{"", "limit", "mean", "99 %", "rounds", "syncs", "within", "cheapest peer"}}
	for _, n := range r["strategies"].numbers("n") {
		for _, l := range r.limits(n) {
			if !l.at.has(metadata) || n != at && number(n) <= designed {
				continue
			}
			if n != at {
				l.what += ", n = " + count(n)
			}
			rows = append(rows, l.row())
		}
	}
	d.table(append(rows, r.keepingRows()...))
}

// keepingRows are the limits of what keeping summaries takes, of section 8.
func (r report) keepingRows() [][]string {
	n := r.summariesOf("Insert").largest("n")
	if n == "" {
		return nil
	}
	peer := r.inserted("riblt", n)
	var rows [][]string
	for _, w := range r.wanted()[:keepingWanted] {
		what := "keeping summaries: " + w.what
		if number(n) != designed {
			what += ", n = " + count(n)
		}
		rows = append(rows, []string{what, "≤ " + quantity(w.bound, w.unit), quantity(w.at.median(w.unit), w.unit), "", "", "", w.within(n), systemName("riblt") + " " + quantity(peer.median(w.unit), w.unit)})
	}
	return rows
}

func (l limit) row() []string {
	peer, syncs := "–", strconv.Itoa(l.at.syncs(metadata))
	if p := leastOf(l.peers, metadata); p.has(metadata) {
		peer = byStrategyName(p) + " " + bytesOf(p.median(metadata)) + "; " + digits(p.mean("rounds/op"))
	}
	if l.time > 0 {
		if p := leastOf(l.peers, "there-sec/op"); p.has("there-sec/op") {
			peer = byStrategyName(p) + " " + seconds(p.median("there-sec/op"))
		}
		return []string{l.what, l.reach(), seconds(l.at.median("there-sec/op")), seconds(l.at.late("p99-there-sec")), "", syncs, l.verdict(), peer}
	}
	return []string{
		l.what, l.reach(), bytesOf(l.at.median(metadata)), bytesOf(l.at.late("p99-metadata-B")),
		roundsOf(l.at), syncs, l.verdict(), peer,
	}
}
