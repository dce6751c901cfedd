package engine_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// respondTo returns what a set answers to a summary, under the secret of that name if there is
// one, and the summary of that. The set's root is taken not to be the initiator's.
func respondTo(t *testing.T, b engine.Replica, head wire.Summary, data []byte, name *wire.SecretName) (wire.Ack, []byte, int, error) {
	t.Helper()
	head.Size = uint64(len(data))
	frames := []wire.Frame{control(t, wire.TypeInit, wire.Init{
		Version: wire.Version, Direction: engine.Pull, Budget: 1 << 20, Summary: &head, Secret: name, Root: &wire.Root{Count: 9},
	})}
	for chunk := range slices.Chunk(data, wire.MaxBody) {
		frames = append(frames, wire.Frame{Type: wire.TypeSummary, Body: chunk})
	}
	var ack wire.Ack
	reply, err := engine.Respond(t.Context(), b, wire.Join(frames, func(func(wire.Frame, error) bool) {}), engine.RespondOptions{Random: chacha(3)})
	if err != nil {
		return ack, nil, 0, err
	}
	s := wire.NewStream(reply)
	defer s.Close()
	first, err := s.Take(wire.TypeAck)
	if err == nil {
		err = wire.DecodeBody(first, &ack)
	}
	if s.At(wire.TypeSecret) {
		_, err = s.Take(wire.TypeSecret)
	}
	var second []byte
	for s.At(wire.TypeSummary) {
		f, _ := s.Take(wire.TypeSummary)
		second = append(second, f.Body...)
	}
	items := 0
	if s.At(wire.TypeItems) {
		for _, err := range wire.DecodeItems(s, 1<<30) {
			if err != nil {
				t.Fatal(err)
			}
			items++
		}
	}
	return ack, second, items, err
}

// probeOf returns a probe of keys in the first bucket, of so many cells, under epoch(1).
func probeOf(t *testing.T, keys []engine.Key, cells int) (*summary.Probe, *summary.Sketch) {
	t.Helper()
	params := summary.ParamsFor(0)
	e := summary.NewExpander(summary.Derive(epoch(1).Key, nil), params)
	sketch, err := summary.NewSketch(e.Cells(), cells)
	if err != nil {
		t.Fatal(err)
	}
	var estimators summary.Estimators
	for _, k := range keys {
		sketch.Insert(e.Key(k).Short)
		estimators.Insert(e.Key(k).Slice)
	}
	p := &summary.Probe{Params: params, Last: summary.Bucket{}.Last(), Spine: []summary.Segment{{Root: summary.Root{Count: uint64(len(keys))}}}}
	p.Estimator, _ = estimators.At(0)
	return p, sketch
}

// TestProbeTooLarge: a sketch of more cells than either side's number of items allows is not
// decoded, but answered with a plan.
func TestProbeTooLarge(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		a, b := twenty(t)
		b.KeepSummaries = keeps
		most := summary.TableCells(20)
		for cells, planned := range map[int]bool{200: false, most: false, most + 1: true, 4 * most: true} {
			p, sketch := probeOf(t, a.Keys(), cells)
			p.Cells = sketch.AppendCells(nil, 0, cells)
			ack, _, items, err := respondTo(t, b, wire.Summary{Form: wire.FormSketch}, p.AppendBinary(nil), &epoch(1).SecretName)
			if err != nil || (ack.Plan != nil) != planned || (ack.Through == nil) != planned || (items == 0) != planned {
				t.Errorf("%d cells, kept %t: %v, plan %v, %d items", cells, keeps, err, ack.Plan, items)
			}
		}
	}
}

// TestProbeUnknownShort: what decodes to a short ID that the responder has not did not decode.
func TestProbeUnknownShort(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		a, b := twenty(t)
		b.KeepSummaries = keeps
		p, sketch := probeOf(t, a.Keys(), 200)
		sketch.Remove(4711) // as if it were one of the responder's
		p.Cells = sketch.AppendCells(nil, 0, 200)
		ack, _, items, err := respondTo(t, b, wire.Summary{Form: wire.FormSketch}, p.AppendBinary(nil), &epoch(1).SecretName)
		if err != nil || ack.Plan == nil || ack.Through != nil || ack.Summary != nil || items > 0 {
			t.Errorf("kept %t: %v, plan %v, through %v, %d items", keeps, err, ack.Plan, ack.Through, items)
		}
	}
}

// TestRangesOtherSecret: under another secret than INIT names, or none, no range is equal.
func TestRangesOtherSecret(t *testing.T) {
	_, b := twenty(t)
	hasher := summary.NewHasher(summary.Derive(epoch(1).Key, nil))
	empty, full := summary.BucketOf(engine.Key{Time: -1}, 1), summary.BucketOf(engine.Key{}, 1)
	asked := summary.AppendRanges(nil, []summary.Segment{{Bucket: empty}, {Bucket: full, Root: hasher.Root(b.Keys())}})
	other := epoch(1).SecretName
	other.Generation--
	for name, c := range map[string]struct {
		secret *wire.SecretName
		parts  int
	}{"the same": {&epoch(1).SecretName, 0}, "another": {&other, 2}, "none": {nil, 2}} {
		ack, data, _, err := respondTo(t, b, wire.Summary{Form: wire.FormRanges}, asked, c.secret)
		if err != nil || ack.Summary == nil {
			t.Fatalf("%s: %v, %+v", name, err, ack)
		}
		if parts, err := summary.DecodeRanges(data); err != nil || len(parts) != c.parts {
			t.Errorf("%s: %d parts, %v, want %d", name, len(parts), err, c.parts)
		}
	}
}

