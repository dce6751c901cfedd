//go:build linux || darwin

package badger

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFolder locks dir, which it makes if it is not there, against every other
// Open, in the way that Badger does it: so versions of this package that leave it to
// Badger are kept out too. It returns errLocked where the folder is locked. The
// system releases the lock when the process ends.
func lockFolder(dir string) (folderLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return folderLock{}, err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return folderLock{}, err
	}
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errLocked
		}
		return folderLock{}, errors.Join(err, folder.Close())
	}
	return folderLock{folder}, nil
}
