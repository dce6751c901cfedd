package refserver

import (
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestReplica holds a node's replica to what the engine is promised.
func TestReplica(t *testing.T) {
	var payloads [][]byte
	var did string
	var first *dwn.Message
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: 300}) {
		if err != nil {
			t.Fatal(err)
		}
		did = m.Tenant
		if first == nil {
			first = m.Message
		}
		payloads = append(payloads, appendPayload(nil, store.Entry{Message: m.Message, Data: m.Data}))
	}
	enginetest.TestReplica(t, enginetest.Fixture{
		Open:     func(t *testing.T) engine.Replica { return emptyNode(t).Replica(did, dwn.Scope{}) },
		Payloads: payloads,
		Bad:      payloadOf(forge(t, first)),
	})
}
