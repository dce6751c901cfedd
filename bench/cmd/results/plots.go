package main

import (
	"fmt"
	"math"
	"strings"

	"golang.org/x/perf/benchunit"
)

// plotPath is where a plot is, in the repository.
func plotPath(name string, t theme) string { return fmt.Sprintf("%s/%s-%s.svg", rawDir, name, t.name) }

// plots returns all plots by their paths.
func (r report) plots() (map[string][]byte, error) {
	all := map[string][]byte{}
	for name, panels := range map[string]func() []panel{
		"growth":   r.growthPanels,
		"io":       r.ioPanels,
		"links":    r.linkPanels,
		"pareto":   r.paretoPanels,
		"segments": r.segmentPanels,
		"against":  r.againstPanels,
	} {
		for _, t := range []theme{lightTheme(), darkTheme()} {
			svg, err := figure(t, panels()...)
			if err != nil {
				return nil, fmt.Errorf("plot %s: %w", name, err)
			}
			all[plotPath(name, t)] = svg
		}
	}
	return all, nil
}

func tickCount(x float64) string { return strings.ReplaceAll(tickScaled("")(x), " ", "") }

func tickScaled(unit string) func(float64) string {
	return func(x float64) string {
		scaler := benchunit.CommonScale([]float64{x}, benchunit.Decimal)
		return fmt.Sprintf("%g %s%s", math.Round(x/scaler.Factor*1000)/1000, scaler.Prefix, unit)
	}
}

// bySystem are the curves of each system or strategy against a number label.
func bySystem(s samples, label, x, unit string, prepare func(point) point) []series {
	var all []series
	for _, name := range s.labels(label) {
		c := series{label: plotName(name), style: styleOf(name)}
		points := s.where("/%s:%q", label, name)
		for _, v := range points.numbers(x) {
			p := points.one("/%s:%s", x, v)
			if prepare != nil {
				p = prepare(p)
			}
			c.add(number(v), p, unit, 1)
		}
		all = append(all, c)
	}
	return all
}

// plotName is the name of a system without the marks of a table.
func plotName(name string) string {
	switch name {
	case "riblt":
		return "rateless IBLT"
	case "mst":
		return "Merkle tree"
	case "segmented-again":
		return "segm. again"
	}
	return name
}

func (r report) growthPanels() []panel {
	s := r["reconcile"].where("/divergence:scattered /d:%d", missing)
	return []panel{
		{
			title: fmt.Sprintf("Metadata of a pull of %d messages", missing), x: "n, messages at the responder", y: "bytes, both directions",
			xTicks: tickCount, yTicks: tickScaled("B"), curves: bySystem(s, "system", "n", metadata, nil),
		},
		{
			title: "Processor time of both sides", x: "n, messages at the responder", y: "time",
			xTicks: tickCount, yTicks: tickScaled("s"), curves: bySystem(s, "system", "n", "both-sec/op", bothSides),
		},
	}
}

func (r report) pictureGrowth(d document) {
	d.picture("growth", fmt.Sprintf("Metadata bytes and processor time of one pull of %d messages against n, by system, with confidence bars", missing))
}

func (r report) ioPanels() []panel {
	var total, each []series
	points := r.cold(coldYardstick)
	hues := []hue{purple, green, sky, blue, orange, vermillion, black}
	for i, stage := range append(stages(), "total") {
		look := style{hues[i], stage == "total", styleOf(coldYardstick).glyph}
		t, e := series{label: stage, style: look}, series{label: stage, style: look}
		for _, p := range points {
			n := number(p.labels["n"])
			t.add(n, p, stage+"-sec/op", 1)
			e.add(n, p, stage+"-sec/op", 1/n)
		}
		total, each = append(total, t), append(each, e)
	}
	return []panel{
		{title: "First request from a cold disk", x: "n, messages in the store", y: "time of each stage", xTicks: tickCount, yTicks: tickScaled("s"), curves: total},
		{title: "The same, per message", x: "n, messages in the store", y: "time per message", xTicks: tickCount, yTicks: tickScaled("s"), curves: each},
	}
}

func (r report) pictureIO(d document) {
	d.picture("io", "Time of each stage of a first request from a cold disk against n, in total and per message")
}

func (r report) linkPanels() []panel {
	var all []panel
	for _, link := range r.links().labels("link") {
		all = append(all, panel{
			title: "Sync over " + link, x: "n, messages at the responder", y: "total time",
			xTicks: tickCount, yTicks: tickScaled("s"), curves: bySystem(r.links().where("/link:%q", link), "strategy", "n", "sec/op", nil),
		})
	}
	return all
}

func (r report) pictureLinks(d document) {
	d.picture("links", fmt.Sprintf("Total time of a pull of %d messages against n, by strategy, one panel per link", missing))
}

func (r report) againstPanels() []panel {
	var all []panel
	n := r["reconcile"].largest("n")
	for _, divergence := range r["reconcile"].labels("divergence") {
		s := r["reconcile"].where("/divergence:%q /n:%s", divergence, n)
		p := panel{
			title: fmt.Sprintf("n = %s, %s", count(n), divergence), x: "d, messages that differ", y: "metadata, both directions",
			xTicks: tickCount, yTicks: tickScaled("B"), curves: bySystem(s, "system", "d", metadata, nil),
		}
		least := series{label: "bound", style: style{grey, true, styleOf("").glyph}}
		for _, d := range s.numbers("d") {
			if y := bound(number(n), number(d)); y > 0 {
				least.points = append(least.points, struct{ x, y, low, high float64 }{number(d), y, y, y})
			}
		}
		p.curves = append(p.curves, least)
		all = append(all, p)
	}
	return all
}

func (r report) pictureAgainst(d document) {
	d.picture("against", "Metadata bytes against the number of messages that differ, by system, with the bound of information, log2 of n over d")
}
