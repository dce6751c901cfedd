package badger

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// asideName is the file, in a store's folder, that has the newest log as it was before
// something was cut off it, until it is known that nothing acknowledged was.
const asideName = "cut.mem"

// verifyMemLogs verifies the logs of memtables in dir, which a process leaves that
// did not close its store. dir must be locked: of a store in use it would cut what is
// being written. The value logs need no such care: no value is in them, see layoutVersion.
//
// Every log but the newest is whole to its last byte: Badger syncs a log after each
// transaction, makes a log when the one before is synced, or when it opens a
// store, and what a crash left in a log has been cut durably by then. The newest is
// cut where its last whole transaction ends, and copied to the file aside before, as
// Store.checkAcknowledged may find that this was no crash.
func verifyMemLogs(dir, aside string) error {
	names, err := listMemLogs(dir)
	if err != nil {
		return err
	}
	for i, name := range names {
		path := filepath.Join(dir, name)
		if err := verifyMemFile(path, i == len(names)-1, aside); err != nil {
			return fmt.Errorf("log %s: %w", path, err)
		}
	}
	return nil
}

// listMemLogs returns the names of the logs in dir, the newest last. It removes those
// of no bytes, on which Badger fails. A crash leaves them between making a log and
// giving it a size, and between taking its size and removing it, when a table has all that
// was in it. Nothing names a log, and a new one may get the same number.
func listMemLogs(dir string) (names []string, err error) {
	all, err := filesOf(dir, ".mem")
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, err
		case info.Size() > 0:
			names = append(names, name)
		default:
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	// They are numbers of five digits, or more.
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	return names, nil
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

// verifyMemFile verifies one log. Badger cuts a log too, but may lose that in a power
// cut, and allocates what the lengths in what it cuts claim.
func verifyMemFile(path string, newest bool, aside string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end, last, err := verifyMemLog(f)
	switch {
	case err != nil || end == info.Size():
		return err
	case last > end && !newest:
		return corrupt("no whole transaction at byte %d, and there is a later log", end)
	case last > end:
		if err := keepAside(f, last, aside); err != nil {
			return fmt.Errorf("keep a copy: %w", err)
		}
	}
	return errors.Join(f.Truncate(end), f.Sync())
}

// keepAside copies the first n bytes of f to the file aside, durably.
func keepAside(f *os.File, n int64, aside string) error {
	to, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.NewSectionReader(f, 0, n))
	return errors.Join(err, to.Sync(), to.Close(), syncFolder(filepath.Dir(aside)))
}
