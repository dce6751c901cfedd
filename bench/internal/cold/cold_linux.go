package cold

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// dropFile writes f back, because pages that are not on the disk cannot be dropped,
// and drops its pages.
func dropFile(f *os.File) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("drop %s from the page cache: %w", f.Name(), err)
	}
	return nil
}

func fileBytes(info fs.FileInfo) int64 {
	const block = 512 // the unit of st_blocks, whatever the file system's is
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * block
	}
	return info.Size()
}

// ReadBytes returns how many bytes this process has caused to be read from block
// devices since it began, those that were read ahead and those behind mapped memory
// included. It returns ErrUnsupported where the kernel does not count them: on other
// systems than Linux, and on a Linux built without task accounting.
func ReadBytes() (int64, error) {
	const counters, name = "/proc/self/io", "read_bytes: "
	text, err := os.ReadFile(counters)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: no %s", ErrUnsupported, counters)
	} else if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name)); ok {
			return strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
		}
	}
	return 0, fmt.Errorf("%w: no %sin %s", ErrUnsupported, name, counters)
}

// Free returns how many bytes an ordinary user may still write to the disk that
// holds dir. It returns ErrUnsupported on other systems than Linux.
func Free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// readPastCache reads size bytes of a file from the device directly, ErrUnsupported
// if its file system has no such way.
func readPastCache(path string, size int) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) {
		return ErrUnsupported
	} else if err != nil {
		return err
	}
	// The device writes into this memory itself, which has to begin at a page.
	page, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = io.ReadFull(f, page)
	if errors.Is(err, unix.EINVAL) {
		err = ErrUnsupported
	}
	return errors.Join(err, unix.Munmap(page), f.Close())
}
