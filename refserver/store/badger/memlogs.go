package badger

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// verifyMemLogs verifies the logs of memtables in dir, which a process leaves that
// did not close its store, and cuts what a crash left at the end of the newest. dir
// must be locked: of a store in use it would cut what is being written. The value logs
// need no such care: no value is in them, see layoutVersion.
func verifyMemLogs(dir string) error {
	names, err := filesOf(dir, ".mem")
	if err != nil {
		return err
	}
	// They are numbers of five digits, or more.
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	for i, name := range names {
		path := filepath.Join(dir, name)
		if err := verifyMemFile(path, i == len(names)-1); err != nil {
			return fmt.Errorf("log %s: %w", path, err)
		}
	}
	return nil
}

// filesOf returns the names in dir that end in suffix.
func filesOf(dir, suffix string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), suffix) {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

// verifyMemFile verifies one log and cuts it where its last whole transaction ends.
// Badger cuts too, but may lose that in a power cut, and allocates what the lengths in
// what it cuts claim. A log of no bytes is one that Badger was about to give a size,
// or to remove.
func verifyMemFile(path string, newest bool) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end, err := verifyMemLog(f, newest)
	if err != nil || end == info.Size() {
		return err
	}
	return errors.Join(f.Truncate(end), f.Sync())
}
