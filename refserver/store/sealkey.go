package store

import "context"

// SealKey is what a node derives the keys from that seal what it hands out for itself alone,
// such as cursors. It is random, and every store has its own.
type SealKey [32]byte

// String does not tell the key, so that no log does.
func (SealKey) String() string { return "seal key" }

// GoString is String.
func (k SealKey) GoString() string { return k.String() }

// Sealing holds the key of a store, which belongs to no tenant.
type Sealing interface {
	// SealKey returns the store's key. The first call makes it, and it is durable when that
	// returns: then it never changes. Copies of a store have the same. It is ErrFull where
	// there is none yet and no room for it.
	SealKey(ctx context.Context) (SealKey, error)
}
