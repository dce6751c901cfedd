package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	dgraph "github.com/dgraph-io/badger/v4"
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
// It reads all of the store once, to see that it is whole: the tables, and, on Linux
// and macOS, the list of tables and the logs that a process leaves that did not close its
// store. What a crash left of a transaction or of an upload is removed. If writes are
// missing that were acknowledged, because of damage or because the content is an
// older copy, it is store.ErrCorrupt, and the error says how to accept the loss.
//
// One kind of damage cannot be told from a crash: after a power cut, that to the last
// writes. The number of the last one is in a file that is not synced with each write, so what
// the power cut left of it may be older. Those writes are dropped then. The caller
// closes the store.
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
	for _, step := range []func() error{s.checkAcknowledged, s.checkLayout, s.sweep} {
		if err := step(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// openContent locks the folder content, verifies its tables and logs and lets Badger
// open them. Nobody can change them in between.
func (s *Store) openContent(content string) (err error) {
	if s.lock, err = lockFolder(content); err != nil {
		return err
	}
	if s.lock.held() { // what a store in use writes must not be cut
		if err := cutManifest(content); err != nil {
			return err
		}
	}
	if err := verifyTables(content); err != nil {
		return err
	}
	if s.lock.held() {
		if err := verifyMemLogs(content, filepath.Join(s.dir, asideName)); err != nil {
			return err
		}
	}
	s.db, err = dgraph.Open(settings(content, s.opt.Logger).WithBypassLockGuard(s.lock.held()))
	return err
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
