package engine_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

var update = flag.Bool("update", false, "rewrite the golden vectors")

// transcript is one sync as another implementation can replay it. The items are
// those of enginetest: 8 bytes of time, big-endian, then text; the ID is the
// SHA-256 of the payload, the label empty.
type transcript struct {
	Strategy  engine.Strategy `json:"strategy"`
	Initiator []string        `json:"initiator"` // payloads, hex
	Responder []string        `json:"responder"`
	Rounds    []exchange      `json:"rounds"`
}

type exchange struct {
	Request []string `json:"request"` // frames, hex
	Reply   []string `json:"reply"`
}

// TestTranscripts holds whole syncs, byte for byte, to golden files.
func TestTranscripts(t *testing.T) {
	for _, s := range engine.Strategies() {
		r := record(t, s)
		a, b := small()
		got := transcript{Strategy: s, Initiator: payloads(t, a), Responder: payloads(t, b)}
		for i := range r.requests {
			got.Rounds = append(got.Rounds, exchange{hexFrames(t, r.requests[i]), hexFrames(t, r.replies[i])})
		}
		text, err := json.MarshalIndent(got, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, '\n')
		file := filepath.Join("../testdata/vectors/sync", string(s)+".json")
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, want) {
			t.Errorf("the sync differs from %s; if that is intended, run with -update and bump wire.Version", file)
		}
	}
}

func hexFrames(t *testing.T, data []byte) []string {
	t.Helper()
	var frames []string
	for f, err := range wire.Decode(bytes.NewReader(data)) {
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, hex.EncodeToString(f.Append(nil)))
	}
	return frames
}

func payloads(t *testing.T, replica engine.Replica) []string {
	t.Helper()
	view, err := replica.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for item, err := range view.Items(t.Context(), view.Keys()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, hex.EncodeToString(item.Payload))
	}
	return all
}
