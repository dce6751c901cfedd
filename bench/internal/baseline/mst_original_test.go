package baseline

import (
	"testing"
)

// mstRun is one run of atproto/repo/mst of github.com/bluesky-social/indigo at commit
// 4b983a7 (2026-08-19), measured on 2026-11-22 over the sets of [recordedSides]. The side
// that lacks ⌈d/2⌉ fetched.
type mstRun struct {
	n, d                 int
	uniform              bool
	bytes, rounds, nodes int // nodes: that were fetched
}

// mstOfOriginal are all rows of that measurement.
var mstOfOriginal = []mstRun{
	{10000, 0, false, 72, 1, 0},
	{10000, 1, false, 2211, 9, 8},
	{10000, 1, true, 3336, 9, 9},
	{10000, 10, false, 2808, 9, 9},
	{10000, 10, true, 26743, 9, 45},
	{10000, 100, false, 6655, 9, 23},
	{10000, 100, true, 163268, 9, 292},
	{10000, 1000, false, 47785, 9, 141},
	{10000, 1000, true, 565393, 9, 1269},
	{10000, 10000, false, 459662, 9, 1349},
	{10000, 10000, true, 893565, 9, 2520},
	{100000, 0, false, 72, 1, 0},
	{100000, 1, false, 2770, 10, 9},
	{100000, 1, true, 5231, 10, 11},
	{100000, 10, false, 4147, 10, 10},
	{100000, 10, true, 40560, 10, 65},
	{100000, 100, false, 6533, 10, 23},
	{100000, 100, true, 279668, 10, 461},
	{100000, 1000, false, 50443, 10, 161},
	{100000, 1000, true, 1551641, 10, 2861},
	{100000, 10000, false, 456203, 10, 1331},
	{100000, 10000, true, 5568753, 10, 12775},
	{100000, 100000, false, 4520403, 10, 13164},
	{100000, 100000, true, 8946109, 10, 25842},
	{1000000, 0, false, 72, 1, 0},
	{1000000, 1, false, 4538, 13, 12},
	{1000000, 1, true, 6471, 13, 14},
	{1000000, 10, false, 6394, 13, 15},
	{1000000, 10, true, 47003, 13, 83},
	{1000000, 100, false, 8884, 13, 22},
	{1000000, 100, true, 399679, 13, 623},
	{1000000, 1000, false, 49445, 13, 150},
	{1000000, 1000, true, 2703729, 13, 4386},
	{1000000, 10000, false, 458082, 13, 1370},
	{1000000, 10000, true, 15204221, 13, 27951},
	{1000000, 100000, false, 4516449, 13, 13386},
	{1000000, 100000, true, 55375962, 13, 126425},
}

// TestMSTIsAsRecorded: the same sets take the same bytes, rounds and nodes. Without
// DWNSYNC_LONG only a part is run: a tree of 10^5 keys takes a tenth of a second.
func TestMSTIsAsRecorded(t *testing.T) {
	most := 10_000
	if longForm() {
		most = 1_000_000
	}
	for _, run := range mstOfOriginal {
		if run.n > most {
			continue
		}
		there, here := recordedSides(run.n, run.d, run.uniform)
		out, err := MST{}.Prepare(here).Reconcile(MST{}.Prepare(there))
		if err != nil || len(out.Have) != run.d/2 || len(out.Need) != run.d-run.d/2 {
			t.Fatalf("%+v: %d and %d of the difference found, %v", run, len(out.Have), len(out.Need), err)
		}
		bytes, nodes := int(out.Up+out.Down), int(out.Up/cidSize-1)
		if bytes != run.bytes || out.Rounds != run.rounds || nodes != run.nodes {
			t.Errorf("%+v: got %d bytes, %d rounds, %d nodes", run, bytes, out.Rounds, nodes)
		}
	}
}
