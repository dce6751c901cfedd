package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// lesser is a responder of a lower conformance level: it reads some summaries only.
type lesser struct {
	engine.Direct
	reads   func(head wire.Summary, kind filters.Kind) bool
	refused int
}

func (l *lesser) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	var init wire.Init
	if err := wire.DecodeBody(head[0], &init); err != nil {
		return nil, err
	}
	if s := init.Summary; s != nil && s.Form != wire.FormIDs && !l.reads(*s, filters.Kind(head[1].Body[3])) {
		l.refused++
		return nil, fmt.Errorf("refused: %w", engine.ErrUnsupported)
	}
	return l.Direct.Exchange(ctx, head, items)
}

// TestUnsupported: a responder that does not read the strategy's summaries is synced
// with by others, and is not asked again to read segmented filters.
func TestUnsupported(t *testing.T) {
	readers := map[string]func(wire.Summary, filters.Kind) bool{
		"filters": func(s wire.Summary, _ filters.Kind) bool { return s.Form == wire.FormFilter },
		"core":    func(s wire.Summary, k filters.Kind) bool { return s.Form == wire.FormFilter && k == filters.List },
	}
	for level, reads := range readers {
		for _, strategy := range engine.Strategies() {
			t.Run(level+"/"+string(strategy), func(t *testing.T) {
				a, b := twenty(t)
				peer := &lesser{Direct: engine.Direct{Replica: b}, reads: reads}
				memory := new(engine.SegmentMemory)
				for range 2 {
					opt := engine.Options{Strategy: strategy, Segments: memory}
					if report, err := engine.Sync(t.Context(), a, peer, opt); err != nil || !report.Complete {
						t.Fatalf("%v: %+v", err, report)
					}
				}
				if !slices.Equal(a.Keys(), b.Keys()) {
					t.Error("the sets differ")
				}
				if level == "filters" && strategy == engine.StrategySegmented && peer.refused != 1 {
					t.Errorf("refused %d times, want once", peer.refused)
				}
			})
		}
	}
}

// TestUnsupportedForm: a form that does not exist is told from one that is wrong.
func TestUnsupportedForm(t *testing.T) {
	_, b := small()
	head := wire.Summary{Form: "riddle", Size: 1}
	init := wire.Init{Version: wire.Version, Direction: engine.Both, Summary: &head}
	frames := []wire.Frame{control(t, wire.TypeInit, init), {Type: wire.TypeSummary, Body: []byte{1}}}
	_, err := engine.Respond(t.Context(), b, wire.Join(frames, func(func(wire.Frame, error) bool) {}), engine.RespondOptions{})
	if !errors.Is(err, engine.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// always fails as if no summary were read, whatever it is.
type always struct{}

func (always) Exchange(context.Context, []wire.Frame, iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	return nil, engine.ErrUnsupported
}

func TestUnsupportedLists(t *testing.T) {
	a, _ := twenty(t)
	for _, strategy := range engine.Strategies() {
		report, err := engine.Sync(t.Context(), a, always{}, engine.Options{Strategy: strategy})
		if !errors.Is(err, engine.ErrUnsupported) || report.Rounds > 4 {
			t.Errorf("%v: %v after %d rounds", strategy, err, report.Rounds)
		}
	}
}
