package wire

import (
	"fmt"
	"io"
	"iter"
)

// Stream reads a sequence of frames one by one and can look one ahead. It is for
// one goroutine; Close releases what the sequence holds.
type Stream struct {
	next   func() (Frame, error, bool)
	stop   func()
	ahead  *Frame
	failed error
}

// NewStream returns a Stream over frames, which it reads once.
func NewStream(frames iter.Seq2[Frame, error]) *Stream {
	next, stop := iter.Pull2(frames)
	return &Stream{next: next, stop: stop}
}

// Close ends the sequence. It may be called more than once.
func (s *Stream) Close() { s.stop() }

// Peek returns the next frame without taking it, or io.EOF after the last one.
// An ERROR frame of the other side is returned as an error of type *Error.
func (s *Stream) Peek() (Frame, error) {
	if s.failed != nil {
		return Frame{}, s.failed
	}
	if s.ahead != nil {
		return *s.ahead, nil
	}
	f, err, ok := s.next()
	switch {
	case !ok:
		err = io.EOF
	case err == nil && f.Type == TypeError:
		err = decodeError(f)
	}
	if err != nil {
		s.failed = err
		return Frame{}, err
	}
	s.ahead = &f
	return f, nil
}

// Take returns the next frame, which must have type t. Where it has not, or the
// sequence is over, the error wraps ErrSequence.
func (s *Stream) Take(t Type) (Frame, error) {
	f, err := s.Peek()
	if err == io.EOF {
		return Frame{}, fmt.Errorf("%w: %v is missing: %w", ErrSequence, t, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return Frame{}, err
	}
	if f.Type != t {
		return Frame{}, fmt.Errorf("%w: %v where %v belongs", ErrSequence, f.Type, t)
	}
	s.ahead = nil
	return f, nil
}

// At reports whether the next frame has type t. An error counts as no.
func (s *Stream) At(t Type) bool {
	f, err := s.Peek()
	return err == nil && f.Type == t
}

// End returns nil where the sequence is over, and an error otherwise.
func (s *Stream) End() error {
	f, err := s.Peek()
	switch {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	default:
		return fmt.Errorf("%w: %v after the end", ErrSequence, f.Type)
	}
}

// Join returns the frames of head, then those of rest.
func Join(head []Frame, rest iter.Seq2[Frame, error]) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		for _, f := range head {
			if !yield(f, nil) {
				return
			}
		}
		rest(yield)
	}
}

// Skip drops the frame that Peek returned last.
func (s *Stream) Skip() { s.ahead = nil }

// Rest returns the frames not taken yet. It is read once and ends like s does.
func (s *Stream) Rest() iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		for {
			f, err := s.Peek()
			if err == io.EOF {
				return
			}
			s.Skip()
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}
