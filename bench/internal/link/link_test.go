package link

import (
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// named says again, in figures of its own, what the links of the benchmarks are like, so
// that nobody changes them unawares: results name them.
var named = []struct {
	name string
	link Link
	rtt  time.Duration
	// Until a byte has arrived and another has come back, and until a million have arrived.
	ping, megabyte time.Duration
}{
	{
		"lan",
		Link{Delay: 100 * time.Microsecond, Up: 1_000_000_000, Down: 1_000_000_000},
		200 * time.Microsecond,
		200_016 * time.Nanosecond, 8_100 * time.Microsecond,
	},
	{
		"50ms-20mbit",
		Link{Delay: 25 * time.Millisecond, Up: 20_000_000, Down: 20_000_000},
		50 * time.Millisecond,
		50_000_800 * time.Nanosecond, 425 * time.Millisecond,
	},
	{
		"200ms-1mbit",
		Link{Delay: 100 * time.Millisecond, Up: 1_000_000, Down: 1_000_000},
		200 * time.Millisecond,
		200_016 * time.Microsecond, 8_100 * time.Millisecond,
	},
}

func TestNamed(t *testing.T) {
	var names []string
	for _, want := range named {
		names = append(names, want.name)
		if got, err := Named(want.name); got != want.link || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", want.name, got, err, want.link)
		}
		if got := want.link.RTT(); got != want.rtt {
			t.Errorf("%s: round trips of %v, want %v", want.name, got, want.rtt)
		}
	}
	if !slices.Equal(Names(), names) {
		t.Errorf("links %q, want %q", Names(), names)
	}
	if _, err := Named("moon"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// TestNamedTimes: what takes how long over a link of that name.
func TestNamedTimes(t *testing.T) {
	for _, want := range named {
		t.Run(want.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, err := Named(want.name)
				if err != nil {
					t.Fatal(err)
				}
				l.fake = true
				here, there, dialled := dial(t, l)
				defer here.Close()
				defer there.Close()
				near(t, "dialling", dialled, want.rtt)
				near(t, "a ping", ping(t, here, there), want.ping)
				near(t, "a megabyte up", transfer(t, here, there, 1_000_000), want.megabyte)
				near(t, "a megabyte down", transfer(t, there, here, 1_000_000), want.megabyte)
			})
		})
	}
}

// dial returns a connection over a listener of its own, and how long dialling took.
func dial(t *testing.T, l Link) (here, there net.Conn, took time.Duration) {
	listener := l.Listen()
	defer listener.Close()
	start := time.Now()
	here, err := listener.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	took = time.Since(start)
	if there, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	return here, there, took
}

const year = 365 * 24 * time.Hour

// TestLimits: figures that no network has leave a connection that works.
func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		link             Link
		room             int // up
		rtt, up, down100 time.Duration
	}{
		"negative rates":    {Link{Delay: time.Second, Up: -1, Down: math.MinInt64}, 1 << 20, 2 * time.Second, time.Second, time.Second},
		"negative delay":    {Link{Delay: -time.Hour, Up: 8e6, Down: 8e3}, 10_000 + 64<<10, 0, time.Second, 100 * time.Millisecond},
		"the least delay":   {Link{Delay: math.MinInt64}, 1 << 20, 0, 0, 0},
		"more than is held": {Link{Delay: year, Up: 1e18, Down: 8e3}, 1 << 30, 2 * year, year, year + 100*time.Millisecond},
		"just what is held": {Link{Delay: year, Up: 8e3}, 1 << 30, 2 * year, year + 1000*time.Second, year},
		"the highest rate":  {Link{Up: math.MaxInt64}, 1 << 30, 0, 0, 0},
		"the longest delay": {Link{Delay: math.MaxInt64, Up: math.MaxInt64}, 1 << 30, 2 * year, year, year},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.link.fake = true
				if got := c.link.Room(c.link.Up); got != c.room {
					t.Errorf("room for %d bytes, want %d", got, c.room)
				}
				if got := c.link.RTT(); got != c.rtt {
					t.Errorf("round trips of %v, want %v", got, c.rtt)
				}
				here, there := c.link.Pipe()
				defer here.Close()
				defer there.Close()
				near(t, "a megabyte up", transfer(t, here, there, 1_000_000), c.up)
				near(t, "100 bytes down", transfer(t, there, here, 100), c.down100)
			})
		})
	}
}

// TestSmallWrites: how bytes are cut does not change how long they take, even where one
// of them takes less than a nanosecond.
func TestSmallWrites(t *testing.T) {
	for name, c := range map[string]struct {
		rate int64
		size int
		want time.Duration
	}{
		"800 ps a byte": {10_000_000_000, 1_000_000, 800 * time.Microsecond},
		"2.7 ns a byte": {3_000_000_000, 100_000, 266_666 * time.Nanosecond},
		"1 ns for all":  {1_000_000_000_000_000, 125_000, time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := Link{Up: c.rate, fake: true}.Pipe()
				defer here.Close()
				defer there.Close()
				start := time.Now()
				go func() {
					for range c.size {
						if _, err := here.Write([]byte{1}); err != nil {
							t.Error(err)
							return
						}
					}
				}()
				if n, err := io.ReadFull(there, make([]byte, c.size)); err != nil {
					t.Errorf("%d bytes read, %v", n, err)
				}
				if got := time.Since(start); got < c.want || got > c.want+time.Nanosecond {
					t.Errorf("%d bytes take %v, want %v", c.size, got, c.want)
				}
			})
		})
	}
}
