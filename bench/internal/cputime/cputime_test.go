package cputime

import (
	"testing"
	"time"
)

// TestNow: the clock runs while the process computes, and does not run
// backwards.
func TestNow(t *testing.T) {
	start, x := Now(), uint64(1)
	for began := time.Now(); time.Since(began) < 20*time.Millisecond; {
		x = x*6364136223846793005 + 1
	}
	if got := Now() - start; got <= 0 || x == 0 {
		t.Errorf("20 ms of work took %d ns of CPU time", got)
	}
}
