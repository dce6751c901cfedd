package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/bench/internal/baseline"
	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
)

// system is one way to reconcile: a strategy of the engine, or a baseline.
type system struct {
	name string
	// prepare does, for both sides, what is done once and kept up to date between syncs.
	prepare func(p *pair) reconcile
	// keeps is whether prepare does anything.
	keeps bool
}

// reconcile finds the difference between two prepared sides, with the i-th choice of
// salts where there is one.
type reconcile func(ctx context.Context, i uint64) (outcome, error)

// outcome is what one reconciliation came to.
type outcome struct {
	baseline.Outcome
	// transfer is nanoseconds of CPU time of both sides for the items, which baselines
	// do not move.
	transfer int64
}

func systems() []system {
	var all []system
	for _, s := range engine.Strategies() {
		switch {
		case s == engine.StrategyCursor: // here it would be that of a first sync
		case keepsSummaries(s):
			all = append(all, system{name: string(s), prepare: func(p *pair) reconcile { return p.byKeepers(s) }, keeps: true})
		default:
			all = append(all, system{name: string(s), prepare: func(p *pair) reconcile { return p.byEngine(s, engine.Pull) }})
		}
	}
	for _, s := range []baseline.System{baseline.RIBLT{}, baseline.Negentropy{}, baseline.MST{}} {
		all = append(all, system{name: s.Name(), prepare: func(p *pair) reconcile { return p.byBaseline(s) }, keeps: true})
	}
	return all
}

// pair is what both sides hold, and what each alone does.
type pair struct {
	here, there engine.View
	have, need  []engine.ID // held here alone, and there alone; ascending
}

func newPair(tb testing.TB, w datasets.Workload) *pair {
	here, there := newSets(tb, w)
	return pairOf(here, there)
}

func pairOf(here, there engine.View) *pair {
	return &pair{here, there, without(allOf(here), allOf(there)), without(allOf(there), allOf(here))}
}

// without returns the IDs of the keys of a that are not of b, ascending; a and b ascend.
func without(a, b []engine.Key) []engine.ID {
	var only []engine.ID
	for _, k := range a {
		for len(b) > 0 && b[0].Compare(k) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != k {
			only = append(only, k.ID)
		}
	}
	slices.SortFunc(only, compareIDs)
	return only
}

func compareIDs(a, b engine.ID) int { return slices.Compare(a[:], b[:]) }

// byEngine syncs in one process, without disk, network or signatures, between nodes
// that share the secret and remember nothing else of each other. What packs, moves and
// stores the items that are missing is no part of the outcome.
func (p *pair) byEngine(strategy engine.Strategy, direction engine.Direction) reconcile {
	return func(ctx context.Context, i uint64) (outcome, error) {
		here, there := newNode(p.here, secretOf(i)), newNode(p.there, secretOf(i))
		var m meter
		r, err := m.sync(ctx, here, engine.Direct{Replica: there, Options: engine.RespondOptions{Random: chacha(2*i + 1), Limits: wideLimits()}},
			engine.Options{Strategy: strategy, Direction: direction, Random: chacha(2 * i), Limits: wideLimits()})
		if err == nil && !r.Complete {
			err = fmt.Errorf("the sync is not complete: %+v", r)
		}
		o := m.outcome(r)
		o.Have = p.have // a pull does not ask for them
		if direction.Pushes() {
			o.Have = there.found()
		}
		o.Need = here.found()
		return o, err
	}
}

// byKeepers pulls as byEngine does, between nodes that keep their summaries, under one
// secret whatever i is. What puts them back into the state before is no part of the outcome.
func (p *pair) byKeepers(strategy engine.Strategy) reconcile {
	s, l := p.stage()
	if err := errors.Join(s.here.lack(l.here), s.there.lack(l.there)); err != nil {
		panic(err) // the keys are our own
	}
	return func(ctx context.Context, i uint64) (outcome, error) {
		sync, err := s.kept(ctx, engine.Pull, contender{strategy: strategy}, l, i)
		if err != nil {
			return outcome{}, err
		}
		o, err := sync(ctx, i)
		o.Have = p.have // a pull does not ask for them
		for _, at := range s.here.came {
			o.Need = append(o.Need, s.keys[at].ID)
		}
		return o, err
	}
}

