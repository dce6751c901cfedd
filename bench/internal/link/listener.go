package link

import (
	"context"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// backlog is how many connections wait to be accepted before others are refused.
const backlog = 128

// Listener is the responder's end of a link that any number of connections share.
// It is safe for concurrent use.
type Listener struct {
	link     Link
	up, down line
	waiting  chan net.Conn
	done     chan struct{}

	mu     sync.Mutex
	closed bool
}

// Listen returns a Listener at the far end of l.
func (l Link) Listen() *Listener {
	return &Listener{
		link: l, up: line{delay: l.delay(), rate: l.Up}, down: line{delay: l.delay(), rate: l.Down},
		waiting: make(chan net.Conn, backlog), done: make(chan struct{}),
	}
}

// Dial connects to the listener, whatever the network and address, for use as
// http.Transport.DialContext. It takes a round trip, and returns syscall.ECONNREFUSED if
// the listener is closed or more than 128 connections wait to be accepted.
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	err := l.link.pause(ctx, l.link.RTT())
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		here, there := l.link.pipe(&l.up, &l.down)
		if !l.closed && len(l.waiting) < cap(l.waiting) {
			l.waiting <- there
			return here, nil
		}
		err = syscall.ECONNREFUSED
	}
	return nil, &net.OpError{Op: "dial", Net: responder.Network(), Addr: responder, Err: err}
}

// pause waits for d.
func (l Link) pause(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d)
	if !l.fake {
		d -= early
	}
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	for !l.fake && ctx.Err() == nil && time.Now().Before(end) {
		runtime.Gosched()
	}
	return ctx.Err()
}

// Accept returns the next connection, and an error that is net.ErrClosed after Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: responder.Network(), Addr: responder, Err: net.ErrClosed}
	}
}

// Close refuses further connections and closes those that nobody has accepted.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.done)
	for len(l.waiting) > 0 {
		select {
		case c := <-l.waiting:
			_ = c.Close() // never fails
		default: // accepted meanwhile
		}
	}
	return nil
}

// Addr returns the name of the listener's end.
func (l *Listener) Addr() net.Addr { return responder }

// Carried returns how many bytes all connections have sent so far, to and from the
// responder.
func (l *Listener) Carried() (up, down int64) { return l.up.bytes(), l.down.bytes() }
