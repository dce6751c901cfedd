package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// rooted is a set whose views keep their root, or what wrong makes of it, and that
// counts how often keys are asked for.
type rooted struct {
	*enginetest.Set
	wrong   func(root engine.Root, hasher *summary.Hasher) engine.Root // nil: right
	read    int
	failing error // of Keys and Root
	late    bool  // Root alone fails
}

func (r *rooted) View(ctx context.Context) (engine.View, error) {
	v, err := r.Set.View(ctx)
	return wrongView{v, r}, err
}

type wrongView struct {
	engine.View
	of *rooted
}

func (v wrongView) Keys(ctx context.Context) ([]engine.Key, error) {
	if v.of.failing != nil && !v.of.late {
		return nil, v.of.failing
	}
	v.of.read++
	return v.View.Keys(ctx)
}

func (v wrongView) Root(ctx context.Context, secret engine.Secret) (engine.Root, bool, error) {
	if v.of.failing != nil {
		return engine.Root{}, false, v.of.failing
	}
	keeper, ok := v.View.(engine.Summarised)
	if !ok {
		return engine.Root{}, false, nil
	}
	root, ok, err := keeper.Root(ctx, secret)
	if v.of.wrong != nil {
		root = v.of.wrong(root, summary.NewHasher(summary.Derive(secret.Key, v.Label())))
	}
	return root, ok, err
}

// keeping returns a replica of set that keeps its root in the epoch 1.
func keeping(t testing.TB, set *enginetest.Set) *rooted {
	t.Helper()
	set.KeepRoot = true
	if _, err := set.KeepSecret(t.Context(), *epoch(1)); err != nil {
		t.Fatal(err)
	}
	return &rooted{Set: set}
}

// shared returns two replicas that keep their roots, of n shared items and some that
// are only here or only there.
func shared(t testing.TB, n, onlyHere, onlyThere int) (a, b *rooted) {
	t.Helper()
	a, b = keeping(t, new(enginetest.Set)), keeping(t, new(enginetest.Set))
	for i := range n {
		item := enginetest.Payload(int64(i)<<26, "shared")
		a.Add(item)
		b.Add(item)
	}
	for i := range onlyHere {
		a.Add(enginetest.Payload(int64(i*997)<<26, "here"))
	}
	for i := range onlyThere {
		b.Add(enginetest.Payload(int64(i*997)<<26, "there"))
	}
	return a, b
}

// counted is a sync that counts the keys whose fingerprints each side computes.
func counted(t *testing.T, a, b engine.Replica, opt engine.Options) (report engine.Report, here, there int) {
	t.Helper()
	opt.Random = chacha(1)
	peer := engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(2)}.CountHashed(&there)}
	report, err := engine.Sync(t.Context(), a, peer, opt.CountHashed(&here))
	if err != nil || !report.Complete {
		t.Fatalf("%v: %+v", err, report)
	}
	return report, here, there
}

// TestEqualRootsReadNothing: where both sides hold the same, the responder reads no key
// and computes no fingerprint; the initiator reads its keys for the summary alone.
func TestEqualRootsReadNothing(t *testing.T) {
	a, b := shared(t, 1000, 0, 0)
	for _, strategy := range engine.Strategies() {
		for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			a.read, b.read = 0, 0
			report, here, there := counted(t, a, b, engine.Options{Strategy: strategy, Direction: direction})
			if !report.RootsEqual || a.read != 1 || b.read != 0 || here != 0 || there != 0 {
				t.Errorf("%s, %s: keys read %d times here, %d there; %d hashed here, %d there; want 1 and no other; %+v",
					strategy, direction, a.read, b.read, here, there, report)
			}
		}
	}
}

// TestHashesWhatDiffers: with kept roots each side computes the fingerprints of what
// differs, not those of all items; without, of all of them in each round.
func TestHashesWhatDiffers(t *testing.T) {
	const d = 100
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		n := 10_000
		if direction == engine.Pull && !raceDetector {
			n = 100_000
		}
		t.Run(string(direction), func(t *testing.T) {
			a, b := shared(t, n, d, d)
			report, here, there := counted(t, a, b, engine.Options{Direction: direction})
			t.Logf("%d rounds, %d hashed here, %d there", report.Rounds, here, there)
			// Each round hashes again what does not move, and what was found moves once:
			// hashed where it is found, and where it arrives or is sent.
			if most := 2 * d * (report.Rounds + 1); here > most || there > most || here+there < d {
				t.Errorf("%d hashed here, %d there, of %d that differ on either side in %d rounds", here, there, d, report.Rounds)
			}
			if a.read > report.Rounds || b.read > report.Rounds {
				t.Errorf("keys were read %d times here, %d there in %d rounds", a.read, b.read, report.Rounds)
			}
		})
	}
	a, b := shared(t, 1000, 0, d)
	a.KeepRoot, b.KeepRoot = false, false
	if report, here, there := counted(t, a, b, engine.Options{Direction: engine.Pull}); here < 1000*report.Rounds || there < 1000*report.Rounds {
		t.Errorf("without kept roots %d are hashed here, %d there", here, there)
	}
}

