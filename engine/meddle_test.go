package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// meddler changes requests and replies on their way, and what the responder keeps.
type meddler struct {
	replica engine.Replica
	options engine.RespondOptions
	request func(*wire.Init, []wire.Frame) []wire.Frame // is given the frames after INIT
	reply   func(*wire.Ack)
	changed int // requests and replies that were made other than they were
}

func (m *meddler) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	if m.request != nil {
		changed, err := m.requested(head)
		if err != nil {
			return nil, err
		}
		head = changed
	}
	direct := engine.Direct{Replica: m.replica, Options: m.options}
	if m.reply == nil {
		return direct.Exchange(ctx, head, items)
	}
	forged := forger(m.replica, func(a *wire.Ack) {
		before := encoded(wire.TypeAck, a)
		m.reply(a)
		if !bytes.Equal(before, encoded(wire.TypeAck, a)) {
			m.changed++
		}
	})
	forged.Direct = direct
	return forged.Exchange(ctx, head, items)
}

func (m *meddler) requested(head []wire.Frame) ([]wire.Frame, error) {
	var init wire.Init
	if err := wire.DecodeBody(head[0], &init); err != nil {
		return nil, err
	}
	rest := m.request(&init, head[1:])
	first, err := wire.EncodeBody(wire.TypeInit, init)
	changed := append([]wire.Frame{first}, rest...)
	if err == nil && wire.Hash(changed) != wire.Hash(head) {
		m.changed++
	}
	return changed, err
}

func encoded(typ wire.Type, v any) []byte {
	f, err := wire.EncodeBody(typ, v)
	if err != nil {
		panic(err)
	}
	return f.Body
}

// within returns the summary of a request or reply that is of a part, else nil.
func within(s *wire.Summary) *wire.Within {
	if s == nil {
		return nil
	}
	return s.Within
}

// TestSegmentsMeddled: what is untrue about segments, from either side or in a
// responder's memory, costs rounds, and never that a sync is exact. Only where filters
// deny what they are of, time after time, may a sync give up.
func TestSegmentsMeddled(t *testing.T) {
	intervals := func(i ...filters.Interval) []byte { return filters.Intervals(i).AppendTo(nil) }
	everything, nothing := intervals(filters.Interval{}), intervals()
	elsewhere := intervals(filters.Interval{Prefix: 1 << 63, Bits: 1})
	replyWithin := func(change func(*wire.Within)) func(*meddler) {
		return func(m *meddler) {
			m.reply = func(a *wire.Ack) {
				if w := within(a.Summary); w != nil {
					change(w)
				}
			}
		}
	}
	requestWithin := func(change func(*wire.Within)) func(*meddler) {
		return func(m *meddler) {
			m.request = func(i *wire.Init, rest []wire.Frame) []wire.Frame {
				if w := within(i.Summary); w != nil {
					change(w)
				}
				return rest
			}
		}
	}
	request := func(change func(*wire.Init, []wire.Frame) []wire.Frame) func(*meddler) {
		return func(m *meddler) { m.request = change }
	}
	reply := func(change func(*wire.Ack)) func(*meddler) { return func(m *meddler) { m.reply = change } }
	for name, meddle := range map[string]func(*meddler){
		"nothing":                   func(*meddler) {},
		"keeps nothing":             func(m *meddler) { m.options.Segments = nil },
		"keeps too little":          func(m *meddler) { m.options.Segments = engine.NewSegmentCache(2000) },
		"doubt of nothing":          replyWithin(func(w *wire.Within) { w.Intervals = nothing }),
		"doubt of everything":       replyWithin(func(w *wire.Within) { w.Intervals = everything }),
		"doubt of elsewhere":        replyWithin(func(w *wire.Within) { w.Intervals = elsewhere }),
		"doubt under another salt":  replyWithin(func(w *wire.Within) { w.Salt[3]++ }),
		"no doubt told":             reply(func(a *wire.Ack) { a.Summary = wholeOf(a.Summary) }),
		"asked of nothing":          requestWithin(func(w *wire.Within) { w.Intervals = nothing }),
		"asked of everything":       requestWithin(func(w *wire.Within) { w.Intervals = everything }),
		"asked of elsewhere":        requestWithin(func(w *wire.Within) { w.Intervals = elsewhere }),
		"asked under another salt":  requestWithin(func(w *wire.Within) { w.Salt[3]++ }),
		"asked of all":              request(func(i *wire.Init, rest []wire.Frame) []wire.Frame { i.Summary = wholeOf(i.Summary); return rest }),
		"kept is invented":          reply(keptIf(func(uint64) uint64 { return 4711 })),
		"kept is another":           reply(keptIf(func(kept uint64) uint64 { return kept + 1 })),
		"kept is forgotten":         reply(func(a *wire.Ack) { a.Kept = 0 }),
		"filter under another salt": request(func(i *wire.Init, rest []wire.Frame) []wire.Frame { saltOf(i)[5]++; return rest }),
		"delta of other items":      request(flipDelta),
		"delta cut":                 request(cutDelta),
		"delta from another":        request(baseOf(func(base uint64) uint64 { return base + 1 })),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := 0
			for seed := range uint64(6) {
				p := newPair(seed * 7)
				keep(t, p.a, epoch(1))
				keep(t, p.b, epoch(1))
				for i := range int64(seed % 2 * 1200) { // enough for some segments, so that there are deltas
					shared := enginetest.Payload(i<<28, "shared")
					p.a.Add(shared)
					p.b.Add(shared, enginetest.Payload(i<<28, "there")) // and for some to be hidden
				}
				p.strategy, p.memory, p.cache = engine.StrategySegmented, new(engine.SegmentMemory), engine.NewSegmentCache(1<<20)
				p.direction = []engine.Direction{engine.Pull, engine.Push, engine.Both}[seed%3]
				changed += p.meddle(t, 3, name == "filter under another salt", meddle)
			}
			if honest := name == "nothing" || strings.HasPrefix(name, "keeps"); honest != (changed == 0) {
				t.Errorf("%d requests and replies were changed", changed)
			}
		})
	}
}

