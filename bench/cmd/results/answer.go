package main

import (
	"fmt"
	"strings"
)

// answer is six lines, each computed.
func (r report) answer(d document) {
	d.line("Building, serialising and sending a filter over everything costs I/O that grows linearly with the data set. Is that a real problem, and what is the cure?\n")
	d.line("1. %s", r.problem())
	d.line("2. %s", r.when())
	d.line("3. %s", r.cure())
	d.line("4. %s", r.loss())
	d.line("5. %s", r.better())
	d.line("6. %s\n", r.kept())
}

// kept says what a sync costs where summaries are kept on write.
func (r report) kept() string {
	n := r["strategies"].largest("n")
	few := r.ourDefault(situation{"scattered", pull, n, "100"})
	none := r.ourDefault(situation{"scattered", pull, n, "0"})
	again := r.ourAgain(situation{"newest", pull, n, "100"})
	return fmt.Sprintf("**Summaries that are kept on write** make a sync cost what differs: at n = %s, %s sends %s for nothing missing, %s for 100 missing anywhere, in %s; after a sync before, %s sends %s for 100 new ones, in %s. What it costs to keep them is in section 8, where a baseline is cheaper in section 9.",
		count(n), byStrategyName(few), bytesOf(none.median(metadata)), bytesOf(few.median(metadata)), inRounds(few.mean("rounds/op")),
		byStrategyName(again), bytesOf(again.median(metadata)), digits(again.mean("rounds/op")))
}

func inRounds(x float64) string {
	if x == 1 {
		return "1 round"
	}
	return digits(x) + " rounds"
}

// problem says on which links the summary is a problem at a size that was measured.
func (r report) problem() string {
	c := curveOf(r["reconcile"].where("/divergence:scattered /d:0 /system:%q", yardstick).points, metadata)
	verdict := "No"
	var on, off []string
	for _, link := range r.links().labels("link") {
		x := r.linkHurts(link, yardstick).problem
		measured := curveOf(r["links"].where("/d:0 /link:%q /strategy:%q", link, yardstick).points, "sec/op").last()
		if x.unknown || x.never || x.n > measured {
			off = append(off, fmt.Sprintf("%s (measured to n = %s; %v)", link, about(measured), x))
			continue
		}
		verdict = "Yes"
		on = append(on, link+" from n = "+x.String())
	}
	return fmt.Sprintf("**%s**, within the sizes measured: it is one on %s%s. A problem is that what grows with n takes longer than the %d messages of %s it is for, and longer than %s. A pull of nothing by `%s` sends %s of metadata at n = %s and %s at n = %s, × %s for × %s; a false positive makes it three times that.",
		verdict, orNone(on), orElse("; not on ", off), missing, bytesOf(messageBytes), seconds(noticed), yardstick, bytesOf(c[0].y), about(c[0].n),
		bytesOf(c[len(c)-1].y), about(c[len(c)-1].n), digits(c[len(c)-1].y/c[0].y), digits(c[len(c)-1].n/c[0].n))
}

// orElse is a list behind what introduces it, and nothing for an empty one.
func orElse(before string, all []string) string {
	if len(all) == 0 {
		return ""
	}
	return before + strings.Join(all, ", ")
}

func orNone(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

func (r report) when() string {
	var parts []string
	for _, link := range r.links().labels("link") {
		h := r.linkHurts(link, yardstick)
		parts = append(parts, fmt.Sprintf("%s %v (a second: %v)", link, h.messages, h.long))
	}
	return fmt.Sprintf("**From which n:** `%s` takes more time than the %d messages it is for, on %s; a first request from a cold disk takes more than a second from n = %v, of which %s.",
		yardstick, missing, strings.Join(parts, "; "), r.coldHurts(coldYardstick), r.coldShares())
}

// coldShares names the two largest stages at the largest n.
func (r report) coldShares() string {
	points := r.cold(coldYardstick)
	p := points[len(points)-1]
	type share struct {
		stage string
		of    float64
	}
	var first, second share
	for _, s := range stages() {
		x := share{s, p.median(s+"-sec/op") / p.median("total-sec/op")}
		switch {
		case x.of > first.of:
			first, second = x, first
		case x.of > second.of:
			second = x
		}
	}
	return fmt.Sprintf("%s is %s and %s %s at n = %s", first.stage, percent(first.of), second.stage, percent(second.of), count(p.labels["n"]))
}

func (r report) cure() string {
	saves, fails := r.cured()
	n := r["memory"].largestWith("n", "strategy")
	kept := r["memory"].one("/strategy:%q /n:%s", first, n)
	return fmt.Sprintf("**The cure now** is a filter per segment of time, kept between syncs. At n = %s, a hundredth of it missing, as the median over %d shapes of time, it saves of a plain filter's bytes: %s; it fails, which is to save less than %s at one of these sizes, for: %s. Keeping them is what saves %s; the rest is saved at a first sync too. It saves bytes alone, neither the disk's time nor much of the processor's, and keeps %s per item in memory.",
		listed(r["segments"].numbers("n"), count), len(r["segments"].labels("shape")), r.savedList(saves), percent(helps), r.savedList(fails), r.keepingList(), kept.cell("kept-B/item"))
}

func (r report) loss() string {
	var parts []string
	for _, w := range ways() {
		parts = append(parts, w.title+": "+r.lostText(w))
	}
	return fmt.Sprintf("**What a filter alone loses for ever**, over 100 syncs: %s.", strings.Join(parts, "; "))
}

func (r report) better() string {
	s := r["reconcile"]
	n := s.largest("n")
	own, _ := split(s.where("/divergence:scattered /n:%s /d:%d", n, missing).points)
	least := leastOf(own, metadata)
	var parts []string
	for _, b := range baselines() {
		p := s.one("/system:%s /divergence:scattered /n:%s /d:%d", b, n, missing)
		won, of := r.wins(b)
		parts = append(parts, fmt.Sprintf("%s sends %s there, and less than ours in %d of %d cases", systemName(b), bytesOf(p.median(metadata)), won, of))
	}
	return fmt.Sprintf("**Baselines**, their summaries ready before: at n = %s, %d missing anywhere, the least of ours without a history is %s with %s in the mean of %d syncs; %s (with d = 0 or 1 in %d of them).",
		count(n), missing, systemName(least.labels["system"]), bytesOf(least.median(metadata)), least.syncs(metadata), strings.Join(parts, "; "), r.trivial())
}
