package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/filters"
)

// drifts are ways in which a kept root is wrong. x is an item of the set, y one that it
// does not hold, both zero where there is none.
var drifts = map[string]func(x, y engine.Key) func(engine.Root, *summary.Hasher) engine.Root{
	"misses an item": func(x, _ engine.Key) func(engine.Root, *summary.Hasher) engine.Root {
		return func(r engine.Root, h *summary.Hasher) engine.Root { return r.Sub(h.Key(x)) }
	},
	"counts one too many": func(_, y engine.Key) func(engine.Root, *summary.Hasher) engine.Root {
		return func(r engine.Root, h *summary.Hasher) engine.Root { return r.Add(h.Key(y)) }
	},
	"has one for another": func(x, y engine.Key) func(engine.Root, *summary.Hasher) engine.Root {
		return func(r engine.Root, h *summary.Hasher) engine.Root { return r.Sub(h.Key(x)).Add(h.Key(y)) }
	},
	"flipped bit": func(x, _ engine.Key) func(engine.Root, *summary.Hasher) engine.Root {
		return func(r engine.Root, _ *summary.Hasher) engine.Root {
			r.Fingerprint[x.ID[0]%32] ^= 1 << (x.ID[1] % 8)
			return r
		}
	},
	"another count": func(x, _ engine.Key) func(engine.Root, *summary.Hasher) engine.Root {
		return func(r engine.Root, _ *summary.Hasher) engine.Root { r.Count += uint64(x.ID[0]) + 1; return r }
	},
	"nothing": func(_, _ engine.Key) func(engine.Root, *summary.Hasher) engine.Root {
		return func(engine.Root, *summary.Hasher) engine.Root { return engine.Root{} }
	},
	"another each time": func(_, _ engine.Key) func(engine.Root, *summary.Hasher) engine.Root {
		times := byte(0)
		return func(r engine.Root, _ *summary.Hasher) engine.Root {
			times++
			r.Fingerprint[0] += times
			return r
		}
	},
}

// TestDriftedRoot: a kept root that is not that of the keys, on either side, never makes
// a sync complete that is not. They end exact all the same: the engine finds it out by
// the count, or the list of all IDs at the end of the ladder does without.
func TestDriftedRoot(t *testing.T) {
	seeds := uint64(4)
	if raceDetector {
		seeds = 1
	}
	for name, drift := range drifts {
		for side, who := range []string{"initiator", "responder"} {
			t.Run(fmt.Sprintf("%s of the %s", name, who), func(t *testing.T) {
				exact, incomplete := 0, 0
				for _, strategy := range engine.Strategies() {
					for n, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
						for seed := range seeds {
							p := newPair(seed*101 + uint64(n))
							p.strategy, p.direction = strategy, direction
							done, ok := p.drifted(t, side, drift)
							switch {
							case ok && done:
								exact++
							case ok:
								incomplete++
							}
						}
					}
				}
				t.Logf("%d exact, %d incomplete", exact, incomplete)
				if exact == 0 || incomplete > 0 {
					t.Errorf("%d syncs were exact, %d incomplete", exact, incomplete)
				}
			})
		}
	}
}

// drifted syncs with a wrong root on one side and reports whether the sync is complete,
// which it may only be if it is exact. ok is false where no sync was made: the wrong root
// happens to be that of the other side.
func (p pair) drifted(t *testing.T, side int, drift func(x, y engine.Key) func(engine.Root, *summary.Hasher) engine.Root) (done, ok bool) {
	t.Helper()
	a, b := keeping(t, p.a), keeping(t, p.b)
	bad, other := a, b
	if side == 1 {
		bad, other = b, a
	}
	var x, y engine.Key
	if keys := bad.Keys(); len(keys) > 0 {
		x = keys[len(keys)/2]
	}
	y.ID[0] = 1
	held := bad.Keys()
	for _, k := range other.Keys() {
		if _, is := slices.BinarySearchFunc(held, k, engine.Key.Compare); !is {
			y = k
			break
		}
	}
	h := summary.NewHasher(summary.Derive(epoch(1).Key, nil))
	if drift(x, y)(h.Root(held), h) == h.Root(other.Keys()) {
		return false, false
	}
	bad.wrong = drift(x, y)
	wantA, wantB := p.promised()
	report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(p.seed + 1)}},
		engine.Options{Strategy: p.strategy, Direction: p.direction, Random: chacha(p.seed)})
	if err == nil != report.Complete || err != nil && !errors.Is(err, engine.ErrIncomplete) {
		t.Fatalf("pair %d: %v: %+v", p.seed, err, report)
	}
	if report.Complete && (!slices.Equal(p.a.Keys(), wantA) || !slices.Equal(p.b.Keys(), wantB)) {
		t.Fatalf("pair %d: complete, but the sets are not what %s promises: %+v", p.seed, p.direction, report)
	}
	return report.Complete, true
}

