package refserver_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestCursor: the second sync takes one round and at most 512 bytes of metadata, whatever
// came on the responder since, also after either side was restarted.
func TestCursor(t *testing.T) {
	t.Parallel()
	p := newPair(t, generated(t, 2000))
	p.write(p.here, 40)
	p.write(p.there, 100)
	p.sync()
	for _, d := range []int{0, 1, 100, 1500} {
		p.write(p.there, d)
		p.there.restart()
		p.here.restart()
		r := p.sync()
		if r.Rounds != 1 || r.MetadataBytes > 512 || r.MessagesReceived != d || r.Delivered[engine.StrategyCursor] != d {
			t.Errorf("%d new messages: %+v", d, r)
		}
		t.Logf("%d new messages: %d bytes of metadata", d, r.MetadataBytes)
	}
	p.write(p.there, 60)
	p.opt.Limits.ReplyBytes = 10_000
	if r := p.sync(); r.Delivered[engine.StrategyCursor] != 60 || r.Rounds < 3 {
		t.Errorf("new messages that no one reply has room for: %+v", r)
	}
	p.write(p.here, 3)
	p.write(p.there, 4)
	if r := p.sync(); r.Delivered[engine.StrategyCursor] != 7 || r.MetadataBytes > 1100 {
		t.Errorf("new messages on both sides: %+v", r)
	}
}

// TestCursorStale: whatever happened to either side since the last sync, the next one is
// complete and exact; where the cursor cannot tell what came since, it is not used.
func TestCursorStale(t *testing.T) {
	entries := generated(t, 160)
	for name, c := range map[string]struct {
		happens func(p *pair)
		used    bool
	}{
		"nothing":             {func(*pair) {}, true},
		"responder restarted": {func(p *pair) { p.there.restart() }, true},
		"summaries of both made again": {func(p *pair) {
			for _, h := range []*host{p.here, p.there} {
				if err := h.Keeper.Rebuild(p.t.Context(), p.did); err != nil {
					p.t.Fatal(err)
				}
			}
		}, true},
		"four syncs at once": {func(p *pair) {
			p.write(p.here, 10)
			p.write(p.there, 10)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					opt, err := p.opt, error(nil)
					if opt.Cursor, err = p.client.Cursor(p.t.Context(), p.here.Node, opt); err == nil {
						_, err = p.client.Sync(p.t.Context(), p.here.Node, opt)
					}
					if err = errors.Join(err, p.client.KeepCursor(p.t.Context(), p.here.Node, opt)); err != nil {
						p.t.Error(err)
					}
				})
			}
			all.Wait()
		}, true},
		"responder restored, and written on": {func(p *pair) {
			before := p.there.backup()
			p.write(p.there, 20)
			p.sync()
			p.there.restore(before)
		}, false},
		"responder restored, and written on by as much": {func(p *pair) {
			before := p.there.backup()
			p.write(p.there, 20)
			p.sync()
			p.there.restore(before)
			p.write(p.there, 20)
		}, false},
		"initiator restored with its cursor": {func(p *pair) {
			before := p.here.backup()
			p.write(p.here, 20)
			p.sync()
			p.here.restore(before)
		}, true},
		"initiator restored without its cursor": {func(p *pair) {
			before := p.here.backup()
			p.write(p.here, 20)
			p.sync()
			p.opt.Cursor = p.cursor()
			p.here.restore(before)
			p.write(p.here, 20)
		}, false},
		"another store under the URL": {func(p *pair) {
			p.there.restore(p.t.TempDir())
			p.write(p.there, 30)
		}, false},
		"another store with the same messages": {func(p *pair) {
			other := openHost(p.t, p.t.TempDir())
			if _, err := p.client.Sync(p.t.Context(), other.Node, refserver.SyncOptions{}); err != nil {
				p.t.Fatal(err)
			}
			p.there.restore(other.backup())
		}, false},
		"cursor of another scope": {func(p *pair) {
			p.opt.Cursor = p.cursor()
			p.opt.Scope = scopeOf(p.t, `{"interface":"Records"}`)
		}, false},
		"cursor of another direction": {func(p *pair) {
			p.write(p.there, 5)
			p.opt.Direction = engine.Push
			p.syncOnce()
			p.opt.Cursor, p.opt.Direction = p.cursor(), engine.Both
		}, false},
		"cursor of a pull": {func(p *pair) {
			p.write(p.here, 5)
			p.opt.Direction = engine.Pull
			p.syncOnce()
			p.opt.Cursor, p.opt.Direction = p.cursor(), engine.Both
		}, false},
		"responder's secret rotated": {func(p *pair) { p.rotate(p.there) }, false},
		"initiator's secret rotated": {func(p *pair) { p.rotate(p.here) }, false},
		"cursor cut short": {func(p *pair) {
			text := p.cursor().AppendBinary(nil)
			p.opt.Cursor = engine.DecodeCursorMemory(text[:len(text)-1])
		}, false},
		"cursor changed": {func(p *pair) {
			text := p.cursor().AppendBinary(nil)
			text[len(text)-1] ^= 1
			p.opt.Cursor = engine.DecodeCursorMemory(text)
		}, false},
		"cursor lost": {func(p *pair) { p.opt.Cursor = new(engine.CursorMemory) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, entries)
			p.write(p.here, 30)
			p.write(p.there, 30)
			p.sync()
			c.happens(p)
			p.write(p.there, 10)
			p.write(p.here, 10)
			r := p.sync()
			if used := r.Delivered[engine.StrategyCursor] > 0; used != c.used {
				t.Errorf("a cursor was used: %t, want %t: %+v", used, c.used, r)
			}
			p.write(p.there, 10)
			if r := p.sync(); r.Rounds != 1 || r.Delivered[engine.StrategyCursor] != 10 {
				t.Errorf("the sync after takes no cursor: %+v", r)
			}
		})
	}
}

