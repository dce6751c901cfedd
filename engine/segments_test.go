package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// epoch returns a secret; the one of the higher number wins.
func epoch(n byte) *engine.Secret {
	return &engine.Secret{SecretName: wire.SecretName{Generation: uint64(n)}, Key: [32]byte{n}}
}

// held is a replica of fixed keys that takes and gives no items.
type held struct {
	enginetest.Set
	keys []engine.Key
}

type heldView struct {
	engine.View
	keys []engine.Key
}

func (v heldView) Keys(context.Context) ([]engine.Key, error) { return v.keys, nil }

func (h *held) View(ctx context.Context) (engine.View, error) {
	v, err := h.Set.View(ctx)
	return heldView{v, h.keys}, err
}

// holding returns a replica of keys in the epoch 1.
func holding(t testing.TB, keys []engine.Key) *held {
	t.Helper()
	h := &held{keys: keys}
	if _, err := h.KeepSecret(t.Context(), *epoch(1)); err != nil {
		t.Fatal(err)
	}
	return h
}

// everyMinute returns n keys, on average one every minute.
func everyMinute(random *rand.Rand, n int) []engine.Key {
	keys := make([]engine.Key, n)
	for i := range keys {
		keys[i].Time = 1_700_000_000_000_000 + int64(i)*60_000_000 + random.Int64N(60_000_000)
		for at := range keys[i].ID {
			keys[i].ID[at] = byte(random.Uint32())
		}
	}
	return keys
}

// TestSegmentsDelta: where the responder keeps the last filter, a sync sends what is
// new: of 10^5 items at most 2 % for 100 new recent ones, and next to nothing for none.
func TestSegmentsDelta(t *testing.T) {
	keys := everyMinute(rand.New(rand.NewPCG(1, 2)), 100_100)
	b := holding(t, keys[:100_000])
	memory, cache := new(engine.SegmentMemory), engine.NewSegmentCache(engine.DefaultSegmentBytes)
	up := func(a *held) int64 {
		t.Helper()
		r, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Segments: cache, Random: chacha(1)}},
			engine.Options{Strategy: engine.StrategySegmented, Direction: engine.Pull, Segments: memory, Random: chacha(2)})
		if err != nil || !r.Complete || r.Rounds > 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.Up.Summaries
	}
	whole := up(holding(t, keys[:100_000]))
	same := up(holding(t, keys[:100_000]))
	more := up(holding(t, keys))
	t.Logf("%d bytes for all, %d for 100 more, %d for none", whole, more, same)
	if more*50 > whole || same > 40 {
		t.Errorf("%d bytes for all, %d for 100 more, %d for none", whole, more, same)
	}
}

// TestSegmentsDoubt: the second half, and the rounds that follow a false positive,
// are about the segments in doubt alone.
func TestSegmentsDoubt(t *testing.T) {
	keys := everyMinute(rand.New(rand.NewPCG(3, 4)), 20_000)
	a := holding(t, keys)
	b := holding(t, slices.DeleteFunc(slices.Clone(keys), func(k engine.Key) bool { return k.Time < keys[500].Time && k.ID[0] < 5 }))
	for seed := range uint64(3) {
		r, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(seed)}},
			engine.Options{Strategy: engine.StrategySegmented, Direction: engine.Pull, Random: chacha(seed)})
		if err != nil || r.Local.Count-r.Remote.Count < 3 {
			t.Fatalf("%+v, %v", r, err)
		}
		if r.Down.Summaries > 2500*int64(r.Rounds) || r.Up.Summaries > 21_000+2500*int64(r.Rounds-1) {
			t.Errorf("%d bytes up, %d down in %d rounds", r.Up.Summaries, r.Down.Summaries, r.Rounds)
		}
	}
}

// TestSegmentsHidden: an item that the segmented filter hides is found by a filter of
// its segment alone.
func TestSegmentsHidden(t *testing.T) {
	a, b := several(t)
	whole, _ := segmented(t, a)
	hide(t, a, b)
	size := int64(len(whole.AppendTo(nil)))
	r, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(1)}},
		engine.Options{Strategy: engine.StrategySegmented, Random: chacha(2), Direction: engine.Pull})
	if err != nil || r.Received != 21 || r.Rounds < 2 || r.Rounds > 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	if more := (r.Up.Summaries - size) / int64(r.Rounds-1); more > 900 || more < 300 {
		t.Errorf("%d bytes of summaries in each round after the first, in that %d", more, size)
	}
}

