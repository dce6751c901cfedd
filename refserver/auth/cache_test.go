package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// host is a resolver that takes time and counts.
type host struct {
	mu      sync.Mutex
	delay   time.Duration
	fail    error
	asked   map[string]int
	now     map[string]int // lookups of a DID under way
	keyName string
}

func newHost(delay time.Duration) *host {
	return &host{delay: delay, asked: map[string]int{}, now: map[string]int{}, keyName: "k"}
}

// set changes what the next lookups return.
func (h *host) set(fail error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail = fail
}

// times returns how often a DID was asked for.
func (h *host) times(did string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[did]
}

// Resolve implements Resolver.
func (h *host) Resolve(ctx context.Context, did string) (Document, error) {
	h.mu.Lock()
	h.asked[did]++
	h.now[did]++
	if h.now[did] > 1 {
		panic("two lookups of one DID")
	}
	h.mu.Unlock()
	defer func() { h.mu.Lock(); h.now[did]--; h.mu.Unlock() }()
	select {
	case <-time.After(h.delay):
	case <-ctx.Done():
		return Document{}, ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return Document{}, h.fail
	}
	return Document{DID: did, Keys: map[string]PublicKey{did + "#" + h.keyName: {}}}, nil
}

func (h *host) expect(t *testing.T, did string, times int) {
	t.Helper()
	if got := h.times(did); got != times {
		t.Fatalf("asked for %s %d times, want %d", did, got, times)
	}
}

func TestCacheLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(0)
		c := NewCache(h, CacheOptions{})
		resolve := func(want error) {
			t.Helper()
			if _, err := c.Resolve(t.Context(), "did:web:a"); !errors.Is(err, want) {
				t.Fatalf("got %v, want %v", err, want)
			}
		}
		resolve(nil)
		h.set(ErrUnresolved)
		time.Sleep(10*time.Minute - time.Nanosecond)
		resolve(nil) // still fresh, whatever a lookup would say
		h.expect(t, "did:web:a", 1)
		time.Sleep(time.Nanosecond)
		resolve(ErrUnresolved)
		h.expect(t, "did:web:a", 2)
		h.set(nil)
		time.Sleep(30*time.Second - time.Nanosecond)
		resolve(ErrUnresolved)
		h.expect(t, "did:web:a", 2)
		time.Sleep(time.Nanosecond)
		resolve(nil)
		h.expect(t, "did:web:a", 3)
	})
}

