package link

import (
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// pipe is one direction of one connection: written at one end, read at the other.
type pipe struct {
	line *line
	room int
	fake bool

	mu      sync.Mutex
	changed sync.Cond
	writing bool    // by one at a time, so that the bytes of two do not mix
	chunks  []chunk // under way or arrived, in order
	held    int     // their bytes
	readBy  time.Time
	writeBy time.Time
	// Set where an end is closed: the reader learns of it, and the writer, when the news has arrived.
	readerGone, writerGone bool
	ended, broken          time.Time
}

// chunk is at most chunkBytes that arrive together, or what is left of them.
type chunk struct {
	bytes   []byte
	arrives time.Time
}

func newPipe(l Link, line *line) *pipe {
	p := &pipe{line: line, room: l.Room(line.rate), fake: l.fake}
	p.changed.L = &p.mu
	return p
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// read takes what has arrived, and waits for it where there is nothing.
func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readerGone:
			return 0, net.ErrClosed
		case passed(p.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case len(p.chunks) > 0 && passed(p.chunks[0].arrives):
			return p.take(b), nil
		case len(p.chunks) == 0 && p.writerGone && passed(p.ended):
			return 0, io.EOF
		}
		p.wait(p.readBy, p.next())
	}
}

// next returns when there will be more to read, zero where that is not known.
func (p *pipe) next() time.Time {
	if len(p.chunks) > 0 {
		return p.chunks[0].arrives
	}
	return p.ended
}

// take copies arrived bytes into b.
func (p *pipe) take(b []byte) int {
	done, now := 0, time.Now()
	for done < len(b) && len(p.chunks) > 0 && !now.Before(p.chunks[0].arrives) {
		first := &p.chunks[0]
		n := copy(b[done:], first.bytes)
		done += n
		if first.bytes = first.bytes[n:]; len(first.bytes) == 0 {
			p.chunks = p.chunks[1:]
		}
	}
	p.held -= done
	p.changed.Broadcast()
	return done
}

// write queues b chunk by chunk, and waits for room where there is none.
func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.writing { // no longer than a deadline or Close allows
		p.changed.Wait()
	}
	p.writing = true
	defer func() {
		p.writing = false
		p.changed.Broadcast()
	}()
	for done := 0; ; {
		size := min(len(b)-done, chunkBytes)
		switch {
		case p.writerGone:
			return done, net.ErrClosed
		case passed(p.writeBy):
			return done, os.ErrDeadlineExceeded
		case passed(p.broken):
			return done, syscall.EPIPE
		case size == 0:
			return done, nil
		case p.held+size <= p.room:
			p.queue(b[done : done+size])
			done += size
		default:
			p.wait(p.writeBy, p.broken)
		}
	}
}

// queue sends one chunk. To a reader that is gone it takes time and room, and is lost.
func (p *pipe) queue(b []byte) {
	arrives := p.line.book(len(b))
	p.held += len(b)
	if p.readerGone {
		return
	}
	if p.chunks = append(p.chunks, chunk{bytes.Clone(b), arrives}); len(p.chunks) == 1 {
		p.changed.Broadcast() // else a reader waits for one before it
	}
}

// closeReader drops what was not read. The writer can write until the news arrives.
func (p *pipe) closeReader() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.readerGone {
		p.readerGone, p.broken = true, time.Now().Add(p.line.delay)
		p.chunks = nil
		p.changed.Broadcast()
	}
}

// closeWriter lets the reader find the end behind what was written.
func (p *pipe) closeWriter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.writerGone {
		p.writerGone, p.ended = true, p.line.book(0)
		p.changed.Broadcast()
	}
}

func (p *pipe) setDeadline(of *time.Time, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*of = t
	p.changed.Broadcast()
}

// wait returns when the pipe has changed or one of two times, unless they are zero,
// has come, and sometimes for no reason.
func (p *pipe) wait(deadline, event time.Time) {
	until, exact := event, !p.fake && p.tail()
	if until.IsZero() || !deadline.IsZero() && deadline.Before(until) {
		until, exact = deadline, false
	}
	if until.IsZero() {
		p.changed.Wait()
		return
	}
	left := time.Until(until)
	if exact {
		if left -= early; left <= 0 {
			p.mu.Unlock()
			runtime.Gosched()
			p.mu.Lock()
			return
		}
	}
	timer := time.AfterFunc(left, func() {
		p.mu.Lock() // not before the Wait below
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer timer.Stop()
	p.changed.Wait()
}

// tail reports whether what is under way arrives, all of it, at about the same time. A
// reader that is late for the first chunk of more than that finds the more the next time, and
// loses nothing.
func (p *pipe) tail() bool {
	n := len(p.chunks)
	return n < 2 || p.chunks[n-1].arrives.Sub(p.chunks[0].arrives) < early
}

// early is how long before an event a timer is set, if the event is to be met exactly: timers
// of Linux are late by up to a millisecond and a bit where nothing else happens, ten times the
// delay of a local network. What is left is waited for by letting others run.
const early = 1500 * time.Microsecond
