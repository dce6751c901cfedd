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

// Bounds on a sync of a ladder that begins with a sketch, of which none pushes or is cut by a
// budget: 10 sketches, 4 whole filters, two bisections of 13 rounds, 2 lists, the IDs, two
// rounds for the secret and one to push.
const mostRounds = 10 + 4 + 2*13 + 2 + 1 + 2 + 1

// TestLadder: whatever the steps of the ladder rest on is broken or lied about, a sync is
// exact, within a stated number of rounds and bytes; where the responder breaks the protocol,
// it is not complete.
func TestLadder(t *testing.T) {
	for name, c := range ladderCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reached, broken, seeds := c.reach == "", false, uint64(6)
			if raceDetector {
				seeds = 3
			}
			for seed := range seeds {
				p := newLadderPair(seed)
				p.direction = []engine.Direction{engine.Pull, engine.Push, engine.Both}[seed%3]
				forms, err := c.sync(t, p)
				reached, broken = slices.Contains(forms, c.reach) || reached, err != nil || broken
			}
			if c.hostile && !broken {
				t.Error("nobody minds")
			}
			if !reached && !raceDetector { // which tries half of the pairs
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

// sync syncs p and returns the forms of what was sent, and how it ended.
func (c ladderCase) sync(t *testing.T, p pair) ([]string, error) {
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
	told := c.hostile && (errors.Is(err, engine.ErrIncomplete) || errors.Is(err, engine.ErrProtocol))
	if err != nil && !told || report.Complete == (err != nil) {
		t.Fatalf("pair %d, %s: %v\n%v\n%+v", p.seed, p.direction, err, b.forms, report)
	}
	if err == nil && (!slices.Equal(p.a.Keys(), wantA) || !slices.Equal(p.b.Keys(), wantB)) {
		t.Fatalf("pair %d: complete, but the sets are not what %s promises\n%v\n%+v", p.seed, p.direction, b.forms, report)
	}
	// For each item no more than ten sketches, four whole filters and lists of it, and its ID
	// four times on either side.
	if most := int64(50_000 + items*(10*3+4*2+2*16+8*32)); report.Rounds > mostRounds || b.bytes > most {
		t.Errorf("pair %d, %s: %d rounds, %d bytes of at most %d for %d items: %v", p.seed, p.direction, report.Rounds, b.bytes, most, items, b.forms)
	}
	return b.forms, err
}

// TestEmptySides: where one side has nothing, a sketch takes one round, at first contact too, and
// what is pushed another one; neither side reads keys but those that travel.
func TestEmptySides(t *testing.T) {
	for _, c := range []struct {
		name         string
		here, there  int
		secret       bool
		rounds, most int // without those that push
	}{
		{"nobody has anything", 0, 0, true, 1, 2500},
		{"nothing here", 0, 3000, true, 1, 2500},
		{"nothing there", 3000, 0, true, 1, 2500},
		{"nothing here, first contact", 0, 3000, false, 1, 600},
		{"nothing there, first contact", 3000, 0, false, 2, 3000},
		{"first contact", 3000, 3000, false, 2, 3000},
	} {
		for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			t.Run(fmt.Sprintf("%s/%s", c.name, direction), func(t *testing.T) {
				p := pair{a: &enginetest.Set{KeepSummaries: true}, b: &enginetest.Set{KeepSummaries: true}, direction: direction}
				for i := range max(c.here, c.there) {
					item := enginetest.Payload(int64(i)<<26, "shared")
					if i < c.here {
						p.a.Add(item)
					}
					if i < c.there {
						p.b.Add(item)
					}
				}
				if c.secret {
					keep(t, p.a, epoch(1))
					keep(t, p.b, epoch(1))
				}
				wantA, wantB := p.promised()
				most := c.rounds
				if direction.Pushes() && len(wantB) > p.b.Len() {
					most++
				}
				report, err := engine.Sync(t.Context(), p.a, engine.Direct{Replica: p.b}, engine.Options{Strategy: engine.StrategySketch, Direction: direction})
				if err != nil || !slices.Equal(p.a.Keys(), wantA) || !slices.Equal(p.b.Keys(), wantB) {
					t.Fatalf("%v: %+v", err, report)
				}
				if bytes := report.Up.Metadata + report.Down.Metadata; report.Rounds > most || bytes > int64(c.most+400*(most-c.rounds)) {
					t.Errorf("%d rounds of at most %d, %d bytes", report.Rounds, most, bytes)
				}
			})
		}
	}
}
