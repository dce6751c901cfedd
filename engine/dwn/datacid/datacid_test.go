package datacid

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// pattern yields size bytes by the rule of the golden sizes: byte i is
// (7*(i mod 251) + floor(i/1000)) mod 256.
type pattern struct{ at, size int }

func (p *pattern) Read(b []byte) (int, error) {
	n := min(len(b), p.size-p.at)
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	for i := range b[:n] {
		j := p.at + i
		b[i] = byte(7*(j%251) + j/1000)
	}
	p.at += n
	return n, nil
}

func TestGoldenSizes(t *testing.T) {
	f, err := os.Open("../../../testdata/vectors/dwn/datacid.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := 0
	for lines := bufio.NewScanner(f); lines.Scan(); seen++ {
		var v struct {
			Size int
			CID  string
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		c, n, err := Of(&pattern{size: v.Size})
		if err != nil || c.String() != v.CID || n != int64(v.Size) {
			t.Errorf("%d bytes: got %s, %d, %v, want %s", v.Size, c, n, err, v.CID)
		}
	}
	if seen < 20 {
		t.Errorf("only %d sizes", seen)
	}
}

// A reader may give as little as it likes at a time.
func TestSmallReads(t *testing.T) {
	for _, size := range []int{0, 1, 262144, 262145, 600000} {
		want, _, err := Of(&pattern{size: size})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []io.Reader{iotest.HalfReader(&pattern{size: size}), iotest.DataErrReader(&pattern{size: size})} {
			if got, n, err := Of(r); err != nil || got != want || n != int64(size) {
				t.Errorf("%d bytes: got %s, %d, %v, want %s", size, got, n, err, want)
			}
		}
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, size := range []int{0, 10, 262144, 300000} {
		_, n, err := Of(io.MultiReader(&pattern{size: size}, iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || n != int64(size) {
			t.Errorf("after %d bytes: got %d, %v", size, n, err)
		}
	}
}

// watcher notes how much memory is held while it is read from.
type watcher struct {
	r     io.Reader
	reads int
	peak  uint64
}

func (w *watcher) Read(p []byte) (int, error) {
	if w.reads++; w.reads%64 == 0 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.peak = max(w.peak, m.HeapAlloc)
	}
	return w.r.Read(p)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestMemoryDoesNotGrow(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 100 MB")
	}
	const size = 100_000_000
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	w := &watcher{r: io.LimitReader(zeros{}, size)}
	_, n, err := Of(w)
	if err != nil || n != size {
		t.Fatalf("got %d, %v", n, err)
	}
	if held := int64(w.peak) - int64(before.HeapAlloc); w.peak == 0 || held > 4<<20 {
		t.Errorf("held %d bytes, want at most 4 MiB", held)
	}
}

func BenchmarkOf(b *testing.B) {
	for _, size := range []int{1000, 30000, 1 << 20} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, _, err := Of(io.LimitReader(zeros{}, int64(size))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleOf() {
	c, n, err := Of(strings.NewReader("hello dwn"))
	fmt.Println(c, n, err)
	// Output: bafkreibrihtejzirxpk2rdb2eaymwytf6siykzy6vry6mly4c53mtlmy5i 9 <nil>
}
