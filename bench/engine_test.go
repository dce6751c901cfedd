package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// engineCase is a pull of the d items that the initiator lacks of the n that the
// responder has.
type engineCase struct {
	name string
	n, d int
}

func engineCases() []engineCase {
	cases := []engineCase{
		{"equal", 1000, 0},
		{"scattered", 1000, 100},
		{"equal", 10_000, 0},
		{"scattered", 10_000, 100},
		{"scattered", 10_000, 1000},
		{"equal", 100_000, 0},
		{"scattered", 100_000, 100},
		{"scattered", 100_000, 10_000},
	}
	if *large {
		cases = append(cases, engineCase{"scattered", 1_000_000, 100})
	}
	return cases
}

func (c engineCase) String() string { return fmt.Sprintf("case=%s/n=%d/d=%d", c.name, c.n, c.d) }

// BenchmarkEngine: one operation is one sync in one process, without disk,
// network or signatures, between nodes that share the secret. The flag -seed fixes
// the salts of its i-th operation, so all but times repeats with -benchtime Nx.
func BenchmarkEngine(b *testing.B) {
	for _, c := range engineCases() {
		p := sync.OnceValue(func() enginePair { return newEnginePair(c) })
		for _, strategy := range engine.Strategies() {
			b.Run(fmt.Sprintf("strategy=%s/%v", strategy, c), func(b *testing.B) { benchEngine(b, p(), strategy) })
		}
	}
}

func benchEngine(b *testing.B, p enginePair, strategy engine.Strategy) {
	var rounds []int
	var up, down engine.Traffic
	for b.Loop() {
		r, err := p.sync(b.Context(), strategy, *seed<<32+uint64(len(rounds)))
		if err != nil {
			b.Fatal(err)
		}
		if !r.Complete || !r.RootsEqual || r.Received != p.d {
			b.Fatalf("complete %t, roots equal %t, %d items received, want %d", r.Complete, r.RootsEqual, r.Received, p.d)
		}
		rounds = append(rounds, r.Rounds)
		up, down = add(up, r.Up), add(down, r.Down)
	}
	n := float64(b.N)
	b.ReportMetric(float64(up.Metadata+up.Items+down.Metadata+down.Items)/n, "wire-B/op")
	b.ReportMetric(float64(up.Metadata+down.Metadata)/n, "metadata-B/op")
	b.ReportMetric(mean(rounds), "rounds/op")
	b.ReportMetric(float64(percentile(rounds, 99)), "rounds-p99")
}

func add(a, b engine.Traffic) engine.Traffic {
	return engine.Traffic{Metadata: a.Metadata + b.Metadata, Items: a.Items + b.Items}
}

func mean(values []int) float64 {
	sum := 0
	for _, v := range values {
		sum += v
	}
	return float64(sum) / float64(len(values))
}

// enginePair is what both sides hold before each sync.
type enginePair struct {
	engineCase
	here, there engine.View
}

func newEnginePair(c engineCase) enginePair {
	var here, there enginetest.Set
	random := chacha(uint64(c.n))
	for i := range c.n {
		body := make([]byte, 24)
		_, _ = random.Read(body) // never fails
		p := enginetest.Payload(int64(i)*60e6, string(body))
		there.Add(p)
		// Of n items every (n/d)-th is missing here: evenly over time.
		if (i+1)*c.d/c.n == i*c.d/c.n {
			here.Add(p)
		}
	}
	return enginePair{engineCase: c, here: snapshot(&here), there: snapshot(&there)}
}

func snapshot(s *enginetest.Set) engine.View {
	v, _ := s.View(context.Background()) // never fails
	return v
}

func (p enginePair) sync(ctx context.Context, strategy engine.Strategy, seed uint64) (engine.Report, error) {
	here, there := &node{base: p.here}, &node{base: p.there}
	secret := engine.Secret{SecretName: wire.SecretName{Generation: 1}}
	binary.LittleEndian.PutUint64(secret.Key[:], seed)
	for _, n := range []*node{here, there} {
		if _, err := n.KeepSecret(ctx, secret); err != nil {
			return engine.Report{}, err
		}
	}
	transport := engine.Direct{Replica: there, Options: engine.RespondOptions{Random: chacha(2*seed + 1)}}
	return engine.Sync(ctx, here, transport, engine.Options{Strategy: strategy, Direction: engine.Pull, Random: chacha(2 * seed)})
}

// node is a Replica over a view that is not copied, and a set of what was put on
// top. So a sync can start from the same view again and again.
type node struct {
	enginetest.Set
	base engine.View
}

// View returns the view, and a copy of it only where something was put.
func (n *node) View(ctx context.Context) (engine.View, error) {
	if n.Len() == 0 {
		return n.base, nil
	}
	put, err := n.Set.View(ctx)
	if err != nil {
		return nil, err
	}
	keys := slices.Concat(n.base.Keys(), put.Keys())
	slices.SortFunc(keys, engine.Key.Compare)
	return grown{View: n.base, put: put, keys: slices.Compact(keys)}, nil
}

// grown is a view and what was put on top of it.
type grown struct {
	engine.View
	put  engine.View
	keys []engine.Key
}

func (g grown) Keys() []engine.Key { return g.keys }

func (g grown) Items(ctx context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		for i := range keys {
			from := g.View
			if _, ok := slices.BinarySearchFunc(g.put.Keys(), keys[i], engine.Key.Compare); ok {
				from = g.put
			}
			for item, err := range from.Items(ctx, keys[i:i+1]) {
				if !yield(item, err) || err != nil {
					return
				}
			}
		}
	}
}

// TestEngine runs the smallest cases once by each strategy.
func TestEngine(t *testing.T) {
	for _, c := range engineCases() {
		if c.n > 1000 {
			continue
		}
		p := newEnginePair(c)
		for _, strategy := range engine.Strategies() {
			name := fmt.Sprintf("strategy=%s/%v", strategy, c)
			m := once(t, name, func(b *testing.B) { benchEngine(b, p, strategy) })
			within(t, name, m, "rounds/op", 1, 7)
			within(t, name, m, "rounds-p99", m["rounds/op"], m["rounds/op"]) // of a single operation
			// A filter of n keys at 2^-8 is no smaller than n bytes.
			within(t, name, m, "metadata-B/op", float64(c.n-c.d), 100*float64(c.n))
			// 24 bytes of an item are random.
			within(t, name, m, "wire-B/op", m["metadata-B/op"]+24*float64(c.d), m["metadata-B/op"]+64*float64(c.d)+1000)
		}
	}
}

// TestEngineRepeats: the i-th sync costs the same whenever it is made.
func TestEngineRepeats(t *testing.T) {
	p := newEnginePair(engineCase{"scattered", 1000, 100})
	for seed := range uint64(4) {
		a, err := p.sync(t.Context(), engine.StrategyFuse, seed)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.sync(t.Context(), engine.StrategyFuse, seed)
		if err != nil {
			t.Fatal(err)
		}
		if a.Rounds != b.Rounds || a.Up != b.Up || a.Down != b.Down {
			t.Errorf("seed %d: %+v, then %+v", seed, a, b)
		}
	}
}
