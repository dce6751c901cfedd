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

func record(t testing.TB, strategy engine.Strategy) *recorder {
	t.Helper()
	a, b := small()
	r := &recorder{Direct: engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(2)}}}
	if _, err := engine.Sync(context.Background(), a, r, engine.Options{Strategy: strategy, Random: chacha(1)}); err != nil {
		t.Fatal(err)
	}
	return r
}

// FuzzRespond: a request of any bytes is answered or refused, and stores nothing
// but items that the replica itself verified.
func FuzzRespond(f *testing.F) {
	for _, s := range engine.Strategies() {
		for _, request := range record(f, s).requests {
			f.Add(request)
		}
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		_, b := small()
		before := b.Keys()
		frames, err := engine.Respond(t.Context(), b, wire.Decode(bytes.NewReader(request)), engine.RespondOptions{Random: chacha(2)})
		if err != nil {
			return
		}
		if _, err := concat(frames); err != nil {
			t.Fatal(err)
		}
		for _, k := range before {
			if !hasKey(b.Keys(), k) {
				t.Fatalf("%v is gone", k)
			}
		}
	})
}

// FuzzReply: a reply of any bytes never makes a sync complete that is not, short
// of a responder that claims the initiator's own root.
func FuzzReply(f *testing.F) {
	for _, s := range engine.Strategies() {
		for _, reply := range record(f, s).replies {
			f.Add(reply)
		}
	}
	f.Fuzz(func(t *testing.T, reply []byte) {
		a, _ := small()
		initiator, err := engine.NewInitiator(a, engine.Options{Random: chacha(1)})
		if err != nil {
			t.Fatal(err)
		}
		_, items, err := initiator.Request(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := concat(items); err != nil {
			t.Fatal(err)
		}
		done, err := initiator.Reply(t.Context(), wire.Decode(bytes.NewReader(reply)))
		r := initiator.Report()
		if done != r.Complete || done && err != nil {
			t.Fatalf("done %t, %v, %+v", done, err, r)
		}
		if done && !r.RootsEqual {
			t.Fatalf("complete in both directions with roots that differ: %+v", r)
		}
	})
}

func hasKey(keys []engine.Key, k engine.Key) bool {
	for _, other := range keys {
		if other == k {
			return true
		}
	}
	return false
}
