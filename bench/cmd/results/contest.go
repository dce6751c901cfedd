package main

import (
	"math"
	"strings"
)

const (
	perKey = "sec/key"
	probes = 1 << 20 // other keys that a rate is measured with
)

// name is what a table calls the filter of a point: in code those of dwnsync, "raw"
// what is measured without it.
func name(p point) string {
	if p.labels["impl"] == "raw" {
		return "raw " + p.labels["filter"]
	}
	return "`" + p.labels["filter"] + "`"
}

// rival names the raw filter that those of a rate are compared with: fuse, if there
// is one of that rate.
func (r *report) rival(bits string) (filter string, fuse bool) {
	if r.peers.one("impl=raw", "filter=fuse"+bits).labels != nil {
		return "fuse" + bits, true
	}
	return "bloom", false
}

func (r *report) filterTables(d document) {
	d.line("## What does a filter cost?\n")
	d.line("Filters of one false positive rate over n random 64-bit keys: all kinds of dwnsync, and beside them, called raw, the libraries that some of them wrap and others (%s). Raw bloom has as many bits and positions as `bloom`; raw fuse builds with a reused builder, fuse-new without; fuse filters in the tables of 2^-16 have 16-bit fingerprints. All build from distinct keys and reuse memory where they can. A cuckoo filter with 8-bit fingerprints has a rate of 3 %%, and drops keys when it is as full as its documentation allows.\n", r.peers.config["libraries"])
	d.line("Sizes are of whole encodings, header and checksum included; of raw xor8, which has none, of its table. The measured rate is the share let through of 2^20 other keys, always the same, at the largest n; denied is the largest share, over all n, of the keys that a filter was given and denies. To ask is to look up one key of 2^18 in turn, inside or outside the filter, one by one or 4096 of them at once.\n")
	d.line("%s The portable figures are of the same code built without assembly (tag `purego`).\n", r.simd())
	for _, bits := range distinct(r.quality.points, "bits") {
		d.line("### Rate 2^-%s\n", bits)
		r.sizeTable(d, bits)
		sizes := distinct(r.peers.where("bits="+bits), "n")
		if _, ok := r.rival(bits); !ok {
			sizes = sizes[len(sizes)-1:] // there is little to compare with: one table is enough
		}
		for _, n := range sizes {
			r.timeTable(d, bits, n)
		}
	}
}

func (r *report) simd() string {
	if r.peers.config["simd"] == "avx512" {
		return "`ribbon` builds, and answers many keys at once, with AVX-512, which this processor has."
	}
	return "`ribbon` builds, and answers many keys at once, with AVX-512, which this processor does not have."
}

// keeps reports whether p denies none of its keys and lets no more others through
// than five standard deviations above its rate.
func keeps(p point) bool {
	rate := math.Ldexp(1, -int(p.number("bits")))
	return p.median("denied/op") == 0 && p.median("fpr") <= rate+5*math.Sqrt(rate/probes)
}

func (r *report) sizeTable(d document, bits string) {
	points := r.quality.where("bits=" + bits)
	sizes := distinct(points, "n")
	last := sizes[len(sizes)-1]
	header, bound := []string{"bits per key"}, []string{"*bound*: log2(1/rate)"}
	for _, n := range sizes {
		header = append(header, "n = "+count(n))
		bound = append(bound, bits)
	}
	rows := [][]string{
		append(header, "above the bound, n = "+count(last), "measured rate", "denied"),
		append(bound, "0 %", digits(math.Ldexp(1, -int(points[0].number("bits")))), "0 %"),
	}
	for _, p := range r.quality.where("bits="+bits, "n="+last) {
		row, denied := []string{name(p)}, 0.0
		for _, q := range r.quality.where("impl="+p.labels["impl"], "filter="+p.labels["filter"], "bits="+bits) {
			row = append(row, fixed(q.median("bits/key"), 2))
			denied = max(denied, q.median("denied/op")/q.number("n"))
		}
		over := fixed(100*(p.median("bits/key")/p.number("bits")-1), 1) + " %"
		rows = append(rows, append(row, over, p.cell("fpr"), percent(denied)))
	}
	d.table(rows)
	var best []string
	for _, n := range sizes {
		if p, ok := smallest(r.quality.where("bits="+bits, "n="+n)); ok {
			best = append(best, count(n)+" "+name(p))
		}
	}
	d.line("Smallest of those that deny nothing and keep the rate, by n: %s.\n", strings.Join(best, ", "))
}

func smallest(points []point) (best point, ok bool) {
	for _, p := range points {
		if keeps(p) && (!ok || p.median("bits/key") < best.median("bits/key")) {
			best, ok = p, true
		}
	}
	return best, ok
}

func (r *report) timeTable(d document, bits, n string) {
	d.line("#### Rate 2^-%s, n = %s: time per key", bits, count(n))
	at := []string{"bits=" + bits, "n=" + n}
	ask := func(impl, filter, which, by string) point {
		return r.peers.one(append(at, "=FilterContains", "impl="+impl, "filter="+filter, "case="+which, "by="+by)...)
	}
	rival, _ := r.rival(bits)
	builtRival, askedRival := r.peers.one(append(at, "=FilterBuild", "impl=raw", "filter="+rival)...), ask("raw", rival, "miss", "one")
	rows := [][]string{{"filter", "build", "build / raw " + rival, "ask, inside", "ask, outside", "all at once, inside", "all at once, outside", "best outside / raw " + rival}}
	built := r.peers.where(append(at, "=FilterBuild")...)
	var asked []point
	for _, p := range built {
		impl, filter := p.labels["impl"], p.labels["filter"]
		miss, misses := ask(impl, filter, "miss", "one"), ask(impl, filter, "miss", "batch")
		best := miss
		if misses.labels != nil && misses.median(perKey) < miss.median(perKey) {
			best = misses
		}
		if best.labels != nil {
			asked = append(asked, best)
		}
		rows = append(rows, []string{
			name(p), p.cell(perKey), paired(p, builtRival, perKey),
			ask(impl, filter, "hit", "one").cell(perKey), miss.cell(perKey),
			ask(impl, filter, "hit", "batch").cell(perKey), misses.cell(perKey), paired(best, askedRival, perKey),
		})
	}
	d.table(rows)
	d.line("Built fastest: %s. Answers fastest for keys outside: %s.\n", winnersBy(built, name, perKey), winnersBy(asked, name, perKey))
}
