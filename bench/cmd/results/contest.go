package main

import (
	"math"
	"slices"
	"strings"
)

const (
	perKey = "sec/key"
	probes = 1 << 20 // other keys that a rate is measured with
)

// filterName is what a table calls the filter of a point: in code those of dwnsync,
// "raw" what is measured without it.
func filterName(p point) string {
	if p.labels["impl"] == "raw" {
		return "raw " + p.labels["filter"]
	}
	return code(p.labels["filter"])
}

// rates are the exponents of the rates that filters are timed at.
func rates() []string { return []string{"8", "16"} }

func (r report) filters(d document) {
	d.line("## 3. Filters compared\n")
	d.line("All kinds of dwnsync over n random 64-bit keys and, called raw, the libraries that some of them wrap, and others (%s; a cuckoo filter of 8 bits lets 2^-5 through, a rate that is not in these tables). Raw fuse8-new and fuse16-new get new memory for every build; raw fuse8, fuse16 and blobloom use theirs again. Sizes are of whole encodings; the rate is the share let through of 2^20 other keys; a filter that denies a key it was given has the share in the last column. `ribbon` uses AVX-512 where the processor has it, here %s; its questions without were not measured.\n",
		r["peers"].config["libraries"], map[bool]string{true: "it has", false: "it has not"}[r["peers"].config["simd"] == "avx512"])
	for _, bits := range rates() {
		r.sizeTable(d, bits)
	}
	r.picturePareto(d)
	d.line("Each mark is a filter that keeps the rate and denies nothing; its area, and the figure beside it, is the time of a query for a key outside, the faster of one by one and 4096 at once. Hollow: raw libraries. Lower left is better.\n")
	for _, bits := range rates() {
		r.timeTable(d, bits)
	}
	r.portableLine(d)
	r.again(d, "quality", "peers", "portable")
}

// keeps reports whether p denies none of its keys and lets no more others through
// than five standard deviations above its rate.
func keeps(p point) bool {
	rate := math.Ldexp(1, -int(number(p.labels["bits"])))
	return p.median("denied/op") == 0 && p.median("fpr") <= rate+5*math.Sqrt(rate/probes)
}

func (r report) sizeTable(d document, bits string) {
	s := r["quality"].where("/bits:%s", bits)
	sizes := s.numbers("n")
	last := sizes[len(sizes)-1]
	header := []string{"bits per key at 2^-" + bits}
	for _, n := range sizes {
		header = append(header, "n = "+count(n))
	}
	rows := [][]string{append(header, "above "+bits, "measured rate", "denied")}
	for _, p := range s.where("/n:%s", last).points {
		row, denied := []string{filterName(p)}, 0.0
		for _, q := range s.where("/impl:%q /filter:%q", p.labels["impl"], p.labels["filter"]).points {
			row = append(row, fixed(q.median("bits/key"), 2))
			denied = max(denied, q.median("denied/op")/number(q.labels["n"]))
		}
		over := fixed(100*(p.median("bits/key")/number(bits)-1), 1) + " %"
		rows = append(rows, append(row, over, p.cell("fpr"), percent(denied)))
	}
	d.table(rows)
	var best []string
	for _, n := range sizes {
		if p, ok := smallest(s.where("/n:%s", n).points); ok {
			best = append(best, filterName(p)+" at "+count(n))
		}
	}
	d.line("Smallest of those that deny nothing and keep the rate, by n: %s.\n", strings.Join(best, ", "))
}

// honest are the points that keep their rate and deny nothing.
func honest(points []point) []point {
	var kept []point
	for _, p := range points {
		if keeps(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

func smallest(points []point) (best point, ok bool) {
	best = leastOf(honest(points), "bits/key")
	return best, best.first != nil
}

// asks are the points of a benchmark that asks for keys, for one filter.
func (r report) asks(p point, which, by string) point {
	return r["peers"].one(".name:FilterContains /impl:%q /filter:%q /bits:%s /n:%s /case:%s /by:%s",
		p.labels["impl"], p.labels["filter"], p.labels["bits"], p.labels["n"], which, by)
}

// bestAsk is the faster of asking one by one and all at once, for keys outside.
func (r report) bestAsk(p point) point {
	return leastOf([]point{r.asks(p, "miss", "one"), r.asks(p, "miss", "batch")}, perKey)
}

// built are the points of all filters of a rate and size that are built.
func (r report) built(bits, n string) []point {
	return r["peers"].where(".name:FilterBuild /bits:%s /n:%s", bits, n).points
}

// contenders are those of built that are not known to miss their rate, or to deny.
func (r report) contenders(bits, n string) []point {
	s := r["quality"].where("/n:%s", r["quality"].largest("n"))
	return slices.DeleteFunc(slices.Clone(r.built(bits, n)), func(p point) bool {
		q := s.one("/impl:%q /filter:%q /bits:%s", p.labels["impl"], p.labels["filter"], bits)
		return q.has("fpr") && !keeps(q)
	})
}

// asked are what those points take to be asked for keys outside, by one or by batch.
func (r report) asked(built []point, by string) []point {
	var all []point
	for _, p := range built {
		if q := r.asks(p, "miss", by); q.has(perKey) {
			all = append(all, q)
		}
	}
	return all
}

func (r report) timeTable(d document, bits string) {
	n := r["peers"].largest("n")
	built := r.built(bits, n)
	raw := r["peers"].one(".name:FilterBuild /impl:raw /filter:fuse%s /bits:%s /n:%s", bits, bits, n)
	rows := [][]string{{"time per key at 2^-" + bits + ", n = " + count(n), "build", "build / raw fuse" + bits, "ask, inside", "ask, outside", "4096 at once, outside", "best outside / raw fuse" + bits}}
	for _, p := range built {
		best := r.bestAsk(p)
		rows = append(rows, []string{
			filterName(p), p.cell(perKey), paired(p, raw, perKey),
			r.asks(p, "hit", "one").cell(perKey), r.asks(p, "miss", "one").cell(perKey), r.asks(p, "miss", "batch").cell(perKey),
			paired(best, r.asks(raw, "miss", "one"), perKey),
		})
	}
	d.table(rows)
	fit := r.contenders(bits, n)
	d.line("Of those that keep the rate and deny nothing, built fastest: %s; answers fastest for keys outside, one by one: %s; 4096 at once: %s.\n",
		winnersBy(fit, filterName, perKey), winnersBy(r.asked(fit, "one"), filterName, perKey), winnersBy(r.asked(fit, "batch"), filterName, perKey))
}

// portableLine says what ribbon costs without assembly.
func (r report) portableLine(d document) {
	s := r["portable"]
	n := s.largest("n")
	var parts []string
	for _, bits := range rates() {
		ribbon := s.one(".name:FilterBuild /impl:ours /filter:ribbon /bits:%s /n:%s", bits, n)
		fuse := s.one(".name:FilterBuild /impl:raw /filter:fuse%s /bits:%s /n:%s", bits, bits, n)
		parts = append(parts, "2^-"+bits+" "+paired(ribbon, fuse, perKey))
	}
	d.line("Without assembly (tag `purego`), to build `ribbon` of n = %s takes this multiple of raw fuse: %s.\n", count(n), strings.Join(parts, ", "))
}
