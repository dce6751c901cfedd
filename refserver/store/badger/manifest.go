package badger

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

// listTables returns the tables that the manifest in dir names, none where there is
// no manifest yet. Other tables are what a crash left: Badger removes them.
func listTables(dir string) (files []tableFile, err error) {
	f, err := os.Open(filepath.Join(dir, dgraph.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return nil, noTables(dir)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	opt := settings(dir, nil)
	manifest, end, err := dgraph.ReplayManifestFile(f, opt.ExternalMagicVersion, opt)
	if err != nil {
		return nil, corrupt("%v", err)
	}
	if err := verifyManifestTail(f, end); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	for id, t := range manifest.Tables {
		files = append(files, tableFile{table.NewFilename(id, dir), t})
	}
	return files, nil
}

// noTables returns a store.ErrCorrupt if there are tables in dir: the manifest is
// there before the first of them, and Badger would make a new one and remove them all.
func noTables(dir string) error {
	names, err := filesOf(dir, ".sst")
	if err == nil && len(names) > 0 {
		err = corrupt("%s has %d tables and no manifest", dir, len(names))
	}
	return err
}

// verifyManifestTail looks at what follows the last change that Badger reads in the
// manifest f, at byte end: a change whose length reaches beyond the file. Badger takes it
// for one that a crash cut, and removes the tables that it and all later ones name. That
// it is, if no part of what follows has the checksum that it states; otherwise its length is
// damaged. (A change has 4 bytes of length, 4 of checksum, and its content, which the
// checksum covers. Any other damage to it is an error of the checksum.)
func verifyManifestTail(f io.ReadSeeker, end int64) error {
	if _, err := f.Seek(end, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReader(f)
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return unlessEOF(err)
	}
	poly := crc32.MakeTable(crc32.Castagnoli)
	want, sum := binary.BigEndian.Uint32(head[4:]), uint32(0)
	for sum != want { // the change of a new store has no bytes
		b, err := r.ReadByte()
		if err != nil {
			return unlessEOF(err)
		}
		sum = crc32.Update(sum, poly, []byte{b})
	}
	return corrupt("length of the change at byte %d", end)
}

// unlessEOF returns err, and nil if it tells the end.
func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
