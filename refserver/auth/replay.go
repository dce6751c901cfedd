package auth

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// DefaultReplayEntries is how many tokens a ReplayCache remembers unless told
// otherwise: with tokens of two minutes, about 8700 a second.
const DefaultReplayEntries = 1 << 20

// replayKey is the first half of SHA-256(key ID, 0, jti). Half is enough: who
// finds two tokens that collide gets the second of them refused.
type replayKey [16]byte

// ReplayCache remembers tokens until they expire. When it is full it accepts
// nothing more rather than forget. An entry takes about 60 bytes. Safe for
// concurrent use; make it with NewReplayCache.
type ReplayCache struct {
	max  int
	mu   sync.Mutex
	seen map[replayKey]struct{}
	// expiring has the same keys by the second in which they can be forgotten.
	expiring map[int64][]replayKey
	now      int64 // latest second seen; time never goes back here
}

// NewReplayCache returns an empty cache of at most max entries;
// DefaultReplayEntries if max is not positive.
func NewReplayCache(max int) *ReplayCache {
	if max <= 0 {
		max = DefaultReplayEntries
	}
	return &ReplayCache{max: max, seen: map[replayKey]struct{}{}, expiring: map[int64][]replayKey{}}
}

// Insert remembers the token with this key ID and jti until exp. It returns
// ErrReplay if it is remembered already, ErrReplayFull if there is no room, and
// ErrExpired if it could have been forgotten already: also after a clock was set
// back. Call it only with what is under a valid signature. O(1) amortised.
func (c *ReplayCache) Insert(keyID, jti string, exp, now time.Time) error {
	sum := sha256.Sum256([]byte(keyID + "\x00" + jti))
	key := replayKey(sum[:])
	second := exp.Unix() + 1 // expired for certain at the start of this second
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now.Unix())
	if second <= c.now {
		return fmt.Errorf("%w: it has expired; sign a new one", ErrExpired)
	}
	if _, twice := c.seen[key]; twice {
		return ErrReplay
	}
	if len(c.seen) >= c.max {
		return ErrReplayFull
	}
	c.seen[key] = struct{}{}
	c.expiring[second] = append(c.expiring[second], key)
	return nil
}

// Len returns how many tokens are remembered, some of which may have expired.
func (c *ReplayCache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

// forget drops what has expired, once a second: a verifier's tokens expire within
// 180 seconds, so there are few lists to look at and each key is dropped once.
func (c *ReplayCache) forget(now int64) {
	if now <= c.now {
		return
	}
	c.now = now
	for second, keys := range c.expiring {
		if second > now {
			continue
		}
		for _, key := range keys {
			delete(c.seen, key)
		}
		delete(c.expiring, second)
	}
}
