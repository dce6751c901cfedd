package refserver

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestPatience: a body that stalls is given up, one that dribbles is not.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatience(t.Context())
		defer p.stop()
		r, w := io.Pipe()
		body := p.body(r)
		go func() {
			for range 100 {
				time.Sleep(idle / 2)
				if _, err := w.Write([]byte{1}); err != nil {
					return
				}
			}
			<-p.ctx.Done() // as a connection does
			w.CloseWithError(p.ctx.Err())
		}()
		n, err := io.Copy(io.Discard, body)
		if n != 100 || !errors.Is(err, errStalled) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := newPatience(t.Context())
		if _, err := io.ReadAll(p.reader(strings.NewReader("request"), answerTime)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(answerTime + time.Second)
		if err := p.explain(p.ctx.Err()); !errors.Is(err, errStalled) {
			t.Errorf("no answer: %v", err)
		}
		p.stop()
	})
}
