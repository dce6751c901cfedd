package store

import (
	"context"
	"fmt"
)

// MaxFoldName is the length of the longest name of a fold in bytes.
const MaxFoldName = 64

// Folds keeps what has been computed from a tenant's arrival log, so that it can
// be taken up from its position on instead of from the beginning. Nothing in it is
// needed: what is lost is computed again.
type Folds interface {
	// KeepFold saves data, of any size, as the fold of that name, which covers the
	// log to position, in place of the one saved before. Whenever the process ends,
	// the one or the other is there, whole. Of two calls at a time the one that ends
	// later counts. It is ErrFull on a disk that is nearly full, and then nothing has
	// changed. Nil data removes the fold; that needs no room, and makes some. Data may
	// be reused when the call returns.
	KeepFold(ctx context.Context, name string, position uint64, data []byte) error
	// Fold returns what KeepFold saved last, and ok false where there is nothing.
	// What is not byte for byte what was saved is ErrFoldDamaged, with ok false. The
	// caller owns data.
	Fold(ctx context.Context, name string) (position uint64, data []byte, ok bool, err error)
}

// CheckFoldName returns nil if name can be that of a fold, ErrFoldName otherwise.
func CheckFoldName(name string) error {
	if name == "" || len(name) > MaxFoldName {
		return fmt.Errorf("%w: %d bytes, want 1 to %d", ErrFoldName, len(name), MaxFoldName)
	}
	return nil
}
