package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// between stands between an initiator and a responder, notes what summaries pass and
// changes some.
type between struct {
	engine.Direct
	request func(*wire.Init, []byte) []byte // is given the summary, and returns another
	reply   func(*wire.Ack, []byte) []byte
	forms   []string // of the requests
	bytes   int64    // of all frames but items
}

func (b *between) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	var init wire.Init
	head, err := b.pass(head, &init, &init.Summary, func(data []byte) []byte {
		b.forms = append(b.forms, formOf(init.Summary, data))
		if b.request != nil {
			data = b.request(&init, data)
		}
		return data
	})
	if err != nil {
		return nil, err
	}
	reply, err := b.Direct.Exchange(ctx, head, items)
	if err != nil {
		return nil, err
	}
	var frames []wire.Frame
	for f, err := range reply {
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	var ack wire.Ack
	frames, err = b.pass(frames, &ack, &ack.Summary, func(data []byte) []byte {
		if b.reply != nil {
			data = b.reply(&ack, data)
		}
		return data
	})
	if err == nil && ack.Plan != nil { // no items come with a plan
		end, err := wire.EncodeBody(wire.TypeDone, wire.End{})
		frames = append(slices.DeleteFunc(frames, func(f wire.Frame) bool { return f.Type > wire.TypeSummary && f.Type != wire.TypeAck }), end)
		return wire.Join(frames, func(func(wire.Frame, error) bool) {}), err
	}
	return wire.Join(frames, func(func(wire.Frame, error) bool) {}), err
}

// pass changes body, that of the first frame, and the summary that follows.
func (b *between) pass(frames []wire.Frame, body any, head **wire.Summary, change func([]byte) []byte) ([]wire.Frame, error) {
	if err := wire.DecodeBody(frames[0], body); err != nil {
		return nil, err
	}
	var data []byte
	var rest []wire.Frame
	for _, f := range frames[1:] {
		if f.Type == wire.TypeSummary {
			data = append(data, f.Body...)
		} else {
			rest = append(rest, f)
		}
	}
	data = change(data)
	if *head != nil {
		(*head).Size = uint64(len(data))
	}
	first, err := wire.EncodeBody(frames[0].Type, body)
	changed := []wire.Frame{first}
	if len(rest) > 0 && rest[0].Type == wire.TypeSecret {
		changed, rest = append(changed, rest[0]), rest[1:]
	}
	for chunk := range slices.Chunk(data, wire.MaxBody) {
		changed = append(changed, wire.Frame{Type: wire.TypeSummary, Body: chunk})
	}
	for _, f := range append(changed, rest...) {
		if f.Type != wire.TypeItems {
			b.bytes += int64(f.Size())
		}
	}
	return append(changed, rest...), err
}

// formOf names a summary: for a sketch whether it is under a salt of its own, for IDs
// whether they are of a part.
func formOf(head *wire.Summary, data []byte) string {
	switch {
	case head == nil:
		return "none"
	case head.Form == wire.FormSketch:
		if p, err := summary.DecodeProbe(data); err == nil && p.Salt != [16]byte{} {
			return "salted sketch"
		}
	case head.Form == wire.FormIDs && head.Within != nil:
		return "some ids"
	case head.Form == wire.FormFilter:
		return filters.Kind(data[3]).String()
	}
	return string(head.Form)
}

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

// always returns a reply hook that makes every answer to a sketch a plan.
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

// sabotage of what the steps of a ladder rest on. Where hostile is set the other side
// breaks the protocol, and the sync may end with that.
type ladderCase struct {
	params   summary.Params // of both sides, zero for the usual
	constant bool           // the hash of filters is
	meddle   func(*between)
	hostile  bool
	reach    string // a form that the ladder comes to in some of the syncs
}