func TestCacheOptions(t *testing.T) {
	for _, c := range [][2]CacheOptions{
		{{}, {10_000, 32 << 20, 10 * time.Minute, 30 * time.Second, 10 * time.Second, nil}},
		{{1, 2, 3, 4, 5, nil}, {1, 2, 3, 4, 5, nil}},
	} {
		got, want := c[0].withDefaults(), c[1]
		got.Clock = nil // not to be compared
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestCacheKeepsNothingFromTheFuture(t *testing.T) {
	now := testNow
	h := newHost(0)
	c := NewCache(h, CacheOptions{Clock: func() time.Time { return now }})
	for i := range 3 {
		if _, err := c.Resolve(t.Context(), "did:web:a"); err != nil {
			t.Fatal(err)
		}
		h.expect(t, "did:web:a", i+1)
		now = now.Add(-time.Hour)
	}
	// It is forgotten, not passed over until that time comes.
	if _, ok := c.documents.get("did:web:a", now.Add(time.Hour)); !ok {
		t.Fatal("what was kept last is not there")
	}
	_, early := c.documents.get("did:web:a", now)
	if _, late := c.documents.get("did:web:a", now.Add(time.Hour)); early || late {
		t.Errorf("a document from the future is there: %t, and later: %t", early, late)
	}
}

func TestCacheIsBounded(t *testing.T) {
	h := newHost(0)
	c := NewCache(h, CacheOptions{MaxDocuments: 3})
	resolve := func(names string) {
		for _, name := range strings.Fields(names) {
			_, _ = c.Resolve(t.Context(), "did:web:"+name)
		}
	}
	resolve("a b c a d") // b goes
	resolve("a c d b")   // a goes
	for name, want := range map[string]int{"a": 1, "b": 2, "c": 1, "d": 1} {
		h.expect(t, "did:web:"+name, want)
	}
	h.set(ErrKey)
	for i := range 100 {
		resolve(fmt.Sprint("bad", i))
	}
	resolve("b c d bad97 bad98 bad99") // failures push out no documents
	for name, want := range map[string]int{"b": 2, "c": 1, "d": 1, "bad97": 1, "bad98": 1, "bad99": 1} {
		h.expect(t, "did:web:"+name, want)
	}
	for _, s := range []*shelf{c.documents, c.failures} {
		if s.recent.Len() != 3 || len(s.byDID) != 3 {
			t.Errorf("%d and %d entries, want 3", s.recent.Len(), len(s.byDID))
		}
	}
	if len(c.lookups) != 0 {
		t.Errorf("%d lookups are left", len(c.lookups))
	}
}

func TestCacheBoundsBytes(t *testing.T) {
	h := newHost(0)
	h.keyName = strings.Repeat("k", 1000)
	c := NewCache(h, CacheOptions{MaxBytes: 10_000})
	for i := range 100 {
		_, _ = c.Resolve(t.Context(), fmt.Sprint("did:web:", i))
		sum := 0
		for e := c.documents.recent.Front(); e != nil; e = e.Next() {
			sum += e.Value.(answer).bytes()
		}
		if sum != c.documents.bytes || sum > 10_000 {
			t.Fatalf("%d bytes are counted of %d, want at most 10000", c.documents.bytes, sum)
		}
	}
	if n := c.documents.recent.Len(); n < 3 || n > 5 {
		t.Errorf("%d documents of 2 KB are kept in 10 KB", n)
	}
	h.keyName = strings.Repeat("k", 20_000)
	if doc, err := c.Resolve(t.Context(), "did:web:large"); err != nil || len(doc.Keys) != 1 {
		t.Errorf("too large to keep: %v, want the document", err)
	}
}

func TestShelfReplaces(t *testing.T) {
	s := newShelf(2, 10_000, time.Minute)
	for range 3 {
		s.put(answer{did: "did:web:a", since: testNow})
	}
	if s.recent.Len() != 1 || s.bytes != (answer{did: "did:web:a"}).bytes() {
		t.Errorf("%d entries with %d bytes, want one", s.recent.Len(), s.bytes)
	}
	if long, short := (answer{did: "did:web:a"}).bytes(), (answer{did: "did:web:"}).bytes(); long != short+1 {
		t.Errorf("one character more counts %d bytes, want 1", long-short)
	}
}

func TestCacheAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(time.Second)
		c := NewCache(h, CacheOptions{})
		first, give := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer give()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Resolve(first, "did:web:a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("impatient: got %v, want %v", err, context.DeadlineExceeded)
			}
		})
		synctest.Wait()
		for range 50 {
			all.Go(func() {
				if doc, err := c.Resolve(t.Context(), "did:web:a"); err != nil || doc.DID != "did:web:a" {
					t.Errorf("patient: %v, want the document", err)
				}
			})
			all.Go(func() { _, _ = c.Resolve(t.Context(), "did:web:b") })
		}
		began := time.Now()
		all.Wait()
		if d := time.Since(began); d != time.Second {
			t.Errorf("took %v, want 1s: nobody waits for another DID", d)
		}
		h.expect(t, "did:web:a", 1)
		h.expect(t, "did:web:b", 1)
	})
}

// The last who waits ends a lookup; what it returns then is no answer for anybody.
func TestCacheAbandonsLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(time.Second)
		c := NewCache(h, CacheOptions{})
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if _, err := c.Resolve(ctx, "did:web:a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
			cancel()
			if len(c.lookups) != 0 {
				t.Fatal("the lookup goes on")
			}
		}
		h.expect(t, "did:web:a", 5)
		if _, err := c.Resolve(t.Context(), "did:web:a"); err != nil {
			t.Errorf("got %v, want the document", err)
		}
	})
}

// stubborn ends no sooner for being told to.
type stubborn struct{ *host }

// Resolve implements Resolver.
func (s stubborn) Resolve(ctx context.Context, did string) (Document, error) {
	doc, err := s.host.Resolve(context.WithoutCancel(ctx), did)
	if ctx.Err() != nil {
		return Document{}, ctx.Err()
	}
	return doc, err
}

func TestCacheWaitsForAbandonedLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(time.Second)
		c := NewCache(stubborn{h}, CacheOptions{Life: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { _, _ = c.Resolve(ctx, "did:web:a") })
		time.Sleep(200 * time.Millisecond)
		all.Go(func() { // comes while the first is abandoned and not yet over; host panics if both run
			if _, err := c.Resolve(t.Context(), "did:web:a"); err != nil {
				t.Error(err)
			}
		})
		second, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		if _, err := c.Resolve(second, "did:web:a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		all.Wait()
	})
}

func TestCacheBoundsLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(time.Minute)
		c := NewCache(h, CacheOptions{})
		began := time.Now()
		if _, err := c.Resolve(t.Context(), "did:web:a"); !errors.Is(err, ErrUnresolved) || isContext(err) {
			t.Errorf("got %v, want %v", err, ErrUnresolved)
		}
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("took %v, want 10s", d)
		}
		h.mu.Lock()
		h.delay = 0
		h.mu.Unlock()
		if _, err := c.Resolve(t.Context(), "did:web:a"); err != nil {
			t.Errorf("got %v: what a cache had no patience for is no failure of the host", err)
		}
	})
}

// keepsContext is a resolver that tells with which context it was asked.
type keepsContext chan context.Context

// Resolve implements Resolver.
func (k keepsContext) Resolve(ctx context.Context, did string) (Document, error) {
	k <- ctx
	return Document{DID: did}, nil
}

// What a resolver began for a lookup ends with it.
func TestCacheEndsLookups(t *testing.T) {
	asked := make(keepsContext, 1)
	if _, err := NewCache(asked, CacheOptions{}).Resolve(t.Context(), "did:web:a"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-(<-asked).Done():
	case <-time.After(time.Second):
		t.Error("the context of the lookup goes on")
	}
}

// A resolver that is busy says nothing about the DID.
func TestCacheKeepsNoBusy(t *testing.T) {
	h := newHost(0)
	h.set(busy("did:web:a"))
	c := NewCache(h, CacheOptions{})
	if _, err := c.Resolve(t.Context(), "did:web:a"); !errors.Is(err, errBusy) || !errors.Is(err, ErrUnresolved) {
		t.Errorf("got %v, want %v", err, errBusy)
	}
	h.set(nil)
	if _, err := c.Resolve(t.Context(), "did:web:a"); err != nil {
		t.Errorf("got %v, want the document", err)
	}
}

// Caches beside each other share what they remember, and wait for nothing of the other.
func TestCacheBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := newHost(time.Second), newHost(0)
		c := NewCache(one, CacheOptions{Timeout: 2 * time.Second})
		beside := c.Beside(other)
		resolve := func(c *Cache, did string, want error) {
			t.Helper()
			if _, err := c.Resolve(t.Context(), did); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", did, err, want)
			}
		}
		resolve(c, "did:web:a", nil)
		resolve(beside, "did:web:a", nil)
		other.expect(t, "did:web:a", 0)
		other.set(ErrUnresolved)
		resolve(beside, "did:web:b", ErrUnresolved)
		resolve(c, "did:web:b", ErrUnresolved)
		one.expect(t, "did:web:b", 0)
		other.set(nil)
		var all sync.WaitGroup
		all.Go(func() { resolve(c, "did:web:c", nil) })
		synctest.Wait()
		began := time.Now()
		resolve(beside, "did:web:c", nil)
		if d := time.Since(began); d != 0 {
			t.Errorf("waited %v for a lookup of the other", d)
		}
		all.Wait()
		one.expect(t, "did:web:c", 1)
		other.expect(t, "did:web:c", 1)
		other.delay = time.Minute
		began = time.Now()
		resolve(beside, "did:web:d", ErrUnresolved)
		if d := time.Since(began); d != 2*time.Second {
			t.Errorf("gave up after %v, want 2s as the other", d)
		}
	})
}

func TestCacheTakesNoLongDIDs(t *testing.T) {
	h := newHost(0)
	c := NewCache(h, CacheOptions{})
	for _, did := range []string{"", "a", "did:web:" + strings.Repeat("a", MaxDID)} {
		if _, err := c.Resolve(t.Context(), did); !errors.Is(err, ErrDID) {
			t.Errorf("got %v, want %v", err, ErrDID)
		}
		h.expect(t, did, 0)
	}
}
