package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/dwn-sync/dwnsync/datasets"
)

const metadata = "metadata-B/op"

// saving is one workload of the pass segments, by each strategy.
type saving struct {
	shape, divergence, n, d string
	by                      map[string]point
}

func (r report) savings() (all []saving) {
	s := r["segments"]
	for _, p := range s.points {
		v := saving{shape: p.labels["shape"], divergence: p.labels["divergence"], n: p.labels["n"], d: p.labels["d"]}
		same := func(o saving) bool {
			return o.shape == v.shape && o.divergence == v.divergence && o.n == v.n && o.d == v.d
		}
		i := slices.IndexFunc(all, same)
		if i < 0 {
			v.by = map[string]point{}
			all, i = append(all, v), len(all)
		}
		all[i].by[p.labels["strategy"]] = p
	}
	return all
}

// plain is the strategy of one filter over everything that sends least, if all of them
// were measured.
func (v saving) plain() point {
	if !v.by["fuse"].has(metadata) || !v.by["ribbon"].has(metadata) {
		return point{}
	}
	return leastOf([]point{v.by["fuse"], v.by["ribbon"]}, metadata)
}

// saved is the share of the least plain filter's bytes that a segmented strategy does
// not send; below zero it sends more.
func (v saving) saved(strategy string) float64 {
	return 1 - v.by[strategy].median(metadata)/v.plain().median(metadata)
}

const (
	first = "segmented"
	again = "segmented-again"
)

// largestSavings are the workloads of the largest n.
func (r report) largestSavings() []saving { return r.savingsAt(r["segments"].largest("n")) }

func (r report) savingsAt(n string) []saving {
	return slices.DeleteFunc(r.savings(), func(v saving) bool { return v.n != n })
}

// savedMedian is what a strategy saves with a divergence, the median over the shapes.
func (r report) savedMedian(divergence, strategy string) float64 {
	return medianSaved(r.largestSavings(), divergence, strategy)
}

// sharesOf are what a strategy saves with a divergence, by shape.
func sharesOf(of []saving, divergence, strategy string) map[string]float64 {
	shares := map[string]float64{}
	for _, v := range of {
		if v.divergence == divergence {
			shares[v.shape] = v.saved(strategy)
		}
	}
	return shares
}

func medianSaved(of []saving, divergence, strategy string) float64 {
	shares := slices.Collect(maps.Values(sharesOf(of, divergence, strategy)))
	if len(shares) == 0 || slices.ContainsFunc(shares, math.IsNaN) {
		return math.NaN()
	}
	slices.Sort(shares)
	return (shares[(len(shares)-1)/2] + shares[len(shares)/2]) / 2
}

// helps is the share of the bytes that has to be saved to speak of a cure.
const helps = 0.5

// little is the bytes of a plain filter below which there is nothing to save.
const little = 1000

// worthSaving are the divergences of which a plain filter sends more.
func (r report) worthSaving() []string {
	return slices.DeleteFunc(r["segments"].labels("divergence"), func(divergence string) bool {
		return !slices.ContainsFunc(r.largestSavings(), func(v saving) bool {
			return v.divergence == divergence && v.plain().median(metadata) >= little
		})
	})
}

// cured are the divergences in which nodes that synced before save that much at all
// sizes, and the others; those that save most come first.
func (r report) cured() (saves, fails []string) {
	divergences := r.worthSaving()
	slices.SortStableFunc(divergences, func(a, b string) int {
		return cmp.Compare(r.savedMedian(b, again), r.savedMedian(a, again))
	})
	for _, divergence := range divergences {
		least, _ := r.savedRange(divergence)
		if least >= helps {
			saves = append(saves, divergence)
		} else {
			fails = append(fails, divergence)
		}
	}
	return saves, fails
}

func (r report) segments(d document) {
	s := r["segments"]
	n := s.largest("n")
	d.line("## 2. What segments save\n")
	d.line("A sync of n = %s messages, both ways, a hundredth of which is missing where not all are, by shape of time and by divergence: by one filter over everything (the lesser of `fuse` and `ribbon`); by `segmented` between nodes that never synced (first); and between the same nodes, synced before the divergence came about (again). The share of the lesser filter's metadata bytes that is saved; below zero more is sent. The earlier sync: of scattered and replicas all was there, and what is missing was lost since; of recent, newest and partition it arrived since; of a hole it was lost with what came after the backup; of fresh and disjoint there was none, so again is the first. One filter over everything takes a second round, and with it two more filters, with a chance that grows with what is missing, 1 - (255/256)^d at 2^-8; segments then send the few in doubt alone.", count(n))
	d.line("\nShapes of time: %s.\n\nDivergences: %s.", listed(datasets.Shapes(), shapeText), listed(datasets.Divergences(), divergenceText))
	shapes := s.where("/n:%s", n).labels("shape")
	rows := [][]string{append([]string{"again: saved"}, append(shapes, "median", "median, first")...)}
	for _, divergence := range s.labels("divergence") {
		row := []string{divergence}
		for _, shape := range shapes {
			row = append(row, r.savedCell(shape, divergence))
		}
		rows = append(rows, append(row, percent(r.savedMedian(divergence, again)), percent(r.savedMedian(divergence, first))))
	}
	d.table(rows)
	r.pictureSegments(d)
	r.savedBytes(d, shapes[0])
	saves, fails := r.cured()
	d.line("At least %s of the bytes is saved at all sizes (n = %s), as the median over the shapes, for: %s. It **fails**, which is to save less than %s at one of them, for: %s. Where a plain filter sends less than %s there is nothing to save: %s.\n",
		percent(helps), listed(r["segments"].numbers("n"), count), r.savedList(saves), percent(helps), r.savedList(fails), bytesOf(little), orNone(r.notWorth()))
	r.updates(d)
	r.again(d, "segments", "filters")
}

