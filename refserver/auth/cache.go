package auth

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// CacheOptions is how a Cache is made. Each zero is a default.
type CacheOptions struct {
	MaxDocuments int              // documents kept, and failures kept besides: 10 000 each
	MaxBytes     int              // memory of either, as estimated: 32 MiB
	Life         time.Duration    // how long a document is kept: 10 minutes
	FailureLife  time.Duration    // how long a failure is kept: 30 seconds
	Timeout      time.Duration    // of one lookup: 10 seconds
	Clock        func() time.Time // nil is time.Now
}

func (opt CacheOptions) withDefaults() CacheOptions {
	if opt.MaxDocuments <= 0 {
		opt.MaxDocuments = 10_000
	}
	if opt.MaxBytes <= 0 {
		opt.MaxBytes = 32 << 20
	}
	if opt.Life <= 0 {
		opt.Life = 10 * time.Minute
	}
	if opt.FailureLife <= 0 {
		opt.FailureLife = 30 * time.Second
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 10 * time.Second
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	return opt
}

// Cache remembers what another resolver returned, documents and failures, and asks it once
// at a time for a DID, however many wait for the answer. What was used least recently goes
// first. Failures have a room of their own, so however many there are, they replace no
// document. A key that was taken out of a document is good until the document's life is
// over. Safe for concurrent use; make it with NewCache.
type Cache struct {
	resolver Resolver
	opt      CacheOptions
	lookups  map[string]*lookup // under mu
	*memory
}

// memory is what caches remember together.
type memory struct {
	mu                  sync.Mutex
	documents, failures *shelf
}

// NewCache returns an empty cache in front of r, which has to return soon after its
// context is over.
func NewCache(r Resolver, opt CacheOptions) *Cache {
	opt = opt.withDefaults()
	return &Cache{resolver: r, opt: opt, lookups: map[string]*lookup{}, memory: &memory{
		documents: newShelf(opt.MaxDocuments, opt.MaxBytes, opt.Life), failures: newShelf(opt.MaxDocuments, opt.MaxBytes, opt.FailureLife),
	}}
}

// Beside returns a cache of the same documents and failures that asks r for what neither
// has, and never waits for a lookup of c: so who floods the one does not delay the other.
func (c *Cache) Beside(r Resolver) *Cache {
	return &Cache{resolver: r, opt: c.opt, lookups: map[string]*lookup{}, memory: c.memory}
}

// lookup is one call of the resolver. waiting and abandoned are under Cache.mu; doc and
// err are set before done is closed.
type lookup struct {
	waiting   int
	abandoned bool // nobody waits any more: it is canceled, and its result is no answer
	cancel    context.CancelFunc
	done      chan struct{}
	doc       Document
	err       error
}

// Resolve implements Resolver. It returns what the resolver returned, the error of ctx, or
// ErrUnresolved for a lookup that took longer than Timeout.
func (c *Cache) Resolve(ctx context.Context, did string) (Document, error) {
	if err := CheckDID(did); err != nil {
		return Document{}, err // so nothing is kept whose length has no limit
	}
	for {
		c.mu.Lock()
		if kept, ok := c.kept(did); ok {
			c.mu.Unlock()
			return kept.doc, kept.err
		}
		l := c.lookups[did]
		if l == nil {
			l = c.begin(ctx, did)
		}
		joined := !l.abandoned
		if joined {
			l.waiting++
		}
		c.mu.Unlock()
		select {
		case <-l.done:
			if joined {
				return l.doc, l.err
			}
		case <-ctx.Done():
			if joined {
				c.leave(l)
			}
			return Document{}, ctx.Err()
		}
	}
}

// kept returns what is remembered of a DID and is not too old.
func (c *Cache) kept(did string) (answer, bool) {
	now := c.opt.Clock()
	if a, ok := c.documents.get(did, now); ok {
		return a, true
	}
	return c.failures.get(did, now)
}

// begin starts a lookup. It belongs to all who wait for it: none of them ends it by losing
// patience but the last, who waits until it has ended.
func (c *Cache) begin(ctx context.Context, did string) *lookup {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.opt.Timeout)
	l := &lookup{cancel: cancel, done: make(chan struct{})}
	c.lookups[did] = l
	go func() {
		defer cancel()
		doc, err := c.resolver.Resolve(ctx, did)
		c.end(did, l, doc, err)
	}()
	return l
}

func (c *Cache) leave(l *lookup) {
	c.mu.Lock()
	l.waiting--
	l.abandoned = l.waiting == 0
	last := l.abandoned
	c.mu.Unlock()
	if last {
		l.cancel()
		<-l.done
	}
}

// end remembers the result, unless it is about this cache's patience or a busy resolver.
func (c *Cache) end(did string, l *lookup, doc Document, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch now := c.opt.Clock(); {
	case err == nil:
		c.documents.put(answer{did: did, doc: doc, since: now})
	case isContext(err):
		err = unresolved(did)
	case errors.Is(err, errBusy): // soon it is not
	default:
		c.failures.put(answer{did: did, err: err, since: now})
	}
	delete(c.lookups, did)
	l.doc, l.err = doc, err
	close(l.done)
}

// answer is what a resolver returned.
type answer struct {
	did   string
	doc   Document
	err   error
	since time.Time
}

// bytes estimates the memory of an answer.
func (a answer) bytes() int {
	const entry, key = 512, 512 // of a map, a list and an error; of a parsed key
	n := entry + len(a.did)
	for keyID := range a.doc.Keys {
		n += key + len(keyID)
	}
	return n
}

// shelf is a bounded number of answers, each for a bounded time.
type shelf struct {
	max, maxBytes, bytes int
	life                 time.Duration
	byDID                map[string]*list.Element
	recent               *list.List // of answer, the latest used in front
}

func newShelf(max, maxBytes int, life time.Duration) *shelf {
	return &shelf{max: max, maxBytes: maxBytes, life: life, byDID: map[string]*list.Element{}, recent: list.New()}
}

// get returns the answer for a DID, and forgets one that is too old, or from the future:
// after the clock was set back nobody knows how old it is.
func (s *shelf) get(did string, now time.Time) (answer, bool) {
	e, ok := s.byDID[did]
	if !ok {
		return answer{}, false
	}
	a := e.Value.(answer)
	if age := now.Sub(a.since); age < 0 || age >= s.life {
		s.remove(did)
		return answer{}, false
	}
	s.recent.MoveToFront(e)
	return a, true
}

func (s *shelf) put(a answer) {
	s.remove(a.did)
	s.byDID[a.did] = s.recent.PushFront(a)
	s.bytes += a.bytes()
	for s.recent.Len() > s.max || s.bytes > s.maxBytes {
		s.remove(s.recent.Back().Value.(answer).did)
	}
}

func (s *shelf) remove(did string) {
	e, ok := s.byDID[did]
	if !ok {
		return
	}
	s.bytes -= e.Value.(answer).bytes()
	s.recent.Remove(e)
	delete(s.byDID, did)
}
