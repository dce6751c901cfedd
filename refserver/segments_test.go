package refserver_test

import (
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// put stores messages as they are: what a sync moves is verified.
func put(t testing.TB, n refserver.Node, did string, entries []store.Entry) {
	t.Helper()
	for batch := range slices.Chunk(entries, store.MaxBatch) {
		if _, err := n.Store.Tenant(did).Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSegments: between two nodes that sync again and again, a sync sends at most a
// twentieth of the first summary after five new messages on the server, and the
// segments that changed after five new ones here; a server that keeps nothing is sent
// it whole every time. The secret is fixed, so that the first filter's false positives are.
func TestSegments(t *testing.T) {
	did, entries, _ := retained(t)
	jwk, _ := datasets.CorpusKey(did)
	slices.SortFunc(entries, func(a, b store.Entry) int { return a.Message.Key().Compare(b.Message.Key()) })
	old, later := entries[:len(entries)-10], entries[len(entries)-10:]
	for name, keeps := range map[string]bool{"keeps": true, "keeps nothing": false} {
		t.Run(name, func(t *testing.T) {
			here, there := openNode(t), openNode(t)
			put(t, here, did, old)
			put(t, there, did, old)
			for _, n := range []refserver.Node{here, there} {
				if _, err := n.Store.Tenant(did).KeepSecret(t.Context(), nil, store.Secret{Key: [32]byte{7}}); err != nil {
					t.Fatal(err)
				}
			}
			var opt refserver.ServerOptions
			if !keeps {
				opt.SegmentBytes = -1
			}
			client := clientOf(t, listen(t, there, opt), did, signerOf(t, jwk), nil)
			memory := new(engine.SegmentMemory)
			sync := func(moved int) refserver.SyncResult {
				t.Helper()
				r, err := client.Sync(t.Context(), here, refserver.SyncOptions{Strategy: engine.StrategySegmented, Segments: memory})
				if err != nil || !r.RootsEqual || r.MessagesReceived+r.MessagesSent != moved {
					t.Fatalf("%+v, %v", r, err)
				}
				return r
			}
			first := sync(0)
			put(t, there, did, later[:5])
			received := sync(5)
			put(t, here, did, later[5:])
			sent := sync(5)
			t.Logf("bytes of summaries: %d at first, %d after 5 messages there, %d after 5 here; metadata %d, %d, %d",
				first.SummaryBytes, received.SummaryBytes, sent.SummaryBytes, first.MetadataBytes, received.MetadataBytes, sent.MetadataBytes)
			if small := received.SummaryBytes*20 <= first.SummaryBytes; small != keeps {
				t.Errorf("%d bytes of summaries, at first %d", received.SummaryBytes, first.SummaryBytes)
			}
			if received.Rounds != 1 {
				t.Errorf("%d rounds to receive", received.Rounds)
			}
			if keeps && received.MetadataBytes*3 > first.MetadataBytes {
				t.Errorf("%d bytes of metadata, at first %d", received.MetadataBytes, first.MetadataBytes)
			}
		})
	}
}
