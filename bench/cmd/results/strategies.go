package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// roundBytes is what a round is taken to cost, in bytes: 50 ms at 20 Mbit/s.
const roundBytes = 125_000

// pull and both are directions.
const (
	pull = "pull"
	both = "both"
)

// situation names what strategies are compared on.
type situation struct{ divergence, direction, n, d string }

func (c situation) String() string {
	return fmt.Sprintf("%s %s, d = %s, n = %s", c.divergence, c.direction, count(c.d), count(c.n))
}

// situations are those of a size, or of all for n = "".
func (r report) situations(n string) []situation {
	var all []situation
	for _, p := range r["strategies"].points {
		c := situation{p.labels["divergence"], p.labels["direction"], p.labels["n"], p.labels["d"]}
		if (n == "" || n == c.n) && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

func (r report) in(c situation) samples {
	return r["strategies"].where("/divergence:%q /direction:%q /n:%s /d:%s", c.divergence, c.direction, c.n, c.d)
}

func (r report) by(c situation, strategy string) point {
	return r.in(c).one("/strategy:%q", strategy)
}

// remembers reports whether a strategy knows of a sync before, and chooses whether it takes
// one of the others.
func remembers(p point) bool {
	return slices.Contains([]string{"cursor", "auto-again"}, p.labels["strategy"])
}

func chooses(p point) bool { return strings.HasPrefix(p.labels["strategy"], "auto") }

// single are the strategies and baselines that know of no sync before and choose nothing.
func (r report) single(c situation) []point {
	return slices.DeleteFunc(slices.Clone(r.in(c).points), func(p point) bool { return remembers(p) || chooses(p) || !p.has(metadata) })
}

// ourDefault is the strategy that a user gets: the one that chooses, where it was measured.
func (r report) ourDefault(c situation) point {
	if p := r.by(c, "auto"); p.has(metadata) {
		return p
	}
	return r.by(c, "sketch")
}

// late is the 99th percentile, of which the unit has one of each run: the median of those
// with the most operations if these are a hundred or more, else the largest of all.
func (p point) late(unit string) float64 {
	if !p.has(unit) {
		return math.NaN()
	}
	if len(p.iterations) != len(p.values[unit]) || slices.Max(p.iterations) < 100 {
		return slices.Max(p.values[unit])
	}
	var long []float64
	for i, n := range p.iterations {
		if n == slices.Max(p.iterations) {
			long = append(long, p.values[unit][i])
		}
	}
	slices.Sort(long)
	return long[len(long)/2]
}

// withRounds is the point with what its bytes and rounds cost.
func withRounds(p point) point {
	if !p.has(metadata) || !p.has("rounds/op") {
		return point{labels: p.labels}
	}
	q := p
	q.values = map[string][]float64{"cost-B/op": {p.median(metadata) + roundBytes*p.median("rounds/op")}}
	return q
}

// priced is withRounds, with the bytes.
func priced(p point) point {
	q := withRounds(p)
	if q.has("cost-B/op") {
		q.values[metadata] = []float64{p.median(metadata)}
	}
	return q
}

func byStrategyName(p point) string { return systemName(p.labels["strategy"]) }

func (r report) strategies(d document) {
	d.line("## 9. Strategies\n")
	d.line("Syncs between nodes that share the secret and keep their summaries (section 8), in one process; the initiator lacks d of n items, or of both directions each side d/2, drawn anew for each sync. `mixed` is another divergence each time: none missing, the newest, recent, a run in the middle or scattered, of up to d, as often 1 to 2 as 1000 to 2000. Metadata bytes of both directions, the mean and the 99th percentile (where runs had fewer than 100 syncs, the most of any; else the median of those of the longest runs), rounds until the difference is known, and processor time without what reads, moves and stores items. `cursor` and `auto-again` synced before anything was missing; the others know nothing of each other. Up to n = 1 000 000 the first sync of each run of the strategies that keep summaries is made again through HTTP on loopback, and nothing is measured where its bytes are others. `ribbon`, `segmented` and `list` keep nothing and baselines what they can, as in section 5; beyond n = 1 000 000 only some baselines were measured beside ours. The bound is the information that tells one outcome of a divergence from the others.")
	r.limitsTable(d)
	r.mapTable(d)
	r.chosenLine(d)
	for _, n := range r["strategies"].numbers("n") {
		if n == r.limitsAt() {
			r.situationsTable(d, n)
			continue
		}
		d.line("<details><summary>Every situation of n = %s</summary>\n", count(n))
		r.situationsTable(d, n)
		d.line("</details>\n")
	}
	r.again(d, "strategies")
}

// mapTable says which strategy is cheapest, by bytes and with the rounds.
func (r report) mapTable(d document) {
	d.line("Cheapest in bytes without a sync before, by n and d, and behind \"→\" what is cheaper where a round costs %s (50 ms at 20 Mbit/s). Baselines are in bold.", bytesOf(roundBytes))
	ds := slices.DeleteFunc(r["strategies"].numbers("d"), func(d string) bool { return number(d) > 100_000 })
	header := []string{"", "n"}
	for _, v := range ds {
		header = append(header, "d = "+count(v))
	}
	rows := [][]string{header}
	for _, of := range []situation{{divergence: "scattered", direction: pull}, {divergence: "recent", direction: pull}, {divergence: "newest", direction: pull}, {divergence: "scattered", direction: both}} {
		for _, n := range r["strategies"].numbers("n") {
			row := []string{of.divergence + " " + of.direction, count(n)}
			for _, v := range ds {
				row = append(row, r.cheapest(situation{of.divergence, of.direction, n, v}))
			}
			rows = append(rows, row)
		}
	}
	d.table(rows)
	d.line("%s\n", r.beatenLine())
}

// cheapest names the least in bytes, with these, and the least with the rounds if that is another.
func (r report) cheapest(c situation) string {
	all := r.costs(c)
	p, q := leastOf(all, metadata), leastOf(all, "cost-B/op")
	if !p.has(metadata) {
		return "–"
	}
	text := marked(p) + " " + bytesOf(p.median(metadata))
	if q.labels["strategy"] != p.labels["strategy"] {
		text += " → " + marked(q)
	}
	return text
}

// marked is the name of a strategy, in bold if it is none of ours.
func marked(p point) string {
	if isBaseline(p.labels["strategy"]) {
		return "**" + byStrategyName(p) + "**"
	}
	return byStrategyName(p)
}

// costs are the points of single with what they cost.
func (r report) costs(c situation) []point {
	var all []point
	for _, p := range r.single(c) {
		all = append(all, priced(p))
	}
	return all
}

// beatenLine counts the situations in which a baseline is cheaper than all of ours.
func (r report) beatenLine() string {
	var parts []string
	for _, unit := range []string{metadata, "cost-B/op"} {
		var worse []string
		of := 0
		for _, c := range r.situations("") {
			all := r.costs(c)
			if len(all) == 0 {
				continue
			}
			of++
			if p := leastOf(all, unit); isBaseline(p.labels["strategy"]) {
				worse = append(worse, c.d)
			}
		}
		parts = append(parts, fmt.Sprintf("%s in %d of %d situations%s", map[string]string{metadata: "in bytes", "cost-B/op": "in bytes and rounds"}[unit], len(worse), of, orElse(", with d = ", distinct(worse))))
	}
	return "A baseline is cheaper than all of ours " + strings.Join(parts, "; ") + "."
}

// distinct are the numbers without repetition, as they come.
func distinct(all []string) []string {
	var some []string
	for _, v := range all {
		if v = count(v); !slices.Contains(some, v) {
			some = append(some, v)
		}
	}
	return some
}

// mostOver is what auto may cost more than the best single strategy with the same knowledge.
const mostOver = 1.25

// mostRounds is how many rounds it may take.
const mostRounds = 3

// chosen is what a strategy that chooses costs beside the best that it could have chosen.
type chosen struct {
	of   situation
	over float64
}

func (c chosen) String() string { return fmt.Sprintf("× %s for %v", digits(c.over), c.of) }

// choices are those of auto, or of auto-again, in a unit.
func (r report) choices(name, unit string) []chosen {
	var all []chosen
	for _, c := range r.situations("") {
		own := priced(r.by(c, name))
		var others []point
		for _, p := range r.in(c).points {
			if !chooses(p) && !isBaseline(p.labels["strategy"]) && (name == "auto-again" || !remembers(p)) {
				others = append(others, priced(p))
			}
		}
		best := leastOf(others, unit)
		if own.has(unit) && best.has(unit) {
			all = append(all, chosen{c, own.median(unit) / best.median(unit)})
		}
	}
	return all
}

// chosenLine says how well auto chooses, and names each situation in which it is worse than
// it may be.
func (r report) chosenLine(d document) {
	for _, name := range []string{"auto", "auto-again"} {
		costs := r.choices(name, "cost-B/op")
		if len(costs) == 0 {
			continue
		}
		d.line("%s beside the best single strategy that had the same knowledge: in bytes and rounds, which is what it chooses by, %s; in bytes alone %s. %s\n",
			code(name), overText(costs, true), overText(r.choices(name, metadata), false), r.roundsText(name))
	}
}

// overText is the worst of choices and how many are worse than they may be, with each of these
// if all are wanted.
func overText(all []chosen, each bool) string {
	worst := slices.MaxFunc(all, func(a, b chosen) int { return cmp.Compare(a.over, b.over) })
	var over []string
	for _, c := range all {
		if c.over > mostOver {
			over = append(over, c.String())
		}
	}
	text := fmt.Sprintf("at most %v; more than × %v in %d of %d situations", worst, mostOver, len(over), len(all))
	if each && len(over) > 0 {
		text += " (**missed**: " + strings.Join(over, "; ") + ")"
	}
	return text
}

// roundsText is the most rounds that a strategy took in any sync, and where these are more than
// they may be.
func (r report) roundsText(name string) string {
	most := 0.0
	var over []string
	for _, c := range r.situations("") {
		p := r.by(c, name)
		if !p.has("rounds-p99") {
			continue
		}
		rounds := p.late("rounds-p99")
		if most = max(most, rounds); rounds > mostRounds {
			over = append(over, fmt.Sprintf("%s for %v", digits(rounds), c))
		}
	}
	text := fmt.Sprintf("No sync took more than %s round%s", digits(most), plural(int(most)))
	if len(over) > 0 {
		text += fmt.Sprintf("; more than %d (**missed**): %s", mostRounds, strings.Join(over, "; "))
	}
	return text + "."
}

// situationsTable is what each situation of a size costs.
func (r report) situationsTable(d document, n string) {
	names := []string{"sketch", "auto", "cursor", "auto-again", "ribbon", "segmented", "list", "riblt", "negentropy"}
	d.line("Every situation of n = %s: bytes (the mean; the 99th percentile where it is another; rounds), and processor time of the initiator (here) and of the responder (there) by `auto`, or by `sketch` where that was not measured.", count(n))
	header := []string{"", "d", "bound", "here", "there"}
	for _, name := range names {
		header = append(header, systemName(name))
	}
	rows := [][]string{header}
	for _, c := range r.situations(n) {
		own := r.ourDefault(c)
		row := []string{c.divergence + " " + c.direction, count(c.d), bytesOf(own.median("bound-B/op")), seconds(own.median("here-sec/op")), seconds(own.median("there-sec/op"))}
		for _, name := range names {
			row = append(row, costCell(r.by(c, name)))
		}
		rows = append(rows, row)
	}
	d.table(rows)
}

// costCell is the mean and the 99th percentile of bytes, where that is another, and rounds.
func costCell(p point) string {
	if !p.has(metadata) {
		return "–"
	}
	text := bytesOf(p.median(metadata))
	if most := bytesOf(p.late("p99-metadata-B")); p.has("p99-metadata-B") && most != text {
		text += "; " + most
	}
	return text + "; " + digits(p.mean("rounds/op"))
}

// roundsOf are the rounds in the mean, and the 99th percentile where it is another.
func roundsOf(p point) string {
	text := digits(p.mean("rounds/op"))
	if most := digits(p.late("rounds-p99")); p.has("rounds-p99") && most != text {
		text += "; " + most
	}
	return text
}

// strategyFindings are who is cheapest, and which limits of the design are kept.
func (r report) strategyFindings() []finding {
	var all []finding
	byStrategy := func(p point) string { return byStrategyName(p) }
	for _, c := range r.situations("") {
		all = append(all, finding{name: "least metadata of strategies, " + c.String(), file: "strategies", n: c.n, d: c.d, contenders: r.single(c), title: byStrategy, unit: metadata})
	}
	for _, n := range r["strategies"].numbers("n") {
		for _, l := range r.limits(n) {
			if l.at.has(metadata) && l.time == 0 { // time is the machine's
				all = append(all, finding{name: fmt.Sprintf("limit of %s, n = %s", l.what, count(n)), file: "strategies", n: n, statement: l.verdict()})
			}
		}
	}
	return all
}

// completeStrategies asks for what the limits and the map are about.
func (r report) completeStrategies() error {
	s := r["strategies"]
	units := []string{metadata, "p99-metadata-B", "rounds/op", "rounds-p99", "here-sec/op", "there-sec/op", "p99-there-sec", "bound-B/op"}
	for _, n := range append(s.labels("n"), "10000") {
		for _, of := range []string{
			"sketch /divergence:scattered /direction:pull /d:0", "sketch /divergence:scattered /direction:pull /d:100", "sketch /divergence:newest /d:100",
			"cursor /divergence:newest /d:100", "sketch /divergence:fresh", "sketch /divergence:mixed", "sketch /direction:both /d:100",
		} {
			if err := need(s.where("/n:%s /strategy:"+of, n).points, "strategies", of, 1, units...); err != nil {
				return err
			}
		}
		for _, name := range []string{"riblt", "negentropy"} {
			if err := need(s.where("/n:%s /strategy:%q /divergence:scattered /direction:pull /d:100", n, name).points, "strategies", name, 1, metadata, "rounds/op"); err != nil {
				return err
			}
		}
	}
	return nil
}
