package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs test with a connection of half a second one way, in fake time. That no
// goroutine is left is checked by synctest.
func inBubble(t *testing.T, test func(t *testing.T, here, there net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		here, there := slow.Pipe()
		defer there.Close()
		defer here.Close()
		test(t, here, there)
	})
}

var slow = Link{Delay: time.Second / 2, Up: 8e6, Down: 8e6, fake: true}

// TestBytes: what is read is what was written, both ways, whatever the sizes of reads
// and writes.
func TestBytes(t *testing.T) {
	for name, l := range links(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := l.Pipe()
				var wg sync.WaitGroup
				wg.Go(func() { write(t, 1, here) })
				wg.Go(func() { write(t, 2, there) })
				wg.Go(func() { read(t, 1, there) })
				wg.Go(func() { read(t, 2, here) })
				wg.Wait()
				here.Close()
				there.Close()
			})
		})
	}
}

const volume = 300_000

// content is what is written under a seed.
func content(seed byte) []byte {
	all := make([]byte, volume)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(all) // never fails
	return all
}

func write(t *testing.T, seed byte, c net.Conn) {
	random := rand.New(rand.NewPCG(1, uint64(seed)))
	for rest := content(seed); len(rest) > 0; {
		b := bytes.Clone(rest[:min(len(rest), random.IntN(1<<random.IntN(17)))])
		if n, err := c.Write(b); n != len(b) || err != nil {
			t.Errorf("%d of %d bytes written, %v", n, len(b), err)
			return
		}
		rest = rest[len(b):]
		clear(b) // a writer may use its memory again
		time.Sleep(time.Duration(random.IntN(2e6)))
	}
}

func read(t *testing.T, seed byte, c net.Conn) {
	random := rand.New(rand.NewPCG(2, uint64(seed)))
	var got []byte
	for len(got) < volume {
		b := make([]byte, random.IntN(1<<random.IntN(17)))
		n, err := c.Read(b)
		if err != nil {
			t.Error(err)
			return
		}
		if n == 0 && len(b) > 0 {
			t.Error("nothing was read, without an error")
			return
		}
		got = append(got, b[:n]...)
		time.Sleep(time.Duration(random.IntN(2e6)))
	}
	if !bytes.Equal(got, content(seed)) {
		t.Error("other bytes were read than written")
	}
}

// TestWrites: the bytes of two writes at once do not mix.
func TestWrites(t *testing.T) {
	inBubble(t, func(t *testing.T, here, there net.Conn) {
		const size = 1 << 20 // more than there is room for
		var wg sync.WaitGroup
		for _, b := range []byte{1, 2} {
			wg.Go(func() {
				if _, err := here.Write(bytes.Repeat([]byte{b}, size)); err != nil {
					t.Error(err)
				}
			})
		}
		got := make([]byte, 2*size)
		if _, err := io.ReadFull(there, got); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(got[:size], got[:1]); n != size {
			t.Errorf("of the first %d bytes %d are of the first write", size, n)
		}
		wg.Wait()
	})
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() && errors.Is(err, os.ErrDeadlineExceeded)
}

func TestReadDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, here, there net.Conn) {
		b := make([]byte, 10)
		start := time.Now()
		expires := func(after time.Duration) {
			t.Helper()
			if n, err := there.Read(b); n != 0 || !isTimeout(err) {
				t.Errorf("%d bytes, %v", n, err)
			}
			near(t, "a deadline", time.Since(start), after)
		}
		_ = there.SetReadDeadline(start.Add(time.Second))
		expires(time.Second)
		expires(time.Second) // still
		_ = there.SetDeadline(start.Add(-time.Hour))
		expires(time.Second)
		// One that is set while somebody waits.
		_ = there.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { _ = there.SetReadDeadline(time.Now()) })
		expires(2 * time.Second)
		// Before what is under way arrives, and behind it.
		_ = there.SetReadDeadline(start.Add(2*time.Second + slow.Delay/2))
		if _, err := here.Write([]byte("hello")); err != nil {
			t.Error(err)
		}
		expires(2*time.Second + slow.Delay/2)
		_ = there.SetReadDeadline(start.Add(time.Minute))
		if n, err := there.Read(b); n != 5 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// TestRoom: without a reader a connection takes what Room says, and a deadline ends the wait.
