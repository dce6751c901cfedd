package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// forger changes the ACK of each reply.
func forger(replica engine.Replica, change func(*wire.Ack)) liar {
	return liar{engine.Direct{Replica: replica, Options: engine.RespondOptions{Random: chacha(2)}}, func(frames []wire.Frame) []wire.Frame {
		var ack wire.Ack
		if err := wire.DecodeBody(frames[0], &ack); err != nil {
			panic(err)
		}
		change(&ack)
		forged, err := wire.EncodeBody(wire.TypeAck, ack)
		if err != nil {
			panic(err)
		}
		frames[0] = forged
		return frames
	}}
}

// twenty returns two sets of twenty items each, none in common, that share a secret.
func twenty(t *testing.T) (a, b *enginetest.Set) {
	t.Helper()
	a, b = new(enginetest.Set), new(enginetest.Set)
	secret := engine.Secret{SecretName: wire.SecretName{Generation: 1}, Key: [32]byte{1}}
	keep(t, a, &secret)
	keep(t, b, &secret)
	for i := range 20 {
		a.Add(enginetest.Payload(int64(i), "a"))
		b.Add(enginetest.Payload(int64(i), "b"))
	}
	return a, b
}

// TestHostileAck: whatever an ACK claims, the sync ends, and not as complete.
func TestHostileAck(t *testing.T) {
	refuse := func(indices ...uint64) func(*wire.Ack) {
		return func(a *wire.Ack) {
			if a.Received > 0 {
				a.Refused = nil
				for _, i := range indices {
					a.Refused = append(a.Refused, wire.Refusal{Index: i})
				}
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*wire.Ack)
		want   error
	}{
		"version":              {func(a *wire.Ack) { a.Version = 2 }, engine.ErrProtocol},
		"more received":        {func(a *wire.Ack) { a.Received++ }, engine.ErrProtocol},
		"refusal out of range": {refuse(20), engine.ErrProtocol},
		"refused twice":        {refuse(3, 3), engine.ErrProtocol},
		"refusals descend":     {refuse(4, 3), engine.ErrProtocol},
		"says it refused":      {refuse(4), engine.ErrIncomplete},
		"no through":           {func(a *wire.Ack) { a.Through = nil }, engine.ErrProtocol},
		"other through": {func(a *wire.Ack) {
			if a.Through != nil {
				a.Through.Count++
			}
		}, nil},
		"other root":          {func(a *wire.Ack) { a.Root.Count++ }, engine.ErrProtocol},
		"other fingerprint":   {func(a *wire.Ack) { a.Root.Fingerprint[5]++ }, engine.ErrProtocol},
		"wants the secret":    {func(a *wire.Ack) { a.WantSecret = true }, wire.ErrSequence},
		"other secret":        {func(a *wire.Ack) { a.Secret.ID[0]++ }, wire.ErrSequence},
		"no second half":      {func(a *wire.Ack) { a.Summary = nil }, wire.ErrSequence},
		"second half of 2^40": {func(a *wire.Ack) { a.Summary = &wire.Summary{Size: 1 << 40} }, wire.ErrTooLarge},
		"unknown form":        {func(a *wire.Ack) { a.Summary = &wire.Summary{Form: "magic"} }, engine.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := twenty(t)
			report, err := engine.Sync(t.Context(), a, forger(b, c.change), engine.Options{Random: chacha(1)})
			if !errors.Is(err, c.want) || report.Complete != (c.want == nil) {
				t.Fatalf("got %v, want %v: %+v", err, c.want, report)
			}
			if report.Complete && (a.Len() != 40 || b.Len() != 40) { // a lie that another round puts right
				t.Fatalf("%d and %d items: %+v", a.Len(), b.Len(), report)
			}
		})
	}
}

// fixed answers every request with the same frames.
type fixed []wire.Frame

func (f fixed) Exchange(_ context.Context, _ []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	_, err := concat(items)
	return wire.Join(f, func(func(wire.Frame, error) bool) {}), err
}