// TestCursorHistories: random writes, syncs, restarts, backups, restores and rotations on
// either side. Every sync is complete and exact.
func TestCursorHistories(t *testing.T) {
	t.Parallel()
	used := 0
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 8))
		entries := generated(t, 350)
		p := newPair(t, entries)
		hosts := []*host{p.here, p.there}
		backups := make([]string, 2)
		for len(p.rest) > 20 {
			side := rng.IntN(2)
			switch h := hosts[side]; rng.IntN(12) {
			case 0:
				h.restart()
			case 1:
				backups[side] = h.backup()
			case 2:
				if backups[side] != "" {
					h.restore(backups[side])
					backups[side] = ""
				}
			case 3:
				p.rotate(h)
			case 4: // again, what one of them may have had before
				at := rng.IntN(len(entries) - len(p.rest) + 1)
				fill(t, h.Node, p.did, entries[at:min(at+5, len(entries)-len(p.rest))])
			case 5, 6, 7:
				p.opt.Direction = []engine.Direction{engine.Pull, engine.Push, engine.Both, engine.Both}[rng.IntN(4)]
				used += p.sync().Delivered[engine.StrategyCursor]
			default:
				p.write(h, rng.IntN(20))
			}
		}
		p.sync()
	}
	if used < 20 {
		t.Errorf("cursors delivered %d messages: this test shows little", used)
	}
}

