package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/bits-and-blooms/bloom/v3"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/filters"
)

// puller is a node that lacks some of the messages that its peer has.
type puller interface {
	// pull makes a sync, and returns how many messages are missing then and whether
	// the sync ended as if none was.
	pull(ctx context.Context) (missing int, success bool, err error)
	// arrive hands new messages to both sides.
	arrive(ctx context.Context, keys []engine.Key) error
}

// lostMemory is what one run leaves to the next, to be used again.
type lostMemory struct {
	held    []engine.ID
	keys    []uint64
	builder filters.Builder
}

func (c lostCase) puller(p *pair, m *lostMemory, random *rand.ChaCha8, seed uint64) (puller, error) {
	if c.salt == "engine" {
		return newExactPuller(p, lostStrategies[c.filter], seed), nil
	}
	m.held, m.keys = m.held[:0], m.keys[:0]
	for _, k := range allOf(p.here) {
		m.held = append(m.held, k.ID)
	}
	plain := plainPuller{lostMemory: m, missing: slices.Clone(p.need), random: random, fresh: c.salt == "fresh"}
	_, _ = random.Read(plain.salt[:]) // never fails
	if c.filter == keptBloom {
		kept := &keptPuller{plainPuller: plain, filter: bloom.NewWithEstimates(uint(len(m.held)), 0x1p-8)}
		kept.add(m.held)
		return kept, nil
	}
	var err error
	plain.kind, err = filters.ParseKind(c.filter)
	return &plain, err
}

// plainPuller sends a filter and takes what it rejects for all that it lacks.
type plainPuller struct {
	*lostMemory // what is held, and the keys of that under salt, if they were asked for before
	kind        filters.Kind
	missing     []engine.ID
	salt        filters.Salt
	fresh       bool
	random      *rand.ChaCha8
}

func (n *plainPuller) pull(context.Context) (int, bool, error) {
	for _, id := range n.held[len(n.keys):] {
		n.keys = append(n.keys, n.salt.Key(id))
	}
	f, err := n.builder.Build(n.kind, n.keys, filters.Options{Bits: 8, Distinct: true})
	if err != nil {
		return 0, false, err
	}
	arrived := n.receive(func(id engine.ID) bool { return f.Contains(n.salt.Key(id)) })
	n.held = append(n.held, arrived...)
	if n.fresh {
		_, _ = n.random.Read(n.salt[:]) // never fails
		n.keys = n.keys[:0]
	}
	return len(n.missing), true, nil
}

// receive takes what a filter rejects of the missing, and returns it. What the node
// holds is rejected by no filter of it.
func (n *plainPuller) receive(contains func(engine.ID) bool) (arrived []engine.ID) {
	n.missing = slices.DeleteFunc(n.missing, func(id engine.ID) bool {
		if contains(id) {
			return false
		}
		arrived = append(arrived, id)
		return true
	})
	return arrived
}

func (n *plainPuller) arrive(_ context.Context, keys []engine.Key) error {
	for _, k := range keys {
		n.held = append(n.held, k.ID)
	}
	return nil
}

// keptPuller keeps one Bloom filter, sized for what it holds at first.
type keptPuller struct {
	plainPuller
	filter *bloom.BloomFilter
}

func (n *keptPuller) bytes(id engine.ID) []byte {
	return binary.LittleEndian.AppendUint64(nil, n.salt.Key(id))
}

func (n *keptPuller) add(ids []engine.ID) {
	for _, id := range ids {
		n.filter.Add(n.bytes(id))
	}
}

func (n *keptPuller) pull(context.Context) (int, bool, error) {
	n.add(n.receive(func(id engine.ID) bool { return n.filter.Test(n.bytes(id)) }))
	return len(n.missing), true, nil
}

func (n *keptPuller) arrive(_ context.Context, keys []engine.Key) error {
	for _, k := range keys {
		n.filter.Add(n.bytes(k.ID))
	}
	return nil
}

// exactPuller pulls with the engine.
type exactPuller struct {
	here, there *node
	transport   engine.Direct
	opt         engine.Options
}

func newExactPuller(p *pair, strategy engine.Strategy, seed uint64) *exactPuller {
	n := &exactPuller{here: newNode(p.here, secretOf(seed)), there: newNode(p.there, secretOf(seed))}
	n.transport = engine.Direct{Replica: n.there, Options: engine.RespondOptions{
		Random: chacha(2*seed + 1), Segments: engine.NewSegmentCache(engine.DefaultSegmentBytes),
	}}
	n.opt = engine.Options{Strategy: strategy, Direction: engine.Pull, Random: chacha(2 * seed), Segments: new(engine.SegmentMemory)}
	return n
}

func (n *exactPuller) pull(ctx context.Context) (int, bool, error) {
	r, err := engine.Sync(ctx, n.here, n.transport, n.opt)
	if err != nil && !errors.Is(err, engine.ErrIncomplete) {
		return 0, false, err
	}
	success := err == nil && r.Complete
	here, err := n.here.View(ctx)
	if err != nil {
		return 0, false, err
	}
	there, err := n.there.View(ctx)
	if err != nil {
		return 0, false, err
	}
	return len(without(allOf(there), allOf(here))), success, nil
}

func (n *exactPuller) arrive(ctx context.Context, keys []engine.Key) error {
	var payloads [][]byte
	for _, k := range keys {
		payloads = append(payloads, payloadOf(k))
	}
	_, err := n.here.Put(ctx, payloads)
	if err == nil {
		_, err = n.there.Put(ctx, payloads)
	}
	return err
}
