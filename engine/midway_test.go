package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// midway does something between the making of each request and its answer.
type midway struct {
	engine.Direct
	round  int
	happen func(round int)
}

func (m *midway) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	m.happen(m.round)
	m.round++
	return m.Direct.Exchange(ctx, head, items)
}

// happenings are what can happen to two sets during a sync.
var happenings = map[string]func(t *testing.T, m *meanwhile, round int){
	"an item comes here":  func(_ *testing.T, m *meanwhile, n int) { m.c.grow(m.c.a, 1) },
	"an item comes there": func(_ *testing.T, m *meanwhile, n int) { m.c.grow(m.c.b, 1) },
	"items come":          func(_ *testing.T, m *meanwhile, n int) { m.c.grow(m.c.a, 3); m.c.grow(m.c.b, 20) },
	"many come there":     func(_ *testing.T, m *meanwhile, n int) { m.c.grow(m.c.b, 2000) },
	"an item goes here":   func(_ *testing.T, m *meanwhile, n int) { m.remove(m.c.a, n) },
	"an item goes there":  func(_ *testing.T, m *meanwhile, n int) { m.remove(m.c.b, n) },
	"what is to be sent goes": func(_ *testing.T, m *meanwhile, n int) {
		m.removeAll(m.c.a, m.onlyHere)
		m.removeAll(m.c.b, m.onlyThere)
	},
	"a new epoch here":  func(t *testing.T, m *meanwhile, n int) { keep(t, m.c.a.Set, epoch(byte(n)+2)) },
	"a new epoch there": func(t *testing.T, m *meanwhile, n int) { keep(t, m.c.b.Set, epoch(byte(n)+2)) },
	"new epochs": func(t *testing.T, m *meanwhile, n int) {
		keep(t, m.c.a.Set, epoch(byte(2*n)+2))
		keep(t, m.c.b.Set, epoch(byte(2*n)+3))
	},
	"a backup there": func(t *testing.T, m *meanwhile, n int) {
		before := m.c.b.Keys()
		m.c.b.restore(t, len(m.c.b.log)-2)
		for _, k := range before {
			if !hasKey(m.c.b.Keys(), k) {
				m.gone[k] = true
			}
		}
	},
}

// meanwhile is a sync during which something happens.
type meanwhile struct {
	c                   *couple
	onlyHere, onlyThere []engine.Key
	gone                map[engine.Key]bool
}

func (m *meanwhile) remove(n *node, at int) {
	keys := n.Keys()
	m.removeAll(n, keys[7*at%len(keys):][:1])
}

func (m *meanwhile) removeAll(n *node, keys []engine.Key) {
	for _, k := range keys {
		n.remove(k)
		m.gone[k] = true
	}
}

func without(keys, others []engine.Key) []engine.Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k engine.Key) bool { return hasKey(others, k) })
}

// TestMidway: whatever happens to either set between the rounds of a sync, once or in each of
// its first rounds, it loses nothing, and is complete only if it is.
func TestMidway(t *testing.T) {
	for name, happen := range happenings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, strategy := range []engine.Strategy{engine.StrategySketch, engine.StrategyCursor, "ranges"} {
				for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
					for _, rounds := range [][2]int{{0, 1}, {1, 2}, {2, 3}, {0, 4}} {
						m := newMeanwhile(t)
						m.sync(t, strategy, direction, func(n int) {
							if n >= rounds[0] && n < rounds[1] {
								happen(t, m, n)
							}
						})
					}
				}
			}
		})
	}
}

// newMeanwhile returns two nodes that synced, after which both gained items, more than a first
// sketch tells.
func newMeanwhile(t *testing.T) *meanwhile {
	t.Helper()
	c := newCouple(t, 250)
	c.mustSync(t, engine.StrategyCursor, engine.Both)
	c.grow(c.a, 60)
	c.grow(c.b, 90)
	return &meanwhile{c, without(c.a.Keys(), c.b.Keys()), without(c.b.Keys(), c.a.Keys()), map[engine.Key]bool{}}
}

