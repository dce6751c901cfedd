package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWebDomain(t *testing.T) {
	for host, want := range map[string]string{
		"localhost": "localhost", "example.com": "example.com", "a.example.com": "example.com", "b.a.example.com": "example.com",
	} {
		if got := webDomain(host); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}

// enterLater enters in a goroutine and reports what came of it.
func enterLater(ctx context.Context, t *turns, domain string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- t.enter(ctx, domain) }()
	synctest.Wait()
	return done
}

func isDone(done <-chan error) bool { return len(done) > 0 }

// Two of a domain, eight in all; 32 of a domain wait, 256 in all.
func TestTurnsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		ctx, cancel := context.WithCancel(t.Context())
		var waiting []<-chan error
		enter := func(domain string, begun, waits, busy int) {
			t.Helper()
			var got [3]int
			for range begun + waits + busy {
				done := enterLater(ctx, turns, domain)
				switch {
				case !isDone(done):
					got[1]++
					waiting = append(waiting, done)
				case errors.Is(<-done, errBusy):
					got[2]++
				default:
					got[0]++
				}
			}
			if want := [3]int{begun, waits, busy}; got != want {
				t.Fatalf("%s: %d begun, waiting, busy, want %d", domain, got, want)
			}
		}
		enter("a", maxDomainLookups, maxDomainWaiting, 5)
		for _, domain := range []string{"b", "c", "d"} {
			enter(domain, maxDomainLookups, 0, 0)
		}
		for i := range 7 {
			enter(fmt.Sprint("w", i), 0, maxDomainWaiting, 1)
		}
		enter("full", 0, 0, 5)
		cancel()
		synctest.Wait()
		for _, done := range waiting {
			if !isDone(done) || !errors.Is(<-done, context.Canceled) {
				t.Fatal("somebody waits on, or has a turn that nobody left")
			}
		}
		for _, domain := range []string{"a", "b", "c", "d"} {
			turns.leave(domain)
			turns.leave(domain)
		}
		if turns.working != 0 || len(turns.domains) != 0 || len(turns.waiting) != 0 {
			t.Errorf("%d at work in %v, %d wait, want none", turns.working, turns.domains, len(turns.waiting))
		}
	})
}

// A turn goes to the first who waits, but for those whose domain is busy.
func TestTurnsGoInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		for _, domain := range strings.Fields("a a b b c c d d") {
			if err := turns.enter(t.Context(), domain); err != nil {
				t.Fatal(err)
			}
		}
		a, e, b, f := enterLater(t.Context(), turns, "a"), enterLater(t.Context(), turns, "e"), enterLater(t.Context(), turns, "b"), enterLater(t.Context(), turns, "f")
		for i, step := range []struct {
			leave string
			next  <-chan error
		}{{"c", e}, {"d", f}, {"b", b}, {"a", a}} {
			turns.leave(step.leave)
			synctest.Wait()
			if !isDone(step.next) {
				t.Fatalf("step %d: it waits on after a turn in %s", i, step.leave)
			}
			if n := maxWebLookups; turns.working != n {
				t.Fatalf("step %d: %d at work, want %d", i, turns.working, n)
			}
		}
	})
}

// A turn that comes when its owner has just lost patience goes to the next.
func TestTurnsComeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		for range maxDomainLookups {
			if err := turns.enter(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
		enterLater(t.Context(), turns, "a")
		next := enterLater(t.Context(), turns, "a")
		late := turns.waiting[0]
		turns.leave("a")
		turns.giveUp(late)
		synctest.Wait()
		if begun := isDone(next); !begun || turns.working != maxDomainLookups {
			t.Errorf("the next has begun: %t, %d at work, want %d", begun, turns.working, maxDomainLookups)
		}
	})
}

