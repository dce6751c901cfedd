package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// newSets returns what replicas 0 and 1 of a workload hold.
func newSets(tb testing.TB, w datasets.Workload) (here, there engine.View) {
	tb.Helper()
	a, b, err := w.Split()
	if err != nil {
		tb.Fatalf("%v: %v", w, err)
	}
	return keySet(a), keySet(b)
}

// keySet is a view of items whose payloads say nothing but their keys, so that a million
// of them take 40 MB and reading one takes next to no time. Keys ascend.
type keySet []engine.Key

func (k keySet) Keys(context.Context) ([]engine.Key, error) { return k, nil }
func (k keySet) Label() []byte                              { return nil }

func (k keySet) Items(ctx context.Context, of []engine.Key) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		for _, key := range of {
			if err := ctx.Err(); !yield(engine.Item{Key: key, Payload: payloadOf(key)}, err) || err != nil {
				return
			}
		}
	}
}

// allOf returns the keys of a view of these benchmarks, which cannot fail.
func allOf(v engine.View) []engine.Key {
	keys, err := v.Keys(context.Background())
	if err != nil {
		panic(err)
	}
	return keys
}

// payloadOf returns the 40 bytes that stand for the item of a key.
func payloadOf(k engine.Key) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(k.ID)), uint64(k.Time)), k.ID[:]...)
}

var errPayload = errors.New("not the payload of a key")

func keyOf(payload []byte) (engine.Key, error) {
	if len(payload) != 8+len(engine.ID{}) {
		return engine.Key{}, errPayload
	}
	return engine.Key{Time: int64(binary.BigEndian.Uint64(payload)), ID: engine.ID(payload[8:])}, nil
}

// node is a Replica over a view that is not copied, and of what was put on top of it:
// so syncs can start from the same view again and again. Its items are those of a keySet.
// It is safe for concurrent use.
type node struct {
	base engine.View // nil for none
	// pause, if set, is called before the keys of base and put are merged, which is
	// work that no other replica has, and what it returns afterwards.
	pause func() (resume func())

	mu     sync.Mutex
	secret *engine.Secret
	put    map[engine.Key]bool // besides base
	all    keySet              // base and put, nil where not known
}

// newNode returns a node that keeps a secret.
func newNode(base engine.View, secret engine.Secret) *node {
	return &node{base: base, secret: &secret}
}

// secretOf returns the secret of an epoch that a seed fixes.
func secretOf(seed uint64) engine.Secret {
	s := engine.Secret{SecretName: wire.SecretName{Generation: 1}}
	binary.LittleEndian.PutUint64(s.Key[:], seed)
	return s
}

func (n *node) baseKeys() []engine.Key {
	if n.base == nil {
		return nil
	}
	return allOf(n.base)
}

// View returns base itself where nothing was put.
func (n *node) View(context.Context) (engine.View, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.put) == 0 && n.base != nil {
		return n.base, nil
	}
	if n.all == nil {
		if n.pause != nil {
			defer n.pause()()
		}
		put := make([]engine.Key, 0, len(n.put))
		for k := range n.put {
			put = append(put, k)
		}
		slices.SortFunc(put, engine.Key.Compare)
		n.all = union(n.baseKeys(), put)
	}
	return n.all, nil
}

// union returns the union of disjoint a and b; all ascend.
func union(a, b []engine.Key) []engine.Key {
	all := make([]engine.Key, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].Compare(b[0]) < 0 {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

// Put keeps the keys that payloads name.
func (n *node) Put(_ context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	receipts := make([]engine.Receipt, len(payloads))
	for i, p := range payloads {
		if receipts[i].Key, receipts[i].Err = keyOf(p); receipts[i].Err == nil {
			n.keep(receipts[i].Key)
		}
	}
	return receipts, nil
}

func (n *node) keep(k engine.Key) {
	if _, held := slices.BinarySearchFunc(n.baseKeys(), k, engine.Key.Compare); held || n.put[k] {
		return
	}
	if n.put == nil {
		n.put = map[engine.Key]bool{}
	}
	n.put[k], n.all = true, nil
}

// found returns the IDs of what was put.
func (n *node) found() (ids []engine.ID) {
	for k := range n.put {
		ids = append(ids, k.ID)
	}
	return ids
}

// Secret returns the secret that is kept, if any.
func (n *node) Secret(context.Context) (engine.Secret, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.secret == nil {
		return engine.Secret{}, false, nil
	}
	return *n.secret, true, nil
}

// KeepSecret keeps offered unless the present secret beats it.
func (n *node) KeepSecret(_ context.Context, offered engine.Secret) (engine.Secret, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.secret == nil || offered.Beats(n.secret.SecretName) {
		n.secret = &offered
	}
	return *n.secret, nil
}

// TestNode: a node keeps the contract of a Replica, with and without a base.
func TestNode(t *testing.T) {
	here, there := newSets(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: 400, D: 100})
	var payloads [][]byte
	for _, k := range allOf(there) {
		payloads = append(payloads, payloadOf(k))
	}
	enginetest.TestReplica(t, enginetest.Fixture{
		Open:     func(*testing.T) engine.Replica { return new(node) },
		Payloads: payloads,
		Bad:      []byte("short"),
	})
	before := slices.Clone(allOf(here))
	n := newNode(here, secretOf(1))
	if _, err := n.Put(t.Context(), payloads); err != nil {
		t.Fatal(err)
	}
	view, err := n.View(t.Context())
	if err != nil || !slices.Equal(allOf(view), allOf(there)) {
		t.Errorf("%d keys after all were put on top of %d, want %d; %v", len(allOf(view)), len(before), len(allOf(there)), err)
	}
	if !slices.Equal(allOf(here), before) {
		t.Error("the base has changed")
	}
}
