package cold_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/dwn-sync/dwnsync/bench/internal/cold"
)

const fileSize = 16 << 20

// counted returns how many bytes f caused to be read from the disk.
func counted(t *testing.T, f func() error) int64 {
	t.Helper()
	before, err := cold.ReadBytes()
	if err == nil {
		err = f()
	}
	after, last := cold.ReadBytes()
	if err := errors.Join(err, last); err != nil {
		t.Fatal(err)
	}
	return after - before
}

// skipUncounted ends a test where there is nothing to be counted.
func skipUncounted(t *testing.T, dir string) {
	t.Helper()
	if ok, err := cold.Counts(dir); err != nil {
		t.Fatal(err)
	} else if !ok {
		t.Skip("bytes read from files in the temporary folder are not counted here")
	}
}

// TestDrop reads a file again after it was written, and after it was dropped.
func TestDrop(t *testing.T) {
	dir := t.TempDir()
	skipUncounted(t, dir)
	path := filepath.Join(dir, "inner", "file")
	content := make([]byte, fileSize)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content) // never fails
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	read := func() error {
		got, err := os.ReadFile(path)
		if err == nil && !bytes.Equal(got, content) {
			return errors.New("the file has changed")
		}
		return err
	}
	for range 2 {
		if err := cold.Drop(dir); err != nil {
			t.Fatal(err)
		}
		if got := counted(t, read); got < fileSize*9/10 || got > fileSize*11/10 {
			t.Errorf("after Drop, reading %d bytes counted %d", fileSize, got)
		}
		// Pages of the test's own program that are read meanwhile count too: the least of three counts.
		if got := min(counted(t, read), counted(t, read), counted(t, read)); got > fileSize/100 {
			t.Errorf("reading %d bytes again counted %d", fileSize, got)
		}
	}
}

// TestSize writes a file, and one that is mostly a hole.
func TestSize(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), bytes.Repeat([]byte{1}, fileSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hole"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "hole"), fileSize); err != nil {
		t.Fatal(err)
	}
	if err := cold.Drop(dir); err != nil {
		t.Skip(err) // sizes are lengths
	}
	if got, err := cold.Size(dir); err != nil || got < fileSize || got > fileSize*11/10 {
		t.Errorf("%d bytes and a hole take %d: %v", fileSize, got, err)
	}
}

func TestDropNothing(t *testing.T) {
	dir := t.TempDir()
	if err := cold.Drop(dir); err != nil {
		t.Error(err)
	}
	if err := cold.Drop(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Drop of a folder that is not there: %v", err)
	}
	if _, err := cold.Counts(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Counts of a folder that is not there: %v", err)
	}
}

// TestCounts: nothing is left of the file that Counts makes.
func TestCounts(t *testing.T) {
	dir := t.TempDir()
	if _, err := cold.Counts(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
