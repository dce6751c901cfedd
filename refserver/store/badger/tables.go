package badger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

// maxVerifiers bounds how many tables are read at a time: with more, the disk is
// what takes the time.
const maxVerifiers = 4

// verifyTables reads the tables that make up the Badger store in dir and compares
// every block, and every index, with its checksum: a damaged one is a
// store.ErrCorrupt. It has to run before Badger opens them, whose compactions begin
// then. dir must be locked, or nobody else know of it.
func verifyTables(dir string) error {
	files, err := listTables(dir)
	if err != nil {
		return err
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	errs := make([]error, min(runtime.GOMAXPROCS(0), maxVerifiers, len(files)))
	for w := range errs {
		workers.Go(func() {
			var v verifier
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				errs[w] = v.verifyFile(files[i])
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// tableFile is a table as the manifest knows it.
type tableFile struct {
	path string
	dgraph.TableManifest
}

// listTables returns the tables that the manifest in dir names, none where there is
// no manifest yet. Other tables are what a crash left: Badger removes them.
func listTables(dir string) (files []tableFile, err error) {
	f, err := os.Open(filepath.Join(dir, dgraph.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	opt := settings(dir, nil)
	manifest, _, err := dgraph.ReplayManifestFile(f, opt.ExternalMagicVersion, opt)
	if err != nil {
		return nil, corrupt("%v", err)
	}
	for id, t := range manifest.Tables {
		files = append(files, tableFile{table.NewFilename(id, dir), t})
	}
	return files, nil
}

// verifyFile verifies one table.
func (v *verifier) verifyFile(t tableFile) (err error) {
	f, err := os.Open(t.path)
	if errors.Is(err, os.ErrNotExist) {
		return corrupt("table %s is missing", t.path)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := v.verify(f, size, t.Compression); err != nil {
		return fmt.Errorf("table %s: %w", t.path, err)
	}
	return nil
}
