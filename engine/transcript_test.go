package engine_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
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
	Kept      string           `json:"kept,omitempty"` // hex: what the responder keeps of a sync before
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
	again     string // "" for a first sync; else what the responder has done with what the one before sent: "kept" or "lost" it
	hidden    bool   // the responder has an item that the first summary hides
	ranges    bool   // the sync begins with a bisection, of some hundred items
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
	segmented := recording{strategy: engine.StrategySegmented, direction: engine.Both, a: 1, b: 1}
	for _, rec := range []recording{
		{name: "segmented-delta", again: "kept"}, {name: "segmented-lost", again: "lost"}, {name: "segmented-within", hidden: true},
	} {
		segmented.name, segmented.again, segmented.hidden = rec.name, rec.again, rec.hidden
		all = append(all, segmented)
	}
	all = append(all, recording{name: "ranges", strategy: engine.StrategySketch, direction: engine.Both, a: 1, b: 1, ranges: true})
	for _, s := range engine.Strategies() {
		all = append(all, recording{name: string(s), strategy: s, direction: engine.Both})
	}
	return all
}

// transcript runs the sync and writes down its frames.
func (rec recording) transcript(t *testing.T, keepRoot bool) transcript {
	t.Helper()
	a, b := small()
	a.KeepRoot, b.KeepRoot = keepRoot, keepRoot
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
	if rec.hidden {
		hide(t, a, b)
	}
	for i := range int64(400) {
		if rec.ranges {
			a.Add(enginetest.Payload(i<<36, ""))
			b.Add(enginetest.Payload(i<<36, ""))
		}
	}
	limits := engine.Limits{ReplyBytes: rec.budget, RequestBytes: rec.budget}
	opt := engine.Options{Strategy: rec.strategy, Direction: rec.direction, Random: chacha(1), Limits: limits}
	r := &recorder{Direct: engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(2)}}}
	got := transcript{Strategy: rec.strategy, Direction: rec.direction}
	if rec.ranges {
		opt = opt.BeginWithRanges()
	}
	if rec.strategy == engine.StrategyCursor {
		rec.cursor(t, a, b, r, &opt)
	}
	if rec.again != "" {
		opt.Segments = new(engine.SegmentMemory)
		got.Kept = rec.before(t, a, b, r, opt)
	}
	got.Initiator, got.Responder = payloads(t, a), payloads(t, b)
	if _, err := engine.Sync(t.Context(), a, r, opt); (err != nil) != rec.refuse {
		t.Fatal(err)
	}
	for i := range r.requests {
		got.Rounds = append(got.Rounds, exchange{hexFrames(t, r.requests[i]), hexFrames(t, r.replies[i])})
	}
	return got
}

// cursor makes a sync that is not recorded, after which both sides gain an item: what the responder
// sealed is opaque to all but itself.
func (rec recording) cursor(t *testing.T, a, b *enginetest.Set, r *recorder, opt *engine.Options) {
	t.Helper()
	a.KeepSummaries, b.KeepSummaries = true, true
	opt.Cursor, r.Options.Sealer = new(engine.CursorMemory), sealer("b")
	for range 2 { // without a secret before there is no log of its views
		if _, err := engine.Sync(t.Context(), a, r, *opt); err != nil {
			t.Fatal(err)
		}
	}
	a.Add(enginetest.Payload(4, "new a"))
	b.Add(enginetest.Payload(5, "new b"))
	r.requests, r.replies = nil, nil
}

