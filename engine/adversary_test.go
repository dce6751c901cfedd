package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// adversary answers as a responder does, and changes what it says at random. It never says
// consistently that it holds what it does not: nobody could tell that.
type adversary struct {
	engine.Direct
	*rand.Rand
	odds   float64  // of each change
	tokens [][]byte // cursors of other times, and of other tenants
	happen func()   // between the making of a request and its answer
	told   int      // changes that were made
}

func (a *adversary) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	a.happen()
	var init wire.Init
	if err := wire.DecodeBody(head[0], &init); err != nil {
		return nil, err
	}
	reply, err := a.Direct.Exchange(ctx, head, items)
	if err != nil {
		return nil, err
	}
	s := wire.NewStream(reply)
	defer s.Close()
	frames, err := a.forge(s, &init)
	return wire.Join(frames, func(func(wire.Frame, error) bool) {}), err
}

// now reports whether to change something, and counts that.
func (a *adversary) now() bool {
	yes := a.Float64() < a.odds
	if yes {
		a.told++
	}
	return yes
}

// forge reads a reply and makes another of it.
func (a *adversary) forge(s *wire.Stream, init *wire.Init) ([]wire.Frame, error) {
	var ack wire.Ack
	f, err := s.Take(wire.TypeAck)
	if err == nil {
		err = wire.DecodeBody(f, &ack)
	}
	if err != nil {
		return nil, err
	}
	var frames []wire.Frame
	if s.At(wire.TypeSecret) {
		f, _ := s.Take(wire.TypeSecret)
		frames = append(frames, f)
	}
	var data []byte
	for s.At(wire.TypeSummary) {
		f, _ := s.Take(wire.TypeSummary)
		data = append(data, f.Body...)
	}
	data = a.ack(&ack, init, a.bytes(data))
	for chunk := range slices.Chunk(data, wire.MaxBody) {
		frames = append(frames, wire.Frame{Type: wire.TypeSummary, Body: chunk})
	}
	first, err := wire.EncodeBody(wire.TypeAck, ack)
	if err != nil {
		return nil, err
	}
	rest, err := a.items(s, ack.WantSecret)
	return slices.Concat([]wire.Frame{first}, frames, rest), err
}

// bytes changes some of a summary.
func (a *adversary) bytes(data []byte) []byte {
	data = slices.Clone(data)
	if len(data) > 0 && a.now() {
		data[a.IntN(len(data))] ^= byte(1 + a.IntN(255))
	}
	if len(data) > 0 && a.now() { // near the head, where the numbers are
		data[a.IntN(min(12, len(data)))] = byte(a.IntN(256))
	}
	if a.now() {
		data = data[:a.IntN(len(data)+1)]
	}
	return data
}

// number changes one, most often by little.
func (a *adversary) number(n *uint64) {
	if a.now() {
		*n = [...]uint64{*n + 1, *n - 1, 0, math.MaxUint64, *n * 2, a.Uint64() >> a.IntN(64)}[a.IntN(6)]
	}
}

func (a *adversary) root(root **wire.Root) {
	if a.now() {
		if *root == nil {
			*root = new(wire.Root)
		} else {
			*root = nil
			return
		}
	}
	if *root != nil {
		changed := **root
		a.number(&changed.Count)
		if a.now() {
			changed.Fingerprint[a.IntN(32)]++
		}
		*root = &changed
	}
}

// ack changes an ACK and returns the summary that goes with it.
func (a *adversary) ack(ack *wire.Ack, init *wire.Init, data []byte) []byte {
	root := &ack.Root
	if a.root(&root); root != nil && (init.Root == nil || *root != *init.Root) {
		ack.Root = *root
	}
	a.root(&ack.Through)
	if init.Direction == engine.Pull && init.Root != nil && a.now() {
		through := *init.Root
		ack.Through = &through
	}
	a.number(&ack.Kept)
	a.number(&ack.Budget)
	if a.Float64() < 0.2 { // these end a sync in most cases
		a.number(&ack.Received)
		a.number(&ack.Secret.Generation)
		if ack.WantSecret != a.now() {
			ack.WantSecret = !ack.WantSecret
		}
		if ack.WantSegments != a.now() {
			ack.WantSegments = !ack.WantSegments
		}
	}
	if len(a.tokens) > 0 && a.now() {
		ack.Cursor = a.tokens[a.IntN(len(a.tokens))]
	}
	if len(ack.Cursor) > 0 && a.now() {
		ack.Cursor = slices.Clone(ack.Cursor)
		ack.Cursor[a.IntN(len(ack.Cursor))]++
	}
	a.plan(ack)
	return a.summary(ack, data)
}

