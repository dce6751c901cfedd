package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// TestRanges: a bisection of any two sets finds what differs, with IDs of parts alone, in a round
// for each factor of 256 between the items and what is listed.
func TestRanges(t *testing.T) {
	for seed := range uint64(60) {
		p := newPair(seed)
		p.direction = []engine.Direction{engine.Pull, engine.Push, engine.Both}[seed%3]
		if seed%4 == 0 { // a hole on either side, and all else the same
			for i := range 3000 {
				item := enginetest.Payload(int64(i)<<28, "shared")
				if i < 500 || i >= 1000 {
					p.a.Add(item)
				}
				if i < 2000 || i >= 2900 {
					p.b.Add(item)
				}
			}
		}
		keep(t, p.a, epoch(1))
		keep(t, p.b, epoch(1))
		wantA, wantB := p.promised()
		equal := slices.Equal(p.a.Keys(), p.b.Keys())
		b := &between{Direct: engine.Direct{Replica: p.b, Options: engine.RespondOptions{Random: chacha(seed)}}}
		report, err := engine.Sync(t.Context(), p.a, b, engine.Options{
			Strategy: engine.StrategySketch, Direction: p.direction, Random: chacha(seed + 1),
		}.BeginWithRanges())
		if err != nil || !slices.Equal(p.a.Keys(), wantA) || !slices.Equal(p.b.Keys(), wantB) || report.OpenRanges > 0 {
			t.Fatalf("pair %d: %v: %v: %+v", seed, err, b.forms, report)
		}
		listed := slices.Index(b.forms, "some ids")
		if !equal && (listed < 0 || listed > 2) || slices.ContainsFunc(b.forms[listed+1:], func(f string) bool { return f != "none" && f != "ranges" || f == "ranges" && !equal }) {
			t.Errorf("pair %d: %v", seed, b.forms)
		}
		// What only one side has where the other has nothing is not listed.
		if most := int64(100_000); seed%4 == 0 && len(wantA) < 4000 && b.bytes > most {
			t.Errorf("pair %d: %d bytes, want at most %d: %v", seed, b.bytes, most, b.forms)
		}
	}
}

// stale is a node whose views have the summaries of an earlier one, and their own root.
type stale struct {
	*node
	before engine.View
}

type staleView struct {
	readView
	before engine.View
}

func (s stale) View(ctx context.Context) (engine.View, error) {
	v, err := s.node.View(ctx)
	return staleView{v.(readView), s.before}, err
}

func (v staleView) Summaries(ctx context.Context, secret engine.Secret) (engine.Summaries, bool, error) {
	return v.before.(engine.Linear).Summaries(ctx, secret)
}

// halfStale has a snapshot of now, and keys of before.
type halfStale struct{ stale }

type halfStaleView struct{ staleView }

type halfStaleSummaries struct {
	engine.Summaries
	now *summary.Snapshot
}

func (s halfStaleSummaries) Snapshot() *summary.Snapshot { return s.now }

func (s halfStale) View(ctx context.Context) (engine.View, error) {
	v, err := s.stale.View(ctx)
	return halfStaleView{v.(staleView)}, err
}

func (v halfStaleView) Summaries(ctx context.Context, secret engine.Secret) (engine.Summaries, bool, error) {
	now, ok, err := v.readView.Summaries(ctx, secret)
	before, _, _ := v.staleView.Summaries(ctx, secret)
	return halfStaleSummaries{before, now.Snapshot()}, ok, err
}

// TestStaleSummaries: summaries that are not of the view they come with cost rounds, on either
// side, and not exactness.
func TestStaleSummaries(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		for n := range 8 {
			c := newCouple(t, 400)
			old := [2]engine.View{}
			for i, of := range []*node{c.a, c.b} {
				old[i], _ = of.View(t.Context())
			}
			c.grow(c.a, 20)
			c.grow(c.b, 30)
			c.a.remove(c.a.Keys()[7])
			var a, b engine.Replica = c.a, c.b
			switch half := n&4 > 0; {
			case n&1 > 0 && half:
				a = halfStale{stale{c.a, old[0]}}
			case n&1 > 0:
				a = stale{c.a, old[0]}
			}
			switch half := n&4 > 0; {
			case n&2 > 0 && half:
				b = halfStale{stale{c.b, old[1]}}
			case n&2 > 0:
				b = stale{c.b, old[1]}
			}
			p := pair{a: c.a.Set, b: c.b.Set, direction: direction}
			wantA, wantB := p.promised()
			report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b}, engine.Options{Strategy: engine.StrategySketch, Direction: direction})
			told := errors.Is(err, engine.ErrReplica) && n&4 > 0 // a view without the keys of its own tree
			if err != nil && !told || report.Complete == (err != nil) || n&4 == 0 && report.Rounds > 2 {
				t.Fatalf("%s, %d: %v: %+v", direction, n, err, report)
			}
			if err == nil && (!slices.Equal(c.a.Keys(), wantA) || !slices.Equal(c.b.Keys(), wantB)) {
				t.Fatalf("%s, %d: complete, but the sets are not what is promised: %+v", direction, n, report)
			}
		}
	}
}

