package engine_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

// sealer authenticates tokens under a key; nobody in a test minds that they can be read.
type sealer string

func (s sealer) tag(plain []byte) []byte {
	mac := hmac.New(sha256.New, []byte(s))
	mac.Write(plain)
	return mac.Sum(nil)
}

func (s sealer) Seal(plain []byte) ([]byte, error) { return append(s.tag(plain), plain...), nil }

func (s sealer) Open(token []byte) ([]byte, bool) {
	if len(token) < sha256.Size || !hmac.Equal(token[:sha256.Size], s.tag(token[sha256.Size:])) {
		return nil, false
	}
	return token[sha256.Size:], true
}

// node is a replica that keeps summaries, that can go back to an earlier state, and
// that counts how often all keys are asked for.
type node struct {
	*enginetest.Set
	log  []entry
	read int
}

type entry struct {
	payload []byte
	removed engine.Key
}

func newNode(t testing.TB, secret *engine.Secret) *node {
	t.Helper()
	n := &node{Set: &enginetest.Set{KeepSummaries: true}}
	if _, err := n.KeepSecret(t.Context(), *secret); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) add(payloads ...[]byte) {
	for _, p := range payloads {
		n.log = append(n.log, entry{payload: p})
		n.Add(p)
	}
}

func (n *node) remove(k engine.Key) {
	n.log = append(n.log, entry{removed: k})
	n.Remove(k)
}

func (n *node) Put(ctx context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	for _, p := range payloads {
		n.log = append(n.log, entry{payload: bytes.Clone(p)})
	}
	return n.Set.Put(ctx, payloads)
}

// restore makes n what it was after so many entries of its log.
func (n *node) restore(t testing.TB, entries int) {
	t.Helper()
	secret, _, err := n.Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log := n.log[:entries:entries]
	*n = *newNode(t, &secret)
	for _, e := range log {
		if e.payload != nil {
			n.add(e.payload)
		} else {
			n.remove(e.removed)
		}
	}
}

func (n *node) View(ctx context.Context) (engine.View, error) {
	v, err := n.Set.View(ctx)
	return readView{v, n}, err
}

// readView passes on all that the views of a node that keeps summaries can do.
type readView struct {
	engine.View
	of *node
}

func (v readView) Keys(ctx context.Context) ([]engine.Key, error) {
	v.of.read++
	return v.View.Keys(ctx)
}

func (v readView) Root(ctx context.Context, secret engine.Secret) (engine.Root, bool, error) {
	return v.View.(engine.Summarised).Root(ctx, secret)
}

func (v readView) Summaries(ctx context.Context, secret engine.Secret) (engine.Summaries, bool, error) {
	return v.View.(engine.Linear).Summaries(ctx, secret)
}

func (v readView) Position() uint64 { return v.View.(engine.Logged).Position() }

func (v readView) Since(ctx context.Context, position uint64) ([]engine.Key, int, bool, error) {
	return v.View.(engine.Logged).Since(ctx, position)
}

// couple are two nodes, and what one remembers of the other.
type couple struct {
	a, b   *node
	cursor *engine.CursorMemory
	sealer sealer
	limits engine.Limits
	serial int
}

// newCouple returns two nodes of n items in common that synced once.
func newCouple(t testing.TB, n int) *couple {
	t.Helper()
	c := &couple{a: newNode(t, epoch(1)), b: newNode(t, epoch(1)), cursor: new(engine.CursorMemory), sealer: "b"}
	for i := range n {
		c.a.add(enginetest.Payload(int64(i)<<20, "shared"))
		c.b.add(enginetest.Payload(int64(i)<<20, "shared"))
	}
	return c
}

// grow gives a node new items all over.
func (c *couple) grow(n *node, items int) {
	for range items {
		c.serial++
		n.add(enginetest.Payload(int64(c.serial*7919%4000)<<20, fmt.Sprint("new ", c.serial)))
	}
}

// sync syncs and checks that each side ends with what the direction promises, unless the
// sync says that it is incomplete, which is for the caller to judge.
func (c *couple) sync(t testing.TB, strategy engine.Strategy, direction engine.Direction) (engine.Report, error) {
	t.Helper()
	p := pair{a: c.a.Set, b: c.b.Set, direction: direction}
	wantA, wantB := p.promised()
	c.a.read, c.b.read = 0, 0
	c.serial++
	report, err := engine.Sync(t.Context(), c.a, engine.Direct{Replica: c.b, Options: engine.RespondOptions{
		Random: chacha(uint64(c.serial)), Sealer: c.sealer,
	}}, engine.Options{Strategy: strategy, Direction: direction, Random: chacha(uint64(c.serial + 1)), Cursor: c.cursor, Limits: c.limits})
	if err == nil != report.Complete {
		t.Fatalf("%v: %+v", err, report)
	}
	if err == nil && (!slices.Equal(c.a.Keys(), wantA) || !slices.Equal(c.b.Keys(), wantB)) {
		t.Fatalf("complete, but the sets are not what %s promises: %+v", direction, report)
	}
	return report, err
}

func (c *couple) mustSync(t testing.TB, strategy engine.Strategy, direction engine.Direction) engine.Report {
	t.Helper()
	report, err := c.sync(t, strategy, direction)
	if err != nil {
		t.Fatalf("%v: %+v", err, report)
	}
	return report
}