func ladderCases() map[string]ladderCase {
	request := func(f func(*wire.Init, []byte) []byte) func(*between) { return func(b *between) { b.request = f } }
	reply := func(f func(*wire.Ack, []byte) []byte) func(*between) { return func(b *between) { b.reply = f } }
	one := summary.Params{ShortBits: 1, CheckBits: 2}
	wholly := func(f func(*wire.Ack, []byte) []byte) ladderCase {
		return ladderCase{params: one, meddle: reply(f), reach: "ranges"}
	}
	hostile := func(f func(*wire.Ack, []byte) []byte) ladderCase {
		return ladderCase{params: one, meddle: reply(f), hostile: true}
	}
	shorts := func(change func([]byte) []byte) func(*wire.Ack, []byte) []byte {
		return func(a *wire.Ack, data []byte) []byte {
			if a.Summary == nil || a.Summary.Form != wire.FormShorts {
				return data
			}
			return change(data)
		}
	}
	return map[string]ladderCase{
		"nothing":              {},
		"short IDs of 8 bits":  {params: summary.Params{ShortBits: 8, CheckBits: 24}, reach: "ranges"},
		"checks of 4 bits":     {params: summary.Params{ShortBits: 48, CheckBits: 4}},
		"constant sketches":    {params: one, reach: "ranges"},
		"constant filters":     {constant: true},
		"everything constant":  {params: one, constant: true, reach: "ranges"},
		"estimator of nothing": {meddle: request(probes(func(p *summary.Probe) { p.Estimator = summary.Estimator{} }))},
		"estimator saturated": {meddle: request(probes(func(p *summary.Probe) {
			for i := range p.Estimator {
				p.Estimator[i] = byte(i * 77)
			}
		}))},
		"spine of ones": {meddle: request(probes(func(p *summary.Probe) {
			for i := range p.Spine {
				p.Spine[i].Root.Count = 1
			}
		}))},
		"spine of too many": {meddle: request(probes(func(p *summary.Probe) {
			for i := range p.Spine {
				p.Spine[i].Root.Count += 1 << 40
			}
		}))},
		"spine cut": {meddle: request(probes(func(p *summary.Probe) {
			if len(p.Spine) > 1 {
				p.Spine = p.Spine[1:]
			}
		})), reach: "ranges"},
		"last key too low": {meddle: request(probes(func(p *summary.Probe) {
			if len(p.Spine) > 0 {
				p.Last = p.Spine[len(p.Spine)-1].Bucket.First()
			}
		})), reach: "salted sketch"},
		"no spine":                   {meddle: request(probes(func(p *summary.Probe) { p.Spine = nil })), reach: "ranges"},
		"plan of no cells":           {meddle: reply(plans(func(p *wire.Plan) { p.Cells = 0 })), reach: "ribbon"},
		"plan of 2^24 cells":         {meddle: reply(plans(func(p *wire.Plan) { p.Cells = 1 << 24 })), reach: "ranges"},
		"plan of 2^63 cells":         {meddle: reply(plans(func(p *wire.Plan) { p.Cells = 1 << 63 }))},
		"plan of few cells":          {meddle: reply(plans(func(p *wire.Plan) { p.Cells = 1 }))},
		"plan of 99 bits":            {meddle: reply(plans(func(p *wire.Plan) { p.Bits = 99 }))},
		"plan of level 9":            {meddle: reply(plans(func(p *wire.Plan) { p.Level = 9 }))},
		"plan of level 3":            {meddle: reply(plans(func(p *wire.Plan) { p.Level = 3 }))},
		"plan that is wide":          {meddle: reply(plans(func(p *wire.Plan) { p.Wide = true }))},
		"plan of no buckets":         {meddle: reply(plans(func(p *wire.Plan) { p.Bits, p.Dense = 3, nil }))},
		"plan of wrong buckets":      {meddle: reply(plans(func(p *wire.Plan) { p.Bits, p.Dense = 3, []byte{1, 9, 0xff, 0xff} }))},
		"plan of everything":         {meddle: reply(plans(func(p *wire.Plan) { p.Bits, p.Dense = 2, summary.AppendBuckets(nil, []summary.Bucket{{}}) }))},
		"the same plan for ever":     {meddle: alwaysPlan(func(int) wire.Plan { return wire.Plan{Cells: 200} }), reach: "ranges"},
		"larger plans for ever":      {meddle: alwaysPlan(func(n int) wire.Plan { return wire.Plan{Cells: 200 << n} }), reach: "ranges"},
		"other plans for ever":       {meddle: alwaysPlan(func(n int) wire.Plan { return wire.Plan{Cells: 200, Level: uint64(n % 4), Wide: n%3 > 1} }), reach: "ranges"},
		"short IDs that nobody has":  {meddle: reply(shorts(func(d []byte) []byte { d[0]++; return d }))},
		"short IDs left out":         {meddle: reply(shorts(func(d []byte) []byte { return d[6:] }))},
		"short IDs of another width": {meddle: reply(shorts(func(d []byte) []byte { return d[1:] })), hostile: true},
		"ranges: counts": wholly(parts(func(s []summary.Segment) []summary.Segment {
			return counted2(s, func(n uint64) uint64 { return n + 5 })
		})),
		"ranges: 2^60 items": wholly(parts(func(s []summary.Segment) []summary.Segment {
			return counted2(s, func(uint64) uint64 { return 1 << 60 })
		})),
		"ranges: no items":      wholly(parts(func(s []summary.Segment) []summary.Segment { return counted2(s, func(uint64) uint64 { return 0 }) })),
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

func counted2(segments []summary.Segment, count func(uint64) uint64) []summary.Segment {
	for i := range segments {
		segments[i].Root.Count = count(segments[i].Root.Count)
	}
	return segments
}

// Bounds on a sync of a ladder that begins with a sketch, of which none pushes or is cut by a
// budget: 10 sketches, 4 whole filters, two bisections of 13 rounds, 2 lists, the IDs, two
// rounds for the secret and one to push.
const mostRounds = 10 + 4 + 2*13 + 2 + 1 + 2 + 1

// TestLadder: whatever the steps of the ladder rest on is broken or lied about, a sync is
// exact, or says that it is incomplete, within a stated number of rounds and bytes.
func TestLadder(t *testing.T) {
	for name, c := range ladderCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reached, seeds := c.reach == "", uint64(6)
			if raceDetector {
				seeds = 3
			}
			for seed := range seeds {
				p := newLadderPair(seed)
				p.direction = []engine.Direction{engine.Pull, engine.Push, engine.Both}[seed%3]
				reached = slices.Contains(c.sync(t, p), c.reach) || reached
			}
			if !reached {
				t.Errorf("no sync comes to %q", c.reach)
			}
		})
	}
}

