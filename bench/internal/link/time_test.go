package link

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// links returns those of the benchmarks and ones that are less even, in fake time.
func links(t *testing.T) map[string]Link {
	all := map[string]Link{
		"zero":       {},
		"delay only": {Delay: 10 * time.Millisecond},
		"uneven":     {Delay: 7 * time.Millisecond, Up: 1e6, Down: 16e6},
		"one way":    {Down: 3e6},
	}
	for _, name := range Names() {
		l, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = l
	}
	for name, l := range all {
		l.fake = true
		all[name] = l
	}
	return all
}

// transfer writes size bytes at one end and returns how long it takes until the
// other has read them all.
func transfer(t *testing.T, from, to net.Conn, size int) time.Duration {
	start := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := from.Write(make([]byte, size)); n != size || err != nil {
			t.Errorf("%d of %d bytes written, %v", n, size, err)
		}
	})
	if n, err := io.ReadFull(to, make([]byte, size)); err != nil {
		t.Errorf("%d of %d bytes read, %v", n, size, err)
	}
	took := time.Since(start)
	wg.Wait()
	return took
}

// ping sends a byte and waits for another.
func ping(t *testing.T, here, there net.Conn) time.Duration {
	return transfer(t, here, there, 1) + transfer(t, there, here, 1)
}

// sending returns how long a line of that bandwidth takes to send size bytes.
func sending(size int, rate int64) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(float64(size) * 8e9 / float64(rate))
}

// near fails where got is more than 10 ns away from want: a nanosecond may be lost by
// rounding where a line was idle, and one in want.
func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if (got - want).Abs() > 10 {
		t.Errorf("%s takes %v, want %v", what, got, want)
	}
}

// sizes are of transfers that take from nothing to a few seconds, more than Room and less.
var sizes = []int{1, chunkBytes, chunkBytes + 1, 100_000, 400_000}

// TestExact holds each link to arithmetic, in fake time.
func TestExact(t *testing.T) {
	for name, l := range links(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testExact(t, l) })
		})
	}
}

func testExact(t *testing.T, l Link) {
	here, there := l.Pipe()
	defer here.Close()
	defer there.Close()
	near(t, "a ping", ping(t, here, there), l.RTT()+sending(1, l.Up)+sending(1, l.Down))
	for _, size := range sizes {
		up, down := l.Delay+sending(size, l.Up), l.Delay+sending(size, l.Down)
		near(t, "a transfer up", transfer(t, here, there, size), up)
		near(t, "a transfer down", transfer(t, there, here, size), down)
		var wg sync.WaitGroup
		wg.Go(func() { near(t, "both: a transfer up", transfer(t, here, there, size), up) })
		wg.Go(func() { near(t, "both: a transfer down", transfer(t, there, here, size), down) })
		wg.Wait()
	}
}

// TestIdle: a line that was idle does not catch up, one that is busy goes on where it was.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := Link{Delay: time.Second, Up: 8e3, fake: true}.Pipe() // a byte takes a millisecond
		defer here.Close()
		defer there.Close()
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, want := range []time.Duration{1100 * time.Millisecond, 1200 * time.Millisecond, time.Minute + 1150*time.Millisecond} {
				if _, err := io.ReadFull(there, make([]byte, 100)); err != nil {
					t.Error(err)
				}
				near(t, "from the start", time.Since(start), want)
			}
		})
		for _, pause := range []time.Duration{0, 50 * time.Millisecond, time.Minute} {
			time.Sleep(pause)
			if _, err := here.Write(make([]byte, 100)); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
	})
}

// TestShared: connections of one listener share its lines, and dialling takes a round trip.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Link{Delay: 30 * time.Millisecond, Up: 2e6, Down: 2e6, fake: true}
		listener := l.Listen()
		defer listener.Close()
		const size, connections = 50_000, 3
		var wg sync.WaitGroup
		start := time.Now()
		for range connections {
			here, err := listener.Dial(t.Context(), "tcp", "anywhere")
			if err != nil {
				t.Fatal(err)
			}
			there, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer here.Close()
			defer there.Close()
			wg.Go(func() { transfer(t, here, there, size) })
		}
		near(t, "dialling three times", time.Since(start), 3*l.RTT())
		wg.Wait()
		// The first dialled has the line for itself while the others dial.
		near(t, "three transfers", time.Since(start), l.RTT()+3*sending(size, l.Up)+l.Delay)
		if up, down := listener.Carried(); up != connections*size || down != 0 {
			t.Errorf("%d bytes carried up, %d down, want %d and 0", up, down, connections*size)
		}
	})
}

// TestHTTP: a request over a new connection takes two round trips and the time of its
// bytes, one over the same connection one.
func TestHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := links(t)["200ms-1mbit"]
		listener := l.Listen()
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = w.Write(make([]byte, 100))
		})}
		go func() { _ = server.Serve(listener) }()
		transport := &http.Transport{DialContext: listener.Dial}
		client := http.Client{Transport: transport}
		for _, trips := range []time.Duration{2, 1} {
			start := time.Now()
			upBefore, downBefore := listener.Carried()
			resp, err := client.Get("http://responder/")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			up, down := listener.Carried()
			near(t, "a request", time.Since(start), trips*200*time.Millisecond+sending(int(up-upBefore), 1e6)+sending(int(down-downBefore), 1e6))
		}
		transport.CloseIdleConnections()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestRealTime: never faster than arithmetic, and the best of the attempts of a second (the
// machine may be busy) not slower by more than 5 % and slack, or a quarter of it for little.
func TestRealTime(t *testing.T) {
	before := runtime.NumGoroutine()
	for name, size := range map[string]int{"lan": 512 << 10, "50ms-20mbit": 200_000, "200ms-1mbit": 10_000} {
		l, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		here, there := l.Pipe()
		attempt(t, name+": a ping", l.RTT()+sending(1, l.Up)+sending(1, l.Down), slack/4, func() time.Duration { return ping(t, here, there) })
		attempt(t, name+": some chunks", l.Delay+sending(5000, l.Up), slack/4, func() time.Duration { return transfer(t, here, there, 5000) })
		attempt(t, name+": a transfer both ways", l.Delay+sending(size, l.Up), slack, func() time.Duration {
			var up, down time.Duration
			var wg sync.WaitGroup
			wg.Go(func() { up = transfer(t, here, there, size) })
			wg.Go(func() { down = transfer(t, there, here, size) })
			wg.Wait()
			if least := l.Delay + sending(size, l.Up); min(up, down) < least-time.Microsecond {
				t.Errorf("%s: %v up, %v down, want at least %v", name, up, down, least)
			}
			return max(up, down)
		})
		here.Close()
		there.Close()
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if time.Sleep(10 * time.Millisecond); i == 100 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func attempt(t *testing.T, what string, want, slack time.Duration, run func() time.Duration) {
	t.Helper()
	const attempts = 20
	var took []time.Duration
	for start := time.Now(); len(took) < attempts && time.Since(start) < time.Second; {
		took = append(took, run())
		got := took[len(took)-1]
		if got < want-time.Microsecond {
			t.Errorf("%s takes %v, want at least %v", what, got, want)
		}
		if got <= want+want/20+slack {
			t.Logf("%s takes %v, %v by arithmetic", what, took, want)
			return
		}
	}
	t.Errorf("%s takes %v, want %v", what, took, want)
}
