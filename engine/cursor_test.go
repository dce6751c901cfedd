package engine_test

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// remember changes the memory, as nobody but its owner can: with its checksum.
func (c *couple) remember(change func(data []byte)) {
	data := c.cursor.AppendBinary(nil)
	end := len(data) - 4
	change(data[:end])
	sum := crc32.Checksum(data[:end], crc32.MakeTable(crc32.Castagnoli))
	*c.cursor = *engine.DecodeCursorMemory(binary.BigEndian.AppendUint32(data[:end], sum))
}

// TestCursorCosts: with a cursor a sync takes one round and as many bytes whatever came
// since, one more to push, and neither side reads all keys, also where replies are cut.
func TestCursorCosts(t *testing.T) {
	for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
		t.Run(string(direction), func(t *testing.T) {
			c := newCouple(t, 3000)
			c.mustSync(t, engine.StrategyCursor, direction)
			for n, d := range []int{0, 1, 100, 1000} {
				c.grow(c.b, d)
				if direction.Pushes() {
					c.grow(c.a, n)
				}
				report := c.mustSync(t, engine.StrategyCursor, direction)
				rounds := 1
				if direction.Pushes() && n > 0 {
					rounds = 2
				}
				// Of what came there, that a pushing initiator does not take, stays in doubt for good.
				most := int64(512*2*rounds + 8*(n+1))
				if direction == engine.Push {
					most += int64(8 * d)
				}
				if bytes := report.Up.Metadata + report.Down.Metadata; report.Rounds != rounds || bytes > most {
					t.Errorf("%d new there: %d rounds, %d bytes of at most %d", d, report.Rounds, bytes, most)
				}
				if c.a.read+c.b.read > 0 {
					t.Errorf("%d new there: keys were read %d times here, %d there", d, c.a.read, c.b.read)
				}
			}
			c.limits = engine.Limits{ReplyBytes: 2000, RequestBytes: 2000}
			for _, strategy := range []engine.Strategy{engine.StrategyCursor, engine.StrategySketch} {
				c.grow(c.a, 200)
				c.grow(c.b, 200)
				report := c.mustSync(t, strategy, direction)
				if report.Rounds < 4 || c.a.read+c.b.read > 0 {
					t.Errorf("%s, cut: %d rounds, keys were read %d times here, %d there", strategy, report.Rounds, c.a.read, c.b.read)
				}
			}
		})
	}
}

// harms are what can become of two nodes between two syncs, and of what one remembers.
func harms() map[string]func(*testing.T, *couple) {
	memory := func(change func(data []byte)) func(*testing.T, *couple) {
		return func(_ *testing.T, c *couple) { c.remember(change) }
	}
	return map[string]func(*testing.T, *couple){
		"nothing":             func(*testing.T, *couple) {},
		"no memory":           func(_ *testing.T, c *couple) { *c.cursor = engine.CursorMemory{} },
		"memory cut":          func(_ *testing.T, c *couple) { *c.cursor = *engine.DecodeCursorMemory(c.cursor.AppendBinary(nil)[:60]) },
		"position here":       memory(func(data []byte) { data[33]-- }),
		"later position here": memory(func(data []byte) { data[26]++ }),
		"root here":           memory(func(data []byte) { data[50]++ }),
		"root there":          memory(func(data []byte) { data[90]++ }),
		"count there":         memory(func(data []byte) { data[81]-- }),
		"another secret":      memory(func(data []byte) { data[10]++ }),
		"token forged":        memory(func(data []byte) { data[len(data)-1]++ }),
		"token of nothing":    memory(func(data []byte) { clear(data[114:]) }),
		"other sealer":        func(_ *testing.T, c *couple) { c.sealer = "another" },
		"flipped bit": func(_ *testing.T, c *couple) {
			data := c.cursor.AppendBinary(nil)
			data[1] ^= 3
			*c.cursor = *engine.DecodeCursorMemory(data)
		},
		"backup here":            func(t *testing.T, c *couple) { c.a.restore(t, len(c.a.log)-7) },
		"backup there":           func(t *testing.T, c *couple) { c.b.restore(t, len(c.b.log)-7) },
		"old backup here":        func(t *testing.T, c *couple) { c.a.restore(t, 200) },
		"old backup there":       func(t *testing.T, c *couple) { c.b.restore(t, 200) },
		"nothing left here":      func(t *testing.T, c *couple) { c.a.restore(t, 0) },
		"nothing left there":     func(t *testing.T, c *couple) { c.b.restore(t, 0) },
		"rebuilt there":          func(t *testing.T, c *couple) { slices.Reverse(c.b.log); c.b.restore(t, len(c.b.log)) },
		"rebuilt here":           func(t *testing.T, c *couple) { slices.Reverse(c.a.log); c.a.restore(t, len(c.a.log)) },
		"removed here":           func(_ *testing.T, c *couple) { c.a.remove(c.a.Keys()[3]) },
		"removed there":          func(_ *testing.T, c *couple) { c.b.remove(c.b.Keys()[3]) },
		"removed and back there": func(_ *testing.T, c *couple) { c.b.remove(c.b.Keys()[3]); c.b.add(enginetest.Payload(3<<20, "shared")) },
		"new secret here":        func(t *testing.T, c *couple) { keep(t, c.a.Set, epoch(2)) },
		"new secret there":       func(t *testing.T, c *couple) { keep(t, c.b.Set, epoch(2)) },
		"another peer": func(t *testing.T, c *couple) {
			c.b = newNode(t, epoch(1))
			for i := range 300 {
				c.b.add(enginetest.Payload(int64(i)<<20, "of another"))
			}
		},
	}
}

