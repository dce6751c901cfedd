package link

import (
	"io"
	"net"
	"time"
)

// Addr names one end of a connection.
type Addr string

// Network returns "link".
func (Addr) Network() string { return "link" }

// String returns the name.
func (a Addr) String() string { return string(a) }

// The two ends.
const (
	initiator Addr = "initiator"
	responder Addr = "responder"
)

// conn is one end of a connection.
type conn struct {
	in, out       *pipe
	local, remote Addr
}

// Pipe returns the two ends of a connection over a link of its own. They keep the rules
// of net.Conn. What was written before Close arrives; what the other end writes fails
// with syscall.EPIPE when it knows, half a round trip later.
func (l Link) Pipe() (initiator, responder net.Conn) {
	return l.pipe(&line{delay: l.delay(), rate: l.Up}, &line{delay: l.delay(), rate: l.Down})
}

func (l Link) pipe(up, down *line) (here, there *conn) {
	to, from := newPipe(l, up), newPipe(l, down)
	return &conn{from, to, initiator, responder}, &conn{to, from, responder, initiator}
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.explain("read", err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.explain("write", err)
}

// explain wraps an error as those of sockets are.
func (c *conn) explain(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// Close closes both directions. Closing again does nothing.
func (c *conn) Close() error {
	c.in.closeReader()
	c.out.closeWriter()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t) // never fails
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}