// TestMostRejected: where the summary rejects more than it lets through, what is let
// through is hashed.
func TestMostRejected(t *testing.T) {
	a, b := shared(t, 20, 0, 2000)
	report, _, there := counted(t, a, b, engine.Options{Direction: engine.Pull})
	if report.Received != 2000 || there > 200*report.Rounds {
		t.Errorf("%d hashed there: %+v", there, report)
	}
}

// TestPushReadsNoKeys: rounds that only push read keys on neither side, unless the view
// changed meanwhile: what is to be pushed could have left it.
func TestPushReadsNoKeys(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Push, engine.Both} {
		a, b := shared(t, 300, 40, 5)
		report, _, _ := counted(t, a, b, engine.Options{Direction: direction, Limits: engine.Limits{RequestBytes: 200}})
		if report.Rounds < 10 || report.Sent != 40 || a.read > 3 || b.read != a.read { // once for each summary
			t.Errorf("%s: keys were read %d times here, %d there in %d rounds", direction, a.read, b.read, report.Rounds)
		}
	}
	a, b := shared(t, 300, 40, 0)
	growing := &growingRooted{rooted: a}
	report, _, _ := counted(t, growing, b, engine.Options{Direction: engine.Push, Limits: engine.Limits{RequestBytes: 200}})
	if a.read < report.Rounds-1 || b.Len() < 340 {
		t.Errorf("keys were read %d times in %d rounds of a set that changes", a.read, report.Rounds)
	}
}

// growingRooted gains an item with each of its first views.
type growingRooted struct {
	*rooted
	views int
}

func (g *growingRooted) View(ctx context.Context) (engine.View, error) {
	if g.views++; g.views < 12 {
		g.Add(enginetest.Payload(int64(g.views), "meanwhile"))
	}
	return g.rooted.View(ctx)
}

// TestKeptRootOfRefused: what one side refuses is part of what it says it has, once, also
// where its root is kept and where the item gets into the view in another way: the sync
// goes as it goes without kept roots.
func TestKeptRootOfRefused(t *testing.T) {
	const most = 6
	for _, later := range []bool{false, true} {
		var reports []engine.Report
		for _, keep := range []bool{false, true} {
			a, b := shared(t, 300, 5, 5)
			a.KeepRoot = keep
			r := &refusing{rooted: a, later: later}
			a.Refuse = r.refuse
			report, err := engine.Sync(t.Context(), r, engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(4)}},
				engine.Options{Random: chacha(5), Limits: engine.Limits{RequestBytes: 30}})
			if !errors.Is(err, engine.ErrIncomplete) || report.Complete || report.Received != 3 || report.Sent != 5 || report.RefusedItems != 2 {
				t.Fatalf("%v: %+v", err, report)
			}
			if report.Rounds > most {
				t.Errorf("later %t, kept %t: %d rounds, want at most %d", later, keep, report.Rounds, most)
			}
			reports = append(reports, report)
		}
		if reports[0].Rounds != reports[1].Rounds || reports[0].Local != reports[1].Local {
			t.Errorf("later %t: got %+v, want %+v", later, reports[1], reports[0])
		}
	}
}

// refusing refuses two items, which it stores with the next view where later is set.
type refusing struct {
	*rooted
	later   bool
	refused [][]byte
}

func (r *refusing) refuse(p []byte) error {
	if len(r.refused) < 2 {
		r.refused = append(r.refused, slices.Clone(p))
		return errors.New("not authentic")
	}
	return nil
}

func (r *refusing) View(ctx context.Context) (engine.View, error) {
	if r.later && len(r.refused) == 2 {
		r.Add(r.refused...)
	}
	return r.rooted.View(ctx)
}

// TestViewFails: a view that cannot tell its keys or its root ends the sync with its error.
func TestViewFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	for name, fail := range map[string]func(r *rooted){
		"keys": func(r *rooted) { r.failing, r.KeepRoot = broken, false },
		"root": func(r *rooted) { r.failing, r.late = broken, true },
	} {
		for side := range 2 {
			a, b := shared(t, 50, 1, 1)
			fail([]*rooted{a, b}[side])
			report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b}, engine.Options{})
			if !errors.Is(err, broken) || report.Complete {
				t.Errorf("%s of side %d: %v: %+v", name, side, err, report)
			}
		}
	}
}
