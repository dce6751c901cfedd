package badger

import (
	"encoding/binary"
	"errors"
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
	manifest, _, err := dgraph.ReplayManifestFile(f, opt.ExternalMagicVersion, opt)
	if err != nil {
		return nil, corrupt("%v", err)
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

// cutManifest cuts from the manifest in dir, if there is one, what follows its last
// change that is within the file. Badger takes that for a change that a crash cut, or, if
// it states a length greater than the file's, fails. It was cut by a crash if no part of
// it has the checksum that it states; otherwise its length is damaged, and that
// change, and all later ones, would be lost. (A change has 4 bytes of length, 4 of checksum,
// and its content, which the checksum covers. Any other damage to it is an error of the
// checksum.) dir must be locked.
func cutManifest(dir string) (err error) {
	f, err := os.OpenFile(filepath.Join(dir, dgraph.ManifestFilename), os.O_RDWR, 0)
	if err != nil {
		return unlessAbsent(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(f)
	if err != nil || len(data) < manifestMagic {
		return err
	}
	rest := data[manifestMagic:]
	for len(rest) >= manifestHead {
		length := int64(binary.BigEndian.Uint32(rest))
		if length > int64(len(rest)-manifestHead) {
			break
		}
		rest = rest[manifestHead+length:]
	}
	if len(rest) == 0 {
		return nil
	}
	end := int64(len(data) - len(rest))
	if len(rest) >= manifestHead && hasSum(rest[manifestHead:], binary.BigEndian.Uint32(rest[4:])) {
		return corrupt("%s: length of the change at byte %d", f.Name(), end)
	}
	return errors.Join(f.Truncate(end), f.Sync())
}

// Bytes before the first change, and before the content of each.
const (
	manifestMagic = 8
	manifestHead  = 8
)

// hasSum reports whether the first bytes of data, or none, have a CRC-32C.
func hasSum(data []byte, want uint32) bool {
	poly, sum := crc32.MakeTable(crc32.Castagnoli), uint32(0)
	for i := range data {
		if sum == want {
			return true
		}
		sum = crc32.Update(sum, poly, data[i:i+1])
	}
	return sum == want
}
