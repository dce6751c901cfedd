package engine

import (
	"context"
	"iter"
)

// KeysView is a View over keys in memory, for a Replica that keeps nothing besides its
// items. Each round that compares sets reads all keys: O(n) time, of which hashing them
// for the root is most.
type KeysView struct {
	// Sorted are the keys in ascending order, each once. Nobody changes them later.
	Sorted []Key
	// Payload returns the payload of one of them. The engine does not keep it.
	Payload func(ctx context.Context, key Key) ([]byte, error)
	// Name is what the view is narrowed to, empty for everything: see View.Label.
	Name string
}

// Keys returns v.Sorted.
func (v KeysView) Keys(ctx context.Context) ([]Key, error) { return v.Sorted, ctx.Err() }

// Label returns v.Name.
func (v KeysView) Label() []byte { return []byte(v.Name) }

// Items yields the items in the order of keys.
func (v KeysView) Items(ctx context.Context, keys []Key) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, k := range keys {
			payload, err := v.Payload(ctx, k)
			if !yield(Item{Key: k, Payload: payload}, err) || err != nil {
				return
			}
		}
	}
}