// stage returns keepers of the keys of both sides, and what each lacks of these.
func (p *pair) stage() (*stage, lacked) {
	here, there := allOf(p.here), allOf(p.there)
	all := slices.Compact(slices.SortedFunc(slices.Values(slices.Concat(here, there)), engine.Key.Compare))
	s := &stage{keys: all, here: newKeeper(all, secretOf(*seed<<32)), there: newKeeper(all, secretOf(*seed<<32))}
	return s, lacked{here: indicesWithout(all, here), there: indicesWithout(all, there)}
}

// indicesWithout returns the indices of the keys that are not some of them; all ascend.
func indicesWithout(all, some []engine.Key) (indices []uint32) {
	for i, k := range all {
		if len(some) > 0 && some[0] == k {
			some = some[1:]
		} else {
			indices = append(indices, uint32(i))
		}
	}
	return indices
}

// byBaseline reconciles by a baseline, which has no choice of salts.
func (p *pair) byBaseline(s baseline.System) reconcile {
	here, there := s.Prepare(allOf(p.here)), s.Prepare(allOf(p.there))
	return func(context.Context, uint64) (outcome, error) {
		o, err := here.Reconcile(there)
		return outcome{Outcome: o}, err
	}
}

// check compares the numbers of IDs in an outcome with the truth, and with all the IDs.
func (p *pair) check(o baseline.Outcome, all bool) error {
	if len(o.Have) != len(p.have) || len(o.Need) != len(p.need) {
		return fmt.Errorf("%d IDs are said to be here alone and %d there, want %d and %d", len(o.Have), len(o.Need), len(p.have), len(p.need))
	}
	if !all {
		return nil
	}
	for _, side := range []struct{ got, want []engine.ID }{{o.Have, p.have}, {o.Need, p.need}} {
		if got := slices.SortedFunc(slices.Values(side.got), compareIDs); !slices.Equal(got, side.want) {
			return fmt.Errorf("%d IDs are said to be on one side alone, not the right ones", len(got))
		}
	}
	return nil
}

// TestReconcileRepeats: the i-th reconciliation costs the same whenever it is made.
func TestReconcileRepeats(t *testing.T) {
	p := newPair(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: 1000, D: 100})
	for i := range uint64(4) {
		var cost [2][3]int64
		for j := range cost {
			o, err := p.byEngine(engine.StrategyFuse, engine.Pull)(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			cost[j] = [3]int64{o.Up, o.Down, int64(o.Rounds)}
		}
		if cost[0] != cost[1] {
			t.Errorf("operation %d: %d bytes up, down, and rounds, then %d", i, cost[0], cost[1])
		}
	}
}

// TestReconcileCheck: outcomes that are not the truth are no outcomes.
func TestReconcileCheck(t *testing.T) {
	p := newPair(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Partition, N: 1000, D: 100})
	if len(p.have) == 0 || len(p.need) == 0 {
		t.Fatalf("%d IDs are here alone, %d there", len(p.have), len(p.need))
	}
	swapped := slices.Clone(p.need)
	swapped[0] = p.have[0]
	for name, c := range map[string]struct {
		baseline.Outcome
		all, ok bool
	}{
		"the truth":  {baseline.Outcome{Have: p.have, Need: p.need}, true, true},
		"one less":   {baseline.Outcome{Have: p.have, Need: p.need[1:]}, false, false},
		"none here":  {baseline.Outcome{Need: p.need}, false, false},
		"one more":   {baseline.Outcome{Have: p.have, Need: append(swapped, engine.ID{})}, false, false},
		"another ID": {baseline.Outcome{Have: p.have, Need: swapped}, true, false},
		"not looked": {baseline.Outcome{Have: p.have, Need: swapped}, false, true},
	} {
		if err := p.check(c.Outcome, c.all); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