// TestSegmentsLostButEqual: a responder that lost what it kept, but has the same items,
// asks for nothing.
func TestSegmentsLostButEqual(t *testing.T) {
	a, b := several(t)
	memory, cache := new(engine.SegmentMemory), engine.NewSegmentCache(1<<20)
	for n, c := range []*engine.SegmentCache{cache, cache, nil} {
		r, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Segments: c}},
			engine.Options{Strategy: engine.StrategySegmented, Segments: memory})
		if err != nil || n == 2 && (r.Rounds != 1 || r.Up.Summaries > 40) {
			t.Errorf("sync %d: %+v, %v", n, r, err)
		}
	}
}

// TestSegmentsReplyLost: where the reply was lost that told what a responder keeps now,
// and it keeps no more than that, the next delta starts from there.
func TestSegmentsReplyLost(t *testing.T) {
	a, b := several(t)
	memory := new(engine.SegmentMemory)
	whole, _ := segmented(t, a)
	m := &meddler{replica: b, options: engine.RespondOptions{Random: chacha(1)}}
	m.options.Segments = engine.NewSegmentCache(7000) // bytes for one of them
	opt := engine.Options{Strategy: engine.StrategySegmented, Segments: memory, Direction: engine.Push, Random: chacha(2)}
	for n := range 4 {
		a.Add(enginetest.Payload(int64(n), "later here"))
		m.reply = nil
		if n == 2 {
			m.reply = func(a *wire.Ack) { a.Version = 99 }
		}
		r, err := engine.Sync(t.Context(), a, m, opt)
		if (err != nil) != (n == 2) || n > 0 && r.Up.Summaries > int64(len(whole.AppendTo(nil))) {
			t.Errorf("sync %d: %+v, %v", n, r, err)
		}
	}
}

// several returns the sets of twenty with 2000 items more, which both have: enough for
// some segments, so that a delta is shorter than the whole.
func several(t *testing.T) (a, b *enginetest.Set) {
	t.Helper()
	a, b = twenty(t)
	for i := range int64(2000) {
		shared := enginetest.Payload(i<<28, "shared")
		a.Add(shared)
		b.Add(shared)
	}
	return a, b
}

// TestSegmentsForgetful: a responder that loses what it keeps between two rounds is
// sent whole filters after that has cost two rounds.
func TestSegmentsForgetful(t *testing.T) {
	a, b := several(t)
	rounds, lost := 0, 0
	m := &meddler{replica: b, reply: func(a *wire.Ack) {
		if a.WantSegments {
			lost++
		}
	}}
	m.request = func(_ *wire.Init, rest []wire.Frame) []wire.Frame {
		if rounds++; rounds%2 == 1 {
			m.options.Segments = engine.NewSegmentCache(1 << 20)
		}
		return rest
	}
	limits := engine.Limits{ReplyBytes: 100}
	opt := engine.Options{Strategy: engine.StrategySegmented, Limits: limits, Direction: engine.Pull, Random: chacha(1)}
	report, err := engine.Sync(t.Context(), a, m, opt)
	if err != nil || report.Received != 20 || lost != 2 || rounds < 12 {
		t.Fatalf("%d rounds, %d of them lost: %v", rounds, lost, err)
	}
}

// TestSegmentsClaims: a responder that wants more than the whole, or keeps what it
// was not sent, breaks the rules.
func TestSegmentsClaims(t *testing.T) {
	for strategy, change := range map[engine.Strategy]func(*wire.Ack){
		engine.StrategySegmented: func(a *wire.Ack) { a.WantSegments, a.Kept = true, 4711 },
		engine.StrategyFuse:      func(a *wire.Ack) { a.Kept = 4711 },
		engine.StrategyList:      func(a *wire.Ack) { a.WantSegments = true },
	} {
		a, b := twenty(t)
		report, err := engine.Sync(t.Context(), a, &meddler{replica: b, reply: change}, engine.Options{Strategy: strategy})
		if !errors.Is(err, engine.ErrProtocol) {
			t.Errorf("%s: %+v, %v", strategy, report, err)
		}
	}
}

