package auth

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// DefaultReplayEntries is how many tokens a ReplayCache remembers unless told
// otherwise: with tokens of two minutes, at least 4300 a second before it forgets one
// that has not expired.
const DefaultReplayEntries = 1 << 20

// replayKey is the first half of SHA-256(key ID, 0, jti). Half is enough: who
// finds two tokens that collide gets the second of them refused.
type replayKey [16]byte

// ReplayCache remembers tokens until they expire, and takes only those that it would
// know again. What it does not remember, because there are too many or because the
// process is new, it keeps out by time or by nonce: a token says in iat when it was made,
// within MaxSkew, or by one of the two newest nonces that it was made after that
// nonce was given out. A full cache changes its nonce and forgets the older half, so
// it never shuts out who signs with the newest nonce. An entry takes about 60 bytes.
// Safe for concurrent use; make it with NewReplayCache.
type ReplayCache struct {
	half int // entries of one generation
	mu   sync.Mutex
	now  time.Time // latest seen; time never goes back here
	// since is the last time at which a token can have been used that is forgotten
	// before it expires.
	since             time.Time
	current, previous generation
}

// generation is the tokens that were used while nonce was the newest.
type generation struct {
	nonce string // empty before there was one
	seen  map[replayKey]struct{}
	// expiring has the same keys by the second in which they can be forgotten.
	expiring map[int64][]replayKey
	closed   time.Time // no use is later, once it is the previous one
}

func newGeneration() generation {
	return generation{nonce: newNonce(), seen: map[replayKey]struct{}{}, expiring: map[int64][]replayKey{}}
}

// NewReplayCache returns an empty cache of at most max entries, and of 2 at least;
// DefaultReplayEntries if max is not positive.
func NewReplayCache(max int) *ReplayCache {
	if max <= 0 {
		max = DefaultReplayEntries
	}
	if max < 2 {
		max = 2
	}
	return &ReplayCache{half: max / 2, current: newGeneration()}
}

// Nonce returns the newest nonce: 22 characters that nobody could know before.
func (c *ReplayCache) Nonce() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.nonce
}

// Forgot says that tokens used until then may be forgotten.
func (c *ReplayCache) Forgot(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = later(c.since, until)
}

// Check returns ErrNonce if the token with these claims could have been used and
// forgotten. It remembers nothing, so it may be asked before the signature is checked.
func (c *ReplayCache) Check(claims Claims) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fresh(claims)
}

// Insert remembers the token with these claims until it expires. It returns ErrReplay
// if it is remembered already, ErrNonce if it could have been used and forgotten, and
// ErrExpired if it could have expired already: also after a clock was set back. Call it only
// with what is under a valid signature, issued at most MaxSkew after now. O(1) amortised.
func (c *ReplayCache) Insert(claims Claims, now time.Time) error {
	sum := sha256.Sum256([]byte(claims.KeyID + "\x00" + claims.ID))
	key := replayKey(sum[:])
	second := claims.Expires.Unix() + 1 // expired for certain at the start of this second
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(now)
	if second <= c.now.Unix() {
		return fmt.Errorf("%w: it has expired; sign a new one", ErrExpired)
	}
	if c.current.has(key) || c.previous.has(key) {
		return ErrReplay
	}
	if err := c.fresh(claims); err != nil {
		return err
	}
	if len(c.current.seen) >= c.half {
		c.rotate()
	}
	c.current.seen[key] = struct{}{}
	c.current.expiring[second] = append(c.current.expiring[second], key)
	return nil
}

// Len returns how many tokens are remembered, some of which may have expired.
func (c *ReplayCache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.current.seen) + len(c.previous.seen)
}

// fresh is Check. A token was used at the earliest MaxSkew before its iat; after since,
// so, and every use after since that has not expired is in one of the generations. One
// with a nonce was used after that nonce was made, so in its generation or a later one.
func (c *ReplayCache) fresh(claims Claims) error {
	switch n := claims.Nonce; {
	case n == "" && claims.IssuedAt.After(c.since.Add(MaxSkew)):
		return nil
	case n != "" && (n == c.current.nonce || n == c.previous.nonce):
		return nil
	}
	return ErrNonce
}

// rotate begins a new generation and forgets the older of the two.
func (c *ReplayCache) rotate() {
	if len(c.previous.seen) > 0 {
		c.since = later(c.since, c.previous.closed)
	}
	c.current.closed = c.now
	c.previous, c.current = c.current, newGeneration()
}

// advance drops what has expired, once a second: a verifier's tokens expire within
// 180 seconds, so there are few lists to look at and each key is dropped once.
func (c *ReplayCache) advance(now time.Time) {
	before := c.now.Unix()
	c.now = later(c.now, now)
	if c.now.Unix() > before {
		c.current.forget(c.now.Unix())
		c.previous.forget(c.now.Unix())
	}
}

func (g *generation) has(key replayKey) bool {
	_, ok := g.seen[key]
	return ok
}

func (g *generation) forget(now int64) {
	for second, keys := range g.expiring {
		if second > now {
			continue
		}
		for _, key := range keys {
			delete(g.seen, key)
		}
		delete(g.expiring, second)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
