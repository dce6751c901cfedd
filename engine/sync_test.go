package engine_test

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// chacha is a seeded source of randomness for salts and secrets.
func chacha(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	s[0], s[1], s[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	return rand.NewChaCha8(s)
}

// TestLadderEnds forces the last rung: under a constant hash function no filter
// and no list tells anything apart, and only the list of all IDs ends the sync.
func TestLadderEnds(t *testing.T) {
	for _, strategy := range engine.Strategies() {
		t.Run(string(strategy), func(t *testing.T) {
			// In one time bucket a segmented filter leaves nothing in doubt, and at first contact
			// nobody can know that this is wrong.
			a, b := new(enginetest.Set), new(enginetest.Set)
			for i := range int64(20) {
				a.Add(enginetest.Payload(i, "a"))
				b.Add(enginetest.Payload(i, "b"))
			}
			constant := func(filters.Salt, engine.ID) uint64 { return 42 }
			report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{}.Sabotage(constant)}, engine.Options{Strategy: strategy}.Sabotage(constant))
			if err != nil || !report.RootsEqual || a.Len() != 40 {
				t.Fatalf("%v: %+v", err, report)
			}
			want := engine.LadderLength(strategy)
			if strategy == engine.StrategySketch || strategy == engine.StrategyCursor {
				want = 3 // the secret, the sketch and what is pushed: no filter is needed
			}
			if strategy == engine.StrategyAuto {
				want = 2 // the filter of everything that it begins with, and a sketch
			}
			if report.Rounds < want || report.Rounds > want+1 {
				t.Errorf("%d rounds, want the %d of the ladder and one to push", report.Rounds, want)
			}
		})
	}
}

// TestHiddenByFalsePositive: an item that the filter hides is delivered in the
// same sync. The hash function hides exactly one item under every first salt.
func TestHiddenByFalsePositive(t *testing.T) {
	a, b := new(enginetest.Set), new(enginetest.Set)
	for i := range 100 {
		item := enginetest.Payload(int64(i), "shared")
		a.Add(item)
		b.Add(item)
	}
	hidden := enginetest.Payload(1, "hidden")
	b.Add(hidden)
	hiddenKey, _ := enginetest.KeyOf(hidden)
	sharedKey, _ := enginetest.KeyOf(enginetest.Payload(0, "shared"))
	salts := map[filters.Salt]bool{}
	hash := func(salt filters.Salt, id engine.ID) uint64 {
		salts[salt] = true
		if id == hiddenKey.ID && len(salts) == 1 {
			return salt.Key(sharedKey.ID)
		}
		return salt.Key(id)
	}
	report, err := engine.Sync(t.Context(), a, engine.Direct{b, engine.RespondOptions{Random: chacha(2)}.Sabotage(hash)}, engine.Options{Direction: engine.Pull, Random: chacha(1)}.Sabotage(hash))
	if err != nil || report.Received != 1 || report.Rounds != 2 {
		t.Fatalf("%v: %+v", err, report)
	}
}

// TestMore cuts replies and requests to a few items each.
func TestMore(t *testing.T) {
	p := newPair(11)
	p.direction = engine.Both
	for i := range 40 {
		p.a.Add(enginetest.Payload(int64(i), "only a"))
		p.b.Add(enginetest.Payload(int64(i), "only b"))
	}
	limits := engine.Limits{ReplyBytes: 100, RequestBytes: 100}
	want := len(union(p.a, p.b))
	report, err := engine.Sync(t.Context(), p.a, engine.Direct{p.b, engine.RespondOptions{}}, engine.Options{Limits: limits})
	if err != nil || !report.RootsEqual || p.a.Len() != want {
		t.Fatalf("%v: %+v", err, report)
	}
	if report.Rounds < 10 {
		t.Errorf("%d rounds: the limits did not bite", report.Rounds)
	}
}

func TestRefused(t *testing.T) {
	bad := enginetest.Payload(5, "bad")
	refuse := func(p []byte) error {
		if string(p) == string(bad) {
			return errors.New("not authentic")
		}
		return nil
	}
	t.Run("here", func(t *testing.T) {
		a, b := new(enginetest.Set), new(enginetest.Set)
		b.Add(bad)
		b.Add(enginetest.Payload(6, "good"))
		a.Refuse = refuse
		report, err := engine.Sync(t.Context(), a, engine.Direct{b, engine.RespondOptions{}}, engine.Options{})
		if !errors.Is(err, engine.ErrIncomplete) || report.Complete || report.Received != 1 || !report.Refused[0].Here {
			t.Fatalf("%v: %+v", err, report)
		}
	})
	t.Run("there", func(t *testing.T) {
		a, b := new(enginetest.Set), new(enginetest.Set)
		a.Add(bad)
		a.Add(enginetest.Payload(6, "good"))
		b.Refuse = refuse
		report, err := engine.Sync(t.Context(), a, engine.Direct{b, engine.RespondOptions{}}, engine.Options{})
		if !errors.Is(err, engine.ErrIncomplete) || report.Complete || report.Sent != 1 || report.Refused[0].Here {
			t.Fatalf("%v: %+v", err, report)
		}
	})
}

