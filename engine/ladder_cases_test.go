package engine_test

import (
	"maps"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// probes returns a request hook that changes the probes.
func probes(change func(*summary.Probe)) func(*wire.Init, []byte) []byte {
	return func(i *wire.Init, data []byte) []byte {
		if i.Summary == nil || i.Summary.Form != wire.FormSketch {
			return data
		}
		p, err := summary.DecodeProbe(data)
		if err != nil {
			panic(err)
		}
		change(p)
		return p.AppendBinary(nil)
	}
}

// plans returns a reply hook that changes the plans, also into none.
func plans(change func(*wire.Plan)) func(*wire.Ack, []byte) []byte {
	return func(a *wire.Ack, data []byte) []byte {
		if a.Plan != nil {
			change(a.Plan)
		}
		return data
	}
}

// parts returns a reply hook that changes the ranges.
func parts(change func([]summary.Segment) []summary.Segment) func(*wire.Ack, []byte) []byte {
	return func(a *wire.Ack, data []byte) []byte {
		if a.Summary == nil || a.Summary.Form != wire.FormRanges {
			return data
		}
		segments, err := summary.DecodeRanges(data)
		if err != nil {
			panic(err)
		}
		return summary.AppendRanges(nil, change(segments))
	}
}

// alwaysPlan makes every answer to a sketch a plan.
func alwaysPlan(plan func(round int) wire.Plan) func(*between) {
	return func(b *between) {
		round := 0
		var probed bool
		b.request = func(i *wire.Init, data []byte) []byte {
			probed = i.Summary != nil && i.Summary.Form == wire.FormSketch
			return data
		}
		b.reply = func(a *wire.Ack, data []byte) []byte {
			if !probed || a.Summary == nil && a.Plan == nil && a.Through == nil {
				return data
			}
			p := plan(round)
			round++
			a.Plan, a.Through, a.Summary = &p, nil, nil
			return nil
		}
	}
}

// ladderCase is sabotage of what the steps of a ladder rest on. Where hostile is set the other
// side breaks the protocol, and the sync may end with that.
type ladderCase struct {
	params   summary.Params // of both sides, zero for the usual
	constant bool           // the hash of filters is
	meddle   func(*between)
	hostile  bool
	reach    string // a form that the ladder comes to in some of the syncs
}

func ladderCases() map[string]ladderCase {
	cases := map[string]ladderCase{}
	for _, some := range []map[string]ladderCase{brokenFunctions(), probeLies(), planLies(), shortLies(), rangeLies()} {
		maps.Copy(cases, some)
	}
	return cases
}

// onRequest and onReply let a hook meddle.
func onRequest(f func(*wire.Init, []byte) []byte) func(*between) {
	return func(b *between) { b.request = f }
}

func onReply(f func(*wire.Ack, []byte) []byte) func(*between) {
	return func(b *between) { b.reply = f }
}

// ones are widths under which all items look like one of two.
func ones() summary.Params { return summary.Params{ShortBits: 1, CheckBits: 2} }

// brokenFunctions are hash functions that are none.
func brokenFunctions() map[string]ladderCase {
	return map[string]ladderCase{
		"nothing":             {},
		"short IDs of 8 bits": {params: summary.Params{ShortBits: 8, CheckBits: 24}, reach: "ranges"},
		"checks of 4 bits":    {params: summary.Params{ShortBits: 48, CheckBits: 4}},
		"constant sketches":   {params: ones(), reach: "ranges"},
		"constant filters":    {constant: true},
		"everything constant": {params: ones(), constant: true, reach: "ranges"},
	}
}

// probeLies are wrong statements of the initiator about what it has.
func probeLies() map[string]ladderCase {
	return map[string]ladderCase{
		"estimator of nothing": {meddle: onRequest(probes(func(p *summary.Probe) { p.Estimator = summary.Estimator{} }))},
		"estimator saturated": {meddle: onRequest(probes(func(p *summary.Probe) {
			for i := range p.Estimator {
				p.Estimator[i] = byte(i * 77)
			}
		}))},
		"spine of ones": {meddle: onRequest(probes(func(p *summary.Probe) {
			for i := range p.Spine {
				p.Spine[i].Root.Count = 1
			}
		}))},
		"spine of too many": {meddle: onRequest(probes(func(p *summary.Probe) {
			for i := range p.Spine {
				p.Spine[i].Root.Count += 1 << 40
			}
		}))},
		"spine cut": {meddle: onRequest(probes(func(p *summary.Probe) {
			if len(p.Spine) > 1 {
				p.Spine = p.Spine[1:]
			}
		})), reach: "ranges"},
		"last key too low": {meddle: onRequest(probes(func(p *summary.Probe) {
			if len(p.Spine) > 0 {
				p.Last = p.Spine[len(p.Spine)-1].Bucket.First()
			}
		})), reach: "salted sketch"},
		"no spine": {meddle: onRequest(probes(func(p *summary.Probe) { p.Spine = nil })), reach: "ranges"},
	}
}

// planLies are plans that no responder makes, or makes so often.
func planLies() map[string]ladderCase {
	return map[string]ladderCase{
		"plan of no cells":       {meddle: onReply(plans(func(p *wire.Plan) { p.Cells = 0 })), reach: "ribbon"},
		"plan of 2^24 cells":     {meddle: onReply(plans(func(p *wire.Plan) { p.Cells = 1 << 24 })), reach: "ranges"},
		"plan of 2^63 cells":     {meddle: onReply(plans(func(p *wire.Plan) { p.Cells = 1 << 63 }))},
		"plan of few cells":      {meddle: onReply(plans(func(p *wire.Plan) { p.Cells = 1 }))},
		"plan of 99 bits":        {meddle: onReply(plans(func(p *wire.Plan) { p.Bits = 99 }))},
		"plan of level 9":        {meddle: onReply(plans(func(p *wire.Plan) { p.Level = 9 }))},
		"plan of level 3":        {meddle: onReply(plans(func(p *wire.Plan) { p.Level = 3 }))},
		"plan that is wide":      {meddle: onReply(plans(func(p *wire.Plan) { p.Wide = true }))},
		"plan of no buckets":     {meddle: onReply(plans(func(p *wire.Plan) { p.Bits, p.Dense = 3, nil }))},
		"plan of wrong buckets":  {meddle: onReply(plans(func(p *wire.Plan) { p.Bits, p.Dense = 3, []byte{1, 9, 0xff, 0xff} }))},
		"plan of everything":     {meddle: onReply(plans(func(p *wire.Plan) { p.Bits, p.Dense = 2, summary.AppendBuckets(nil, []summary.Bucket{{}}) }))},
		"the same plan for ever": {meddle: alwaysPlan(func(int) wire.Plan { return wire.Plan{Cells: 200} }), reach: "ranges"},
		"larger plans for ever":  {meddle: alwaysPlan(func(n int) wire.Plan { return wire.Plan{Cells: 200 << n} }), reach: "ranges"},
		"other plans for ever":   {meddle: alwaysPlan(func(n int) wire.Plan { return wire.Plan{Cells: 200, Level: uint64(n % 4), Wide: n%3 > 1} }), reach: "ranges"},
	}
}

// shortLies are wrong answers to a sketch.
func shortLies() map[string]ladderCase {
	shorts := func(change func([]byte) []byte) func(*wire.Ack, []byte) []byte {
		return func(a *wire.Ack, data []byte) []byte {
			if a.Summary == nil || a.Summary.Form != wire.FormShorts {
				return data
			}
			return change(data)
		}
	}
	return map[string]ladderCase{
		"short IDs that nobody has":  {meddle: onReply(shorts(func(d []byte) []byte { d[0]++; return d }))},
		"short IDs left out":         {meddle: onReply(shorts(func(d []byte) []byte { return d[6:] }))},
		"short IDs of another width": {meddle: onReply(shorts(func(d []byte) []byte { return d[1:] })), hostile: true},
	}
}

// rangeLies are wrong answers to a bisection, which comes where sketches are constant.
func rangeLies() map[string]ladderCase {
	wholly := func(f func(*wire.Ack, []byte) []byte) ladderCase {
		return ladderCase{params: ones(), meddle: onReply(f), reach: "ranges"}
	}
	hostile := func(f func(*wire.Ack, []byte) []byte) ladderCase {
		return ladderCase{params: ones(), meddle: onReply(f), hostile: true}
	}
	return map[string]ladderCase{
		"ranges: counts": wholly(parts(func(s []summary.Segment) []summary.Segment {
			return recounted(s, func(n uint64) uint64 { return n + 5 })
		})),
		"ranges: 2^60 items": wholly(parts(func(s []summary.Segment) []summary.Segment {
			return recounted(s, func(uint64) uint64 { return 1 << 60 })
		})),
		"ranges: no items":      wholly(parts(func(s []summary.Segment) []summary.Segment { return recounted(s, func(uint64) uint64 { return 0 }) })),
		"ranges: none":          wholly(parts(func([]summary.Segment) []summary.Segment { return nil })),
		"ranges: half of them":  wholly(parts(func(s []summary.Segment) []summary.Segment { return s[:(len(s)+1)/2] })),
		"ranges: not asked for": hostile(parts(func([]summary.Segment) []summary.Segment { return []summary.Segment{{Root: summary.Root{Count: 1}}} })),
		"ids of another part": hostile(func(a *wire.Ack, data []byte) []byte {
			if a.Summary != nil && a.Summary.Within != nil {
				a.Summary.Within.Buckets = summary.AppendBuckets(nil, nil)
			}
			return data
		}),
		"ids left out": wholly(func(a *wire.Ack, data []byte) []byte {
			if a.Summary != nil && a.Summary.Within != nil && len(data) > 0 {
				return data[32:]
			}
			return data
		}),
	}
}

func recounted(segments []summary.Segment, count func(uint64) uint64) []summary.Segment {
	for i := range segments {
		segments[i].Root.Count = count(segments[i].Root.Count)
	}
	return segments
}
