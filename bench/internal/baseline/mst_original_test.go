package baseline

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// mstRun is one run of atproto/repo/mst of github.com/bluesky-social/indigo at commit
// 4b983a7 (2026-08-19), measured on 2026-11-22: a side with n keys, of which ⌊d/2⌋ are
// missing here, and ⌊d/2⌋, rounded up, there.
type mstRun struct {
	n, d          int
	recent        bool // the d newest differ, not any d
	bytes, rounds float64
	nodes         float64 // fetched
	draws, longer int     // here: plainly, and in the long form
}

// mstOfOriginal has the runs of up to 10^5 keys.
var mstOfOriginal = []mstRun{
	{10000, 0, true, 72, 1, 0, 1, 1},
	{10000, 1, true, 2211, 9, 8, 20, 200},
	{10000, 1, false, 3336, 9, 9, 20, 200},
	{10000, 10, true, 2808, 9, 9, 20, 200},
	{10000, 10, false, 26743, 9, 45, 20, 200},
	{10000, 100, true, 6655, 9, 23, 20, 200},
	{10000, 100, false, 163268, 9, 292, 20, 200},
	{10000, 1000, true, 47785, 9, 141, 6, 100},
	{10000, 1000, false, 565393, 9, 1269, 6, 100},
	{10000, 10000, true, 459662, 9, 1349, 3, 50},
	{10000, 10000, false, 893565, 9, 2520, 3, 50},
	{100000, 0, true, 72, 1, 0, 1, 1},
	{100000, 1, true, 2770, 10, 9, 0, 40},
	{100000, 1, false, 5231, 10, 11, 0, 40},
	{100000, 10, true, 4147, 10, 10, 0, 40},
	{100000, 10, false, 40560, 10, 65, 0, 40},
	{100000, 100, true, 6533, 10, 23, 0, 40},
	{100000, 100, false, 279668, 10, 461, 0, 40},
	{100000, 1000, true, 50443, 10, 161, 0, 20},
	{100000, 1000, false, 1551641, 10, 2861, 0, 20},
	{100000, 10000, true, 456203, 10, 1331, 0, 10},
	{100000, 10000, false, 5568753, 10, 12775, 1, 10},
	{100000, 100000, true, 4520403, 10, 13164, 0, 5},
	{100000, 100000, false, 8946109, 10, 25842, 0, 5},
}

// TestMSTRuns holds the mean of draws here to the original's run of the same data but
// for its seed.
//
// From d=1000 on it is held to 3 %. Below, what a run costs depends on the few nodes at
// the top of its tree: draws of d=1 vary by half, those of d=100 scattered by a
// twentieth. There the original's one run is held to four standard deviations of the
// draws, and the difference is logged.
func TestMSTRuns(t *testing.T) {
	for _, run := range mstOfOriginal {
		draws := run.draws
		if longForm() {
			draws = run.longer
		}
		if draws == 0 {
			continue
		}
		bytes, nodes, rounds := make([]float64, draws), make([]float64, draws), make([]float64, draws)
		for i := range draws {
			here, there := run.sides(uint64(i))
			out, err := MST{}.Prepare(here).Reconcile(MST{}.Prepare(there))
			if err != nil || len(out.Have) != run.d/2 || len(out.Need) != run.d-run.d/2 {
				t.Fatalf("%+v: %d and %d of the difference found, %v", run, len(out.Have), len(out.Need), err)
			}
			bytes[i] = float64(out.Up + out.Down)
			nodes[i] = float64(out.Up/cidSize - 1)
			rounds[i] = float64(out.Rounds)
		}
		run.hold(t, "bytes", bytes, run.bytes)
		run.hold(t, "nodes", nodes, run.nodes)
		if mean, _ := meanOf(rounds); math.Abs(mean-run.rounds) > 2.5 {
			t.Errorf("%+v: %.1f rounds in the mean", run, mean)
		}
	}
}

// hold holds the mean of draws to the original's figure.
func (run mstRun) hold(t *testing.T, what string, draws []float64, want float64) {
	t.Helper()
	mean, stdErr := meanOf(draws)
	deviation := stdErr * math.Sqrt(float64(len(draws)))
	slack := tolerance * want
	if run.d < 1000 {
		slack = 4 * math.Sqrt(deviation*deviation+stdErr*stdErr)
	}
	t.Logf("n=%d d=%d recent=%v: %s %.0f, original %.0f: %+.1f %%, of %d draws with a deviation of %.1f %%",
		run.n, run.d, run.recent, what, mean, want, 100*(mean/want-1), len(draws), 100*deviation/mean)
	if math.Abs(mean-want) > slack {
		t.Errorf("n=%d d=%d recent=%v: %s %.0f in the mean, the original has %.0f, allowed ±%.0f", run.n, run.d, run.recent, what, mean, want, slack)
	}
}

// sides returns what differs as the original's sides did: times uniform over two years
// in milliseconds, IDs hashes of an index, the differing keys dealt at random. The
// initiator is the side that fetched, the one that lacks ⌈d/2⌉.
func (run mstRun) sides(seed uint64) (here, there []summary.Key) {
	r := rand.New(rand.NewPCG(seed, uint64(run.n+run.d)))
	union := make([]summary.Key, run.n+run.d/2)
	for i := range union {
		index := binary.BigEndian.AppendUint64(nil, seed<<32+uint64(i))
		union[i] = summary.Key{Time: firstOfTimes + r.Int64N(2*365*24*3600*1000), ID: sha256.Sum256(index)}
	}
	slices.SortFunc(union, summary.Key.Compare)
	differing := r.Perm(len(union))[:run.d]
	if run.recent {
		differing = r.Perm(run.d)
		for i := range differing {
			differing[i] += len(union) - run.d
		}
	}
	only := make(map[int]bool, run.d) // true: only here
	for i, at := range differing {
		only[at] = i < run.d/2
	}
	for i, key := range union {
		onlyHere, differs := only[i]
		if !differs || onlyHere {
			here = append(here, key)
		}
		if !differs || !onlyHere {
			there = append(there, key)
		}
	}
	return here, there
}

const firstOfTimes = 1_704_067_200_000 // 2024-01-01 in milliseconds
