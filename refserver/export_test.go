package refserver

import (
	"io"
	"time"
)

// Raced says that the race detector is on: what it makes slow is done a smaller number of times.
const Raced = raced

// ProblemOf returns how err is told to the other side.
func ProblemOf(err error) Problem {
	p, _ := problemOf(err)
	return p
}

// SetRandom makes what the server draws for its answers repeatable.
func (s *Server) SetRandom(r io.Reader) { s.random = r }

// SetClock makes the client sign at other times than now.
func (c *Client) SetClock(clock func() time.Time) { c.clock = clock }