// TestSegmentsRotation: a secret that rotates between syncs, on either side, starts a
// new epoch, in which the next sync sends a whole filter and the one after a delta.
func TestSegmentsRotation(t *testing.T) {
	keys := everyMinute(rand.New(rand.NewPCG(5, 6)), 5000)
	a, b := holding(t, keys), holding(t, keys[:4000])
	memory, cache := new(engine.SegmentMemory), engine.NewSegmentCache(1<<20)
	var sizes []int64
	for n := range byte(6) {
		switch n {
		case 2:
			keep(t, &a.Set, epoch(2))
		case 4:
			keep(t, &b.Set, epoch(3))
		}
		r, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Segments: cache}},
			engine.Options{Strategy: engine.StrategySegmented, Direction: engine.Pull, Segments: memory})
		if err != nil || !r.Complete {
			t.Fatalf("sync %d: %+v, %v", n, r, err)
		}
		sizes = append(sizes, r.Up.Summaries)
	}
	// The fourth change is one that the initiator learns of after it has sent a delta.
	for n, whole := range []bool{true, false, true, false, false, true} {
		if (sizes[n] > 4000) != whole {
			t.Errorf("sync %d: whole should be %t: %d", n, whole, sizes)
		}
	}
}

// TestSegmentsWritesMeanwhile: what is written on both sides between the rounds of a
// sync ends up on the other, as with any strategy.
func TestSegmentsWritesMeanwhile(t *testing.T) {
	for seed := range uint64(30) {
		p := newPair(seed)
		a, b := &busy{Set: p.a, limit: 4}, &busy{Set: p.b, limit: 4}
		memory, cache := new(engine.SegmentMemory), engine.NewSegmentCache(1<<20)
		for n := range 3 {
			report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Segments: cache}},
				engine.Options{Strategy: engine.StrategySegmented, Segments: memory})
			if err != nil || !report.RootsEqual || !slices.Equal(p.a.Keys(), p.b.Keys()) {
				t.Fatalf("pair %d, sync %d: %v: %+v", seed, n, err, report)
			}
			a.views, b.views = 0, 0
		}
	}
}