func keep(t *testing.T, set *enginetest.Set, secret *engine.Secret) {
	t.Helper()
	if secret == nil {
		return
	}
	if _, err := set.KeepSecret(t.Context(), *secret); err != nil {
		t.Fatal(err)
	}
}

// TestSecrets: nodes that made secrets of their own come to share the winner.
func TestSecrets(t *testing.T) {
	secret := func(generation uint64, id byte) *engine.Secret {
		return &engine.Secret{SecretName: wire.SecretName{Generation: generation, ID: [16]byte{id}}, Key: [32]byte{id}}
	}
	for name, c := range map[string]struct {
		a, b   *engine.Secret
		winner byte
		rounds int
	}{
		"neither":           {nil, nil, 0, 1},
		"responder alone":   {nil, secret(1, 2), 2, 1},
		"initiator alone":   {secret(1, 2), nil, 2, 2},
		"shared":            {secret(1, 2), secret(1, 2), 2, 1},
		"lower ID here":     {secret(1, 1), secret(1, 2), 1, 2},
		"lower ID there":    {secret(1, 2), secret(1, 1), 1, 1},
		"generation counts": {secret(1, 1), secret(2, 2), 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(3)
			keep(t, p.a, c.a)
			keep(t, p.b, c.b)
			report, err := engine.Sync(t.Context(), p.a, engine.Direct{p.b, engine.RespondOptions{}}, engine.Options{Direction: engine.Pull, Strategy: engine.StrategyList})
			if err != nil || !report.Complete {
				t.Fatalf("%v: %+v", err, report)
			}
			if report.Rounds != c.rounds {
				t.Errorf("%d rounds, want %d", report.Rounds, c.rounds)
			}
			a, kept, _ := p.a.Secret(t.Context())
			b, _, _ := p.b.Secret(t.Context())
			if !kept || a != b || c.winner != 0 && a.ID[0] != c.winner {
				t.Errorf("kept %v and %v, want both %d", a.SecretName, b.SecretName, c.winner)
			}
		})
	}
}

// liar passes frames on but for what change does to them.
type liar struct {
	engine.Direct
	change func([]wire.Frame) []wire.Frame
}

func (l liar) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	reply, err := l.Direct.Exchange(ctx, head, items)
	if err != nil {
		return nil, err
	}
	var frames []wire.Frame
	for f, err := range reply {
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	return wire.Join(l.change(frames), func(func(wire.Frame, error) bool) {}), nil
}

// TestWithheld: a responder that leaves out frames of its reply, repeats, swaps or
// cuts them never gets a complete sync that is not one.
func TestWithheld(t *testing.T) {
	index := func(frames []wire.Frame, t wire.Type) int {
		return slices.IndexFunc(frames, func(f wire.Frame) bool { return f.Type == t })
	}
	changes := map[string]func([]wire.Frame) []wire.Frame{
		"no items": func(f []wire.Frame) []wire.Frame {
			return slices.Delete(f, index(f, wire.TypeItems), index(f, wire.TypeDone))
		},
		"no end": func(f []wire.Frame) []wire.Frame { return f[:len(f)-1] },
		"items cut": func(f []wire.Frame) []wire.Frame {
			i := index(f, wire.TypeItems)
			f[i].Body = f[i].Body[:len(f[i].Body)/2]
			return f
		},
		"items twice":     func(f []wire.Frame) []wire.Frame { i := index(f, wire.TypeItems); return slices.Insert(f, i, f[i]) },
		"end twice":       func(f []wire.Frame) []wire.Frame { return append(f, f[len(f)-1]) },
		"ack last":        func(f []wire.Frame) []wire.Frame { return append(f[1:], f[0]) },
		"no ack":          func(f []wire.Frame) []wire.Frame { return f[1:] },
		"nothing":         func([]wire.Frame) []wire.Frame { return nil },
		"ack twice":       func(f []wire.Frame) []wire.Frame { return slices.Insert(f, 0, f[0]) },
		"second half cut": func(f []wire.Frame) []wire.Frame { i := index(f, wire.TypeSummary); return slices.Delete(f, i, i+1) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			a, b := new(enginetest.Set), new(enginetest.Set)
			for i := range 50 {
				a.Add(enginetest.Payload(int64(i), "a"))
				b.Add(enginetest.Payload(int64(i), "b"))
			}
			report, err := engine.Sync(t.Context(), a, liar{engine.Direct{b, engine.RespondOptions{}}, change}, engine.Options{Direction: engine.Pull})
			if err == nil || report.Complete {
				t.Fatalf("got a complete sync: %+v", report)
			}
			if errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for _, opt := range []engine.Options{{Strategy: "magic"}, {Direction: "sideways"}} {
		if _, err := engine.NewInitiator(new(enginetest.Set), opt); !errors.Is(err, engine.ErrOptions) {
			t.Errorf("%+v: got %v", opt, err)
		}
	}
}