func wholeOf(s *wire.Summary) *wire.Summary {
	if s == nil {
		return nil
	}
	whole := *s
	whole.Within = nil
	return &whole
}

func saltOf(i *wire.Init) *[16]byte {
	if i.Summary == nil || i.Summary.Form != wire.FormSegments {
		return new([16]byte)
	}
	return &i.Summary.Salt
}

// keptIf changes what an ACK says is kept.
func keptIf(change func(uint64) uint64) func(*wire.Ack) {
	return func(a *wire.Ack) {
		if a.Kept != 0 {
			a.Kept = change(a.Kept)
		}
	}
}

func baseOf(change func(uint64) uint64) func(*wire.Init, []wire.Frame) []wire.Frame {
	return func(i *wire.Init, rest []wire.Frame) []wire.Frame {
		if i.Summary != nil && i.Summary.Base != 0 {
			i.Summary.Base = change(i.Summary.Base)
		}
		return rest
	}
}

// flipDelta changes bits of the first segment of a delta, and the checksum with them.
func flipDelta(i *wire.Init, rest []wire.Frame) []wire.Frame {
	const from, to, checksum = 60, 80, 4
	if i.Summary == nil || i.Summary.Base == 0 || i.Summary.Size < to+checksum {
		return rest
	}
	rest = slices.Clone(rest)
	data := slices.Clone(rest[0].Body)
	for at := from; at < to; at++ {
		data[at] ^= 0x5a
	}
	end := len(data) - checksum
	binary.LittleEndian.PutUint32(data[end:], crc32.Checksum(data[:end], crc32.MakeTable(crc32.Castagnoli)))
	rest[0].Body = data
	return rest
}

// cutDelta leaves out the end of a delta.
func cutDelta(i *wire.Init, rest []wire.Frame) []wire.Frame {
	if i.Summary == nil || i.Summary.Base == 0 {
		return rest
	}
	rest = slices.Clone(rest)
	last := &rest[len(rest)-1]
	last.Body = last.Body[:len(last.Body)-1]
	i.Summary.Size--
	return rest
}

// meddle syncs some times, with changes on both sides between, and expects each sync
// to end complete and with what it promises, or else, where it may fail, to say so.
func (p pair) meddle(t *testing.T, syncs int, mayFail bool, meddle func(*meddler)) (changed int) {
	t.Helper()
	for n := range syncs {
		union := union(p.a, p.b)
		wantA, wantB := p.a.Keys(), p.b.Keys()
		if p.direction.Pulls() {
			wantA = union
		}
		if p.direction.Pushes() {
			wantB = union
		}
		m := &meddler{replica: p.b, options: engine.RespondOptions{Random: chacha(p.seed + 1), Segments: p.cache}}
		meddle(m)
		report, err := engine.Sync(t.Context(), p.a, m, engine.Options{
			Strategy: p.strategy, Direction: p.direction, Random: chacha(p.seed + uint64(n)), Segments: p.memory,
		})
		gaveUp := mayFail && errors.Is(err, engine.ErrIncomplete)
		if err != nil && !gaveUp || report.Complete == gaveUp {
			t.Fatalf("pair %d, sync %d: %v\n%+v", p.seed, n, err, report)
		}
		if !gaveUp && (!slices.Equal(p.a.Keys(), wantA) || !slices.Equal(p.b.Keys(), wantB)) {
			t.Fatalf("pair %d, sync %d: sets are not what %s promises\n%+v", p.seed, n, p.direction, report)
		}
		p.change()
		changed += m.changed
	}
	return changed
}

// TestSegmentsWrongKept: a responder that keeps a filter which denies what it is of, as
// after a fault of its memory, is sent a whole one as soon as that shows, and is right
// in the sync after.
func TestSegmentsWrongKept(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		t.Run(string(direction), func(t *testing.T) {
			a, b := several(t)
			memory, cache := new(engine.SegmentMemory), engine.NewSegmentCache(1<<20)
			for n, request := range []func(*wire.Init, []wire.Frame) []wire.Frame{nil, flipDelta, nil, nil} {
				at := int64(1999)<<28 + int64(n)
				b.Add(enginetest.Payload(at, "later there"))
				if n == 1 { // far from all that changes after, so that no other delta puts it right
					at = 1
				}
				a.Add(enginetest.Payload(at, "later here"))
				union := len(union(a, b))
				m := &meddler{replica: b, options: engine.RespondOptions{Segments: cache, Random: chacha(uint64(n + 5))}, request: request}
				report, err := engine.Sync(t.Context(), a, m, engine.Options{
					Strategy: engine.StrategySegmented, Direction: direction, Segments: memory, Random: chacha(uint64(n)),
				})
				if err != nil || direction.Pulls() && a.Len() != union || direction.Pushes() && b.Len() != union {
					t.Fatalf("sync %d: %v: %+v", n, err, report)
				}
				needed := 1
				if direction.Pushes() {
					needed = 2
				}
				if right := report.Rounds == needed; n > 0 && direction != engine.Both && right == (n == 1) || report.Rounds > 4 {
					t.Errorf("sync %d: %d rounds", n, report.Rounds)
				}
			}
		})
	}
}