// TestCursorScopes: in views that deletes enter only when their record's first write comes,
// from the other side or not, every sync ends with the same on both, and most go by cursor.
func TestCursorScopes(t *testing.T) {
	t.Parallel()
	used := 0
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 10))
		entries := generatedBy(t, datasets.GenerateOptions{Seed: 0, N: 300, Deletes: 0.4, Protocol: 1})
		protocol := entries[slices.IndexFunc(entries, func(e store.Entry) bool { return e.Message.Attributes().Protocol != "" })].Message.Attributes().Protocol
		rng.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		p := newPair(t, entries)
		p.opt.Scope = scopeOf(t, fmt.Sprintf(`{"protocol":%q}`, protocol))
		p.serve()
		for len(p.rest) > 40 {
			p.write(p.here, rng.IntN(15))
			p.write(p.there, rng.IntN(15))
			want := union(p.keys(p.here), p.keys(p.there))
			r := p.syncOnce()
			used += r.Delivered[engine.StrategyCursor]
			here, there := p.keys(p.here), p.keys(p.there)
			if !r.RootsEqual || !slices.Equal(here, there) || !slices.Equal(union(want, here), here) {
				t.Fatalf("%d and %d messages, want at least %d: %+v", len(here), len(there), len(want), r)
			}
		}
		if len(p.keys(p.here)) < 50 {
			t.Fatalf("%d messages in scope: this test shows little", len(p.keys(p.here)))
		}
	}
	if used < 50 {
		t.Errorf("cursors delivered %d messages: this test shows little", used)
	}
}

// TestCursorWhileWriting: what is written on either side between the rounds of a sync, and
// after its last, is not taken for what that sync compared: the next one finds it.
func TestCursorWhileWriting(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 9))
		p := newPair(t, generated(t, 300))
		for len(p.rest) > 60 {
			p.write(p.here, rng.IntN(4))
			p.write(p.there, rng.IntN(4))
			side := []*host{p.here, p.there}[rng.IntN(2)]
			p.during = func() { p.write(side, rng.IntN(2)) }
			p.serve()
			if r := p.syncOnce(); !r.Complete {
				t.Fatalf("%+v", r)
			}
			p.during = func() {}
			p.sync()
		}
	}
}

// TestKeptStrategies: nodes that keep their summaries end with everything by every
// strategy, in any scope and direction; a second sync moves nothing.
func TestKeptStrategies(t *testing.T) {
	all := generatedBy(t, datasets.GenerateOptions{N: 160, Deletes: 0.4})
	for _, strategy := range engine.Strategies() {
		for i, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			scope := []string{`{}`, `{"interface":"Records"}`, `{"method":"Delete"}`}[i]
			t.Run(fmt.Sprintf("%s/%s", strategy, direction), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, nil)
				a, b := split(rand.New(rand.NewPCG(uint64(i), 2)), all)
				fill(t, p.here.Node, p.did, a)
				fill(t, p.there.Node, p.did, b)
				p.opt = refserver.SyncOptions{Strategy: strategy, Direction: direction, Scope: scopeOf(t, scope)}
				here, there := p.keys(p.here), p.keys(p.there)
				if both := union(here, there); len(both) < 10 || len(here) == len(both) || len(there) == len(both) {
					t.Fatalf("%d and %d of %d messages: this shows nothing", len(here), len(there), len(both))
				}
				for second := range 2 {
					if r := p.sync(); (r.MessagesReceived+r.MessagesSent == 0) != (second == 1) {
						t.Fatalf("sync %d: %+v", second, r)
					}
				}
			})
		}
	}
}

// TestCursorOfAnotherTenant: a token for one tenant is worth nothing for another, whose
// messages it tells nothing of.
func TestCursorOfAnotherTenant(t *testing.T) {
	p := newPair(t, generated(t, 60))
	p.write(p.here, 20)
	p.write(p.there, 20)
	p.sync()
	_, jwk := datasets.GeneratedKey(7)
	signer := signerOf(t, jwk)
	others := generatedBy(t, datasets.GenerateOptions{Seed: 7, N: 40})
	fill(t, p.here.Node, signer.DID(), others[:30])
	fill(t, p.there.Node, signer.DID(), others[10:])
	client := clientOf(t, p.url, signer.DID(), signer, nil)
	opt := refserver.SyncOptions{Strategy: engine.StrategyCursor, Cursor: p.cursor()}
	r, err := client.Sync(t.Context(), p.here.Node, opt)
	if err != nil || !r.RootsEqual || r.Delivered[engine.StrategyCursor] != 0 || r.MessagesReceived+r.MessagesSent != 20 {
		t.Errorf("%+v, %v", r, err)
	}
}
