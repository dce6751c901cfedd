package engine

import (
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

// regret is what a sync that begins as auto does is expected to take, over what the cheapest
// strategy takes: bytes, and rounds until the difference is known.
func (p Pair) regret() float64 {
	price := func(c Cost) float64 { return c.Priced(0) - p.pushed(p.OnlyHere).Rounds*DefaultRoundPrice }
	begun := p.sketched()
	if first(p.Here, p.Stranger, DefaultRoundPrice) == wholeKind {
		begun = p.everything()
	}
	best := math.Inf(1)
	for _, s := range Strategies() {
		if c, ok := p.Cost(s); ok {
			best = min(best, price(c))
		}
	}
	return price(begun) / best
}

// TestFirstRegret holds what first says of how far it may be from the best.
func TestFirstRegret(t *testing.T) {
	for n, most := range map[float64]float64{300: 1.05, 1000: 1.05, 3000: 1.1, 6000: 1.2, 10_000: 1.32, 12_400: 1.4, 16_000: 2.1, 30_000: 2.1} {
		worst := 0.0
		for _, direction := range []Direction{Pull, Push, Both} {
			for _, d := range []float64{0, 2, 10, 100, 1000, 10_000, n} {
				for _, half := range []float64{0, 0.5, 1} {
					p := Pair{Here: uint64(n), Direction: direction, OnlyHere: d * half, OnlyThere: d * (1 - half)}
					switch {
					case d == n:
						p.OnlyHere, p.OnlyThere = n, n*half*2
					case d > n:
						continue
					}
					p.There = uint64(n - p.OnlyHere + p.OnlyThere)
					worst = max(worst, p.regret())
				}
			}
		}
		t.Logf("n = %.0f: %.2f", n, worst)
		if worst > most {
			t.Errorf("n = %.0f: %.2f of the best, at most %.2f", n, worst, most)
		}
	}
}

// TestWiden: the filters that a plan asks for hide nothing with 98 in 100, whatever it claims.
func TestWiden(t *testing.T) {
	for _, c := range []struct {
		here, there, estimate uint64
		bits                  int
	}{
		{1e6, 1e6, 2e6, 26},
		{1e4, 1e4, 2e4, 20},
		{1e6, 1e6, 1000, 20},
		{1e6, 1000, 1e6, 20},
		{1000, 1e6, 1e6, 26},
		{1e6, 1e6, math.MaxUint64, 26},
		{1e6, math.MaxUint64, math.MaxUint64, 32},
	} {
		i := &Initiator{steps: ladder(StrategySketch)}
		i.round.root.Count, i.report.Remote.Count = c.here, c.there
		if err := i.follow(wire.Plan{Estimate: c.estimate}); err != nil || i.steps[0].kind != wholeKind {
			t.Fatalf("%+v: %v, then %+v", c, err, i.steps[0])
		}
		for _, m := range i.steps {
			if m.kind == wholeKind && m.bits != c.bits {
				t.Errorf("%+v: %d bits", c, m.bits)
			}
		}
	}
}
