package auth

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// turns decides who may look a document up: at most maxWebLookups at a time, and at most
// maxDomainLookups of them in one domain, so that a domain whose hosts never answer keeps
// no other waiting. Who waits is passed over while its domain is busy, and is otherwise
// served in the order of arrival. Safe for concurrent use.
type turns struct {
	mu      sync.Mutex
	working int
	domains map[string]int // lookups at work in each
	waiting []*turn
}

// turn is one who waits; given is closed when it may begin.
type turn struct {
	domain string
	given  chan struct{}
}

func newTurns() *turns { return &turns{domains: map[string]int{}} }

// webDomain returns the last two labels of a host: who owns a domain gives names below it
// to as many hosts as they like. Under a suffix such as co.uk strangers share their turns.
func webDomain(host string) string {
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

// enter waits for a turn in a domain, which the caller ends by leave. It returns errBusy
// at once if too many wait, or the error of ctx; then there is no turn to end.
func (t *turns) enter(ctx context.Context, domain string) error {
	t.mu.Lock()
	if t.free(domain) {
		t.begin(domain)
		t.mu.Unlock()
		return nil
	}
	if len(t.waiting) >= maxWebWaiting || t.waitingIn(domain) >= maxDomainWaiting {
		t.mu.Unlock()
		return errBusy
	}
	mine := &turn{domain: domain, given: make(chan struct{})}
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

// leave ends a turn in a domain and gives turns to those who may now begin.
func (t *turns) leave(domain string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.working--
	if t.domains[domain]--; t.domains[domain] == 0 {
		delete(t.domains, domain)
	}
	t.waiting = slices.DeleteFunc(t.waiting, func(w *turn) bool {
		may := t.free(w.domain)
		if may {
			t.begin(w.domain)
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
		t.leave(mine.domain)
	}
}

// free reports whether a lookup in a domain may begin. It is called under mu, as is begin.
func (t *turns) free(domain string) bool {
	return t.working < maxWebLookups && t.domains[domain] < maxDomainLookups
}

func (t *turns) begin(domain string) {
	t.working++
	t.domains[domain]++
}

func (t *turns) waitingIn(domain string) (n int) {
	for _, w := range t.waiting {
		if w.domain == domain {
			n++
		}
	}
	return n
}