func (m *meanwhile) sync(t *testing.T, strategy engine.Strategy, direction engine.Direction, happen func(int)) {
	t.Helper()
	c := m.c
	before := c.a.Keys()
	peer := &midway{Direct: engine.Direct{Replica: c.b, Options: engine.RespondOptions{Random: chacha(1), Sealer: c.sealer}}, happen: happen}
	opt := engine.Options{Strategy: strategy, Direction: direction, Random: chacha(2), Cursor: c.cursor}
	if strategy == "ranges" {
		opt.Strategy = engine.StrategySketch
		opt = opt.BeginWithRanges()
	}
	report, err := engine.Sync(t.Context(), c.a, peer, opt)
	if err != nil || !report.Complete {
		t.Fatalf("%s, %s: %v: %+v", strategy, direction, err, report)
	}
	here, there := c.a.Keys(), c.b.Keys()
	if direction.Pulls() {
		m.check(t, there, here, report)
	}
	if direction.Pushes() {
		m.check(t, before, there, report)
	}
}

// check expects all of want that nobody removed meanwhile in have.
func (m *meanwhile) check(t *testing.T, want, have []engine.Key, report engine.Report) {
	t.Helper()
	for _, k := range without(want, have) {
		if !m.gone[k] {
			t.Fatalf("%v is lost: %+v", k, report)
		}
	}
}

// turns answers with two responders in turn, as behind a proxy.
type turns struct {
	peers [2]engine.Direct
	round int
}

func (p *turns) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	p.round++
	return p.peers[p.round%2].Exchange(ctx, head, items)
}

// TestResponderChanges: where one responder answers after another, with another set, a sync is
// complete with the one that answered last, or says that it is not.
func TestResponderChanges(t *testing.T) {
	for _, strategy := range []engine.Strategy{engine.StrategySketch, engine.StrategyCursor, engine.StrategyList} {
		for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			m := newMeanwhile(t)
			before := m.c.a.Keys()
			other := newNode(t, epoch(1))
			other.add(enginetest.Payload(3<<20, "shared"), enginetest.Payload(1, "of the other"))
			peer := &turns{}
			for i, n := range []*node{other, m.c.b} {
				peer.peers[i] = engine.Direct{Replica: n, Options: engine.RespondOptions{Sealer: m.c.sealer}}
			}
			report, err := engine.Sync(t.Context(), m.c.a, peer, engine.Options{Strategy: strategy, Direction: direction, Random: chacha(2), Cursor: m.c.cursor})
			last := []*node{other, m.c.b}[peer.round%2]
			switch {
			case err != nil && !errors.Is(err, engine.ErrIncomplete) || report.Complete == (err != nil):
				t.Fatalf("%s, %s: %v: %+v", strategy, direction, err, report)
			case err != nil:
				continue
			case direction.Pulls():
				m.check(t, last.Keys(), m.c.a.Keys(), report)
			}
			if direction.Pushes() {
				m.check(t, before, last.Keys(), report)
			}
		}
	}
}

// TestAtOnce: two nodes that sync with each other at the same time, each twice, while both
// are written to, lose nothing; once they are quiet they come to the same set.
func TestAtOnce(t *testing.T) {
	for _, strategy := range []engine.Strategy{engine.StrategySketch, engine.StrategyCursor} {
		for contact, first := range map[string]bool{"at first contact": true, "later": false} {
			t.Run(fmt.Sprintf("%s %s", strategy, contact), func(t *testing.T) {
				var sets [2]*enginetest.Set
				for i := range sets {
					sets[i] = &enginetest.Set{KeepSummaries: true}
					if !first {
						keep(t, sets[i], epoch(1))
					}
					for n := range 300 {
						sets[i].Add(enginetest.Payload(int64(n)<<20, "shared"), enginetest.Payload(int64(n*9+i)<<20, fmt.Sprint("of ", i)))
					}
				}
				var all sync.WaitGroup
				for i := range 4 {
					all.Go(func() { atOnce(t, strategy, sets[i%2], sets[1-i%2], uint64(i)) })
				}
				for i := range sets {
					all.Go(func() {
						for n := range 40 {
							sets[i].Add(enginetest.Payload(int64(n)<<22, fmt.Sprint("meanwhile ", i)))
						}
					})
				}
				all.Wait()
				atOnce(t, strategy, sets[0], sets[1], 9)
				if want := 300 + 2*300 + 2*40; sets[0].Len() != want || !slices.Equal(sets[0].Keys(), sets[1].Keys()) {
					t.Errorf("%d and %d items, want %d", sets[0].Len(), sets[1].Len(), want)
				}
			})
		}
	}
}

