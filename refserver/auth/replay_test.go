package auth

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// useOf returns the claims of a token that was issued now and has no nonce.
func useOf(keyID, jti string, exp, now time.Time) Claims {
	return Claims{KeyID: keyID, ID: jti, IssuedAt: now, Expires: exp}
}

func TestReplayCache(t *testing.T) {
	c := NewReplayCache(4)
	at := func(s float64) time.Time { return testNow.Add(time.Duration(s * float64(time.Second))) }
	for i, step := range []struct {
		keyID, jti string
		exp, now   float64
		want       error
		kept       int
	}{
		{"k", "a", 10, 0, nil, 1},
		{"k", "a", 10, 1, ErrReplay, 1},
		{"k", "a", 20, 1, ErrReplay, 1},  // whatever the time it names now
		{"l", "a", 10.5, 1, nil, 2},      // another key's IDs are its own
		{"k", "b", 12, 2, nil, 3},        // the first of the second half
		{"k", "a", 10, 10, ErrReplay, 3}, // to the very end of its second
		{"k", "c", 20, 11, nil, 2},       // two are forgotten now
		{"k", "a", 10, 11, ErrExpired, 2},
		{"k", "a", 10, 0, ErrExpired, 2}, // not even if the clock is set back
		{"k", "d", 30, 0, nil, 3},
		{"k", "e", 31, 25, nil, 2},
		{"k", "d", 30, 29, ErrReplay, 2},
		{"k", "z", 1 << 30, 1 << 20, nil, 1},
	} {
		now := at(step.now)
		if err := c.Insert(useOf(step.keyID, step.jti, at(step.exp), now), now); !errors.Is(err, step.want) {
			t.Errorf("step %d: got %v, want %v", i, err, step.want)
		}
		if c.Len() != step.kept {
			t.Errorf("step %d: %d entries, want %d", i, c.Len(), step.kept)
		}
	}
}

// No two pairs of key ID and jti may look the same.
func TestReplayCacheSeparates(t *testing.T) {
	c := NewReplayCache(0)
	for _, pair := range [][2]string{{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}} {
		if err := c.Insert(useOf(pair[0], pair[1], testNow.Add(time.Second), testNow), testNow); err != nil {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

// Many goroutines offer the same IDs: each is taken exactly once.
func TestReplayCacheConcurrently(t *testing.T) {
	const ids, workers = 2000, 16
	c := NewReplayCache(2 * ids)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range ids {
				now := testNow.Add(time.Duration(i) * time.Millisecond)
				err := c.Insert(useOf("k", strconv.Itoa((i+w*37)%ids), testNow.Add(time.Minute), now), now)
				if err == nil {
					taken.Add(1)
				} else if !errors.Is(err, ErrReplay) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if taken.Load() != ids || c.Len() != ids {
		t.Errorf("taken %d, kept %d, want %d", taken.Load(), c.Len(), ids)
	}
}

// A cache that is full changes its nonce and forgets the older half. Whatever of that half
// comes again is refused, and who signs with the newest nonce gets in.
func TestReplayCacheFull(t *testing.T) {
	c := NewReplayCache(8)
	use := func(jti, nonce string, after time.Duration) Claims {
		u := useOf("k", jti, testNow.Add(2*time.Minute), testNow.Add(after))
		u.Nonce = nonce
		return u
	}
	insert := func(u Claims, want error) {
		t.Helper()
		if err := c.Insert(u, testNow.Add(time.Second)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", u.ID, err, want)
		}
	}
	nonces := []string{c.Nonce()}
	for i := range 12 { // the first four without a nonce, the others with the newest
		u := use(strconv.Itoa(i), "", 0)
		if i >= 4 {
			u.Nonce = c.Nonce()
		}
		insert(u, nil)
		if newest := c.Nonce(); newest != nonces[len(nonces)-1] {
			nonces = append(nonces, newest)
		}
	}
	if len(nonces) != 3 || c.Len() != 8 {
		t.Fatalf("%d nonces, %d entries", len(nonces), c.Len())
	}
	insert(use("0", "", 0), ErrNonce)
	insert(use("late", "", 61*time.Second), ErrNonce) // the forgotten were used a second after testNow
	insert(use("later", "", 61*time.Second+1), nil)
	insert(use("4", nonces[0], 0), ErrNonce)
	insert(use("8", nonces[1], 0), ErrReplay)
	insert(use("new", nonces[0], 0), ErrNonce)
	insert(use("never", "A"+nonces[1][1:]+"A", 0), ErrNonce)
	insert(use("previous", nonces[1], 0), ErrNonce) // "later" was one too many for it
	insert(use("previous", nonces[2], 0), nil)
	insert(use("newest", c.Nonce(), 0), nil)
	insert(use("newest", c.Nonce(), 0), ErrReplay)
}

// Two million tokens that do not expire keep the cache within its memory, and it takes
// those that are signed with its newest nonce all the while.
func TestReplayCacheFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("two million tokens")
	}
	c := NewReplayCache(0)
	before := heap()
	highest, changes, nonce := int64(0), 0, c.Nonce()
	for i := range 2_000_000 {
		now := testNow.Add(time.Duration(i) * 10 * time.Microsecond)
		u := useOf("did:key:z#z", strconv.Itoa(i), now.Add(2*time.Minute), now)
		if u.Nonce = nonce; i%2 == 0 {
			u.Nonce = c.Nonce()
		}
		if err := c.Insert(u, now); err != nil {
			t.Fatalf("token %d: %v", i, err)
		}
		if newest := c.Nonce(); newest != nonce {
			nonce, changes = newest, changes+1
		}
		if i%200_000 == 0 {
			highest = max(highest, heap()-before)
		}
	}
	highest = max(highest, heap()-before)
	t.Logf("%.1f MB at most, %.1f bytes an entry, %d nonces", float64(highest)/1e6, float64(highest)/DefaultReplayEntries, changes+1)
	if highest > 100*DefaultReplayEntries || changes != 3 || c.Len() > DefaultReplayEntries {
		t.Errorf("%d bytes, %d entries, %d changes of the nonce", highest, c.Len(), changes)
	}
	idle := testNow.Add(time.Hour)
	if err := c.Insert(useOf("k", "after", idle.Add(time.Second), idle), idle); err != nil || c.Len() != 1 {
		t.Errorf("an hour later: %d entries, %v", c.Len(), err)
	}
	runtime.KeepAlive(c)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkReplayInsert(b *testing.B) {
	c := NewReplayCache(0)
	now := testNow
	i := 0
	for b.Loop() {
		if i++; i%1000 == 0 {
			now = now.Add(time.Second) // steady at 1000 a second
		}
		if err := c.Insert(useOf("did:key:z#z", fmt.Sprint(i), now.Add(2*time.Minute), now), now); err != nil {
			b.Fatal(err)
		}
	}
}
