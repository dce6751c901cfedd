package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// heapPeak discards what is written and notes the most memory that was in use.
type heapPeak struct {
	writes int
	most   uint64
}

func (h *heapPeak) Write(p []byte) (int, error) {
	if h.writes++; h.writes%4 == 0 { // 256 KiB
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		h.most = max(h.most, stats.HeapAlloc)
	}
	return len(p), nil
}

// Ten times the messages take no more memory.
func TestGenStreams(t *testing.T) {
	var peak [2]heapPeak
	for i, n := range []int{500, 5000} {
		if code := run(t.Context(), std{nil, &peak[i], io.Discard}, []string{"gen", "-n", strconv.Itoa(n)}); code != 0 {
			t.Fatalf("exit code %d", code)
		}
	}
	if few, many := peak[0], peak[1]; few.most == 0 || many.most > few.most+1<<20 {
		t.Errorf("%d bytes in use after %d writes, %d after %d", few.most, few.writes, many.most, many.writes)
	}
}

// A signal and a reader that has gone away end it.
func TestGenEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var said strings.Builder
	if code := run(ctx, std{nil, io.Discard, &said}, []string{"gen"}); code != 1 || !strings.Contains(said.String(), context.Canceled.Error()) {
		t.Errorf("after a signal: exit code %d, %q", code, said.String())
	}
	said.Reset()
	if code := run(t.Context(), std{nil, full{}, &said}, []string{"gen"}); code != 1 || !strings.Contains(said.String(), errFull.Error()) {
		t.Errorf("with a full disk: exit code %d, %q", code, said.String())
	}
}

// What ends it leaves the file that was there, and no part of another.
func TestGenKeepsFile(t *testing.T) {
	for _, name := range []string{"gen.jsonl", "gen.jsonl.gz"} {
		dir := t.TempDir()
		out := filepath.Join(dir, name)
		if err := os.WriteFile(out, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if code := run(ctx, std{nil, io.Discard, io.Discard}, []string{"gen", "-out", out}); code != 1 {
			t.Errorf("%s: exit code %d, want 1", name, code)
		}
		if have, err := os.ReadFile(out); err != nil || string(have) != "before" {
			t.Errorf("%s: %.20q, %v, want what was there", name, have, err)
		}
		if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
			t.Errorf("%s: %v, %v, want one file", name, all, err)
		}
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
