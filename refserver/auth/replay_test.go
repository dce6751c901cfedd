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

func TestReplayCache(t *testing.T) {
	c := NewReplayCache(2)
	at := func(s float64) time.Time { return testNow.Add(time.Duration(s * float64(time.Second))) }
	for i, step := range []struct {
		keyID, jti string
		exp, now   float64
		want       error
		kept       int
	}{
		{"k", "a", 10, 0, nil, 1},
		{"k", "a", 10, 1, ErrReplay, 1},
		{"k", "a", 20, 1, ErrReplay, 1}, // whatever the time it names now
		{"l", "a", 10.5, 1, nil, 2},     // another key's IDs are its own
		{"k", "b", 10, 2, ErrReplayFull, 2},
		{"k", "a", 10, 10, ErrReplay, 2}, // to the very end of its second
		{"k", "c", 20, 11, nil, 1},       // both are forgotten now
		{"k", "a", 10, 11, ErrExpired, 1},
		{"k", "a", 10, 0, ErrExpired, 1}, // not even if the clock is set back
		{"k", "d", 30, 0, nil, 2},
		{"k", "e", 31, 25, nil, 2},
		{"k", "d", 30, 29, ErrReplay, 2},
		{"k", "z", 1 << 30, 1 << 20, nil, 1},
	} {
		if err := c.Insert(step.keyID, step.jti, at(step.exp), at(step.now)); !errors.Is(err, step.want) {
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
		if err := c.Insert(pair[0], pair[1], testNow.Add(time.Second), testNow); err != nil {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

// Many goroutines offer the same IDs: each is taken exactly once.
func TestReplayCacheConcurrently(t *testing.T) {
	const ids, workers = 2000, 16
	c := NewReplayCache(ids)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range ids {
				err := c.Insert("k", strconv.Itoa((i+w*37)%ids), testNow.Add(time.Minute), testNow.Add(time.Duration(i)*time.Millisecond))
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

// A full cache fails closed, stays within its memory, and opens again.
func TestReplayCacheFull(t *testing.T) {
	c := NewReplayCache(0)
	before := heap()
	for i := range DefaultReplayEntries {
		exp := testNow.Add(time.Duration(i%120+1) * time.Second)
		if err := c.Insert("did:key:z#z", strconv.Itoa(i), exp, testNow); err != nil {
			t.Fatal(err)
		}
	}
	perEntry := float64(heap()-before) / DefaultReplayEntries
	t.Logf("%.1f bytes an entry", perEntry)
	if perEntry > 100 {
		t.Errorf("%.1f bytes an entry, want at most 100", perEntry)
	}
	if err := c.Insert("k", "one more", testNow.Add(time.Second), testNow); !errors.Is(err, ErrReplayFull) {
		t.Errorf("got %v, want %v", err, ErrReplayFull)
	}
	if err := c.Insert("did:key:z#z", "7", testNow.Add(time.Second), testNow); !errors.Is(err, ErrReplay) {
		t.Errorf("got %v, want %v", err, ErrReplay)
	}
	later := testNow.Add(61 * time.Second)
	if err := c.Insert("k", "one more", later.Add(time.Second), later); err != nil {
		t.Error(err)
	}
	if half := c.Len(); half < DefaultReplayEntries/2-20000 || half > DefaultReplayEntries/2+20000 {
		t.Errorf("%d entries after half of them expired", half)
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
		if err := c.Insert("did:key:z#z", fmt.Sprint(i), now.Add(2*time.Minute), now); err != nil {
			b.Fatal(err)
		}
	}
}
