package summary

import (
	"errors"
	"fmt"
)

var (
	// ErrUndecodable: a sketch has too few cells for the difference in it, or holds
	// what no difference of two sets leaves. A *DecodeError says how far it went.
	ErrUndecodable = errors.New("summary: the sketch does not decode")
	// ErrParams: widths or sizes outside their limits, or of two things that do not go together.
	ErrParams = errors.New("summary: unsuitable parameters")
	// ErrEncoding: bytes that no encoder of this package writes, or more than the limit.
	ErrEncoding = errors.New("summary: malformed encoding")
	// ErrMismatch: items that do not add up to what was summarised.
	ErrMismatch = errors.New("summary: the items do not add up")
	// ErrAbsent: a removal of what is not there. Nothing has changed.
	ErrAbsent = errors.New("summary: no such item")
	// ErrDuplicate: an insertion of what is there. Nothing has changed.
	ErrDuplicate = errors.New("summary: the item is there already")
)

// DecodeError tells how far a sketch decoded. It wraps ErrUndecodable.
type DecodeError struct {
	Cells int // of the sketch
	Left  int // of these, how many were not zero in the end
	Found int // items peeled until then, of which none is certain
}

// Error implements error.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("%v: %d of %d cells are left after %d items", ErrUndecodable, e.Left, e.Cells, e.Found)
}

// Unwrap returns ErrUndecodable.
func (e *DecodeError) Unwrap() error { return ErrUndecodable }