// newLadderPair returns two sets of which each, or one, or none keeps summaries: some small,
// the others of up to 2000 items that differ all over, at one end and at one instant.
func newLadderPair(seed uint64) pair {
	p := newPair(seed * 7)
	p.strategy = engine.StrategySketch
	if seed%4 > 0 {
		for i := range 350 * int(seed) {
			item := enginetest.Payload(int64(i/7)<<26, fmt.Sprintf("%d shared", i))
			if i%3 == 0 {
				item = enginetest.Payload(int64(seed), fmt.Sprintf("%d shared", i)) // at one instant
			}
			p.a.Add(item)
			p.b.Add(item)
		}
		for i := range 30 * int(seed) {
			p.a.Add(enginetest.Payload(int64(i*37)<<26, fmt.Sprintf("%d here", i)))
			p.b.Add(enginetest.Payload(int64(i*41)<<26, fmt.Sprintf("%d there", i)))
		}
	}
	p.a.KeepSummaries, p.b.KeepSummaries = seed%2 > 0, seed/2%2 > 0
	return p
}

// sync syncs p and returns the forms of what was sent.
func (c ladderCase) sync(t *testing.T, p pair) []string {
	t.Helper()
	for _, set := range []*enginetest.Set{p.a, p.b} {
		keep(t, set, epoch(1))
	}
	opt, peer := engine.Options{Strategy: p.strategy, Direction: p.direction, Random: chacha(p.seed)}, engine.RespondOptions{Random: chacha(p.seed + 1)}
	if (c.params != summary.Params{}) {
		opt, peer = opt.SabotageSketch(c.params), peer.SabotageSketch(c.params)
	}
	if c.constant {
		constant := func(filters.Salt, engine.ID) uint64 { return 42 }
		opt, peer = opt.Sabotage(constant), peer.Sabotage(constant)
	}
	b := &between{Direct: engine.Direct{Replica: p.b, Options: peer}}
	if c.meddle != nil {
		c.meddle(b)
	}
	wantA, wantB := p.promised()
	items := len(union(p.a, p.b))
	report, err := engine.Sync(t.Context(), p.a, b, opt)
	told := errors.Is(err, engine.ErrIncomplete) || c.hostile && errors.Is(err, engine.ErrProtocol)
	if err != nil && !told || report.Complete == (err != nil) {
		t.Fatalf("pair %d, %s: %v\n%v\n%+v", p.seed, p.direction, err, b.forms, report)
	}
	if err == nil && (!slices.Equal(p.a.Keys(), wantA) || !slices.Equal(p.b.Keys(), wantB)) {
		t.Fatalf("pair %d: complete, but the sets are not what %s promises\n%v\n%+v", p.seed, p.direction, b.forms, report)
	}
	if c.meddle == nil && err != nil {
		t.Fatalf("pair %d, %s: nobody lies: %v\n%v", p.seed, p.direction, err, b.forms)
	}
	// For each item no more than ten sketches, four whole filters and lists of it, and its ID
	// four times on either side.
	if most := int64(50_000 + items*(10*3+4*2+2*16+8*32)); report.Rounds > mostRounds || b.bytes > most {
		t.Errorf("pair %d, %s: %d rounds, %d bytes of at most %d for %d items: %v", p.seed, p.direction, report.Rounds, b.bytes, most, items, b.forms)
	}
	return b.forms
}
