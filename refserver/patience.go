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

// patience ends a call whose server does not answer in time, or does not keep pace.
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

// request returns the body of a request: the time for an answer begins anew
// whenever the server takes some of it. It is nil for nil.
func (p patience) request(r io.Reader) io.Reader {
	if r == nil {
		return nil
	}
	return requestReader{p, r}
}

type requestReader struct {
	patience
	r io.Reader
}

func (r requestReader) Read(b []byte) (int, error) {
	r.timer.Reset(answerTime)
	return r.r.Read(b)
}

// answer returns the body of an answer, read at the server's pace. Closing it
// releases p.
func (p patience) answer(b io.ReadCloser) io.ReadCloser {
	p.timer.Stop()
	return &answerReader{patience: p, ReadCloser: b}
}

type answerReader struct {
	patience
	io.ReadCloser
	pace pace
}

// Read lets the time run only while it waits for the server.
func (a *answerReader) Read(b []byte) (int, error) {
	start := time.Now()
	a.timer.Reset(a.pace.left())
	n, err := a.ReadCloser.Read(b)
	a.timer.Stop()
	a.pace.passed(n, start)
	if err != nil && err != io.EOF {
		err = a.explain(err)
	}
	return n, err
}

func (a *answerReader) Close() error {
	a.stop()
	return a.ReadCloser.Close()
}
