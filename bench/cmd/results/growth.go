package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// stages of a first request from a cold store, in their order.
func stages() []string { return []string{"open", "scan", "hash", "construct", "serialise", "send"} }

// hurting: what a plain filter is held against.
const (
	missing      = 100  // messages that a sync brings
	messageBytes = 1000 // of each
	tooLong      = 1.0  // seconds
	noticed      = 0.1  // seconds: less is no problem, however much more it is than something else
)

func (r report) growth(d document) {
	d.line("## 1. How linear costs grow\n")
	r.coldTables(d)
	r.linkTable(d)
	r.bytesTable(d)
}

// coldTotal is a point of the pass io with the sum of its stages as total-sec/op.
func coldTotal(p point) point {
	var units []string
	for _, s := range stages() {
		units = append(units, s+"-sec/op")
	}
	return p.sum("total-sec/op", units...)
}

// cold are the points of one filter, ascending by n, with their totals.
func (r report) cold(filter string) []point {
	var points []point
	for _, p := range r["io"].where("/filter:%q", filter).points {
		points = append(points, coldTotal(p))
	}
	slices.SortStableFunc(points, func(a, b point) int { return int(number(a.labels["n"]) - number(b.labels["n"])) })
	return points
}

// coldHurts is the size from which the stages take longer than a second.
func (r report) coldHurts(filter string) crossing {
	return cross(curveOf(r.cold(filter), "total-sec/op"), flat(tooLong))
}

// coldYardstick is the filter of the pass io that stands for all.
const coldYardstick = "fuse8"

func (r report) coldTables(d document) {
	d.line("### From a cold disk, by stage\n")
	d.line("The first request of a node that was started with nothing in memory: open the store (Badger), scan the keys of all messages, hash them, construct the filter (2^-8), serialise it, and send it over loopback. Time per operation, of `%s`; other filters differ in construct and send only. Opening reads the whole store once, because dwnsync compares every block of every table with its checksum before Badger opens them; the scan then finds it in the page cache. The kernel reads ahead on this disk (kB: %s), so more is read than is asked for.", coldYardstick, told(r["io"].config["readahead-kb"]))
	points := r.cold(coldYardstick)
	header := []string{"stage"}
	for _, p := range points {
		header = append(header, "n = "+count(p.labels["n"]))
	}
	last := points[len(points)-1]
	rows := [][]string{append(header, "per message at n = "+count(last.labels["n"]), "share")}
	for _, s := range append(stages(), "total") {
		unit := s + "-sec/op"
		row := []string{s}
		for _, p := range points {
			row = append(row, p.cell(unit))
		}
		rows = append(rows, append(row, seconds(last.median(unit)/number(last.labels["n"])), percent(last.median(unit)/last.median("total-sec/op"))))
	}
	d.table(append(rows, r.diskRows(points)...))
	r.pictureIO(d)
	var hurts []string
	for _, filter := range r["io"].labels("filter") {
		hurts = append(hurts, fmt.Sprintf("`%s` %v", filter, r.coldHurts(filter)))
	}
	d.line("**It starts to hurt on this disk**, when these stages take longer than %s, from n = %s. %s\n", seconds(tooLong), listed(hurts, func(s string) string { return s }), steepest(points))
	r.again(d, "io")
}

// steepest says how the stages grow between the two largest sizes, where a line would
// grow as n does.
func steepest(points []point) string {
	a, b := points[len(points)-2], points[len(points)-1]
	var parts []string
	for _, s := range append(stages(), "total") {
		unit := s + "-sec/op"
		parts = append(parts, fmt.Sprintf("%s × %s", s, digits(b.median(unit)/a.median(unit))))
	}
	return fmt.Sprintf("For × %s in n, from %s to %s: %s.", digits(number(b.labels["n"])/number(a.labels["n"])), count(a.labels["n"]), count(b.labels["n"]), strings.Join(parts, ", "))
}

// told is a line of a raw file's header, or that it has none.
func told(value string) string {
	if value == "" {
		return "not recorded"
	}
	return value
}

// diskRows are the bytes under the stages of a table.
func (r report) diskRows(points []point) [][]string {
	var rows [][]string
	for _, c := range []struct{ title, unit string }{
		{"read from disk, per message", "disk-B/msg"},
		{"store on disk, per message", "store-B/msg"},
		{"bytes of the summary", "summary-B/op"},
	} {
		row := []string{c.title}
		for _, p := range points {
			row = append(row, p.cell(c.unit))
		}
		rows = append(rows, append(row, "", ""))
	}
	row := []string{"of it while opening"}
	for _, p := range points {
		share := "–"
		if p.has("open-disk-B/op") && p.median("disk-B/msg") > 0 {
			share = percent(p.median("open-disk-B/op") / number(p.labels["n"]) / p.median("disk-B/msg"))
		}
		row = append(row, share)
	}
	return slices.Insert(rows, 1, append(row, "", ""))
}

// links is the pass of that name with the difference that all sections speak of.
func (r report) links() samples { return r["links"].where("/d:%d", missing) }

// hurt is from which n on the summary of a strategy costs more time on a link than something.
type hurt struct {
	messages crossing // than the messages it is for
	long     crossing // than tooLong
	problem  crossing // than the messages, and than noticed
}

// exactStrategy never takes a second round, so what a pull by it takes longer than a pull
// of nothing is the messages' own time.
const exactStrategy = "list"

