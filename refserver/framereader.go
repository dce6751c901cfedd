package refserver

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

var errBodyClosed = errors.New("request body is closed")

// frameReader is the body of a request: the bytes of frames as they are produced.
// HTTP may still read it while the reply has begun; after Close it never touches
// the frames again.
type frameReader struct {
	mu     sync.Mutex
	next   func() (wire.Frame, error, bool)
	stop   func()
	buf    bytes.Buffer
	taken  int64 // bytes that were read
	failed error
}

func newFrameReader(frames iter.Seq2[wire.Frame, error]) *frameReader {
	next, stop := iter.Pull2(frames)
	return &frameReader{next: next, stop: stop}
}

// Read returns the error of the sequence where it has one.
func (f *frameReader) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.buf.Len() == 0 && f.failed == nil {
		frame, err, ok := f.next()
		switch {
		case !ok:
			f.failed = io.EOF
		case err != nil:
			f.failed = err
		default:
			f.buf.Reset()
			f.buf.Write(frame.Append(f.buf.AvailableBuffer()))
		}
	}
	if f.buf.Len() == 0 {
		return 0, f.failed
	}
	n, err := f.buf.Read(p)
	f.taken += int64(n)
	return n, err
}

// end closes f and returns how many of its bytes were read.
func (f *frameReader) end() int64 {
	_ = f.Close() // it has no error
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.taken
}

// Close ends the sequence. It may be called more than once.
func (f *frameReader) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop()
	if f.failed == nil {
		f.failed = errBodyClosed
	}
	f.buf.Reset()
	return nil
}