func (a *adversary) plan(ack *wire.Ack) {
	if a.now() {
		ack.Plan = [...]*wire.Plan{nil, {}, {Cells: 200}}[a.IntN(3)]
	}
	if ack.Plan == nil {
		return
	}
	plan := *ack.Plan
	for _, n := range []*uint64{&plan.Cells, &plan.Bits, &plan.Level, &plan.Estimate} {
		a.number(n)
	}
	if a.now() {
		plan.Wide = !plan.Wide
	}
	if a.now() {
		plan.Dense = summary.AppendBuckets(nil, []summary.Bucket{summary.BucketOf(engine.Key{Time: a.Int64()}, a.IntN(64))})
	}
	plan.Dense = a.bytes(plan.Dense)
	ack.Plan = &plan
}

func (a *adversary) summary(ack *wire.Ack, data []byte) []byte {
	if a.now() {
		forms := []wire.Form{wire.FormIDs, wire.FormFilter, wire.FormShorts, wire.FormRanges, wire.FormSketch, wire.FormSegments}
		ack.Summary = &wire.Summary{Form: forms[a.IntN(len(forms))]}
	}
	if a.now() {
		ack.Summary = nil
	}
	if ack.Summary == nil {
		return nil
	}
	head := *ack.Summary
	head.Size = uint64(len(data))
	if a.now() {
		head.Salt[3]++
	}
	if head.Within != nil {
		w := *head.Within
		w.Buckets, w.Intervals = a.bytes(w.Buckets), a.bytes(w.Intervals)
		head.Within = &w
	}
	if a.now() {
		head.Within = nil
	}
	ack.Summary = &head
	return data
}

// items leaves some out, and repeats, swaps and spoils others.
func (a *adversary) items(s *wire.Stream, none bool) ([]wire.Frame, error) {
	var payloads [][]byte
	if s.At(wire.TypeItems) {
		for p, err := range wire.DecodeItems(s, 1<<30) {
			if err != nil {
				return nil, err
			}
			payloads = append(payloads, slices.Clone(p))
		}
	}
	end := wire.TypeDone
	if s.At(wire.TypeMore) {
		end = wire.TypeMore
	}
	if none || a.Float64() < a.odds/20 {
		return nil, nil
	}
	for n := len(payloads); n > 0 && a.odds > 0 && a.IntN(2) == 0; n = len(payloads) {
		a.told++
		i, j := a.IntN(n), a.IntN(n)
		switch a.IntN(4) {
		case 0:
			payloads = slices.Delete(payloads, i, i+1)
		case 1:
			payloads = append(payloads, payloads[i])
		case 2:
			payloads[i], payloads[j] = payloads[j], payloads[i]
		case 3:
			payloads = payloads[:i]
		}
	}
	var frames []wire.Frame
	for f, err := range wire.EncodeItems(func(yield func([]byte, error) bool) {
		for _, p := range payloads {
			if !yield(p, nil) {
				return
			}
		}
	}) {
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	count := uint64(len(payloads))
	if a.now() {
		end = [...]wire.Type{wire.TypeDone, wire.TypeMore}[a.IntN(2)]
	}
	f, err := wire.EncodeBody(end, wire.End{Items: count})
	return append(frames, f), err
}

// TestAdversary: whatever a responder makes of its replies, a sync is complete only if both
// sides hold what they did at its beginning as the direction demands, nothing else came, and
// it ends within the rounds that are stated.
func TestAdversary(t *testing.T) {
	strategies := append(engine.Strategies(), "ranges")
	for _, strategy := range strategies {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			told, complete, all := 0, 0, pairs(t, 4*len(strategies)) // of four syncs each
			for n := range uint64(all) {
				p := newPair(n*31 + 5)
				if n%3 > 0 {
					p.a.KeepSummaries, p.b.KeepSummaries = true, true
				}
				p.strategy, p.direction = strategy, []engine.Direction{engine.Pull, engine.Push, engine.Both}[n%3]
				p.memory, p.cache, p.cursor = new(engine.SegmentMemory), engine.NewSegmentCache(1<<20), new(engine.CursorMemory)
				for _, s := range []*enginetest.Set{p.a, p.b} {
					if n%4 > 0 {
						keep(t, s, epoch(1))
					}
				}
				made, ended := p.against(t, 4)
				told, complete = told+made, complete+ended
			}
			if all > 20 && (told < all || complete < all/4 || complete == 4*all) {
				t.Errorf("%d changes, %d of %d syncs complete", told, complete, 4*all)
			}
			t.Logf("%d changes, %d of %d syncs complete", told, complete, 4*all)
		})
	}
}

