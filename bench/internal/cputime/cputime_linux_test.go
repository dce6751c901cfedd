package cputime

import (
	"testing"
	"time"
)

// TestNowAsleep: the clock stands while the process waits.
func TestNowAsleep(t *testing.T) {
	const asleep, most = 50 * time.Millisecond, 10 * time.Millisecond
	start := Now()
	time.Sleep(asleep)
	if got := time.Duration(Now() - start); got >= most {
		t.Errorf("%v of sleep took %v of CPU time, want less than %v", asleep, got, most)
	}
}