// TestRangesUnsupported: a responder that reads sketches and bisects nothing is sent lists.
func TestRangesUnsupported(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		p := newLadderPair(2)
		p.direction = direction
		keep(t, p.a, epoch(1))
		keep(t, p.b, epoch(1))
		wantA, wantB := p.promised()
		peer := &lesser{Direct: engine.Direct{Replica: p.b}, reads: func(s wire.Summary, _ filters.Kind) bool { return s.Form != wire.FormRanges }}
		report, err := engine.Sync(t.Context(), p.a, peer, engine.Options{Direction: direction, Strategy: engine.StrategySketch}.BeginWithRanges())
		if err != nil || peer.refused != 1 || !slices.Equal(p.a.Keys(), wantA) || !slices.Equal(p.b.Keys(), wantB) {
			t.Errorf("%s: refused %d times, %v: %+v", direction, peer.refused, err, report)
		}
	}
}

// TestOpenRanges: a sync that cannot list what differs says where that is, and how many items
// each side has there.
func TestOpenRanges(t *testing.T) {
	c := newCouple(t, 20_000)
	c.grow(c.a, 150)
	c.grow(c.b, 150)
	before := c.a.Len()
	opt := engine.Options{Strategy: engine.StrategySketch, Limits: engine.Limits{SummaryBytes: 50_000}}
	report, err := engine.Sync(t.Context(), c.a, engine.Direct{Replica: c.b}, opt.BeginWithRanges())
	if !errors.Is(err, engine.ErrIncomplete) || !strings.Contains(err.Error(), "ranges are open") || c.a.Len() != before {
		t.Fatalf("%v: %+v", err, report)
	}
	if report.OpenRanges < 40 || len(report.Open) != min(report.OpenRanges, engine.MaxOpen) {
		t.Errorf("%d open ranges, of which %d are listed", report.OpenRanges, len(report.Open))
	}
	a, b := c.a.Keys(), c.b.Keys()
	for _, o := range report.Open {
		in := func(keys []engine.Key) (n uint64) {
			for _, k := range keys {
				if o.Bucket.Contains(k) {
					n++
				}
			}
			return n
		}
		if in(a) != o.Here || in(b) != o.There {
			t.Errorf("bucket %v: %d and %d items, want %d and %d", o.Bucket, o.Here, o.There, in(a), in(b))
		}
	}
}

// TestRangesReadNoKeys: nor does a bisection read all keys, or list many IDs.
func TestRangesReadNoKeys(t *testing.T) {
	c := newCouple(t, 20_000)
	c.grow(c.a, 3)
	c.grow(c.b, 3)
	p := pair{a: c.a.Set, b: c.b.Set, direction: engine.Both}
	wantA, wantB := p.promised()
	b := &between{Direct: engine.Direct{Replica: c.b, Options: engine.RespondOptions{Random: chacha(1)}}}
	alwaysPlan(func(int) wire.Plan { return wire.Plan{Cells: 200, Bits: 99} })(b)
	report, err := engine.Sync(t.Context(), c.a, b, engine.Options{Strategy: engine.StrategySketch, Random: chacha(2)})
	if err != nil || !slices.Equal(c.a.Keys(), wantA) || !slices.Equal(c.b.Keys(), wantB) {
		t.Fatalf("%v: %+v", err, report)
	}
	// The sketch under a salt of its own is computed from the keys, once on each side.
	want := []string{"sketch", "salted sketch", "ranges", "some ids", "none"}
	if !slices.Equal(b.forms, want) || c.a.read > 1 || c.b.read > 1 {
		t.Errorf("%v, want %v; keys were read %d times here, %d there", b.forms, want, c.a.read, c.b.read)
	}
	// Six buckets of the first 64 differ, of 16 parts each, of which six have about 20 items.
	if b.bytes > 2*3000+64*45+6*16*45+2*6*64*32 {
		t.Errorf("%d bytes", b.bytes)
	}
}

// TestRangesFit: the longest list of ranges, and the longest part of a list of IDs, have room
// in their frames, whatever keys authors choose.
func TestRangesFit(t *testing.T) {
	var segments []summary.Segment
	var buckets []summary.Bucket
	for i := range summary.MaxRanges {
		k := engine.Key{Time: int64(i) << 40, ID: engine.ID{31: 0xff}}
		s := summary.Segment{Bucket: summary.BucketOf(k, summary.MaxBucketBits), Root: summary.Root{Count: 1 << 40}}
		segments, buckets = append(segments, s), append(buckets, s.Bucket)
	}
	if n := len(summary.AppendRanges(nil, segments)); n > 350_000 {
		t.Errorf("ranges of %d bytes", n)
	}
	if n := len(summary.AppendBuckets(nil, buckets)); n > wire.MaxIntervals {
		t.Errorf("buckets of %d bytes, of at most %d", n, wire.MaxIntervals)
	}
}