// against syncs some times with an adversary, which remembers the cursors of all of them.
func (p pair) against(t *testing.T, syncs int) (told, complete int) {
	t.Helper()
	other := newPair(p.seed + 1)
	tokens := [][]byte{nil, other.token(t), p.token(t)}
	for n := range syncs {
		opt := engine.Options{Strategy: p.strategy, Direction: p.direction, Random: chacha(p.seed + uint64(n)), Segments: p.memory, Cursor: p.cursor, RoundPrice: 1 << (7 * n)}
		if p.strategy == "ranges" {
			opt.Strategy = engine.StrategySketch
			opt = opt.BeginWithRanges()
		}
		first := []engine.Key(nil)
		a := &adversary{Rand: p.random, tokens: tokens, odds: []float64{0, 0.02, 0.1, 0.3}[p.random.IntN(4)]}
		a.Direct = engine.Direct{Replica: p.b, Options: engine.RespondOptions{Random: chacha(p.seed + 1), Segments: p.cache, Sealer: sealer("b")}}
		changes := p.random.IntN(3) == 0
		a.happen = func() {
			if changes && p.random.IntN(2) == 0 {
				p.a.Add(enginetest.Payload(p.random.Int64N(1<<40), fmt.Sprint("here meanwhile ", p.random.Uint64())))
				p.b.Add(enginetest.Payload(p.random.Int64N(1<<40), fmt.Sprint("there meanwhile ", p.random.Uint64())))
			}
			first = union(p.a, p.b)
		}
		a.tokens = append(a.tokens, p.token(t))
		tokens = a.tokens
		wantA, wantB := p.promised()
		report, err := engine.Sync(t.Context(), p.a, a, opt)
		told += a.told
		where := fmt.Sprintf("pair %d, sync %d, %s, odds %g, changes %t: %v\n%+v", p.seed, n, p.direction, a.odds, changes, err, report)
		// To ask for a secret takes a round each time, and every restart another ladder.
		if report.Complete != (err == nil) || report.Rounds > 2*mostRounds && !changes {
			t.Fatal(where)
		}
		if a.odds == 0 && err != nil && !(changes && errors.Is(err, engine.ErrIncomplete)) {
			t.Fatal(where)
		}
		if invented := without(append(p.a.Keys(), p.b.Keys()...), first); len(invented) > 0 {
			t.Fatalf("%d items came from nowhere: %s", len(invented), where)
		}
		if err == nil {
			complete++
			if lostA, lostB := without(wantA, p.a.Keys()), without(wantB, p.b.Keys()); len(lostA)+len(lostB) > 0 {
				t.Fatalf("complete, but %d items are missing here, %d there: %s", len(lostA), len(lostB), where)
			}
		}
		p.change()
	}
	return told, complete
}

// token returns the cursor that p.b ends a reply with now, if it has any.
func (p pair) token(t *testing.T) []byte {
	t.Helper()
	var token []byte
	peer := liar{engine.Direct{Replica: p.b, Options: engine.RespondOptions{Sealer: sealer("b")}}, func(frames []wire.Frame) []wire.Frame {
		var ack wire.Ack
		if err := wire.DecodeBody(frames[0], &ack); err != nil {
			t.Fatal(err)
		}
		token = ack.Cursor
		return frames
	}}
	nobody := new(enginetest.Set)
	if secret, ok, err := p.b.Secret(t.Context()); err != nil || !ok {
		return nil
	} else {
		keep(t, nobody, &secret)
	}
	if _, err := engine.Sync(t.Context(), nobody, peer, engine.Options{Strategy: engine.StrategySketch, Direction: engine.Push}); err != nil {
		t.Fatal(err)
	}
	return token
}
