package badger

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// memLog verifies the log of a memtable, in Badger's format:
//
//	log     ID of a key (8 bytes, 0 = not encrypted), 12 bytes without a use, entries, zeros
//	entry   meta, user meta (1 byte each), lengths of key and value, expiry (varints),
//	        key, value, CRC-32C of all that stands before it in the entry (4 bytes)
//
// Fixed numbers are big-endian. A key ends in the complement of a timestamp. Entries
// with one timestamp and an entry that marks the end are a transaction. Badger takes the
// first entry that is not whole for the end of the log, and drops what follows it: so a
// flipped bit would cost all later transactions, and nobody would be told.
//
// What tells damage from a crash is the order of syncs. Badger syncs a log after each
// transaction, before it writes a byte of the next one, and only then reports the
// transaction. So a crash can leave nothing but the last transaction of a log in
// part. Of that one any part may be there, its end included, because pages reach
// the disk in any order. Hence: where a transaction is not whole and the end of a later
// one is found, the first was on disk, and it is damaged. And every log but the newest
// is whole to its last byte: Badger makes a log when the one before is synced, or when
// it opens a store, and what a crash left in a log has been cut durably by then.
//
// Two things cannot be told by anything that is in the log:
//   - Damage to the last transaction of the newest log looks like a crash that cut it,
//     and so does damage to all of some transactions if the end of only one follows. They are
//     dropped: one Put, say. Only a process that did not close its store leaves a log.
//   - An author can put bytes into a message that look like the ends of later
//     transactions. They are seen if a crash cuts the very transaction that stores them: the
//     store is refused then, though nothing acknowledged is lost. The author has to know
//     about how many transactions the store has seen.
type memLog struct {
	r     *bufio.Reader
	at    int64  // where r stands
	end   int64  // of the last whole transaction
	begun uint64 // timestamp of the transaction that follows it, 0 where no entry of it is whole
}

const (
	memHead      = 20      // bytes before the first entry
	maxMemKey    = 1 << 16 // what Badger reads at most
	maxMemValue  = 1 << 20 // Badger's ValueThreshold: longer ones are not in a log
	maxEntryHead = 22
	maxMemEntry  = maxEntryHead + maxMemKey + maxMemValue + crc32.Size

	metaTxn byte = 1 << 6 // an entry of a transaction
	metaEnd byte = 1 << 7 // the end of a transaction

	// endKey begins the key of an entry that marks an end. endHead bytes stand before
	// it, and the value, the timestamp in digits, has at most maxEndValue.
	endKey      = "!badger!txn"
	endHead     = 5
	maxEndValue = 20
)

// verifyMemLog returns where the last whole transaction of a log ends; what follows
// is what a crash left of one that was not acknowledged. It returns a store.ErrCorrupt
// if more than that is not whole. newest tells that there is no later log.
func verifyMemLog(r io.Reader, newest bool) (end int64, err error) {
	l := &memLog{r: bufio.NewReaderSize(r, maxMemEntry)}
	head, err := l.peek(memHead)
	if err != nil {
		return 0, err
	}
	if len(head) == memHead {
		if id := binary.BigEndian.Uint64(head); id != 0 {
			return 0, corrupt("encrypted with key %d", id)
		}
		if err := l.skip(memHead); err != nil {
			return 0, err
		}
		l.end = memHead
		if err := l.walk(); err != nil {
			return 0, err
		}
	}
	if newest {
		return l.end, l.findLater()
	}
	return l.end, l.findRest()
}

// walk goes to the first entry that is not whole.
func (l *memLog) walk() error {
	for {
		e, ok, err := l.entry(maxMemValue)
		if err != nil || !ok {
			return err
		}
		switch ts := e.timestamp(); {
		case e.meta&metaTxn != 0 && (l.begun == 0 || ts == l.begun):
			l.begun = ts
		case e.meta&metaEnd != 0 && l.begun != 0 && ts == l.begun:
			l.begun, l.end = 0, l.at+int64(e.size)
		default:
			return corrupt("the entry at byte %d is not one of transaction %d", l.at, l.begun)
		}
		if err := l.skip(e.size); err != nil {
			return err
		}
	}
}

