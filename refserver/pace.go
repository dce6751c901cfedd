package refserver

import (
	"time"
)

const (
	idle    = 30 * time.Second // that the other side may keep us waiting, in all
	minRate = 4 << 10          // bytes a second that earn it more
)

// pace says how long to wait for the other side: idle in all, and a second more for
// every minRate bytes that passed. Who stops, or sends a byte now and then, is given
// up; who is slow is not. Time spent elsewhere does not count.
type pace struct {
	bytes  int64
	waited time.Duration
}

// left returns how long the next read or write may take.
func (p *pace) left() time.Duration {
	return max(0, idle+time.Duration(p.bytes)*time.Second/minRate-p.waited)
}

// passed books n bytes that were waited for since start.
func (p *pace) passed(n int, start time.Time) {
	p.bytes += int64(n)
	p.waited += time.Since(start)
}
