package badger

import (
	"errors"
	"os"
)

// errLocked: another Open has the folder.
var errLocked = errors.New("folder is locked")

// folderLock is held from before a store's tables are verified until it is closed.
type folderLock struct{ folder *os.File }

// held reports whether there is a lock to release.
func (l folderLock) held() bool { return l.folder != nil }

// release gives the lock up. A zero lock needs no releasing.
func (l folderLock) release() error {
	if l.folder == nil {
		return nil
	}
	return l.folder.Close()
}
