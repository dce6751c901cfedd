// Package enginetest has a Replica in memory, for tests, examples and whoever
// writes a Replica of their own.
package enginetest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// ErrPayload reports a payload that is too short to be an item of a Set.
var ErrPayload = errors.New("payload shorter than its 8 bytes of time")

// Payload returns the payload of an item of a Set: 8 bytes of time in
// microseconds, big-endian, then body.
func Payload(time int64, body string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(time)), body...)
}

// KeyOf returns the key of a payload: its time, and the SHA-256 of all its bytes.
func KeyOf(payload []byte) (engine.Key, error) {
	if len(payload) < 8 {
		return engine.Key{}, ErrPayload
	}
	return engine.Key{Time: int64(binary.BigEndian.Uint64(payload)), ID: sha256.Sum256(payload)}, nil
}

// Set is a Replica in memory. The zero value is an empty set that is ready to
// use; it is safe for concurrent use.
type Set struct {
	// Refuse, if set, makes Put refuse the payloads for which it returns an error.
	Refuse func(payload []byte) error
	// KeyOf, if set, derives the key of a payload, or refuses it, in place of the function
	// of that name. It is not changed once there is an item.
	KeyOf func(payload []byte) (engine.Key, error)
	// Name is the label of the set's views. It is not changed once there is a view.
	Name string
	// KeepRoot makes views keep their root, under the set's secret: each change costs
	// the fingerprint of its item. It is not changed once there is a view.
	KeepRoot bool
	// KeepSummaries makes views keep all summaries besides, and a log of what changed, as
	// engine.Linear and engine.Logged. It is not changed once there is a view.
	KeepSummaries bool

	mu     sync.Mutex
	items  map[engine.Key][]byte
	keys   []engine.Key // of items, ascending; nil where not known
	viewed bool         // a view has items: what changes first takes a copy
	secret *engine.Secret
	root   engine.Root     // of items
	hasher *summary.Hasher // of root; nil where root is not known
	kept   kept
}

// Add puts payloads into the set. It panics if one of them is no payload.
func (s *Set) Add(payloads ...[]byte) {
	for _, p := range payloads {
		if _, err := s.put(p); err != nil {
			panic(err)
		}
	}
}

// Remove takes the items of those keys out of the set.
func (s *Set) Remove(keys ...engine.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change()
	for _, k := range keys {
		if _, held := s.items[k]; !held {
			continue
		}
		delete(s.items, k)
		s.kept.change(k, false)
		if s.hasher != nil {
			s.root = s.root.Sub(s.hasher.Key(k))
		}
	}
}

// change makes items ready to be changed.
func (s *Set) change() {
	switch {
	case s.items == nil:
		s.items = map[engine.Key][]byte{}
	case s.viewed:
		s.items = maps.Clone(s.items)
	}
	s.keys, s.viewed = nil, false
}

// Keys returns the keys of the set in ascending order.
func (s *Set) Keys() []engine.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sorted())
}

func (s *Set) sorted() []engine.Key {
	if s.keys == nil {
		s.keys = slices.SortedFunc(maps.Keys(s.items), engine.Key.Compare)
	}
	return s.keys
}

// Len returns the number of items.
func (s *Set) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}

func (s *Set) put(payload []byte) (engine.Key, error) {
	keyOf := s.KeyOf
	if keyOf == nil {
		keyOf = KeyOf
	}
	key, err := keyOf(payload)
	if err == nil && s.Refuse != nil {
		err = s.Refuse(payload)
	}
	if err != nil {
		return key, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, held := s.items[key]; !held {
		s.change()
		s.items[key] = slices.Clone(payload)
		s.kept.change(key, true)
		if s.hasher != nil {
			s.root = s.root.Add(s.hasher.Key(key))
		}
	}
	return key, nil
}

// Put stores the payloads that are not refused.
func (s *Set) Put(_ context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	receipts := make([]engine.Receipt, len(payloads))
	for i, p := range payloads {
		receipts[i].Key, receipts[i].Err = s.put(p)
	}
	return receipts, nil
}

// View returns a snapshot.
func (s *Set) View(context.Context) (engine.View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.viewed = true
	v := view{keys: s.sorted(), items: s.items, label: s.Name}
	if s.KeepSummaries && s.secret != nil {
		return s.keptView(v)
	}
	if !s.KeepRoot || s.secret == nil {
		return v, nil
	}
	if s.hasher == nil {
		s.hasher = summary.NewHasher(summary.Derive(s.secret.Key, v.Label()))
		s.root = s.hasher.Root(v.keys)
	}
	return rootedView{v, s.root, *s.secret}, nil
}

// Secret returns the secret that KeepSecret kept.
func (s *Set) Secret(context.Context) (engine.Secret, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secret == nil {
		return engine.Secret{}, false, nil
	}
	return *s.secret, true, nil
}

// KeepSecret keeps offered unless the present secret beats it.
func (s *Set) KeepSecret(_ context.Context, offered engine.Secret) (engine.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secret == nil || offered.Beats(s.secret.SecretName) {
		s.secret, s.hasher, s.kept.set = &offered, nil, nil
	}
	return *s.secret, nil
}

type view struct {
	keys  []engine.Key
	items map[engine.Key][]byte
	label string
}

func (v view) Keys(ctx context.Context) ([]engine.Key, error) { return v.keys, ctx.Err() }
func (v view) Label() []byte                                  { return []byte(v.label) }

func (v view) Items(ctx context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		for _, k := range keys {
			if !yield(engine.Item{Key: k, Payload: v.items[k]}, ctx.Err()) || ctx.Err() != nil {
				return
			}
		}
	}
}

// rootedView is a view that keeps its root under one secret.
type rootedView struct {
	view
	root   engine.Root
	secret engine.Secret
}

func (v rootedView) Root(ctx context.Context, secret engine.Secret) (engine.Root, bool, error) {
	return v.root, secret == v.secret, ctx.Err()
}
