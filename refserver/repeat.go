package refserver

import (
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

// repeatable is a sequence of frames that can be read from its beginning again, though
// what is behind it is read once: it keeps what was read. It is for one reader at a time.
type repeatable struct {
	next func() (wire.Frame, error, bool)
	stop func()
	kept []wire.Frame
}

func newRepeatable(frames iter.Seq2[wire.Frame, error]) *repeatable {
	next, stop := iter.Pull2(frames)
	return &repeatable{next: next, stop: stop}
}

// close ends the sequence behind r. Nobody reads any more.
func (r *repeatable) close() { r.stop() }

// frames yields the frames that were read before, then those that were not. An error is
// the last of them: it is not repeated.
func (r *repeatable) frames() iter.Seq2[wire.Frame, error] {
	return func(yield func(wire.Frame, error) bool) {
		for i := 0; ; i++ {
			if i == len(r.kept) {
				f, err, ok := r.next()
				if !ok {
					return
				}
				if err != nil {
					yield(f, err)
					return
				}
				r.kept = append(r.kept, f)
			}
			if !yield(r.kept[i], nil) {
				return
			}
		}
	}
}

var errBodyClosed = errors.New("request body is closed")

// uploadReader is the body of a request. HTTP may still read it while the answer is
// there; after Close it never touches what is behind it.
type uploadReader struct {
	mu     sync.Mutex
	data   io.ReadCloser
	closed bool
}

func (u *uploadReader) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return 0, errBodyClosed
	}
	return u.data.Read(p)
}

func (u *uploadReader) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.closed = true
	return u.data.Close()
}