// promised returns what the sets are to hold after a sync.
func (p pair) promised() (a, b []engine.Key) {
	all := union(p.a, p.b)
	a, b = p.a.Keys(), p.b.Keys()
	if p.direction.Pulls() {
		a = all
	}
	if p.direction.Pushes() {
		b = all
	}
	return a, b
}

// TestDriftHidden: a root that is wrong by just the item that a filter hides would make
// the identity hold. The count tells.
func TestDriftHidden(t *testing.T) {
	hidden := enginetest.Payload(5, "hidden")
	key, _ := enginetest.KeyOf(hidden)
	like, _ := enginetest.KeyOf(enginetest.Payload(0, "shared"))
	for side, who := range []string{"initiator", "responder"} {
		t.Run(who, func(t *testing.T) {
			a, b := shared(t, 300, 3, 3)
			b.Add(hidden)
			if side == 0 {
				a.wrong = func(r engine.Root, h *summary.Hasher) engine.Root { return r.Add(h.Key(key)) }
			} else {
				b.wrong = func(r engine.Root, h *summary.Hasher) engine.Root { return r.Sub(h.Key(key)) }
			}
			salts := map[filters.Salt]bool{}
			hash := func(salt filters.Salt, id engine.ID) uint64 {
				if salts[salt] = true; id == key.ID && len(salts) == 1 {
					return salt.Key(like.ID)
				}
				return salt.Key(id)
			}
			peer := engine.Direct{Replica: b, Options: engine.RespondOptions{Random: chacha(1)}.Sabotage(hash)}
			report, err := engine.Sync(t.Context(), a, peer, engine.Options{Direction: engine.Pull, Random: chacha(2)}.Sabotage(hash))
			if err != nil || !report.Complete || report.Rounds < 2 || !hasKey(a.Keys(), key) {
				t.Fatalf("%v: %+v", err, report)
			}
		})
	}
}

// TestDriftCosts: a root whose count is wrong costs what its keys take to hash, not rounds.
func TestDriftCosts(t *testing.T) {
	a, b := shared(t, 300, 3, 3)
	right, _, _ := counted(t, a, b, engine.Options{})
	a, b = shared(t, 300, 3, 3)
	a.wrong = func(r engine.Root, h *summary.Hasher) engine.Root { return r.Add(h.Key(engine.Key{Time: 1})) }
	wrong, hashed, _ := counted(t, a, b, engine.Options{})
	if wrong.Rounds != right.Rounds || hashed < 300 || hashed > 306*(wrong.Rounds+1)+50 {
		t.Errorf("%d rounds, want %d; %d keys hashed", wrong.Rounds, right.Rounds, hashed)
	}
}

// TestDriftUnnoticed is the limit that the comment of engine.Summarised speaks of: a
// responder whose root counts just the item that it lacks is taken at its word. It
// shows as soon as anything else differs.
func TestDriftUnnoticed(t *testing.T) {
	lacked := enginetest.Payload(0, "here")
	key, err := enginetest.KeyOf(lacked)
	if err != nil {
		t.Fatal(err)
	}
	for differ := range 2 {
		a, b := shared(t, 300, 1, differ)
		b.wrong = func(r engine.Root, h *summary.Hasher) engine.Root {
			if hasKey(b.Keys(), key) {
				return r
			}
			return r.Add(h.Key(key))
		}
		report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b}, engine.Options{Random: chacha(3)})
		if err != nil || !report.Complete || hasKey(b.Keys(), key) != (differ > 0) {
			t.Errorf("%d others differ: %v: %+v", differ, err, report)
		}
	}
}