// TestProbesAtRandom: no probe makes a responder panic, or say what nobody could follow.
func TestProbesAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	counts := []uint64{1, 7, 20, 1 << 31, 1 << 52, 1 << 62, 1 << 63, math.MaxUint64 - 9}
	for n := range 3000 {
		a, b := twenty(t)
		b.KeepSummaries = n%2 > 0
		p, sketch := probeOf(t, a.Keys()[:r.IntN(21)], 16+r.IntN(300))
		p.Spine, p.Level = nil, r.IntN(summary.EstimatorLevels)
		for at := -int64(r.IntN(5)); r.IntN(4) > 0; at += 1 + r.Int64N(9) {
			p.Spine = append(p.Spine, summary.Segment{Bucket: summary.BucketOf(engine.Key{Time: at}, 64-r.IntN(2)*r.IntN(3)), Root: summary.Root{Count: counts[r.IntN(len(counts))]}})
		}
		if len(p.Spine) > 0 {
			p.Last = p.Spine[len(p.Spine)-1].Bucket.First()
			p.Last.Time += r.Int64N(3)
		}
		for at := -int64(r.IntN(5)); r.IntN(3) > 0; at += 1 + r.Int64N(9) {
			p.Dense = append(p.Dense, summary.BucketOf(engine.Key{Time: at}, 64-r.IntN(2)*r.IntN(8)))
		}
		if len(p.Dense) > 0 {
			f, err := filters.Build(filters.Ribbon, []uint64{1, 2, 3}[:r.IntN(4)], filters.Options{Bits: 1 + r.IntN(12)})
			if err != nil {
				t.Fatal(err)
			}
			p.Filter = f.AppendTo(nil)
		}
		for range r.IntN(3) {
			p.Estimator[r.IntN(len(p.Estimator))] += byte(r.IntN(256))
			sketch.Insert(r.Uint64() >> 16)
		}
		p.Cells = sketch.AppendCells(nil, 0, sketch.Cells())
		if r.IntN(4) == 0 {
			p.Cells[r.IntN(len(p.Cells))]++
		}
		ack, _, _, err := respondTo(t, b, wire.Summary{Form: wire.FormSketch}, p.AppendBinary(nil), &epoch(1).SecretName)
		if err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("probe %d: %v", n, err)
		}
		if plan := ack.Plan; plan != nil && (plan.Cells > 1<<20 || plan.Bits > 12 || plan.Level >= summary.EstimatorLevels) {
			t.Fatalf("probe %d: %+v", n, plan)
		}
	}
}

// TestPlanAndItems: items beside a plan are refused, and not stored.
func TestPlanAndItems(t *testing.T) {
	a, b := twenty(t)
	peer := forger(b, func(ack *wire.Ack) { ack.Plan, ack.Through, ack.Summary = &wire.Plan{Cells: 200}, nil, nil })
	plain := peer.change
	peer.change = func(frames []wire.Frame) []wire.Frame {
		return slices.DeleteFunc(plain(frames), func(f wire.Frame) bool { return f.Type == wire.TypeSummary })
	}
	report, err := engine.Sync(t.Context(), a, peer, engine.Options{Strategy: engine.StrategySketch})
	if !errors.Is(err, engine.ErrProtocol) || report.Complete || report.Rounds != 1 || a.Len() != 20 {
		t.Errorf("%v: %+v", err, report)
	}
}

// TestCursorNotKept: what came in here while the last reply was on its way was not compared. It is
// pushed by the next sync, so no cursor may stand for it.
func TestCursorNotKept(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		for _, strategy := range []engine.Strategy{engine.StrategySketch, engine.StrategyCursor, engine.StrategyList} {
			c := newCouple(t, 300)
			c.mustSync(t, engine.StrategySketch, direction)
			before := c.cursor.AppendBinary(nil)
			late := enginetest.Payload(5, "late")
			peer := &midway{Direct: engine.Direct{Replica: c.b, Options: engine.RespondOptions{Sealer: c.sealer}}, happen: func(int) { c.a.add(late) }}
			report, err := engine.Sync(t.Context(), c.a, peer, engine.Options{Strategy: strategy, Direction: direction, Cursor: c.cursor})
			where := fmt.Sprintf("%s, %s", strategy, direction)
			if err != nil || report.Rounds != 1 {
				t.Fatalf("%s: %v: %+v", where, err, report)
			}
			if !slices.Equal(c.cursor.AppendBinary(nil), before) {
				t.Errorf("%s: a cursor was kept that stands for what was not compared", where)
			}
			c.mustSync(t, engine.StrategyCursor, direction) // it checks what the direction promises
		}
	}
}
