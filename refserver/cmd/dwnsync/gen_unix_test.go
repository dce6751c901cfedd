//go:build unix

package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe is written to, not replaced.
func TestGenPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(name, os.O_RDWR, 0) // does not wait for a writer
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if code := run(t.Context(), std{nil, io.Discard, io.Discard}, []string{"gen", "-n", "1", "-out", name}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if info, err := os.Lstat(name); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Fatalf("%v, %v, want the pipe", info, err)
	}
	some := make([]byte, 1<<10)
	if n, err := pipe.Read(some); err != nil || !bytes.HasPrefix(some[:n], []byte("{")) {
		t.Errorf("%.20q, %v, want a message", some[:n], err)
	}
}
