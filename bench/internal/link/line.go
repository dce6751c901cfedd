package link

import (
	"sync"
	"time"
)

// line is one direction of a link. It is safe for concurrent use.
type line struct {
	delay time.Duration
	rate  int64 // bits per second, 0 for no limit

	mu      sync.Mutex
	free    time.Time // when all that was booked so far has been sent
	carried int64     // bytes booked
}

// book sends n bytes as soon as the line is free and returns when they arrive. With no
// bytes it returns when what was booked last does, or what is sent now.
func (l *line) book(n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	if l.rate > 0 {
		l.free = l.free.Add(time.Duration(int64(n) * 8 * int64(time.Second) / l.rate))
	}
	l.carried += int64(n)
	return l.free.Add(l.delay)
}

func (l *line) bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carried
}
