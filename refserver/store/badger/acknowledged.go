package badger

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	dgraph "github.com/dgraph-io/badger/v4"
)

// acknowledged tells damage from a crash. Badger takes the first entry of its newest
// log that is not whole for what a crash left, and drops what follows it: so a flipped
// bit would cost all later transactions, and nobody would be told. And nothing in a
// log can tell, because authors choose what is in messages.
//
// So transactions are counted in the order in which they get to disk. Each writes its
// number to the row acknowledged, and once it is on disk, before anyone is told so, its
// number is noted in a file. A store whose row is below that note lacks transactions that
// were acknowledged. Numbers of transactions that failed are left out.
//
// The file is not synced before Close. That a process ends costs nothing of it. After a
// power cut it may have an older number, and so says less; never a later one than the row,
// which was on disk before it was written.
type acknowledged struct {
	mu   sync.Mutex
	last uint64 // number that was given to a transaction

	noting sync.Mutex
	noted  uint64
	file   *os.File // nil before open
	slot   int64    // to write next
	err    error    // the first of the file, which costs no transaction
}

const (
	acknowledgedName = "acknowledged"
	// The file has two slots, in pages of their own: what a power cut tears is one. A
	// slot has a number (8 bytes, big-endian) and its CRC-32C.
	slots    = 2
	slotAt   = 4096
	slotSize = 8 + crc32.Size
)

// commit gives the transaction its number and returns when it is on disk. Badger gives
// out timestamps, and so places in the log, in the order of CommitWith, which
// waits for no disk and runs done outside of it, and not before.
func (a *acknowledged) commit(txn *dgraph.Txn) error {
	done := make(chan error, 1)
	number, err := a.send(txn, func(err error) { done <- err })
	if err == nil {
		err = <-done
	}
	if err == nil {
		a.note(number)
	}
	return err
}

func (a *acknowledged) send(txn *dgraph.Txn, done func(error)) (number uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	// No transaction reads this row, so that none conflicts by it.
	if err := txn.Set(acknowledgedKey(), binary.AppendUvarint(nil, a.last)); err != nil {
		return 0, err
	}
	txn.CommitWith(done)
	return a.last, nil
}

// note writes the number of a transaction that is on disk, as are all before it.
func (a *acknowledged) note(number uint64) {
	a.noting.Lock()
	defer a.noting.Unlock()
	if number <= a.noted {
		return
	}
	record := binary.BigEndian.AppendUint64(nil, number)
	record = binary.BigEndian.AppendUint32(record, castagnoli(record))
	if _, err := a.file.WriteAt(record, a.slot*slotAt); err != nil {
		a.err = cmp.Or(a.err, err)
		return
	}
	a.noted, a.slot = number, (a.slot+1)%slots
}

// open reads what is noted in the folder dir: 0 where there is no file, or none that
// can be understood.
func (a *acknowledged) open(dir string) (err error) {
	if a.file, err = os.OpenFile(filepath.Join(dir, acknowledgedName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	for slot := range int64(slots) {
		var record [slotSize]byte
		if _, err := a.file.ReadAt(record[:], slot*slotAt); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		number := binary.BigEndian.Uint64(record[:])
		if castagnoli(record[:8]) == binary.BigEndian.Uint32(record[8:]) && number > a.noted {
			a.noted, a.slot = number, (slot+1)%slots
		}
	}
	return nil
}

// close syncs the file. It returns what prevented that a number was noted, too.
func (a *acknowledged) close() error {
	if a.file == nil {
		return nil
	}
	return errors.Join(a.err, a.file.Sync(), a.file.Close())
}

// checkAcknowledged returns a store.ErrCorrupt if transactions are missing that were
// acknowledged. It changes nothing then, so that it is found again.
func (s *Store) checkAcknowledged() error {
	a := &s.acknowledged
	if err := a.open(s.dir); err != nil {
		return openError(s.dir, err)
	}
	err := s.db.View(func(txn *dgraph.Txn) error {
		row, err := read(txn, acknowledgedKey())
		if err != nil || row == nil {
			return err
		}
		f := fields{rest: row}
		a.last = f.number()
		return f.end("acknowledged")
	})
	if err != nil {
		return err
	}
	aside := filepath.Join(s.dir, asideName)
	if a.last >= a.noted {
		return unlessAbsent(os.Remove(aside))
	}
	kept := ""
	if _, err := os.Stat(aside); err == nil {
		kept = fmt.Sprintf("; the log that was not whole is kept in %s", aside)
	}
	return corrupt("up to %d acknowledged transactions, from %d on, are missing in %s: it is damaged, or an older copy%s; "+
		"put a copy of the whole folder in its place, or, to accept the loss, remove the file %s",
		a.noted-a.last, a.last+1, filepath.Join(s.dir, contentName), kept, a.file.Name())
}

// unlessAbsent returns err, and nil if it tells that there is no such file.
func unlessAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func castagnoli(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }
