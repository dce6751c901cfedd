package wire

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"sync"
)

// Encode writes the bytes of frames to w, each frame by one call of Write. It stops at
// the first error, of frames or of w, and returns it as it is. Decode reads what it wrote.
func Encode(w io.Writer, frames iter.Seq2[Frame, error]) error {
	var buf []byte
	for f, err := range frames {
		if err != nil {
			return err
		}
		buf = f.Append(buf[:0])
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// ErrReaderClosed reports a read from a Reader after its Close.
var ErrReaderClosed = errors.New("reader of frames is closed")

// Reader is the bytes of frames, which are produced as they are read: the body of a
// request, for instance. It is safe for concurrent use, so that a transport may go on
// reading while another goroutine closes it: after Close it touches the frames no more.
type Reader struct {
	mu     sync.Mutex
	next   func() (Frame, error, bool)
	stop   func()
	buf    bytes.Buffer
	failed error
}

// NewReader returns a Reader of frames, which it goes over once. The caller closes it.
func NewReader(frames iter.Seq2[Frame, error]) *Reader {
	next, stop := iter.Pull2(frames)
	return &Reader{next: next, stop: stop}
}

// Read returns the error of the sequence where it has one, as it is.
func (r *Reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.buf.Len() == 0 && r.failed == nil {
		frame, err, ok := r.next()
		switch {
		case !ok:
			r.failed = io.EOF
		case err != nil:
			r.failed = err
		default:
			r.buf.Reset()
			r.buf.Write(frame.Append(r.buf.AvailableBuffer()))
		}
	}
	if r.buf.Len() == 0 {
		return 0, r.failed
	}
	return r.buf.Read(p)
}

// Close ends the sequence. It may be called more than once, and waits for a Read that is
// under way.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop()
	if r.failed == nil {
		r.failed = ErrReaderClosed
	}
	r.buf.Reset()
	return nil
}
