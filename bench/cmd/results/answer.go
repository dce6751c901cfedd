package main

import (
	"fmt"
	"strings"
)

// realistic is the size up to which a problem is called a real one.
const realistic = 1e7

// answer is five lines, each computed.
func (r report) answer(d document) {
	d.line("Building, serialising and sending a filter over everything costs I/O that grows linearly with the data set. Is that a real problem, and what is the cure?\n")
	d.line("1. %s", r.problem())
	d.line("2. %s", r.when())
	d.line("3. %s", r.cure())
	d.line("4. %s", r.loss())
	d.line("5. %s\n", r.better())
}

func (r report) problem() string {
	c := curveOf(r["reconcile"].where("/divergence:scattered /d:%d /system:%q", missing, yardstick).points, metadata)
	verdict, on := "No", 0
	links := r.links().labels("link")
	for _, link := range links {
		if x, _ := r.linkHurts(link, yardstick); !x.never && x.n <= realistic {
			on++
		}
	}
	if on > 0 {
		verdict = "Yes"
	}
	return fmt.Sprintf("**%s, on %d of %d links below n = %s.** For %d missing messages `%s` sends %s of metadata at n = %s and %s at n = %s: × %s for × %s.",
		verdict, on, len(links), about(realistic), missing, yardstick, bytesOf(c[0].y), about(c[0].n),
		bytesOf(c[len(c)-1].y), about(c[len(c)-1].n), digits(c[len(c)-1].y/c[0].y), digits(c[len(c)-1].n/c[0].n))
}

func (r report) when() string {
	var parts []string
	for _, link := range r.links().labels("link") {
		messages, long := r.linkHurts(link, yardstick)
		parts = append(parts, fmt.Sprintf("%s %v (a second: %v)", link, messages, long))
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
	return fmt.Sprintf("**The cure now** is a filter per segment of time, kept between syncs. At n = %s, as the median over %d shapes of time, it saves of a plain filter's bytes: %s; it fails for: %s.",
		count(r["segments"].largest("n")), len(r["segments"].labels("shape")), r.savedList(saves), r.savedList(fails))
}

func (r report) loss() string {
	var parts []string
	for _, w := range ways() {
		parts = append(parts, w.title+": "+r.lostText(w))
	}
	return fmt.Sprintf("**What a filter alone loses** over 100 syncs: %s.", strings.Join(parts, "; "))
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
		parts = append(parts, fmt.Sprintf("%s sends %s there, and less than ours in %d of %d cases", systemName(b), p.cell(metadata), won, of))
	}
	return fmt.Sprintf("**Baselines:** at n = %s, %d missing anywhere, the least of ours is %s with %s; %s.",
		count(n), missing, systemName(least.labels["system"]), least.cell(metadata), strings.Join(parts, "; "))
}