// findLater looks for the end of a transaction later than the one that is not whole. It
// searches, because the length of what is not whole may be what is damaged.
func (l *memLog) findLater() error {
	place, cut := l.at, l.begun
	for {
		found, err := l.seekEnd()
		if err != nil || !found {
			return err
		}
		e, ok, err := l.entry(maxEndValue)
		if err != nil {
			return err
		}
		if ok {
			// Where no entry tells the timestamp, the first end may be that of the
			// transaction that is not whole.
			if ts := e.timestamp(); cut == 0 {
				cut = ts
			} else if ts > cut {
				return corrupt("no whole entry at byte %d, and transaction %d ends at byte %d", place, ts, l.at+int64(e.size))
			}
		}
		if err := l.skip(1); err != nil {
			return err
		}
	}
}

// seekEnd goes to the next place that looks like an entry that marks an end, and
// returns false where there is none.
func (l *memLog) seekEnd() (found bool, err error) {
	const length = endHead + len(endKey)
	for !found {
		data, err := l.peek(max(l.r.Buffered(), length))
		if err != nil || len(data) < length {
			return false, err
		}
		n := bytes.Index(data[endHead:], []byte(endKey))
		if found = n >= 0; !found {
			n = len(data) - length + 1
		}
		if err := l.skip(n); err != nil {
			return false, err
		}
	}
	return found, nil
}

// findRest looks for anything but zeros after the last whole transaction.
func (l *memLog) findRest() error {
	if l.at != l.end {
		return corrupt("transaction %d ends at byte %d, and there is a later log", l.begun, l.at)
	}
	for {
		data, err := l.peek(maxMemEntry)
		if err != nil || len(data) == 0 {
			return err
		}
		if len(bytes.TrimLeft(data, "\x00")) != 0 {
			return corrupt("no whole entry at byte %d, and there is a later log", l.end)
		}
		if err := l.skip(len(data)); err != nil {
			return err
		}
	}
}

// memEntry is an entry of a log, valid until the log is read on.
type memEntry struct {
	meta byte
	key  []byte
	size int // of the whole entry
}

// timestamp returns the one in the key, 0 if there is none.
func (e memEntry) timestamp() uint64 {
	if len(e.key) <= 8 {
		return 0
	}
	return ^binary.BigEndian.Uint64(e.key[len(e.key)-8:])
}

// entry returns the entry at which l stands, and false where there is no whole one
// with a value of at most limit bytes.
func (l *memLog) entry(limit uint64) (e memEntry, ok bool, err error) {
	head, err := l.peek(maxEntryHead)
	if err != nil {
		return e, false, err
	}
	f := fields{rest: head}
	e.meta = f.byte()
	f.byte() // user meta
	key, value := f.number(), f.number()
	f.number() // expiry
	if f.bad || key == 0 || key > maxMemKey || value > limit {
		return e, false, nil
	}
	begin := len(head) - len(f.rest)
	covered := begin + int(key+value)
	e.size = covered + crc32.Size
	data, err := l.peek(e.size)
	if err != nil || len(data) < e.size {
		return e, false, err
	}
	e.key = data[begin : begin+int(key)]
	sum := crc32.Checksum(data[:covered], crc32.MakeTable(crc32.Castagnoli))
	return e, sum == binary.BigEndian.Uint32(data[covered:]), nil
}

// peek returns the next n bytes, at most maxMemEntry, and fewer at the end.
func (l *memLog) peek(n int) ([]byte, error) {
	data, err := l.r.Peek(n)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data, err
}

func (l *memLog) skip(n int) error {
	n, err := l.r.Discard(n)
	l.at += int64(n)
	return err
}