func TestRoom(t *testing.T) {
	inBubble(t, func(t *testing.T, here, there net.Conn) {
		room := slow.Room(slow.Up)
		if want := 500_000 + 10_000 + 64<<10; room != want {
			t.Errorf("room for %d bytes, want %d", room, want)
		}
		start := time.Now()
		_ = here.SetWriteDeadline(start.Add(time.Minute))
		n, err := here.Write(make([]byte, 1<<20))
		if n > room || n <= room-chunkBytes || !isTimeout(err) {
			t.Errorf("%d bytes, %v", n, err)
		}
		near(t, "a deadline", time.Since(start), time.Minute)
		if n, err := here.Write(nil); n != 0 || !isTimeout(err) {
			t.Errorf("%d bytes, %v", n, err)
		}
		_ = here.SetDeadline(time.Time{})
		// What is read makes room, at once.
		if _, err := io.ReadFull(there, make([]byte, 10*chunkBytes)); err != nil {
			t.Error(err)
		}
		if n, err := here.Write(make([]byte, 10*chunkBytes)); n != 10*chunkBytes || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		near(t, "the write", time.Since(start), time.Minute)
	})
}

// TestClose: what was written before arrives, then the end; what is written to who is gone fails.
func TestClose(t *testing.T) {
	inBubble(t, func(t *testing.T, here, there net.Conn) {
		start := time.Now()
		if _, err := here.Write(make([]byte, 100_000)); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := here.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := here.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("writing to a closed connection: %v", err)
		}
		if _, err := here.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("reading from a closed connection: %v", err)
		}
		if _, err := there.Write([]byte{1}); err != nil {
			t.Errorf("before the news arrives: %v", err)
		}
		if all, err := io.ReadAll(there); len(all) != 100_000 || err != nil {
			t.Errorf("%d bytes, %v", len(all), err)
		}
		near(t, "the end", time.Since(start), slow.Delay+sending(100_000, slow.Up))
		if _, err := there.Write([]byte{1}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("writing to who is gone: %v", err)
		}
	})
}

// TestCloseWakes: closing either end ends a Read and a Write that wait.
func TestCloseWakes(t *testing.T) {
	for _, far := range []bool{false, true} {
		inBubble(t, func(t *testing.T, here, there net.Conn) {
			var reading, writing error
			var wg sync.WaitGroup
			start := time.Now()
			var readFor, writtenFor time.Duration
			wg.Go(func() {
				_, reading = here.Read(make([]byte, 1))
				readFor = time.Since(start)
			})
			wg.Go(func() {
				_, writing = here.Write(make([]byte, 1<<20))
				writtenFor = time.Since(start)
			})
			synctest.Wait()
			closed, delay, want, wantWriting := here, time.Duration(0), net.ErrClosed, error(net.ErrClosed)
			if far {
				closed, delay, want, wantWriting = there, slow.Delay, io.EOF, syscall.EPIPE
			}
			closed.Close()
			wg.Wait()
			near(t, "the end of reading", readFor, delay)
			near(t, "the end of writing", writtenFor, delay)
			if !errors.Is(reading, want) || !errors.Is(writing, wantWriting) {
				t.Errorf("far %t: reading ends with %v, writing with %v", far, reading, writing)
			}
		})
	}
}

func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := slow.Listen()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: %v", err)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), slow.RTT()/2)
		defer cancel()
		if _, err := listener.Dial(ctx, "", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial: %v", err)
		}
		synctest.Wait()
		listener.Close()
		wg.Wait()
		if _, err := listener.Dial(t.Context(), "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial: %v", err)
		}
	})
}

// TestBacklog: who dials more often than is accepted is refused, and what nobody accepts is closed.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := Link{fake: true}.Listen()
		var first net.Conn
		for i := range backlog + 1 {
			c, err := listener.Dial(t.Context(), "", "")
			if i == 0 {
				first = c
			}
			if refused := errors.Is(err, syscall.ECONNREFUSED); refused != (i == backlog) {
				t.Fatalf("connection %d: %v", i, err)
			}
		}
		listener.Close()
		listener.Close()
		if _, err := first.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("reading from what nobody accepted: %v", err)
		}
	})
}
