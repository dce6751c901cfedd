package engine

import (
	"context"
	"slices"

	"github.com/dwn-sync/dwnsync/filters"
)

// unsupported goes on after a responder refused the summary of the last request for
// its form or kind, and reports whether there is another one to try. Every responder
// reads lists.
func (i *Initiator) unsupported() bool {
	kind := i.steps[0].kind
	if !i.round.asked || kind == filters.List || kind == plainIDs {
		return false
	}
	i.doubt = nil
	i.opt.Segments.never = i.opt.Segments.never || kind == filters.Segmented
	i.leave(kind)
	if kind == sketchKind { // who reads no sketches bisects nothing
		i.steps = slices.DeleteFunc(i.steps, func(m method) bool { return m.kind == rangesKind })
	}
	i.sketching, i.ranging = sketching{}, ranging{}
	return true
}

// leave goes down the ladder to the first step of another kind.
func (i *Initiator) leave(kind filters.Kind) {
	for i.steps[0].kind == kind {
		i.steps = i.steps[1:]
	}
}

// choose goes down the ladder to the step that first says, where the choice is not made yet.
func (i *Initiator) choose(ctx context.Context) error {
	if i.steps[0].kind != chooseKind {
		return nil
	}
	n, stranger := i.round.root.Count, i.round.secret == nil
	if stranger {
		keys, err := i.heldKeys(ctx)
		if err != nil {
			return err
		}
		n = uint64(len(keys))
	}
	i.leave(chooseKind)
	if first(n, stranger, float64(i.opt.RoundPrice)) != wholeKind {
		return nil
	}
	i.steps = slices.Insert(i.steps, 0, method{StrategyRibbon, wholeKind, wholeBits}) // a sketch tells what that hides
	if stranger || i.round.view.read {
		return nil
	}
	// From here on keys count, so a kept root is checked by them.
	if _, err := i.heldKeys(ctx); err != nil {
		return err
	}
	var err error
	i.round.own, i.round.root, err = i.roots(ctx, i.round.view)
	return err
}
