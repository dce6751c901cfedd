package refserver

import (
	"context"
	"errors"
	"io"
	"time"
)

// answerTime is how long a server may take from the last byte of a request to the
// first of its answer: it reads the whole view in between.
const answerTime = 5 * time.Minute

var errStalled = errors.New("the server stalled; try again")

// patience ends a call whose other side neither takes nor gives a byte for some
// time, however long the call takes in all.
type patience struct {
	ctx   context.Context
	end   context.CancelCauseFunc
	timer *time.Timer
}

func newPatience(ctx context.Context) patience {
	ctx, end := context.WithCancelCause(ctx)
	return patience{ctx, end, time.AfterFunc(answerTime, func() { end(errStalled) })}
}

// stop releases what p holds. It must be called, and may be more than once.
func (p patience) stop() {
	p.timer.Stop()
	p.end(nil)
}

// explain returns errStalled in place of the cancellation that it caused.
func (p patience) explain(err error) error {
	if errors.Is(context.Cause(p.ctx), errStalled) {
		return errStalled
	}
	return err
}

// reader returns r with the patience renewed at every read; nil for nil.
func (p patience) reader(r io.Reader, patient time.Duration) io.Reader {
	if r == nil {
		return nil
	}
	return impatientReader{p, r, patient}
}

// body returns the body of an answer, which releases p when it is closed.
func (p patience) body(b io.ReadCloser) io.ReadCloser {
	return impatientBody{impatientReader{p, b, idle}, b}
}

type impatientReader struct {
	patience
	r       io.Reader
	patient time.Duration
}

func (i impatientReader) Read(b []byte) (int, error) {
	i.timer.Reset(i.patient)
	n, err := i.r.Read(b)
	if err != nil && err != io.EOF {
		err = i.explain(err)
	}
	return n, err
}

type impatientBody struct {
	impatientReader
	closer io.Closer
}

func (i impatientBody) Close() error {
	i.stop()
	return i.closer.Close()
}
