package refserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// dribble yields a piece every so often, like a connection: it ends with its context.
type dribble struct {
	ctx   context.Context
	every time.Duration
	piece int
	left  int
}

func (d *dribble) Read(b []byte) (int, error) {
	if d.left == 0 {
		<-d.ctx.Done()
		return 0, d.ctx.Err()
	}
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(d.every):
		d.left--
		return copy(b, bytes.Repeat([]byte{1}, d.piece)), nil
	}
}

// TestPatience: an answer that is slow is read to its end, one that stops or
// dribbles is given up, and what the reader does itself takes no patience.
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		every     time.Duration
		piece, n  int
		own       time.Duration // what the reader takes after each piece
		delivered int
	}{
		"slow":       {time.Second, 8 << 10, 200, 0, 200 * 8 << 10},
		"dribbles":   {2 * time.Second, 1, 200, 0, 15},
		"stops":      {time.Second, 8 << 10, 10, 0, 80 << 10},
		"own stores": {time.Second, 8 << 10, 20, time.Minute, 160 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPatience(t.Context())
				body := p.answer(io.NopCloser(&dribble{p.ctx, c.every, c.piece, c.n}))
				defer body.Close()
				got := 0
				for {
					n, err := body.Read(make([]byte, 16<<10))
					if got += n; err != nil {
						if !errors.Is(err, errStalled) {
							t.Errorf("got %v, want %v", err, errStalled)
						}
						break
					}
					time.Sleep(c.own)
				}
				if got != c.delivered {
					t.Errorf("%d bytes, want %d", got, c.delivered)
				}
			})
		})
	}
}

// TestAnswerTime: a server that takes the request and never answers is given up.
func TestAnswerTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatience(t.Context())
		defer p.stop()
		time.Sleep(answerTime - time.Second)
		if _, err := io.ReadAll(p.request(strings.NewReader("request"))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(answerTime - time.Second)
		if p.ctx.Err() != nil {
			t.Error("given up too early")
		}
		time.Sleep(2 * time.Second)
		if err := p.explain(p.ctx.Err()); !errors.Is(err, errStalled) {
			t.Errorf("no answer: %v", err)
		}
	})
}
