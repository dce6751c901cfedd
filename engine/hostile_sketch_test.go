package engine_test

import (
	"errors"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// TestHostileSummary: sketches, ranges and IDs of a part that are none.
func TestHostileSummary(t *testing.T) {
	form := func(head wire.Summary, data []byte) []wire.Frame {
		head.Size = uint64(len(data))
		init := wire.Init{Version: wire.Version, Direction: engine.Pull, Budget: 1000, Summary: &head}
		frames := []wire.Frame{control(t, wire.TypeInit, init)}
		if len(data) > 0 {
			frames = append(frames, wire.Frame{Type: wire.TypeSummary, Body: data})
		}
		return frames
	}
	ranges := summary.AppendRanges(nil, []summary.Segment{{Root: summary.Root{Count: 3}}})
	odd := (&summary.Probe{Params: summary.Params{ShortBits: 47, CheckBits: 24}, Cells: make([]byte, 16*9)}).AppendBinary(nil)
	sketch := (&summary.Probe{Cells: make([]byte, 16*9)}).AppendBinary(nil)
	dense := (&summary.Probe{Dense: []summary.Bucket{{}}, Filter: []byte("DF"), Cells: make([]byte, 16*9)}).AppendBinary(nil)
	part := func(w wire.Within) wire.Summary { return wire.Summary{Form: wire.FormIDs, Within: &w} }
	for name, c := range map[string]struct {
		frames []wire.Frame
		want   error
	}{
		"ranges":               {form(wire.Summary{Form: wire.FormRanges}, ranges), nil},
		"ranges cut":           {form(wire.Summary{Form: wire.FormRanges}, ranges[1:]), wire.ErrMalformed},
		"ranges of a part":     {form(wire.Summary{Form: wire.FormRanges, Within: &wire.Within{}}, ranges), wire.ErrMalformed},
		"ranges that change":   {form(wire.Summary{Form: wire.FormRanges, Base: 1}, ranges), wire.ErrMalformed},
		"ranges of a salt":     {form(wire.Summary{Form: wire.FormRanges, Salt: [16]byte{1}}, ranges), wire.ErrMalformed},
		"sketch":               {form(wire.Summary{Form: wire.FormSketch}, sketch), nil},
		"sketch cut":           {form(wire.Summary{Form: wire.FormSketch}, sketch[:300]), wire.ErrMalformed},
		"sketch of a part":     {form(wire.Summary{Form: wire.FormSketch, Within: &wire.Within{}}, sketch), wire.ErrMalformed},
		"sketch of odd widths": {form(wire.Summary{Form: wire.FormSketch}, odd), engine.ErrUnsupported},
		"sketch and no filter": {form(wire.Summary{Form: wire.FormSketch}, dense), filters.ErrMalformed},
		"short IDs":            {form(wire.Summary{Form: wire.FormShorts}, nil), engine.ErrUnsupported},
		"ids of buckets":       {form(part(wire.Within{Buckets: []byte{1, 0}}), make([]byte, 32)), nil},
		"ids of no buckets":    {form(part(wire.Within{}), nil), wire.ErrMalformed},
		"ids of wrong buckets": {form(part(wire.Within{Buckets: []byte{1, 1, 0x81}}), nil), wire.ErrMalformed},
		"ids of intervals":     {form(part(wire.Within{Intervals: []byte{1}, Buckets: []byte{0}}), nil), wire.ErrMalformed},
		"ids of a salt":        {form(part(wire.Within{Salt: [16]byte{1}, Buckets: []byte{0}}), nil), wire.ErrMalformed},
		"ids of most buckets":  {form(part(wire.Within{Buckets: instants(summary.MaxRanges)}), make([]byte, 32)), nil},
		"ids of more buckets":  {form(part(wire.Within{Buckets: instants(summary.MaxRanges + 1)}), make([]byte, 32)), wire.ErrMalformed},
		"ids of long buckets":  {form(part(wire.Within{Buckets: make([]byte, wire.MaxIntervals+1)}), nil), wire.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, b := small()
			_, err := engine.Respond(t.Context(), b, wire.Join(c.frames, func(func(wire.Frame, error) bool) {}), engine.RespondOptions{})
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestHostileSecondHalf: what answers another question than the one that was asked.
func TestHostileSecondHalf(t *testing.T) {
	form := func(head wire.Summary, data []byte) func(*wire.Ack, []byte) []byte {
		return func(a *wire.Ack, _ []byte) []byte {
			a.Summary = &head
			return data
		}
	}
	plan := func(a *wire.Ack, data []byte) []byte {
		a.Plan = &wire.Plan{Cells: 200}
		return data
	}
	planAlone := func(a *wire.Ack, _ []byte) []byte {
		a.Plan, a.Through, a.Summary = &wire.Plan{Cells: 200}, nil, nil
		return nil
	}
	ranges := form(wire.Summary{Form: wire.FormRanges}, summary.AppendRanges(nil, nil))
	shorts := form(wire.Summary{Form: wire.FormShorts}, make([]byte, 6))
	many := make([]uint64, 1000)
	for i := range many {
		many[i] = uint64(i)
	}
	part := form(wire.Summary{Form: wire.FormIDs, Within: &wire.Within{Buckets: summary.AppendBuckets(nil, []summary.Bucket{{}})}}, nil)
	for name, c := range map[string]struct {
		strategy engine.Strategy
		reply    func(*wire.Ack, []byte) []byte
	}{
		"a plan and what was let through": {engine.StrategySketch, plan},
		"short IDs of a salt":             {engine.StrategySketch, form(wire.Summary{Form: wire.FormShorts, Salt: [16]byte{1}}, make([]byte, 6))},
		"short IDs of a part":             {engine.StrategySketch, form(wire.Summary{Form: wire.FormShorts, Within: &wire.Within{}}, make([]byte, 6))},
		"ranges of a salt":                {"ranges", form(wire.Summary{Form: wire.FormRanges, Salt: [16]byte{1}}, summary.AppendRanges(nil, nil))},
		"a plan alone for a list":         {engine.StrategyList, planAlone},
		"a plan alone for a filter":       {engine.StrategyRibbon, planAlone},
		"a plan alone for ranges":         {"ranges", planAlone},
		"ranges for a sketch":             {engine.StrategySketch, ranges},
		"IDs for a sketch":                {engine.StrategySketch, form(wire.Summary{Form: wire.FormIDs}, make([]byte, 32))},
		"IDs of a part for a sketch":      {engine.StrategySketch, part},
		"too many short IDs":              {engine.StrategySketch, form(wire.Summary{Form: wire.FormShorts}, summary.AppendShorts(nil, many, summary.Params{}))},
		"a plan for a list":               {engine.StrategyList, plan},
		"ranges for a list":               {engine.StrategyList, ranges},
		"short IDs for a list":            {engine.StrategyList, shorts},
		"IDs of a part for a list":        {engine.StrategyList, part},
		"ranges for IDs":                  {"ranges", ranges},
		"short IDs for IDs":               {"ranges", shorts},
		"all IDs for those of a part":     {"ranges", form(wire.Summary{Form: wire.FormIDs}, make([]byte, 32))},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := twenty(t)
			peer := &between{Direct: engine.Direct{Replica: b}, reply: c.reply}
			opt := engine.Options{Strategy: c.strategy}
			if c.strategy == "ranges" {
				opt.Strategy = engine.StrategySketch
				opt = opt.BeginWithRanges()
			}
			report, err := engine.Sync(t.Context(), a, peer, opt)
			if !errors.Is(err, engine.ErrProtocol) || report.Complete || report.Rounds > 1 || a.Len() > 20 {
				t.Errorf("%v: %+v", err, report)
			}
		})
	}
}

// instants returns the encoding of so many buckets of one microsecond each.
func instants(n int) []byte {
	buckets := make([]summary.Bucket, n)
	for i := range buckets {
		buckets[i] = summary.BucketOf(engine.Key{Time: int64(i)}, 64)
	}
	return summary.AppendBuckets(nil, buckets)
}