// linkHurts compares measured times with measured times. The summary's is what grows with n
// of the time of a pull of nothing, which never takes a second round; the messages' is
// what a pull of them by exactStrategy takes longer than one of nothing, at the smallest n.
func (r report) linkHurts(link, strategy string) hurt {
	s := r["links"].where("/link:%q /strategy:%q", link, strategy)
	nothing := curveOf(s.where("/d:0").points, "sec/op")
	exact := r["links"].where("/link:%q /strategy:%q", link, exactStrategy)
	base := curveOf(exact.where("/d:0").points, "sec/op")
	pulls := curveOf(exact.where("/d:%d", missing).points, "sec/op")
	if len(nothing) < 2 || len(pulls) == 0 || len(base) == 0 || pulls[0].n != base[0].n || pulls[0].y <= base[0].y {
		none := crossing{unknown: true}
		return hurt{none, none, none}
	}
	grown, messages := nothing.above0(), pulls[0].y-base[0].y
	return hurt{cross(grown, flat(messages)), cross(grown, flat(tooLong)), cross(grown, flat(max(messages, noticed)))}
}

func (r report) linkTable(d document) {
	d.line("### Over a link\n")
	d.line("One pull of %d missing messages of %s, in real time, over HTTP on a simulated link: a LAN of 1 Gbit/s, and links named by their round trip and their bits per second. Real ones of the same figures are slower: here there is no loss, no jitter, no slow start of TCP, no TLS and no headers of TCP and IP. `segmented-again` is the best case of a history: both nodes synced before, nothing reached the initiator since, and the responder got the missing messages only; where section 2 says scattered, the initiator lost them after the earlier sync, so its segments have changed. The last columns are the n from which what grows with n (hashing, roots, the summary and its way) takes longer than the %d messages, and longer than a second: it is what a pull of nothing takes above its intercept at n = 0; the messages' time is what a pull of them by `%s`, which never takes a second round, takes longer than one of nothing at the smallest n. Beyond the sizes measured both are marked. \"k×\" is the mean of k pulls, of which by arithmetic (salts at 2^-8) %s take a round more; how many did is told, by n.", missing, bytesOf(messageBytes), missing, exactStrategy, percent(1-math.Pow(255./256, missing)))
	s := r.links()
	sizes := s.numbers("n")
	header := []string{"link", "strategy"}
	for _, n := range sizes {
		header = append(header, "n = "+count(n))
	}
	rows := [][]string{append(header, "rounds after the first, by n", "hurts: > the messages", "hurts: > 1 s")}
	for _, link := range s.labels("link") {
		for _, strategy := range s.labels("strategy") {
			row := []string{link, code(strategy)}
			var further []string
			for _, n := range sizes {
				p := s.one("/link:%q /strategy:%q /n:%s", link, strategy, n)
				row, further = append(row, p.cell("sec/op")), append(further, p.moreRounds())
			}
			hurts := []string{"–", "–"}
			if h := r.linkHurts(link, strategy); !h.messages.unknown {
				hurts = []string{h.messages.String(), h.long.String()}
			}
			row = append(row, strings.Join(further, ", "))
			rows = append(rows, append(row, hurts...))
		}
	}
	d.table(rows)
	r.pictureLinks(d)
	var fastest []string
	for _, link := range s.labels("link") {
		n := s.where("/link:%q", link).largest("n")
		fastest = append(fastest, fmt.Sprintf("%s at n = %s %s", link, count(n), winners(s.where("/link:%q /n:%s", link, n).points, "strategy", "sec/op")))
	}
	d.line("Fastest: %s.\n", strings.Join(fastest, "; "))
	r.again(d, "links")
}

// bytesTable is what one pull costs in one process, against n.
func (r report) bytesTable(d document) {
	s := r["reconcile"].where("/divergence:scattered /d:%d", missing)
	sizes := s.numbers("n")
	d.line("### In bytes and processor time\n")
	d.line("The metadata of one pull of %d messages, scattered evenly, in one process; the growth is that of a pull of nothing, which never takes a second round.", missing)
	header := []string{"system"}
	for _, n := range sizes {
		header = append(header, "n = "+count(n))
	}
	rows := [][]string{append(header, "growth", "processor time, both sides, n = "+count(sizes[len(sizes)-1]))}
	for _, system := range s.labels("system") {
		row := []string{systemName(system)}
		for _, n := range sizes {
			row = append(row, s.one("/system:%q /n:%s", system, n).cell("metadata-B/op"))
		}
		c := curveOf(r["reconcile"].where("/divergence:scattered /d:0 /system:%q", system).points, metadata)
		growth := "–"
		if len(c) > 1 {
			growth = fmt.Sprintf("× %s for × %s", digits(c[len(c)-1].y/c[0].y), digits(c[len(c)-1].n/c[0].n))
		}
		last := bothSides(s.one("/system:%q /n:%s", system, sizes[len(sizes)-1]))
		rows = append(rows, append(row, growth, last.cell("both-sec/op")))
	}
	d.table(rows)
	r.pictureGrowth(d)
	r.again(d, "reconcile")
}

// bothSides is a point with the processor time of both sides as both-sec/op.
func bothSides(p point) point { return p.sum("both-sec/op", "here-sec/op", "there-sec/op") }
