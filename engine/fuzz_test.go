package engine_test

import (
	"bytes"
	"context"
	"iter"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// recorder keeps the bytes of each request and reply that passes.
type recorder struct {
	engine.Direct
	requests, replies [][]byte
}

func (r *recorder) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	request, err := concat(wire.Join(head, items))
	if err != nil {
		return nil, err
	}
	r.requests = append(r.requests, request)
	frames, err := r.Direct.Exchange(ctx, nil, wire.Decode(bytes.NewReader(request)))
	if err != nil {
		return nil, err
	}
	reply, err := concat(frames)
	r.replies = append(r.replies, reply)
	return wire.Decode(bytes.NewReader(reply)), err
}

func concat(frames iter.Seq2[wire.Frame, error]) ([]byte, error) {
	var data []byte
	for f, err := range frames {
		if err != nil {
			return nil, err
		}
		data = f.Append(data)
	}
	return data, nil
}

// small returns two sets with one item in common and one each of their own.
func small() (a, b *enginetest.Set) {
	a, b = new(enginetest.Set), new(enginetest.Set)
	a.Add(enginetest.Payload(1, "shared"), enginetest.Payload(2, "only a"))
	b.Add(enginetest.Payload(1, "shared"), enginetest.Payload(3, "only b"))
	return a, b
}

// remembered are two sets that synced by segments, after which the first has gained an item: the
// next sync sends a delta.
type remembered struct {
	a, b   *enginetest.Set
	memory *engine.SegmentMemory
	peer   *recorder
}

func remember(t testing.TB) remembered {
	t.Helper()
	r := remembered{memory: new(engine.SegmentMemory)}
	r.a, r.b = small()
	r.peer = &recorder{Direct: engine.Direct{Replica: r.b, Options: engine.RespondOptions{
		Random: chacha(2), Segments: engine.NewSegmentCache(1 << 20),
	}}}
	r.sync(t, engine.StrategySegmented)
	r.a.Add(enginetest.Payload(4, "later"))
	return r
}

func (r remembered) options(s engine.Strategy) engine.Options {
	if s == "ranges" {
		return engine.Options{Strategy: engine.StrategySketch, Random: chacha(1)}.BeginWithRanges()
	}
	return engine.Options{Strategy: s, Segments: r.memory, Random: chacha(1)}
}

func (r remembered) sync(t testing.TB, s engine.Strategy) {
	t.Helper()
	if _, err := engine.Sync(context.Background(), r.a, r.peer, r.options(s)); err != nil {
		t.Fatal(err)
	}
}

// fuzzed are all strategies, and one that begins with the bisection.
func fuzzed() []engine.Strategy { return append(engine.Strategies(), "ranges") }

// FuzzRespond: a request of any bytes is answered or refused, and stores nothing
// but items that the replica itself verified.
func FuzzRespond(f *testing.F) {
	for _, s := range fuzzed() {
		r := remember(f)
		r.sync(f, s)
		for _, request := range r.peer.requests {
			f.Add(request)
		}
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		r := remember(t)
		before := r.b.Keys()
		frames, err := engine.Respond(t.Context(), r.b, wire.Decode(bytes.NewReader(request)), r.peer.Options)
		if err != nil {
			return
		}
		if _, err := concat(frames); err != nil {
			t.Fatal(err)
		}
		for _, k := range before {
			if !hasKey(r.b.Keys(), k) {
				t.Fatalf("%v is gone", k)
			}
		}
	})
}

// FuzzReply: replies of any bytes never make a sync complete that is not, short
// of a responder that claims the initiator's own root.
func FuzzReply(f *testing.F) {
	for i, s := range fuzzed() {
		r := remember(f)
		first := len(r.peer.replies)
		r.sync(f, s)
		replies := append(r.peer.replies[first:], nil)
		f.Add(uint8(i), replies[0], replies[1])
	}
	f.Fuzz(func(t *testing.T, strategy uint8, first, second []byte) {
		r := remember(t)
		s := fuzzed()[int(strategy)%len(fuzzed())]
		initiator, err := engine.NewInitiator(r.a, r.options(s))
		if err != nil {
			t.Fatal(err)
		}
		for _, reply := range [][]byte{first, second} {
			if !checkReply(t, initiator, reply) {
				return
			}
		}
	})
}

// checkReply does one round and reports whether there is another.
func checkReply(t *testing.T, initiator *engine.Initiator, reply []byte) bool {
	t.Helper()
	_, items, err := initiator.Request(t.Context())
	if err != nil {
		return false
	}
	if _, err := concat(items); err != nil {
		t.Fatal(err)
	}
	done, err := initiator.Reply(t.Context(), wire.Decode(bytes.NewReader(reply)))
	report := initiator.Report()
	if done != report.Complete || done && err != nil {
		t.Fatalf("done %t, %v, %+v", done, err, report)
	}
	if done && !report.RootsEqual {
		t.Fatalf("complete in both directions with roots that differ: %+v", report)
	}
	return !done && err == nil
}

func hasKey(keys []engine.Key, k engine.Key) bool {
	for _, other := range keys {
		if other == k {
			return true
		}
	}
	return false
}
