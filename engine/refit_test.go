package engine

import (
	"testing"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

// TestFollowFirst: a plan after a first probe that did not decode has half as many cells more
// at least, whatever the estimate says: the same number would fail as the first did. One that only asks
// for the same under another secret has not.
func TestFollowFirst(t *testing.T) {
	for name, c := range map[string]struct {
		plan wire.Plan
		want uint64
	}{
		"too few": {wire.Plan{Estimate: 100, Cells: firstCells}, firstCells * 3 / 2},
		"enough":  {wire.Plan{Estimate: 1000, Cells: 1400}, 1400},
		"again":   {wire.Plan{Cells: firstCells}, firstCells},
	} {
		i, err := NewInitiator(nil, Options{Strategy: StrategySketch})
		if err != nil {
			t.Fatal(err)
		}
		i.round.probed = &probed{cells: firstCells}
		if err := i.follow(c.plan); err != nil || i.sketching.plan.Cells != c.want {
			t.Errorf("%s: %d cells, %v", name, i.sketching.plan.Cells, err)
		}
	}
}
