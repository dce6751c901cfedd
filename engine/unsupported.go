package engine

import (
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
