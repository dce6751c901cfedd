// Package link simulates a network link between connections of one process, in real
// time: a delay, and a bandwidth in each direction. Nothing but the time that bytes take
// differs from a connection without it, so a benchmark over a [Link] tells how long
// the same bytes would take over a network of that kind.
//
// # What is simulated
//
// Bytes are cut into chunks of at most 1460, what a TCP segment carries on Ethernet. A
// chunk arrives at the time when the line was free for it, plus its size divided by the
// bandwidth, plus the delay. The two directions do not slow each other down; all
// connections of one [Listener] share both, first come, first served. A Write returns when
// its bytes are queued, and waits while the connection has more under way, or arrived
// and not yet read, than the link holds (bandwidth times delay) and a socket buffer
// besides: see [Link.Room]. Dialling takes one round trip, as the handshake of TCP
// does before the first byte can be sent.
//
// # What is not
//
// No loss, no jitter, no slow start (a new connection of TCP needs about four round trips
// before it fills a link of 20 Mbit/s and 50 ms), no headers of TCP and IP (at least 40
// bytes for each 1460, so 2.7 % more), no TLS (one round trip more for each connection),
// no lookup of names. Real networks of the same figures are slower, never faster.
package link

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknown reports a name that is no link's.
var ErrUnknown = errors.New("unknown link")

// Link says what a network between an initiator, who dials, and a responder is like.
// The zero value takes no time. What is below 0 counts as 0.
type Link struct {
	Delay    time.Duration // one way: a byte and its answer take twice as long; at most 365 days, more counts as that
	Up, Down int64         // bits per second to and from the responder; 0 is no limit

	// fake: time is that of testing/synctest, which passes only where everybody sleeps.
	fake bool
}

// Names returns the names of the links of the benchmarks, the fastest first.
func Names() []string { return []string{"lan", "50ms-20mbit", "200ms-1mbit"} }

// Named returns the link of one of Names: a local network (1 Gbit/s, round trips of
// 0.2 ms), a good line to a provider (20 Mbit/s, 50 ms) and a bad one (1 Mbit/s,
// 200 ms). It returns ErrUnknown for other names.
func Named(name string) (Link, error) {
	switch name {
	case "lan":
		return Link{Delay: 100 * time.Microsecond, Up: 1e9, Down: 1e9}, nil
	case "50ms-20mbit":
		return Link{Delay: 25 * time.Millisecond, Up: 20e6, Down: 20e6}, nil
	case "200ms-1mbit":
		return Link{Delay: 100 * time.Millisecond, Up: 1e6, Down: 1e6}, nil
	}
	return Link{}, fmt.Errorf("%w: %q; there are %v", ErrUnknown, name, Names())
}

// RTT returns how long a byte and its answer take on an idle link of unlimited
// bandwidth: twice the delay.
func (l Link) RTT() time.Duration { return 2 * l.delay() }

// delay returns Delay within its limits.
func (l Link) delay() time.Duration { return min(max(l.Delay, 0), mostDelay) }

const (
	chunkBytes = 1460     // what a TCP segment carries on Ethernet
	buffer     = 64 << 10 // the least that a socket holds
	unlimited  = 1 << 20  // what a connection holds where the bandwidth has no limit
	mostRoom   = 1 << 30  // what one holds at most

	mostDelay = 365 * 24 * time.Hour // times of a few round trips do not overflow
	// lateness is how late a busy machine may wake a reader: that long, a line goes on
	// sending what was queued before.
	lateness = 10 * time.Millisecond
)

// Room returns how many bytes a connection takes, in the direction of that bandwidth, before
// Write waits for the reader: what the link holds, 64 KiB, and what it carries in 10 ms, so
// that it stays busy where a reader is woken late. It is 1 MiB where there is no limit, and
// never more than 1 GiB: one connection does not fill a link that holds more.
func (l Link) Room(bitsPerSecond int64) int {
	if bitsPerSecond <= 0 {
		return unlimited
	}
	held := float64(bitsPerSecond) / 8 * (l.delay().Seconds() + lateness.Seconds())
	return int(min(held+buffer, mostRoom))
}
