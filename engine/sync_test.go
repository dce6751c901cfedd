package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
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

// sabotage returns a hash function under which about half of all foreign keys
// are false positives of a set of n keys, whatever the filter.
func sabotage(n int) func(filters.Salt, engine.ID) uint64 {
	return func(salt filters.Salt, id engine.ID) uint64 {
		const spread = 0x9e3779b97f4a7c15 // odd, so that a list, which keeps the top bits, can tell them apart
		return salt.Key(id) % uint64(max(2, n+n*44/100)) * spread
	}
}

// pairs is how many random pairs a convergence test tries: 1000 pairs are spread
// over the combinations by default, or all of them each by DWNSYNC_PAIRS=1000.
func pairs(t *testing.T, combinations int) int {
	if s := os.Getenv("DWNSYNC_PAIRS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return (1000 + combinations - 1) / combinations
}

// TestConverge: whatever the two sets are, after a sync each side holds what the
// direction promises, nothing is lost or invented (I1, I2), and a second sync
// moves nothing (I4).
func TestConverge(t *testing.T) {
	combinations := len(engine.Strategies()) * 3
	for _, strategy := range engine.Strategies() {
		for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			for _, sabotaged := range []bool{false, true} {
				t.Run(fmt.Sprintf("strategy=%s/direction=%s/sabotaged=%t", strategy, direction, sabotaged), func(t *testing.T) {
					t.Parallel()
					for n := range pairs(t, combinations) {
						c := newPair(uint64(n)*31 + uint64(strategy[0]))
						c.strategy, c.direction, c.sabotaged = strategy, direction, sabotaged
						c.check(t)
					}
				})
			}
		}
	}
}

// union returns the keys that a or b holds.
func union(a, b *enginetest.Set) []engine.Key {
	keys := slices.SortedFunc(slices.Values(append(a.Keys(), b.Keys()...)), engine.Key.Compare)
	return slices.Compact(keys)
}

// pair is two overlapping random sets.
type pair struct {
	a, b      *enginetest.Set
	onlyA     int
	onlyB     int
	seed      uint64
	strategy  engine.Strategy
	direction engine.Direction
	sabotaged bool
}

func newPair(seed uint64) pair {
	random := rand.New(rand.NewPCG(seed, 1))
	p := pair{a: new(enginetest.Set), b: new(enginetest.Set), seed: seed}
	size := [...]int{1, 3, 30, 300, 3000}[random.IntN(5)]
	inA, inB := random.Float64(), random.Float64()
	for i := range random.IntN(size + 1) {
		item := enginetest.Payload(int64(random.IntN(1000)), fmt.Sprintf("%d/%d", seed, i))
		a, b := random.Float64() < inA, random.Float64() < inB
		if a {
			p.a.Add(item)
		}
		if b {
			p.b.Add(item)
		}
		if a && !b {
			p.onlyA++
		}
		if b && !a {
			p.onlyB++
		}
	}
	return p
}

func (p pair) run(t *testing.T) (engine.Report, error) {
	opt := engine.Options{Strategy: p.strategy, Direction: p.direction, Random: chacha(p.seed)}
	peer := engine.RespondOptions{Random: chacha(p.seed + 1)}
	if p.sabotaged {
		hash := sabotage(max(p.a.Len(), p.b.Len()))
		opt, peer = opt.Sabotage(hash), peer.Sabotage(hash)
	}
	return engine.Sync(t.Context(), p.a, engine.Direct{p.b, peer}, opt)
}

func (p pair) check(t *testing.T) {
	t.Helper()
	union := union(p.a, p.b)
	wantA, wantB := p.a.Keys(), p.b.Keys()
	if p.direction.Pulls() {
		wantA = union
	}
	if p.direction.Pushes() {
		wantB = union
	}
	for second := range 2 {
		report, err := p.run(t)
		if err != nil {
			t.Fatalf("pair %d: %v\n%+v", p.seed, err, report)
		}
		received, sent := p.onlyB, p.onlyA
		if second == 1 || !p.direction.Pulls() {
			received = 0
		}
		if second == 1 || !p.direction.Pushes() {
			sent = 0
		}
		p.checkReport(t, report, received, sent, slices.Equal(wantA, wantB))
		if !slices.Equal(p.a.Keys(), wantA) || !slices.Equal(p.b.Keys(), wantB) {
			t.Fatalf("pair %d: sets are not what %s promises\n%+v", p.seed, p.direction, report)
		}
	}
}