// TestSegmentsRequests: requests about segments that are none.
func TestSegmentsRequests(t *testing.T) {
	_, b := small()
	segmented, err := filters.Build(filters.Segmented, []uint64{1, 2, 3}, filters.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fuse, err := filters.Build(filters.Fuse8, []uint64{1, 2, 3}, filters.Options{})
	if err != nil {
		t.Fatal(err)
	}
	part := &wire.Within{Intervals: filters.Intervals{{}}.AppendTo(nil)}
	long := &wire.Within{Intervals: make([]byte, wire.MaxIntervals+1)}
	for name, c := range map[string]struct {
		head wire.Summary
		data []byte
		want error
	}{
		"good":               {wire.Summary{Form: wire.FormSegments}, segmented.AppendTo(nil), nil},
		"unknown base":       {wire.Summary{Form: wire.FormSegments, Base: 5}, []byte("no matter what"), nil},
		"of a part":          {wire.Summary{Form: wire.FormSegments, Within: part}, segmented.AppendTo(nil), wire.ErrMalformed},
		"another kind":       {wire.Summary{Form: wire.FormSegments}, fuse.AppendTo(nil), wire.ErrMalformed},
		"segments as filter": {wire.Summary{Form: wire.FormFilter}, segmented.AppendTo(nil), wire.ErrMalformed},
		"filter of a part":   {wire.Summary{Form: wire.FormFilter, Within: part}, fuse.AppendTo(nil), nil},
		"filter as delta":    {wire.Summary{Form: wire.FormFilter, Base: 1}, fuse.AppendTo(nil), wire.ErrMalformed},
		"ids of a part":      {wire.Summary{Form: wire.FormIDs, Within: part}, make([]byte, 32), wire.ErrMalformed},
		"no intervals":       {wire.Summary{Form: wire.FormFilter, Within: &wire.Within{}}, fuse.AppendTo(nil), filters.ErrMalformed},
		"too many intervals": {wire.Summary{Form: wire.FormFilter, Within: long}, fuse.AppendTo(nil), wire.ErrTooLarge},
		"malformed":          {wire.Summary{Form: wire.FormSegments}, []byte("segments"), filters.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			c.head.Size = uint64(len(c.data))
			init := wire.Init{Version: 1, Direction: engine.Pull, Budget: 1000, Summary: &c.head}
			request := []wire.Frame{control(t, wire.TypeInit, init), {Type: wire.TypeSummary, Body: c.data}}
			frames, err := engine.Respond(t.Context(), b, wire.Join(request, func(func(wire.Frame, error) bool) {}), engine.RespondOptions{})
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil {
				if _, err := concat(frames); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestSegmentsOwners: what is kept for one owner is none of another's.
func TestSegmentsOwners(t *testing.T) {
	keys := everyMinute(rand.New(rand.NewPCG(7, 8)), 3000)
	a, b := holding(t, keys), holding(t, keys[1:])
	memory, cache := new(engine.SegmentMemory), engine.NewSegmentCache(1<<20)
	for n, owner := range []string{"alice", "alice", "bob", "bob", "alice"} {
		r, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Segments: cache, Owner: owner, Random: chacha(1)}},
			engine.Options{Strategy: engine.StrategySegmented, Direction: engine.Pull, Segments: memory, Random: chacha(2)})
		if err != nil || !r.Complete {
			t.Fatalf("sync %d: %+v, %v", n, r, err)
		}
		if whole := r.Up.Summaries > 2000; whole != (n == 0 || n == 2) || r.Rounds > 1 != (n == 2) {
			t.Errorf("sync %d, of %s: %d bytes in %d rounds", n, owner, r.Up.Summaries, r.Rounds)
		}
	}
}

// TestRounds: what one side has and the other lacks, and does not move, costs no
// more rounds however much it is; nor does, in a segmented filter, where it lies.
func TestRounds(t *testing.T) {
	for _, c := range []struct {
		strategy    engine.Strategy
		direction   engine.Direction
		here, there int // items that only one side has
		rounds      int
	}{
		{engine.StrategySegmented, engine.Pull, 1500, 0, 1},
		{engine.StrategySegmented, engine.Pull, 1500, 20, 2},
		{engine.StrategySegmented, engine.Pull, 0, 1500, 2},
		{engine.StrategySegmented, engine.Push, 1500, 0, 2},
		{engine.StrategySegmented, engine.Push, 20, 1500, 4}, // two filters in vain, then a list
		{engine.StrategySegmented, engine.Both, 1500, 1500, 4},
		{engine.StrategyRibbon, engine.Pull, 1500, 0, 3}, // the same
		{engine.StrategyRibbon, engine.Push, 0, 1500, 3},
		{engine.StrategyRibbon, engine.Both, 1500, 1500, 5},
	} {
		t.Run(fmt.Sprintf("%s/%s/here=%d/there=%d", c.strategy, c.direction, c.here, c.there), func(t *testing.T) {
			a, b := twenty(t)
			for i := range int64(3000) {
				shared := enginetest.Payload(i<<28, "shared")
				a.Add(shared)
				b.Add(shared)
			}
			for i := range int64(c.here) {
				a.Add(enginetest.Payload(i<<29, "here"))
			}
			for i := range int64(c.there) {
				b.Add(enginetest.Payload(i<<29, "there"))
			}
			r, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(3)}},
				engine.Options{Strategy: c.strategy, Direction: c.direction, Random: chacha(4)})
			if err != nil || r.Rounds > c.rounds {
				t.Errorf("%d rounds, at most %d: %v", r.Rounds, c.rounds, err)
			}
		})
	}
}

// BenchmarkSegments is a sync of n items with a responder that holds the same, 100
// new ones before each: with what both remember, and without.
func BenchmarkSegments(b *testing.B) {
	const n = 1_000_000
	for _, remembered := range []bool{true, false} {
		b.Run(fmt.Sprintf("remembered=%t/n=%d", remembered, n), func(b *testing.B) {
			keys := everyMinute(rand.New(rand.NewPCG(1, 2)), n+100*1000)
			memory, cache := new(engine.SegmentMemory), engine.NewSegmentCache(engine.DefaultSegmentBytes)
			bytes, at := int64(0), n
			for b.Loop() {
				if !remembered {
					memory, cache = nil, nil
				}
				a := holding(b, keys[:at])
				r, err := engine.Sync(b.Context(), a, engine.Direct{Replica: a, Options: engine.RespondOptions{Segments: cache}},
					engine.Options{Strategy: engine.StrategySegmented, Direction: engine.Pull, Segments: memory})
				if err != nil {
					b.Fatal(err)
				}
				bytes = r.Up.Summaries
				at += 100
			}
			b.ReportMetric(float64(bytes), "summary-B")
		})
	}
}