func control(t *testing.T, typ wire.Type, v any) wire.Frame {
	t.Helper()
	f, err := wire.EncodeBody(typ, v)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestHostileReply: replies that are no answer to what was asked.
func TestHostileReply(t *testing.T) {
	a, _ := twenty(t)
	mine, _, _ := a.Secret(t.Context())
	through := wire.Root{Count: 3}
	ack := wire.Ack{Version: 1, Secret: mine.SecretName, Root: wire.Root{Count: 9}, Through: &through}
	want := ack
	want.WantSecret = true
	var items []wire.Frame
	for f, err := range wire.EncodeItems(func(yield func([]byte, error) bool) { yield(enginetest.Payload(1, "x"), nil) }) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, f)
	}
	first := control(t, wire.TypeAck, ack)
	for name, c := range map[string]struct {
		reply     fixed
		direction engine.Direction
		want      error
	}{
		"MORE without news":     {fixed{first, control(t, wire.TypeMore, wire.End{})}, engine.Pull, engine.ErrProtocol},
		"always wants a secret": {fixed{control(t, wire.TypeAck, want)}, engine.Pull, engine.ErrProtocol},
		"items in a push":       {fixed{first, items[0], control(t, wire.TypeDone, wire.End{Items: 1})}, engine.Push, engine.ErrProtocol},
		"wrong number of items": {fixed{first, items[0], control(t, wire.TypeDone, wire.End{Items: 2})}, engine.Pull, engine.ErrProtocol},
		"breaks off":            {fixed{first, control(t, wire.TypeError, wire.Error{Code: "full", Text: "\x1b[2J" + strings.Repeat("x", 900_000)})}, engine.Pull, nil},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := engine.Sync(t.Context(), a, c.reply, engine.Options{Direction: c.direction})
			if err == nil || c.want != nil && !errors.Is(err, c.want) || report.Complete {
				t.Fatalf("got %v, want %v: %+v", err, c.want, report)
			}
			if text := err.Error(); len(text) > 1200 || strings.Contains(text, "\x1b") {
				t.Errorf("the text is of %d bytes: %.60q", len(text), text)
			}
		})
	}
}