// Whoever comes, goes and gives up, the bounds hold, nobody waits who may begin, and no
// turn is lost.
func TestTurnsRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, random := newTurns(), rand.New(rand.NewPCG(1, 7))
		begun := 0
		var all sync.WaitGroup
		for range 2000 {
			domain := fmt.Sprint(random.IntN(12))
			patience, work := time.Duration(random.IntN(9)+1), time.Duration(random.IntN(5))
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if turns.enter(ctx, domain) == nil {
					time.Sleep(work)
					turns.leave(domain)
				}
			})
			synctest.Wait()
			begun += checkTurns(t, turns)
			time.Sleep(time.Duration(random.IntN(2)))
		}
		all.Wait()
		if turns.working != 0 || len(turns.domains) != 0 || len(turns.waiting) != 0 || begun < 2000 {
			t.Errorf("%d at work in %v, %d wait at the end", turns.working, turns.domains, len(turns.waiting))
		}
	})
}

// checkTurns returns how many are at work.
func checkTurns(t *testing.T, turns *turns) int {
	t.Helper()
	turns.mu.Lock()
	defer turns.mu.Unlock()
	sum := 0
	for domain, n := range turns.domains {
		sum += n
		if n < 1 || n > maxDomainLookups {
			t.Fatalf("%d at work in %s", n, domain)
		}
	}
	if sum != turns.working || sum > maxWebLookups {
		t.Fatalf("%d at work, %d in the domains", turns.working, sum)
	}
	for _, waits := range turns.waiting {
		if turns.free(waits.domain) {
			t.Fatalf("one waits in %s who may begin", waits.domain)
		}
	}
	return sum
}

// muteHost takes connections, says nothing and tells of them. It returns its port as a
// did:web has it.
func muteHost(t *testing.T, taken chan<- net.Conn) (port string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			taken <- conn
		}
	}()
	_, port, _ = strings.Cut(listener.Addr().String(), ":")
	return "%3A" + port
}

// A domain whose hosts do not answer, however many and however often they are asked for,
// delays no other.
func TestMuteDomainStarvesNobody(t *testing.T) {
	s := testSigner(t, Ed25519, "turns")
	var host *webHostFixture
	host = newWebHost(t, func(w http.ResponseWriter, r *http.Request) {
		serveDocument(documentText(host.did, []string{methodText(host.did, "0", s)}, "0"))(w, r)
	})
	taken := make(chan net.Conn, 100)
	ports := []string{muteHost(t, taken), muteHost(t, taken)}
	cache := NewCache(NewWeb(host.opt), CacheOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 40)
	var all sync.WaitGroup
	for i := range cap(results) {
		all.Go(func() {
			_, err := cache.Resolve(ctx, fmt.Sprintf("did:web:h%d.mute.example%s", i, ports[i%2]))
			results <- err
		})
	}
	for range cap(results) - maxDomainLookups - maxDomainWaiting {
		if err := <-results; !errors.Is(err, errBusy) || !errors.Is(err, ErrUnresolved) || strings.Contains(err.Error(), errBusy.Error()) {
			t.Errorf("got %v, want %v in its words", err, errBusy)
		}
	}
	began := time.Now()
	if _, err := cache.Resolve(t.Context(), host.did); err != nil {
		t.Errorf("got %v, want the document", err)
	}
	if d := time.Since(began); d > webTimeout/2 {
		t.Errorf("a host that answers took %v", d)
	}
	cancel()
	all.Wait()
	if n := len(taken); n > maxDomainLookups {
		t.Errorf("%d connections, want at most %d", n, maxDomainLookups)
	}
}

// Who loses patience is told just that, while waiting and while a host is asked: a cache
// keeps it not.
func TestWebEndsWithItsContext(t *testing.T) {
	host := newWebHost(t, serveDocument(""))
	taken := make(chan net.Conn, maxWebLookups)
	port := muteHost(t, taken)
	web, did := NewWeb(host.opt), "did:web:mute.example"+port
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error)
	for range maxDomainLookups {
		go func() { _, err := web.Resolve(ctx, did); results <- err }()
		defer (<-taken).Close()
	}
	impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := web.Resolve(impatient, did); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting: got %v, want %v", err, context.DeadlineExceeded)
	}
	cancel()
	for range maxDomainLookups {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("asking: got %v, want %v", err, context.Canceled)
		}
	}
	if web.turns.working != 0 {
		t.Errorf("%d turns are not ended", web.turns.working)
	}
}
