package engine_test

import (
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// TestSaturatedEstimate: an estimate that is saturated says nothing of how much differs, so it
// keeps no responder from decoding; one that is not, and above the cells, does.
func TestSaturatedEstimate(t *testing.T) {
	for name, c := range map[string]struct {
		factor  int // of a counter's place, for its value
		decodes bool
	}{
		"right":     {0, true},
		"saturated": {77, true},
		"too large": {1, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := lyingPair(t, "", 900, 20)
			decoded := false
			peer := &between{Direct: engine.Direct{Replica: b}}
			peer.request = probes(func(p *summary.Probe) {
				for i := range p.Estimator {
					switch {
					case c.factor > 1:
						p.Estimator[i] = byte(i * c.factor)
					case c.factor == 1:
						p.Estimator[i] += byte(i % 8)
					}
				}
			})
			rounds := 0
			peer.reply = func(a *wire.Ack, data []byte) []byte {
				rounds++
				decoded = decoded || rounds == 1 && a.Plan == nil
				return data
			}
			report, err := engine.Sync(t.Context(), a, peer, engine.Options{Strategy: engine.StrategySketch, Direction: engine.Pull})
			if err != nil || decoded != c.decodes || c.decodes && report.Rounds != 1 {
				t.Errorf("%v, decoded at once: %t, want %t; %d rounds", err, decoded, c.decodes, report.Rounds)
			}
		})
	}
}
