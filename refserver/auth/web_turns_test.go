package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowHost is a host under any name that answers when it is released, and counts how many
// wait at each name.
type slowHost struct {
	*webHostFixture
	port    string // as a did:web has it
	release chan struct{}

	mu        sync.Mutex
	now, most map[string]int // by name; "" is all of them
}

// newSlowHost answers DNS with the addresses that addresses returns, 127.0.0.1 if nil.
func newSlowHost(t *testing.T, addresses func(name string) []netip.Addr) *slowHost {
	h := &slowHost{release: make(chan struct{}), now: map[string]int{}, most: map[string]int{}}
	h.webHostFixture = newWebHost(t, h.serve)
	t.Cleanup(h.open) // before the server waits for its requests
	_, h.port, _ = strings.Cut(h.did, "%3A")
	h.port = "%3A" + h.port
	if addresses != nil {
		h.opt.Names = nameServer(t, addresses)
	}
	return h
}

func (h *slowHost) serve(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(r.Host, ":")
	h.count(name, 1)
	defer h.count(name, -1)
	if !strings.HasPrefix(name, "fast") {
		select {
		case <-h.release:
		case <-r.Context().Done():
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

func (h *slowHost) count(name string, by int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range []string{"", name} {
		h.now[key] += by
		h.most[key] = max(h.most[key], h.now[key])
	}
}

func (h *slowHost) open() {
	select {
	case <-h.release:
	default:
		close(h.release)
	}
}

// wait returns when n requests are at work at a name.
func (h *slowHost) wait(t *testing.T, name string, n int) {
	t.Helper()
	for range 2000 {
		h.mu.Lock()
		now := h.now[name]
		h.mu.Unlock()
		if now >= n {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("fewer than %d requests at %q", n, name)
}

// flood asks r for n paths of each host until ctx is over, and returns what waits for that.
func (h *slowHost) flood(ctx context.Context, t *testing.T, r Resolver, n int, hosts ...string) *sync.WaitGroup {
	all := new(sync.WaitGroup)
	for _, host := range hosts {
		for i := range n {
			all.Go(func() {
				if _, err := r.Resolve(ctx, fmt.Sprintf("did:web:%s%s:%d", host, h.port, i)); !errors.Is(err, ErrUnresolved) && !isContext(err) {
					t.Error(err)
				}
			})
		}
	}
	return all
}

// spread gives every name an address of its own, but those that begin alike to a dash.
func spread(name string) []netip.Addr {
	kind, _, _ := strings.Cut(name, "-")
	sum := byte(1)
	for i := range len(kind) {
		sum = sum*31 + kind[i]
	}
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 1, sum})}
}

// certified takes the certificate of the test's server for every name: it is for example.com.
func certified(names ...string) []string {
	for i := range names {
		names[i] += ".example.com"
	}
	return names
}
