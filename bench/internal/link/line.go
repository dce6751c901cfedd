package link

import (
	"sync"
	"time"
)

// line is one direction of a link. It is safe for concurrent use.
type line struct {
	delay time.Duration
	rate  int64 // bits per second, no limit where it is not above 0

	mu      sync.Mutex
	free    time.Time // when all that was booked so far has been sent, rounded down
	rest    uint64    // what rounding left, in nanoseconds times rate: less than rate
	carried int64     // bytes booked
}

// book sends n bytes, at most chunkBytes, as soon as the line is free and returns when they arrive. With no
// bytes it returns when what was booked last does, or what is sent now.
func (l *line) book(n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.free.Before(now) {
		l.free, l.rest = now, 0
	}
	if l.rate > 0 {
		// A byte may take less than a nanosecond, and many of them do not.
		work, rate := l.rest+uint64(n)*8*uint64(time.Second), uint64(l.rate)
		l.free, l.rest = l.free.Add(time.Duration(work/rate)), work%rate
	}
	l.carried += int64(n)
	return l.free.Add(l.delay)
}

func (l *line) bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carried
}
