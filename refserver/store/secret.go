package store

import (
	"bytes"
	"fmt"
)

// Secret keys a tenant's summaries. The tenant's nodes share it.
type Secret struct {
	Generation uint64
	// ID is random. It decides between two secrets of one generation.
	ID  [16]byte
	Key [32]byte
}

// String names the secret without telling it, so that no log does.
func (s Secret) String() string { return fmt.Sprintf("generation %d, ID %x", s.Generation, s.ID[:4]) }

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Beats reports whether s replaces other: the higher generation wins, then the
// lower ID, then the lower key, so that all nodes end with the same one in
// whatever order they meet. No secret beats itself.
func (s Secret) Beats(other Secret) bool {
	if s.Generation != other.Generation {
		return s.Generation > other.Generation
	}
	if c := bytes.Compare(s.ID[:], other.ID[:]); c != 0 {
		return c < 0
	}
	return bytes.Compare(s.Key[:], other.Key[:]) < 0
}
