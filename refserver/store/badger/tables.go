package badger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	dgraph "github.com/dgraph-io/badger/v4"
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