// atOnce syncs two sets twice, the second time with a cursor.
func atOnce(t *testing.T, strategy engine.Strategy, a, b *enginetest.Set, seed uint64) {
	cursor := new(engine.CursorMemory)
	for n := range uint64(2) {
		peer := engine.Direct{Replica: b, Options: engine.RespondOptions{Sealer: sealer("b"), Random: chacha(4*seed + 2*n)}}
		report, err := engine.Sync(t.Context(), a, peer, engine.Options{Strategy: strategy, Cursor: cursor, Random: chacha(4*seed + 2*n + 1)})
		if err != nil && !errors.Is(err, engine.ErrIncomplete) || report.Complete == (err != nil) {
			t.Errorf("%v: %+v", err, report)
		}
	}
}

// TestRing: three nodes that each sync with the next come to the same set in two turns, also
// where one of them has lost all that is in the middle.
func TestRing(t *testing.T) {
	for _, strategy := range engine.Strategies() {
		for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			var ring [3]*enginetest.Set
			var cursors [3]engine.CursorMemory
			for i := range ring {
				ring[i] = &enginetest.Set{KeepSummaries: i > 0}
				for n := range 600 {
					if i != 1 || n < 200 || n >= 400 {
						ring[i].Add(enginetest.Payload(int64(n)<<24, "shared"))
					}
				}
				ring[i].Add(enginetest.Payload(int64(i)<<26, fmt.Sprint("of ", i)))
			}
			rounds := 0
			for turn := range 2 {
				for i := range ring {
					peer := engine.Direct{Replica: ring[(i+1)%3], Options: engine.RespondOptions{Sealer: sealer(fmt.Sprint(i)), Random: chacha(uint64(7*turn + i))}}
					report, err := engine.Sync(t.Context(), ring[i], peer, engine.Options{
						Strategy: strategy, Direction: direction, Cursor: &cursors[i], Random: chacha(uint64(9*turn + i)),
					})
					if err != nil {
						t.Fatalf("%s, %s: %v: %+v", strategy, direction, err, report)
					}
					rounds += report.Rounds
				}
			}
			for i, set := range ring {
				if set.Len() != 603 {
					t.Errorf("%s, %s: node %d has %d items", strategy, direction, i, set.Len())
				}
			}
			if rounds > 30 {
				t.Errorf("%s, %s: %d rounds", strategy, direction, rounds)
			}
		}
	}
}

// withholding is a replica whose views keep one item back.
type withholding struct{ *node }

type withholdingView struct{ readView }

func (w withholding) View(ctx context.Context) (engine.View, error) {
	v, err := w.node.View(ctx)
	return withholdingView{v.(readView)}, err
}

func (v withholdingView) Items(ctx context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	return v.readView.Items(ctx, keys[min(1, len(keys)):])
}

// TestWithholding: an item that a responder counts and never sends keeps a sync from being
// complete, whatever way it was found, and the others arrive.
func TestWithholding(t *testing.T) {
	for _, strategy := range []engine.Strategy{engine.StrategySketch, engine.StrategyCursor, "ranges"} {
		for _, direction := range []engine.Direction{engine.Pull, engine.Both} {
			m := newMeanwhile(t)
			// It says that these were all.
			peer := liar{engine.Direct{Replica: withholding{m.c.b}, Options: engine.RespondOptions{Sealer: m.c.sealer}}, func(frames []wire.Frame) []wire.Frame {
				frames[len(frames)-1].Type = wire.TypeDone
				return frames
			}}
			opt := engine.Options{Strategy: strategy, Direction: direction, Cursor: m.c.cursor}
			if strategy == "ranges" {
				opt.Strategy = engine.StrategySketch
				opt = opt.BeginWithRanges()
			}
			report, err := engine.Sync(t.Context(), m.c.a, peer, opt)
			if !errors.Is(err, engine.ErrIncomplete) || report.Complete || report.Received != 89 || report.Rounds > mostRounds {
				t.Errorf("%s, %s: %v: %+v", strategy, direction, err, report)
			}
		}
	}
}