// TestHostileRequest: requests that are none.
func TestHostileRequest(t *testing.T) {
	good := wire.Init{Version: 1, Direction: engine.Pull, Budget: 1000}
	ids := func(size uint64, data ...byte) []wire.Frame {
		init := good
		init.Summary = &wire.Summary{Form: wire.FormIDs, Size: size}
		return []wire.Frame{control(t, wire.TypeInit, init), {Type: wire.TypeSummary, Body: data}}
	}
	with := func(change func(*wire.Init)) []wire.Frame {
		init := good
		change(&init)
		return []wire.Frame{control(t, wire.TypeInit, init)}
	}
	salted := ids(32, make([]byte, 32)...)
	salted[0] = with(func(i *wire.Init) { i.Summary = &wire.Summary{Form: wire.FormIDs, Size: 32, Salt: [16]byte{1}} })[0]
	tiny := ids(1000, 1)
	for range 999 {
		tiny = append(tiny, wire.Frame{Type: wire.TypeSummary, Body: []byte{1}})
	}
	for name, c := range map[string]struct {
		frames []wire.Frame
		want   error
	}{
		"good":              {with(func(*wire.Init) {}), nil},
		"version":           {with(func(i *wire.Init) { i.Version = 2 }), engine.ErrProtocol},
		"direction":         {with(func(i *wire.Init) { i.Direction = "up" }), engine.ErrProtocol},
		"items in a pull":   {append(with(func(*wire.Init) {}), wire.Frame{Type: wire.TypeItems, Body: []byte{1}}), engine.ErrProtocol},
		"secret unnamed":    {append(with(func(*wire.Init) {}), control(t, wire.TypeSecret, engine.Secret{})), engine.ErrProtocol},
		"ids":               {ids(64, append(make([]byte, 63), 1)...), nil},
		"ids twice":         {ids(64, make([]byte, 64)...), wire.ErrMalformed},
		"ids cut":           {ids(33, make([]byte, 33)...), wire.ErrMalformed},
		"ids salted":        {salted, wire.ErrMalformed},
		"summary too large": {ids(65<<20, 1), wire.ErrTooLarge},
		"tiny frames":       {tiny, wire.ErrMalformed},
		"empty frame":       {ids(1000), wire.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, b := small()
			frames, err := engine.Respond(t.Context(), b, wire.Join(c.frames, func(func(wire.Frame, error) bool) {}), engine.RespondOptions{})
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil {
				if _, err := concat(frames); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestItemsTwice: an item that comes twice is one item.
func TestItemsTwice(t *testing.T) {
	a, b := twenty(t)
	twice := liar{engine.Direct{Replica: b}, func(frames []wire.Frame) []wire.Frame {
		first := slices.IndexFunc(frames, func(f wire.Frame) bool { return f.Type == wire.TypeItems })
		if first < 0 {
			return frames
		}
		s := wire.NewStream(wire.Join(frames[first:], func(func(wire.Frame, error) bool) {}))
		defer s.Close()
		changed := slices.Clone(frames[:first])
		n := uint64(0)
		for f, err := range wire.EncodeItems(func(yield func([]byte, error) bool) {
			for p, err := range wire.DecodeItems(s, 1<<20) {
				for range 2 {
					if n++; !yield(p, err) {
						return
					}
				}
			}
		}) {
			if err != nil {
				t.Fatal(err)
			}
			changed = append(changed, f)
		}
		return append(changed, control(t, wire.TypeDone, wire.End{Items: n}))
	}}
	report, err := engine.Sync(t.Context(), a, twice, engine.Options{Strategy: engine.StrategyList})
	if err != nil || report.Received != 20 || report.Rounds != 2 || !report.RootsEqual {
		t.Fatalf("%v: %+v", err, report)
	}
}

// shrinking loses an item from its view once it was seen.
type shrinking struct {
	*enginetest.Set
	views int
}

type shrunk struct{ engine.View }

func (s shrunk) Keys(ctx context.Context) ([]engine.Key, error) {
	keys, err := s.View.Keys(ctx)
	return keys[min(1, len(keys)):], err
}

func (s *shrinking) View(ctx context.Context) (engine.View, error) {
	v, err := s.Set.View(ctx)
	if s.views++; err != nil || s.views == 1 {
		return v, err
	}
	return shrunk{v}, nil
}

// silent holds keys but yields no items.
type silent struct{ *enginetest.Set }

type silentView struct{ engine.View }

func (silentView) Items(context.Context, []engine.Key) iter.Seq2[engine.Item, error] {
	return func(func(engine.Item, error) bool) {}
}

func (s silent) View(ctx context.Context) (engine.View, error) {
	v, err := s.Set.View(ctx)
	return silentView{v}, err
}

// TestVanishing: an item that leaves the view before it is pushed is no reason to
// wait for it, and a view that does not yield what it holds is told so.
func TestVanishing(t *testing.T) {
	a, b := twenty(t)
	report, err := engine.Sync(t.Context(), &shrinking{Set: a}, engine.Direct{Replica: b}, engine.Options{Direction: engine.Push})
	if err != nil || report.Sent != 19 {
		t.Errorf("%v: %+v", err, report)
	}
	a, b = twenty(t)
	if _, err := engine.Sync(t.Context(), silent{a}, engine.Direct{Replica: b}, engine.Options{Direction: engine.Push}); !errors.Is(err, engine.ErrReplica) {
		t.Errorf("got %v, want %v", err, engine.ErrReplica)
	}
}

// TestManyRefused: any number of refused items does not keep the others from
// arriving, in either direction, and each is reported once.
func TestManyRefused(t *testing.T) {
	for _, n := range []int{10, 3000} {
		for i, limits := range []engine.Limits{{}, {ReplyBytes: 10_000, RequestBytes: 10_000}, {}, {ReplyBytes: 10_000, RequestBytes: 10_000}, {}, {}} {
			opt := engine.Options{Limits: limits}
			if i >= 2 {
				opt.Strategy = engine.StrategySketch
			}
			if i >= 4 {
				opt = opt.BeginWithRanges()
			}
			t.Run(fmt.Sprintf("%s/n=%d/limits=%d/%d", opt.Strategy, n, limits.ReplyBytes, i), func(t *testing.T) {
				keeps := i%2 > 0
				a, b := &enginetest.Set{KeepSummaries: keeps}, &enginetest.Set{KeepSummaries: keeps}
				for i := range n {
					a.Add(enginetest.Payload(int64(i), "bad a"))
					b.Add(enginetest.Payload(int64(i), "bad b"))
				}
				a.Add(enginetest.Payload(1<<40, "good a"))
				b.Add(enginetest.Payload(1<<40, "good b"))
				bad := func(p []byte) error {
					if strings.Contains(string(p), "bad") {
						return errors.New("bad")
					}
					return nil
				}
				offers := map[string]int{}
				a.Refuse = bad
				b.Refuse = func(p []byte) error {
					offers[string(p)]++
					return bad(p)
				}
				report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b}, opt)
				if !errors.Is(err, engine.ErrIncomplete) || report.Complete || report.Received != 1 || report.Sent != 1 {
					t.Fatalf("%v: received %d, sent %d", err, report.Received, report.Sent)
				}
				if report.RefusedItems != 2*n || len(report.Refused) != min(2*n, engine.MaxRefused) {
					t.Errorf("%d refused, %d of them listed, want %d", report.RefusedItems, len(report.Refused), 2*n)
				}
				for p, n := range offers {
					if n > 1 {
						t.Fatalf("%q was pushed %d times", p, n)
					}
				}
			})
		}
	}
}

// TestUnequalLimits: nodes with different limits finish.
func TestUnequalLimits(t *testing.T) {
	a, b := twenty(t)
	for i := range 500 {
		a.Add(enginetest.Payload(int64(i), strings.Repeat("long", 100)))
	}
	responder := engine.RespondOptions{Limits: engine.Limits{RequestBytes: 5000, ReplyBytes: 300}}
	report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: responder}, engine.Options{})
	if err != nil || !report.RootsEqual || report.Sent != 520 {
		t.Fatalf("%v: %+v", err, report)
	}
	small := engine.Limits{SummaryBytes: 20}
	if _, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b}, engine.Options{Limits: small}); !errors.Is(err, engine.ErrIncomplete) {
		t.Errorf("a summary above its own limit: %v", err)
	}
}