// before makes a sync that is not recorded, after which both sides gain an item. It
// returns what the responder keeps of it. Where that is kept, there are enough items
// for some segments, of which a delta has one.
func (rec recording) before(t *testing.T, a, b *enginetest.Set, r *recorder, opt engine.Options) (kept string) {
	t.Helper()
	if rec.again == "kept" {
		for i := range int64(1100) {
			a.Add(enginetest.Payload(i<<28, ""))
			b.Add(enginetest.Payload(i<<28, ""))
		}
	}
	r.Options.Segments = engine.NewSegmentCache(1 << 20)
	for range 2 { // the second sends the items that the first brought
		if _, err := engine.Sync(t.Context(), a, r, opt); err != nil {
			t.Fatal(err)
		}
	}
	if rec.again == "lost" {
		r.Options.Segments = nil
	} else {
		f, _ := segmented(t, a)
		kept = hex.EncodeToString(f.AppendTo(nil))
		a.Add(enginetest.Payload(6, "new a"))
	}
	b.Add(enginetest.Payload(1<<40, "new b"))
	r.requests, r.replies = nil, nil
	return kept
}

// segmented returns the segmented filter of a set in the epoch of its secret, with
// what maps keys to those of the filter.
func segmented(t *testing.T, set *enginetest.Set) (filters.Filter, func(engine.Key) uint64) {
	t.Helper()
	secret, _, err := set.Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	salt := filters.Salt(summary.DeriveSalt(secret.Key, nil))
	key := func(k engine.Key) uint64 { return engine.SegmentKey(salt, k) }
	var keys []uint64
	for _, k := range set.Keys() {
		keys = append(keys, key(k))
	}
	f, err := filters.Build(filters.Segmented, keys, filters.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f, key
}

// hide gives b an item that is a false positive of a's segmented filter.
func hide(t *testing.T, a, b *enginetest.Set) {
	t.Helper()
	f, key := segmented(t, a)
	for i := range 10_000 {
		item := enginetest.Payload(7, fmt.Sprint("hidden ", i))
		k, err := enginetest.KeyOf(item)
		if err != nil {
			t.Fatal(err)
		}
		if f.Contains(key(k)) {
			b.Add(item)
			return
		}
	}
	t.Fatal("no item is hidden")
}

// TestTranscripts holds whole syncs, byte for byte, to golden files. Roots that views
// keep make no difference.
func TestTranscripts(t *testing.T) {
	for _, rec := range recordings() {
		golden(t, filepath.Join("../testdata/vectors/sync", rec.name+".json"), rec.transcript(t, false))
		golden(t, filepath.Join("../testdata/vectors/sync", rec.name+".json"), rec.transcript(t, true))
	}
}

// TestSegmentVectors holds salts and keys of segmented filters to the golden file.
func TestSegmentVectors(t *testing.T) {
	type vector struct {
		Secret string `json:"secret"`
		Label  string `json:"label"`
		Salt   string `json:"salt"`
		Time   int64  `json:"time"`
		ID     string `json:"id"`
		Key    string `json:"segmentKey"`
	}
	var got []vector
	for i, label := range []string{"", `{"interface":"Records"}`} {
		secret := [32]byte{0: byte(i), 31: 0xff}
		salt := summary.DeriveSalt(secret, []byte(label))
		for _, time := range []int64{math.MinInt64, -1, 0, 1<<28 - 1, 1 << 28, 1735689661000542, filters.MaxBucket << 28, math.MaxInt64} {
			k := engine.Key{Time: time, ID: engine.ID{0: byte(time), 30: byte(i)}}
			got = append(got, vector{
				hex.EncodeToString(secret[:]), label, hex.EncodeToString(salt[:]), time,
				hex.EncodeToString(k.ID[:]), fmt.Sprintf("%016x", engine.SegmentKey(salt, k)),
			})
		}
	}
	golden(t, "../testdata/vectors/summary/segments.json", got)
}

// golden compares the JSON of v with a file, which -update writes.
func golden(t *testing.T, file string, v any) {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
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
		t.Errorf("%s differs; if that is intended, run with -update and bump wire.Version", file)
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

func keysOf(t testing.TB, view engine.View) []engine.Key {
	t.Helper()
	keys, err := view.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func payloads(t *testing.T, replica engine.Replica) []string {
	t.Helper()
	view, err := replica.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for item, err := range view.Items(t.Context(), keysOf(t, view)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, hex.EncodeToString(item.Payload))
	}
	return all
}
