package badger

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// memLog reads the log of a memtable, in Badger's format:
//
//	log     ID of a key (8 bytes, 0 = not encrypted), 12 bytes without a use, entries, zeros
//	entry   meta, user meta (1 byte each), lengths of key and value, expiry (varints),
//	        key, value, CRC-32C of all that stands before it in the entry (4 bytes)
//
// Fixed numbers are big-endian. A key ends in the complement of a timestamp. Entries
// with one timestamp and an entry that marks the end are a transaction.
type memLog struct {
	r  *bufio.Reader
	at int64 // where r stands
}

const (
	memHead      = 20      // bytes before the first entry
	maxMemKey    = 1 << 16 // what Badger reads at most
	maxMemValue  = 1 << 20 // Badger's ValueThreshold: longer ones are not in a log
	maxEntryHead = 22
	maxMemEntry  = maxEntryHead + maxMemKey + maxMemValue + crc32.Size

	metaTxn byte = 1 << 6 // an entry of a transaction
	metaEnd byte = 1 << 7 // the end of a transaction
)

// verifyMemLog returns where the last transaction ends before anything that is not
// whole, and where the last byte ends that is not zero: the same place, or an earlier
// one, if the log is whole.
func verifyMemLog(r io.Reader) (end, last int64, err error) {
	l := &memLog{r: bufio.NewReaderSize(r, maxMemEntry)}
	head, err := l.peek(memHead)
	if err != nil {
		return 0, 0, err
	}
	if len(head) < memHead {
		return 0, 0, corrupt("a log of %d bytes", len(head))
	}
	if id := binary.BigEndian.Uint64(head); id != 0 {
		return 0, 0, corrupt("encrypted with key %d", id)
	}
	if err := l.skip(memHead); err != nil {
		return 0, 0, err
	}
	if end, err = l.walk(); err != nil {
		return 0, 0, err
	}
	last, err = l.lastByte()
	return end, last, err
}

// walk goes to the first entry that is not whole, or in no transaction, and returns
// where the last whole transaction before it ends.
func (l *memLog) walk() (end int64, err error) {
	end = l.at
	begun := uint64(0) // timestamp of the transaction that is under way
	for {
		e, ok, err := l.entry()
		if err != nil || !ok {
			return end, err
		}
		switch ts := e.timestamp(); {
		case ts == 0 || begun != 0 && ts != begun:
			return end, nil
		case e.meta&metaTxn != 0:
			begun = ts
		case e.meta&metaEnd != 0 && begun != 0:
			begun, end = 0, l.at+int64(e.size)
		default:
			return end, nil
		}
		if err := l.skip(e.size); err != nil {
			return end, err
		}
	}
}

// lastByte goes to the end and returns where the last byte ends that is not zero: l.at if
// there is no later one.
func (l *memLog) lastByte() (last int64, err error) {
	for last = l.at; ; {
		data, err := l.peek(maxMemEntry)
		if err != nil || len(data) == 0 {
			return last, err
		}
		if n := len(bytes.TrimRight(data, "\x00")); n > 0 {
			last = l.at + int64(n)
		}
		if err := l.skip(len(data)); err != nil {
			return last, err
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

// entry returns the entry at which l stands, and false where there is no whole one.
func (l *memLog) entry() (e memEntry, ok bool, err error) {
	head, err := l.peek(maxEntryHead)
	if err != nil {
		return e, false, err
	}
	f := fields{rest: head}
	e.meta = f.byte()
	f.byte() // user meta
	key, value := f.number(), f.number()
	f.number() // expiry
	if f.bad || key == 0 || key > maxMemKey || value > maxMemValue {
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
	return e, castagnoli(data[:covered]) == binary.BigEndian.Uint32(data[covered:]), nil
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