// TestAckOfRefusals: an ACK that refuses as many items as a request may hold fits
// into its frame.
func TestAckOfRefusals(t *testing.T) {
	a, b := new(enginetest.Set), new(enginetest.Set)
	b.Refuse = func([]byte) error { return errors.New(strings.Repeat("é", 300)) }
	for i := range wire.MaxRequestItems + 5 {
		a.Add(enginetest.Payload(int64(i), ""))
	}
	report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b}, engine.Options{Direction: engine.Push, Strategy: engine.StrategyList})
	if !errors.Is(err, engine.ErrIncomplete) || report.RefusedItems != wire.MaxRequestItems+5 {
		t.Fatalf("%v: %d refused", err, report.RefusedItems)
	}
	if !slices.ContainsFunc(report.Refused, func(r engine.Refusal) bool { return r.Reason != "" }) {
		t.Error("no refusal has a reason")
	}
}

// TestTooManyItems: a request has at most so many items, however small they are.
func TestTooManyItems(t *testing.T) {
	items := wire.EncodeItems(func(yield func([]byte, error) bool) {
		for i := range wire.MaxRequestItems + 1 {
			if !yield(enginetest.Payload(int64(i), ""), nil) {
				return
			}
		}
	})
	head := []wire.Frame{control(t, wire.TypeInit, wire.Init{Version: 1, Direction: engine.Push})}
	_, err := engine.Respond(t.Context(), new(enginetest.Set), wire.Join(head, items), engine.RespondOptions{})
	if !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, wire.ErrTooLarge)
	}
}
