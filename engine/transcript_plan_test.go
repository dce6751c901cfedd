package engine_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// TestPlanTranscripts holds syncs whose first sketch is too small to golden files, byte for
// byte: the plan that answers it, and the probe that follows that.
func TestPlanTranscripts(t *testing.T) {
	for _, c := range []struct {
		name              string
		both, here, there int
		filter            bool // the plan asks for one
	}{
		{name: "sketch-plan", both: 300, here: 10, there: 500},
		{name: "sketch-plan-filter", both: 300, here: 10, there: 150, filter: true},
	} {
		var a, b enginetest.Set
		for set, id := range map[*enginetest.Set]byte{&a: 1, &b: 1} {
			keep(t, set, &engine.Secret{SecretName: wire.SecretName{Generation: 1, ID: [16]byte{id}}, Key: [32]byte{id}})
		}
		add := func(n int, what string, sets ...*enginetest.Set) {
			for i := range n {
				for _, set := range sets {
					set.Add(enginetest.Payload(int64(i)<<36, fmt.Sprint(what, i)))
				}
			}
		}
		add(c.both, "", &a, &b)
		add(c.here, "a", &a)
		add(c.there, "b", &b)
		r := &recorder{Direct: engine.Direct{Replica: &b, Options: engine.RespondOptions{Random: chacha(2)}}}
		got := transcript{Strategy: engine.StrategySketch, Direction: engine.Pull, Initiator: payloads(t, &a), Responder: payloads(t, &b)}
		report, err := engine.Sync(t.Context(), &a, r, engine.Options{Strategy: got.Strategy, Direction: got.Direction, Random: chacha(1)})
		if err != nil || report.Received != c.there || report.Rounds != 2 || report.Delivered[got.Strategy] != c.there {
			t.Fatalf("%s: %+v, %v", c.name, report, err)
		}
		if asked := bytes.Contains(r.replies[0], []byte("edense")); !bytes.Contains(r.replies[0], []byte("dplan")) || asked != c.filter {
			t.Errorf("%s: the first reply asks for a filter: %t, want a plan that says %t", c.name, asked, c.filter)
		}
		for i := range r.requests {
			got.Rounds = append(got.Rounds, exchange{hexFrames(t, r.requests[i]), hexFrames(t, r.replies[i])})
		}
		golden(t, filepath.Join("../testdata/vectors/sync", c.name+".json"), got)
	}
}