func (p pair) checkReport(t *testing.T, r engine.Report, received, sent int, equal bool) {
	t.Helper()
	if r.Received != received || r.Sent != sent || !r.Complete || r.RootsEqual != equal {
		t.Fatalf("pair %d: got %+v, want %d received, %d sent, equal %t", p.seed, r, received, sent, equal)
	}
	total := 0
	for _, n := range r.Delivered {
		total += n
	}
	if total != received+sent {
		t.Fatalf("pair %d: delivered %v, want %d in all", p.seed, r.Delivered, received+sent)
	}
	if by := r.Delivered[p.strategy]; !p.sabotaged && float64(by) < 0.99*float64(total) {
		t.Fatalf("pair %d: %s delivered %d of %d", p.seed, p.strategy, by, total)
	}
}

// TestLadderEnds forces the last rung: under a constant hash function no filter
// and no list tells anything apart, and only the list of all IDs ends the sync.
func TestLadderEnds(t *testing.T) {
	for _, strategy := range engine.Strategies() {
		t.Run(string(strategy), func(t *testing.T) {
			p := newPair(7)
			p.strategy = strategy
			constant := func(filters.Salt, engine.ID) uint64 { return 42 }
			report, err := engine.Sync(t.Context(), p.a, engine.Direct{p.b, engine.RespondOptions{}.Sabotage(constant)}, engine.Options{Strategy: strategy}.Sabotage(constant))
			if err != nil || !report.RootsEqual || p.a.Len() != p.b.Len() {
				t.Fatalf("%v: %+v", err, report)
			}
			if want := engine.LadderLength(strategy); report.Rounds < want {
				t.Errorf("%d rounds, want at least the %d of the ladder", report.Rounds, want)
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

// busy is a replica whose set grows with every view.
type busy struct {
	*enginetest.Set
	views int
	limit int
}

func (b *busy) View(ctx context.Context) (engine.View, error) {
	if b.views++; b.views < b.limit {
		b.Add(enginetest.Payload(int64(b.views), "meanwhile"))
	}
	return b.Set.View(ctx)
}

// TestWritesMeanwhile: writes on both sides during a sync neither get lost nor
// make it report what is not so.
func TestWritesMeanwhile(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		p := newPair(23)
		p.a.Add(enginetest.Payload(1, "a needs to push"))
		a, b := &busy{Set: p.a, limit: 4}, &busy{Set: p.b, limit: 4}
		report, err := engine.Sync(t.Context(), a, engine.Direct{b, engine.RespondOptions{}}, engine.Options{Direction: direction})
		if err != nil || !report.Complete {
			t.Fatalf("%s: %v: %+v", direction, err, report)
		}
	}
	p := newPair(23)
	a, b := &busy{Set: p.a, limit: 1 << 30}, &busy{Set: p.b, limit: 1 << 30, views: 1 << 20}
	report, err := engine.Sync(t.Context(), a, engine.Direct{b, engine.RespondOptions{}}, engine.Options{Direction: engine.Push})
	if !errors.Is(err, engine.ErrIncomplete) || report.Complete {
		t.Fatalf("sets that never rest: %v: %+v", err, report)
	}
}

func TestOptions(t *testing.T) {
	for _, opt := range []engine.Options{{Strategy: "magic"}, {Direction: "sideways"}} {
		if _, err := engine.NewInitiator(new(enginetest.Set), opt); !errors.Is(err, engine.ErrOptions) {
			t.Errorf("%+v: got %v", opt, err)
		}
	}
}