// TestCursorBroken: whatever became of what a cursor is of, the sync after is exact.
func TestCursorBroken(t *testing.T) {
	for name, harm := range harms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, directions := range [][2]engine.Direction{
				{engine.Both, engine.Both},
				{engine.Pull, engine.Pull},
				{engine.Push, engine.Push},
				{engine.Pull, engine.Both},
				{engine.Push, engine.Pull},
				{engine.Both, engine.Push},
			} {
				c := newCouple(t, 300)
				c.grow(c.a, n)
				c.grow(c.b, 3*n)
				c.mustSync(t, engine.StrategyCursor, directions[0])
				c.grow(c.a, 2)
				c.grow(c.b, 3)
				harm(t, c)
				report := c.mustSync(t, engine.StrategyCursor, directions[1])
				// The cursor and a sketch with two plans, for a secret and to push.
				if report.Rounds > 6 {
					t.Errorf("%v: %+v", directions, report)
				}
				c.grow(c.b, 1)
				if report := c.mustSync(t, engine.StrategyCursor, directions[1]); report.Rounds > 2 && name != "other sealer" {
					t.Errorf("the sync after, %v: %+v", directions, report)
				}
			}
		})
	}
}

// TestCursorsOverTime: cursors over many syncs in any direction, between which items come and
// go on both sides, either side is restored from a backup, secrets change and memories are lost
// or changed.
func TestCursorsOverTime(t *testing.T) {
	runs := uint64(40)
	if raceDetector {
		runs = 8
	}
	for seed := range runs {
		random := rand.New(rand.NewPCG(seed, 9))
		c := newCouple(t, random.IntN(400))
		c.serial = int(seed) << 20
		for step := range 8 {
			c.disturb(t, random)
			direction := []engine.Direction{engine.Pull, engine.Push, engine.Both}[random.IntN(3)]
			if report, err := c.sync(t, engine.StrategyCursor, direction); err != nil {
				t.Fatalf("run %d, step %d, %s: %v: %+v", seed, step, direction, err, report)
			}
		}
	}
}

// disturb does something to a node, or to what the other remembers of it.
func (c *couple) disturb(t *testing.T, random *rand.Rand) {
	t.Helper()
	n := []*node{c.a, c.b}[random.IntN(2)]
	keys := n.Keys()
	c.grow(c.a, random.IntN(4))
	c.grow(c.b, random.IntN(4))
	switch random.IntN(10) {
	case 0:
		n.restore(t, random.IntN(len(n.log)+1))
	case 1:
		for range min(len(keys), random.IntN(4)) {
			n.remove(keys[random.IntN(len(keys))])
		}
	case 2:
		secret, _, err := n.Secret(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keep(t, n.Set, epoch(byte(secret.Generation)+1))
	case 3:
		c.remember(func(data []byte) { data[2+random.IntN(len(data)-2)] ^= 1 << random.IntN(8) })
	case 4:
		c.grow(n, random.IntN(2000))
	case 5:
		*c.cursor = engine.CursorMemory{}
	}
}

// lyingLog is a replica whose log forgets what came since.
type lyingLog struct{ *node }

type lyingView struct{ readView }

func (l lyingLog) View(ctx context.Context) (engine.View, error) {
	v, err := l.node.View(ctx)
	return lyingView{v.(readView)}, err
}

func (v lyingView) Since(ctx context.Context, position uint64) ([]engine.Key, int, bool, error) {
	added, removed, ok, err := v.readView.Since(ctx, position)
	return added[min(1, len(added)):], removed, ok, err
}

// TestCursorOfLyingLog: what the log leaves out on either side is found by its sum.
func TestCursorOfLyingLog(t *testing.T) {
	for side := range 2 {
		c := newCouple(t, 200)
		c.mustSync(t, engine.StrategyCursor, engine.Both)
		c.grow(c.a, 3)
		c.grow(c.b, 3)
		var a, b engine.Replica = c.a, c.b
		if side == 0 {
			a = lyingLog{c.a}
		} else {
			b = lyingLog{c.b}
		}
		report, err := engine.Sync(t.Context(), a, engine.Direct{Replica: b, Options: engine.RespondOptions{Sealer: c.sealer}},
			engine.Options{Strategy: engine.StrategyCursor, Cursor: c.cursor})
		if err != nil || !slices.Equal(c.a.Keys(), c.b.Keys()) || report.Rounds > 3 {
			t.Errorf("%v: %+v", err, report)
		}
	}
}

// TestCursorRefused: a cursor that no request can have.
func TestCursorRefused(t *testing.T) {
	within := &wire.Within{Buckets: []byte{0}}
	for name, c := range map[string]struct {
		init wire.Init
		want error
	}{
		"long":            {wire.Init{Cursor: make([]byte, wire.MaxCursor+1)}, wire.ErrTooLarge},
		"with IDs":        {wire.Init{Cursor: []byte{1}, Summary: &wire.Summary{Form: wire.FormIDs}}, wire.ErrMalformed},
		"with a sketch":   {wire.Init{Cursor: []byte{1}, Summary: &wire.Summary{Form: wire.FormSketch}}, wire.ErrMalformed},
		"of a part":       {wire.Init{Cursor: []byte{1}, Summary: &wire.Summary{Form: wire.FormFilter, Within: within}}, wire.ErrMalformed},
		"of some buckets": {wire.Init{Summary: &wire.Summary{Form: wire.FormFilter, Within: within}}, wire.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, b := small()
			c.init.Version, c.init.Direction = wire.Version, engine.Both
			_, err := engine.Respond(t.Context(), b, wire.Join([]wire.Frame{control(t, wire.TypeInit, c.init)}, func(func(wire.Frame, error) bool) {}), engine.RespondOptions{})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
