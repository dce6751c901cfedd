package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/ristretto/v2/z"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Open opens the store in the folder dir and makes it, readable by its owner
// alone, if there is none. It returns
//   - store.ErrLocked if the folder is open elsewhere,
//   - store.ErrForeign if it holds other files and no store,
//   - store.ErrUnwritable if it cannot be written to,
//   - store.ErrFull if too little disk is free to open it safely,
//   - store.ErrCorrupt if it is damaged,
//   - store.ErrLayout if a newer version wrote it.
//
// It reads all of the store once, to see that it is whole: the tables, the list of
// tables, and, on Linux and macOS, the logs that a process leaves that did not close
// its store. What a crash left of a transaction or of an upload is removed. One kind of
// damage cannot be told from that: if the store was not closed, damage to the last
// transaction, one Put, say, drops it (see memLog). The caller closes the store.
func Open(dir string, opt Options) (*Store, error) {
	s := &Store{dir: dir, opt: opt}
	if s.opt.MinFree == 0 {
		s.opt.MinFree = DefaultMinFree
	}
	if s.opt.FreeSpace == nil {
		s.opt.FreeSpace = freeSpace
	}
	for i := range s.writers {
		s.writers[i] = make(chan struct{}, 1)
	}
	if err := prepareFolder(dir); err != nil {
		return nil, err
	}
	if err := s.room(min(s.opt.MinFree, minFreeToOpen)); err != nil {
		return nil, err
	}
	if err := s.openContent(filepath.Join(dir, contentName)); err != nil {
		return nil, errors.Join(openError(dir, err), s.lock.release())
	}
	if err := errors.Join(s.checkLayout(), s.sweep()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openContent locks the folder content, verifies its tables and logs and lets Badger
// open them. Nobody can change them in between.
func (s *Store) openContent(content string) (err error) {
	if s.lock, err = lockFolder(content); err != nil {
		return err
	}
	if err := verifyTables(content); err != nil {
		return err
	}
	if s.lock.held() { // a log of a store in use must not be cut
		if err := verifyMemLogs(content); err != nil {
			return err
		}
	}
	s.db, err = openBadger(settings(content, s.opt.Logger).WithBypassLockGuard(s.lock.held()))
	return err
}

// openBadger tries a second time where a crash between making a memtable's log
// and giving it a size left an empty file: the first attempt sizes the file and fails
// on finding it new, the second finds nothing in it. No data is in such a file.
func openBadger(opt dgraph.Options) (*dgraph.DB, error) {
	db, err := dgraph.Open(opt)
	if err != nil && strings.Contains(err.Error(), z.NewFile.Error()) {
		db, err = dgraph.Open(opt)
	}
	return db, err
}

// openError gives what Badger reports a kind. Badger keeps no error chain, so its
// text decides.
func openError(dir string, err error) error {
	switch text := err.Error(); {
	case errors.Is(err, errLocked), strings.Contains(text, "directory lock"):
		return fmt.Errorf("%w: %s is open in another process (a server that is running?); stop it, or talk to it over HTTP",
			store.ErrLocked, dir)
	case strings.Contains(text, "permission denied"), strings.Contains(text, "read-only file system"):
		return fmt.Errorf("%w: %s: %w", store.ErrUnwritable, dir, err)
	case strings.Contains(text, "no space left on device"):
		return fmt.Errorf("%w: %s: %w", store.ErrFull, dir, err)
	default:
		return fmt.Errorf("open store in %s: %w", dir, err)
	}
}

// checkLayout refuses layouts of newer versions and marks a new store.
func (s *Store) checkLayout() error {
	return s.db.Update(func(txn *dgraph.Txn) error {
		row, err := read(txn, layoutKey())
		if err != nil {
			return err
		}
		if row == nil {
			return txn.Set(layoutKey(), binary.AppendUvarint(nil, layoutVersion))
		}
		f := fields{rest: row}
		have := f.number()
		if err := f.end("layout"); err != nil {
			return err
		}
		if have != layoutVersion {
			return fmt.Errorf("%w: %s has layout %d, this version knows layout %d; use a newer dwnsync",
				store.ErrLayout, s.dir, have, layoutVersion)
		}
		return nil
	})
}
