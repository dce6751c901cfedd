package main

import (
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/bench/internal/link"
)

// complete returns errRaw if something is absent without which a section would have
// nothing to say, or would say something false. What else is absent is "–" in a table.
func (r report) complete() error {
	for _, check := range []func() error{
		r.completeIO, r.completeLinks, r.completeReconcile, r.completeSegments, r.completeFilters, r.completeRest, r.completeSummaries, r.completeStrategies,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// need returns errRaw if not one of points has all of the units, or fewer sizes than least do.
func need(points []point, file, what string, least int, units ...string) error {
	var sizes []string
	for _, p := range points {
		whole := !slices.ContainsFunc(units, func(u string) bool { return !p.has(u) })
		if n := p.labels["n"]; whole && !slices.Contains(sizes, n) {
			sizes = append(sizes, n)
		}
	}
	if len(sizes) < least {
		return fmt.Errorf("%w: %s.txt has %v of %s at %d sizes, want %d or more", errRaw, file, units, what, len(sizes), least)
	}
	return nil
}

func (r report) completeIO() error {
	units := []string{"total-sec/op"}
	for _, s := range stages() {
		units = append(units, s+"-sec/op")
	}
	for _, filter := range append(r["io"].labels("filter"), coldYardstick) {
		points := r.cold(filter)
		if err := need(points, "io", filter, max(2, len(points)), units...); err != nil {
			return err
		}
	}
	return nil
}

func (r report) completeLinks() error {
	for _, name := range link.Names() {
		for _, d := range []int{0, missing} {
			for _, strategy := range []string{yardstick, exactStrategy} {
				points := r["links"].where("/link:%q /strategy:%q /d:%d", name, strategy, d).points
				if err := need(points, "links", fmt.Sprintf("%s on %s, d = %d,", strategy, name, d), 2, "sec/op"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r report) completeReconcile() error {
	for _, divergence := range append(r["reconcile"].labels("divergence"), "scattered") {
		for _, system := range append(baselines(), yardstick) {
			points := r["reconcile"].where("/divergence:%q /d:%d /system:%q", divergence, missing, system).points
			if err := need(points, "reconcile", fmt.Sprintf("%s, %s, d = %d,", system, divergence, missing), 2, metadata, "rounds/op", "here-sec/op", "there-sec/op"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r report) completeSegments() error {
	for _, v := range r.savings() {
		for _, strategy := range []string{"fuse", "ribbon", first, again} {
			if p := v.by[strategy]; !p.has(metadata) || p.median(metadata) <= 0 {
				return fmt.Errorf("%w: segments.txt has no %s of %s at %s, %s, n = %s", errRaw, metadata, strategy, v.shape, v.divergence, v.n)
			}
		}
	}
	return nil
}

func (r report) completeFilters() error {
	s := r["filters"].where(".name:FilterSegmented")
	for which, unit := range map[string]string{"whole": "whole-B/op", "newest": "delta-B/op", "scattered": "delta-B/op"} {
		if err := need(s.where("/n:%s /case:%s", s.largest("n"), which).points, "filters", "case="+which, 1, "sec/op", unit); err != nil {
			return err
		}
	}
	for _, bits := range rates() {
		if err := need(honest(r["quality"].where("/bits:%s", bits).points), "quality", "a filter that keeps 2^-"+bits, 1, "bits/key"); err != nil {
			return err
		}
		for _, pass := range []string{"peers", "portable"} {
			n := r[pass].largest("n")
			for _, of := range []string{"/impl:raw /filter:fuse" + bits, "/impl:ours /filter:ribbon"} {
				if err := need(r[pass].where(".name:FilterBuild /bits:%s /n:%s "+of, bits, n).points, pass, of+" at 2^-"+bits, 1, perKey); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// completeRest checks the passes of which each point says something alone.
func (r report) completeRest() error {
	for _, w := range ways() {
		if len(r.lost(w)) == 0 {
			return fmt.Errorf("%w: lost.txt has nothing of salt=%s, traffic=%s", errRaw, w.salt, w.traffic)
		}
	}
	for _, p := range r["lost"].points {
		if !p.has("lost-msgs") || !p.has("claimed") || number(p.labels["d"]) < 1 {
			return fmt.Errorf("%w: lost.txt does not say what is lost or claimed of %v", errRaw, p.labels)
		}
	}
	if err := need(r["memory"].having("filter").points, "memory", "filters", 1, "heap-B/key", "build-B/key"); err != nil {
		return err
	}
	if err := need(r["memory"].having("strategy").points, "memory", "strategies", 1, "peak-B/item", "kept-B/item"); err != nil {
		return err
	}
	if err := need(r["roots"].where("/n:%s", r["reconcile"].largest("n")).points, "roots", "the largest n of reconcile.txt", 1, "sec/op"); err != nil {
		return err
	}
	for _, system := range append(baselines(), yardstick) {
		if err := need(r["real"].where("/data:corpus /system:%q", system).points, "real", system+" of the corpus", 1, metadata, "rounds/op"); err != nil {
			return err
		}
	}
	for _, c := range append(r["sync"].labels("case"), "recent") {
		if err := need(r["sync"].where("/case:%q /strategy:%q", c, yardstick).points, "sync", yardstick+" in the case "+c, 1, "sec/op", metadata); err != nil {
			return err
		}
	}
	return nil
}