// notWorth are the divergences with nothing to save.
func (r report) notWorth() []string {
	worth := r.worthSaving()
	return slices.DeleteFunc(r["segments"].labels("divergence"), func(v string) bool { return slices.Contains(worth, v) })
}

// savedList names divergences with what is saved.
func (r report) savedList(divergences []string) string {
	if len(divergences) == 0 {
		return "none"
	}
	return listed(divergences, func(v string) string {
		low, high := r.savedRange(v)
		text := v + " " + percent(low)
		if low != high {
			text = fmt.Sprintf("%s %s to %s", v, fixed(100*low, 0), percent(high))
		}
		shape, share := r.worstShape(v)
		if low >= helps && share < helps {
			text += fmt.Sprintf(" (but %s %s)", shape, percent(share))
		}
		return text
	})
}

// savedRange is what is saved with a divergence at the size at which it is least, and most.
func (r report) savedRange(divergence string) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, n := range r["segments"].numbers("n") {
		share := medianSaved(r.savingsAt(n), divergence, again)
		low, high = min(low, share), max(high, share)
	}
	return low, high
}

// worstShape is the shape of time in which least is saved with a divergence.
func (r report) worstShape(divergence string) (shape string, share float64) {
	share = math.Inf(1)
	shares := sharesOf(r.largestSavings(), divergence, again)
	for _, s := range slices.Sorted(maps.Keys(shares)) {
		if shares[s] < share {
			shape, share = s, shares[s]
		}
	}
	return shape, share
}

// keepingList says how many points of a hundred nodes that synced before save more than
// nodes that did not.
func (r report) keepingList() string {
	var parts []string
	for _, v := range r.worthSaving() {
		if points := 100 * (r.savedMedian(v, again) - r.savedMedian(v, first)); points >= 1 {
			parts = append(parts, fmt.Sprintf("%s %s", v, fixed(points, 0)))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return listed(parts, func(s string) string { return s }) + " points of 100 at n = " + count(r["segments"].largest("n"))
}

func (r report) savedCell(shape, divergence string) string {
	for _, v := range r.largestSavings() {
		if v.shape == shape && v.divergence == divergence {
			return percent(v.saved(again))
		}
	}
	return "–"
}

// savedBytes are the bytes behind the shares of one shape.
func (r report) savedBytes(d document, shape string) {
	rows := [][]string{{shape, "d", "`fuse`", "`ribbon`", "first", "again", "rounds: `fuse`", "first", "again"}}
	for _, v := range r.largestSavings() {
		if v.shape != shape {
			continue
		}
		row := []string{v.divergence, count(v.d)}
		for _, strategy := range []string{"fuse", "ribbon", first, again} {
			row = append(row, v.by[strategy].cell(metadata))
		}
		for _, strategy := range []string{"fuse", first, again} {
			row = append(row, v.by[strategy].cell("rounds/op"))
		}
		rows = append(rows, row)
	}
	d.table(rows)
}

// updates says what it costs to keep a segmented filter up to date.
func (r report) updates(d document) {
	s := r["filters"].where(".name:FilterSegmented")
	n := s.largest("n")
	whole := s.one("/n:%s /case:whole", n)
	var parts []string
	for _, which := range []string{"newest", "scattered"} {
		p := s.one("/n:%s /case:%s", n, which)
		share, ok := pairedSummary(p, whole, "sec/op")
		if !ok {
			share.Center = math.NaN()
		}
		parts = append(parts, fmt.Sprintf("%s in %s buckets take %s of the time and %s of the bytes",
			count("100"), map[string]string{"newest": "the newest", "scattered": "all"}[which],
			shown(share, percent), percent(p.median("delta-B/op")/whole.median("whole-B/op"))))
	}
	d.line("Kept up to date on write (the filter alone: a sync builds its own), the filter of n = %s keys in 1000 buckets is not built again: of a build (%s, %s), changes of %s.\n",
		count(n), whole.cell("sec/op"), whole.cell("whole-B/op"), listed(parts, func(s string) string { return s }))
}
