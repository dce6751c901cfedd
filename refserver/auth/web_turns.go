package auth

import (
	"context"
	"slices"
	"sync"
)

// turns decides who may look a document up: at most maxWebLookups at a time, and at most
// maxHostLookups of them at one host, so that a host which never answers keeps no other
// waiting. Who waits is passed over while its host is busy, and is otherwise served in
// the order of arrival. Safe for concurrent use.
type turns struct {
	mu      sync.Mutex
	working int
	hosts   map[string]int // lookups at work at each
	waiting []*turn
}

// turn is one who waits; given is closed when it may begin.
type turn struct {
	host  string
	given chan struct{}
}

func newTurns() *turns { return &turns{hosts: map[string]int{}} }

// enter waits for a turn at a host, which the caller ends by leave. It returns errBusy at
// once if too many wait, or the error of ctx; then there is no turn to end.
func (t *turns) enter(ctx context.Context, host string) error {
	t.mu.Lock()
	if t.free(host) {
		t.begin(host)
		t.mu.Unlock()
		return nil
	}
	if len(t.waiting) >= maxWebWaiting || t.waitingAt(host) >= maxHostWaiting {
		t.mu.Unlock()
		return errBusy
	}
	mine := &turn{host: host, given: make(chan struct{})}
	t.waiting = append(t.waiting, mine)
	t.mu.Unlock()
	select {
	case <-mine.given:
		return nil
	case <-ctx.Done():
		t.giveUp(mine)
		return ctx.Err()
	}
}

// leave ends a turn at a host and gives turns to those who may now begin.
func (t *turns) leave(host string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.working--
	if t.hosts[host]--; t.hosts[host] == 0 {
		delete(t.hosts, host)
	}
	t.waiting = slices.DeleteFunc(t.waiting, func(w *turn) bool {
		may := t.free(w.host)
		if may {
			t.begin(w.host)
			close(w.given)
		}
		return may
	})
}

// giveUp takes one out of those who wait. A turn that it was given meanwhile is passed on.
func (t *turns) giveUp(mine *turn) {
	t.mu.Lock()
	at := slices.Index(t.waiting, mine)
	if at >= 0 {
		t.waiting = slices.Delete(t.waiting, at, at+1)
	}
	t.mu.Unlock()
	if at < 0 {
		t.leave(mine.host)
	}
}

// free reports whether a lookup at a host may begin. It is called under mu, as is begin.
func (t *turns) free(host string) bool {
	return t.working < maxWebLookups && t.hosts[host] < maxHostLookups
}

func (t *turns) begin(host string) {
	t.working++
	t.hosts[host]++
}

func (t *turns) waitingAt(host string) (n int) {
	for _, w := range t.waiting {
		if w.host == host {
			n++
		}
	}
	return n
}
