// Package cold takes files out of the page cache and counts what is read from the
// disk afterwards, for benchmarks of a first request after a start.
//
// Cold means here: no page of the content of the files is in the memory of this
// machine's kernel, so reading them goes to the block device. It does not mean more.
// The kernel keeps what it knows of folders and of where files lie. The device has
// caches of its own, and that of a virtual machine is a file whose host may hold all of
// it in memory: bytes are counted right there too, but they come faster than from
// a disk. And the kernel reads ahead: one byte that is asked for counts as 128 kB, or as
// many megabytes as the device is set to read ahead, read_ahead_kb in its queue.
package cold

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrUnsupported: the operating system or the file system offers no way to do it.
var ErrUnsupported = errors.New("not supported here")

// Drop writes the content of every regular file in the folder dir and below it to
// the disk and takes it out of the page cache. Pages that any process has mapped stay:
// close what uses the files first. It returns ErrUnsupported on other systems than
// Linux, and has no effect on file systems that are in memory, which [Counts] tells.
func Drop(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(dropFile(f), f.Close())
	})
}

// Size returns how many bytes the regular files in the folder dir and below it take on
// the disk: holes count as nothing. On other systems than Linux it is their length,
// holes included. What was not written back yet may not be counted.
func Size(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sum += fileBytes(info)
		}
		return err
	})
	return sum, err
}

// Counts reports whether [ReadBytes] counts what is read from files in the folder dir.
// It finds out with a file of a MiB that it reads past the page cache and removes
// again.
func Counts(dir string) (counts bool, err error) {
	const size = 1 << 20
	f, err := os.CreateTemp(dir, ".cold-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, size)); err != nil {
		return false, err
	}
	if err := f.Sync(); err != nil {
		return false, err
	}
	before, err := ReadBytes()
	if err == nil {
		err = readPastCache(f.Name(), size)
	}
	if errors.Is(err, ErrUnsupported) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	after, err := ReadBytes()
	return after-before >= size, err
}
