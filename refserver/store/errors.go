package store

import (
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// What can be wrong with a request.
var (
	// ErrNotFound: no such message or data.
	ErrNotFound = errors.New("not found")
	// ErrBatch: more than one transaction takes, or an entry without a message.
	ErrBatch = errors.New("malformed batch")
	// ErrDataMismatch: bytes that are not the data that the message names.
	ErrDataMismatch = errors.New("data does not match")
	// ErrRevoked: the tenant has revoked a grant that a write relied on.
	ErrRevoked = errors.New("grant is revoked")
	// ErrFoldName: not the name of a fold: empty, or longer than MaxFoldName.
	ErrFoldName = errors.New("malformed name of a fold")
)

// What can be wrong with a store.
var (
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("store is closed")
	// ErrFull: the disk is nearly full. Reading still works, and so does what Quota says is always
	// taken, for as long as there is room to open the store: reading needs that too where it
	// writes a row (Lend, KeepSecret).
	ErrFull = errors.New("disk is nearly full")
	// ErrLocked: another process, or another part of this one, has it open.
	ErrLocked = errors.New("store is in use")
	// ErrForeign: the place holds something else than a store of this project.
	ErrForeign = errors.New("not a dwnsync store")
	// ErrUnwritable: the place cannot be written to.
	ErrUnwritable = errors.New("store cannot be written")
	// ErrLayout: written by a newer version, with a layout that this one does not
	// know.
	ErrLayout = errors.New("unknown storage layout")
	// ErrCorrupt: a row that this project did not write, or that is missing.
	ErrCorrupt = errors.New("store is damaged")
	// ErrFoldDamaged: a fold was saved and is not whole. It is to be made again,
	// from the log, and saved again; nothing else is wrong with the store.
	ErrFoldDamaged = errors.New("saved fold is damaged")
)

// EntryError says which entry of a batch was refused. Nothing of the batch has
// been stored.
type EntryError struct {
	Index int // position in the batch
	ID    dwn.ID
	Err   error
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("entry %d, message %s: %v", e.Index, dwn.CIDOf(e.ID), e.Err)
}

// Unwrap returns why the entry was refused.
func (e *EntryError) Unwrap() error { return e.Err }

// FullError says which entries of a batch a disk that is nearly full has no room for. Nothing of
// the batch has been stored; the others would have been: see Quota for what is taken even then. It
// is an ErrFull.
type FullError struct {
	Over []int // positions in the batch, ascending, at least one
	Err  error // an ErrFull with what is free, and where
}

func (e *FullError) Error() string { return fmt.Sprintf("%v: entries %v", e.Err, e.Over) }

// Unwrap returns Err.
func (e *FullError) Unwrap() error { return e.Err }

// MissingError names a message that is not stored. It is an ErrNotFound.
type MissingError struct{ ID dwn.ID }

func (e *MissingError) Error() string {
	return fmt.Sprintf("message %s: %v", dwn.CIDOf(e.ID), ErrNotFound)
}

// Unwrap returns ErrNotFound.
func (e *MissingError) Unwrap() error { return ErrNotFound }

// PositionError names a position that the arrival log does not have. It is an
// ErrNotFound.
type PositionError struct{ Position uint64 }

func (e *PositionError) Error() string {
	return fmt.Sprintf("position %d of the log: %v", e.Position, ErrNotFound)
}

// Unwrap returns ErrNotFound.
func (e *PositionError) Unwrap() error { return ErrNotFound }
