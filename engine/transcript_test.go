package engine_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

var update = flag.Bool("update", false, "rewrite the golden vectors")

// transcript is one sync as another implementation can replay it. The items are
// those of enginetest: 8 bytes of time, big-endian, then text; the ID is the
// SHA-256 of the payload, the label empty.
type transcript struct {
	Strategy  engine.Strategy  `json:"strategy"`
	Direction engine.Direction `json:"direction"`
	Initiator []string         `json:"initiator"` // payloads, hex
	Responder []string         `json:"responder"`
	Rounds    []exchange       `json:"rounds"`
}

type exchange struct {
	Request []string `json:"request"` // frames, hex
	Reply   []string `json:"reply"`
}

// recording is what one transcript is made of: strategy and direction, budgets of
// both sides, and which of them has which secret at first.
type recording struct {
	name      string
	strategy  engine.Strategy
	direction engine.Direction
	budget    int64
	a, b      byte // first byte of the secret's ID, 0 for none
	refuse    bool
}

func recordings() []recording {
	all := []recording{
		{name: "pull", direction: engine.Pull, b: 1},
		{name: "push", direction: engine.Push, a: 1, b: 1},
		{name: "want-secret", direction: engine.Both, a: 1, b: 2},
		{name: "more", direction: engine.Both, a: 1, b: 1, budget: 1},
		{name: "refused", direction: engine.Push, a: 1, b: 1, refuse: true},
	}
	for i := range all {
		all[i].strategy = engine.StrategyList
	}
	for _, s := range engine.Strategies() {
		all = append(all, recording{name: string(s), strategy: s, direction: engine.Both})
	}
	return all
}

// transcript runs the sync and writes down its frames.
func (rec recording) transcript(t *testing.T) transcript {
	t.Helper()
	a, b := small()
	for set, id := range map[*enginetest.Set]byte{a: rec.a, b: rec.b} {
		if id != 0 {
			keep(t, set, &engine.Secret{SecretName: wire.SecretName{Generation: 1, ID: [16]byte{id}}, Key: [32]byte{id}})
		}
	}
	if rec.budget > 0 {
		a.Add(enginetest.Payload(4, "only a too"))
		b.Add(enginetest.Payload(5, "only b too"))
	}
	if rec.refuse {
		b.Refuse = func([]byte) error { return errors.New("not authentic") }
	}
	got := transcript{Strategy: rec.strategy, Direction: rec.direction, Initiator: payloads(t, a), Responder: payloads(t, b)}
	limits := engine.Limits{ReplyBytes: rec.budget, RequestBytes: rec.budget}
	r := &recorder{Direct: engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(2)}}}
	_, err := engine.Sync(t.Context(), a, r, engine.Options{Strategy: rec.strategy, Direction: rec.direction, Random: chacha(1), Limits: limits})
	if (err != nil) != rec.refuse {
		t.Fatal(err)
	}
	for i := range r.requests {
		got.Rounds = append(got.Rounds, exchange{hexFrames(t, r.requests[i]), hexFrames(t, r.replies[i])})
	}
	return got
}

// TestTranscripts holds whole syncs, byte for byte, to golden files.
func TestTranscripts(t *testing.T) {
	for _, rec := range recordings() {
		text, err := json.MarshalIndent(rec.transcript(t), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, '\n')
		file := filepath.Join("../testdata/vectors/sync", rec.name+".json")
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
