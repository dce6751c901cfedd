package badger

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/ipfs/go-cid"
)

// flushSize is how many bytes of an upload one transaction writes, and so what
// an upload needs of memory.
const flushSize = 4 * chunkSize

// sweepSize is how many rows one transaction deletes.
const sweepSize = 1000

// PutData implements store.Data.
func (t *tenant) PutData(ctx context.Context, c cid.Cid, r io.Reader) error {
	return t.PutDataUnder(ctx, c, r, nil)
}

// PutDataUnder implements store.Owed.
func (t *tenant) PutDataUnder(ctx context.Context, c cid.Cid, r io.Reader, grants []string) error {
	if err := t.indexFor(ctx, grants); err != nil {
		return err
	}
	due, held, err := t.expect(ctx, c, grants)
	if err != nil || held {
		return err
	}
	up, err := t.newUpload(ctx, due.limit)
	if err != nil {
		return err
	}
	have, size, err := datacid.Of(io.TeeReader(io.LimitReader(r, min(due.limit, math.MaxInt64-1)+1), up))
	switch {
	case up.err != nil: // the reason for the failure that datacid saw
		err = up.err
	case err != nil:
		err = fmt.Errorf("read data %s: %w", c, err)
	case size > due.limit:
		err = due.over
	case !have.Equals(c):
		err = fmt.Errorf("%w: %d bytes of %s where %s is due", store.ErrDataMismatch, size, have, c)
	default:
		return up.finish(c, size, grants)
	}
	return errors.Join(err, up.abandon())
}

// due is what data may have of bytes, and why it may not have more.
type due struct {
	limit int64
	over  error
}

// expect returns how long the data c may be: as messages state, and as the quota has room
// for. It is store.ErrQuota where that is too little for every size that is stated, and
// store.ErrRevoked where a grant has ended. Held says that the data is here already.
func (t *tenant) expect(ctx context.Context, c cid.Cid, grants []string) (expected due, held bool, err error) {
	d := dataDigest(c)
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		if err := t.checkGrants(txn, grants); err != nil {
			return err
		}
		if held, err = has(txn, t.keys.data(d)); err != nil || held {
			return err
		}
		least, largest, err := t.stated(txn, d)
		if err != nil {
			return fmt.Errorf("no message names data %s: %w", c, err)
		}
		row, err := t.row(txn)
		if err != nil {
			return err
		}
		left := t.store.opt.Quota.Left(row.usage())
		if least > left {
			return store.ErrQuota
		}
		expected = due{largest, fmt.Errorf("%w: more than the %d bytes that a message states for %s", store.ErrDataMismatch, largest, c)}
		if left < largest {
			expected = due{left, store.ErrQuota}
		}
		return nil
	})
	return expected, held, err
}

// stated returns the least and the largest size that a message states for data, or
// store.ErrNotFound where none names it.
func (t *tenant) stated(txn *dgraph.Txn, d digest) (least, largest int64, err error) {
	prefix := t.keys.names(d)
	size := func(it *dgraph.Iterator) int64 { return int64(binary.BigEndian.Uint64(it.Item().Key()[len(prefix):])) }
	first := txn.NewIterator(dgraph.IteratorOptions{Prefix: prefix})
	defer first.Close()
	last := txn.NewIterator(dgraph.IteratorOptions{Prefix: prefix, Reverse: true})
	defer last.Close()
	first.Seek(prefix)
	last.Seek(append(prefix[:len(prefix):len(prefix)], 0xff))
	if !first.Valid() || !last.Valid() {
		return 0, 0, store.ErrNotFound
	}
	return size(first), size(last), nil
}

// upload is a Writer that keeps chunks where nobody sees them: of record data, or
// of a fold.
type upload struct {
	ctx    context.Context // of the one call that the upload lives for
	tenant *tenant
	id     uploadID
	buf    []byte // not yet written
	chunks uint32 // written
	err    error  // the first of Write
}

// newUpload begins an upload of at most limit bytes.
func (t *tenant) newUpload(ctx context.Context, limit int64) (*upload, error) {
	u := &upload{ctx: ctx, tenant: t, buf: make([]byte, 0, min(limit, flushSize))}
	_, err := rand.Read(u.id[:])
	return u, err
}

func (u *upload) Write(p []byte) (int, error) {
	n := len(p)
	if u.err = u.ctx.Err(); u.err != nil {
		return 0, u.err
	}
	for len(p) > 0 {
		k := min(len(p), flushSize-len(u.buf))
		u.buf, p = append(u.buf, p[:k]...), p[k:]
		// A full buffer waits for the next byte: the last chunks go with the row that shows them.
		if len(p) > 0 {
			if u.err = u.flush(); u.err != nil {
				return 0, u.err
			}
		}
	}
	return n, nil
}

// flush writes the buffer, which is full.
func (u *upload) flush() error {
	s := u.tenant.store
	err := s.update(u.ctx, s.opt.MinFree, func(txn *dgraph.Txn) error {
		if u.chunks == 0 {
			if err := txn.Set(uploadKey(u.id), u.tenant.keys[:]); err != nil {
				return err
			}
		}
		return u.putChunks(txn)
	})
	u.chunks += uint32(len(u.buf) / chunkSize)
	u.buf = u.buf[:0]
	return err
}

// putChunks writes the buffer as chunks after those written before.
func (u *upload) putChunks(txn *dgraph.Txn) error {
	index := u.chunks
	for rest := u.buf; len(rest) > 0; index++ {
		n := min(len(rest), chunkSize)
		if err := txn.Set(u.tenant.keys.chunk(u.id, index), rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// finish makes the data visible, unless another upload has done so meanwhile or one of grants
// has ended. After an error of the disk it leaves the chunks alone: the transaction may be on
// it. What is not needed goes when the store is opened the next time.
func (u *upload) finish(c cid.Cid, size int64, grants []string) error {
	useless := false
	err := u.tenant.write(u.ctx, func(txn *dgraph.Txn) (err error) {
		useless, err = u.show(txn, c, size, grants)
		return err
	})
	if useless {
		return errors.Join(err, u.abandon())
	}
	return err
}

// show writes the rows that make the data visible. Useless says that the chunks are not needed
// and that this transaction has not shown them: the data is held already, or may not be.
func (u *upload) show(txn *dgraph.Txn, c cid.Cid, size int64, grants []string) (useless bool, err error) {
	t, d := u.tenant, dataDigest(c)
	if err := t.checkGrants(txn, grants); err != nil {
		return errors.Is(err, store.ErrRevoked), err
	}
	if held, err := has(txn, t.keys.data(d)); err != nil {
		return false, err
	} else if held {
		return true, errUnchanged
	}
	if stated, err := hasPrefix(txn, t.keys.namesOfSize(d, size)); err != nil {
		return false, err
	} else if !stated {
		return true, fmt.Errorf("%w: %s has %d bytes, no message here states that size", store.ErrDataMismatch, c, size)
	}
	if err := t.charge(txn, size); err != nil {
		return errors.Is(err, store.ErrQuota), err
	}
	if size <= dwn.MaxInlineData {
		return false, keepInline(txn, t.keys, d, u.buf)
	}
	if err := u.complete(txn); err != nil {
		return false, err
	}
	return false, showData(txn, t.keys, d, dataRow{size: size, upload: u.id})
}

// complete writes the last chunks and takes the upload out of those under way: the
// transaction's other rows make it visible.
func (u *upload) complete(txn *dgraph.Txn) error {
	if err := u.putChunks(txn); err != nil || u.chunks == 0 {
		return err
	}
	return txn.Delete(uploadKey(u.id))
}

// hasPrefix reports whether any key begins with prefix.
func hasPrefix(txn *dgraph.Txn, prefix []byte) (found bool, err error) {
	err = scan(txn, prefix, nil, func(*dgraph.Item) error {
		found = true
		return errStop
	})
	return found, err
}

// abandon removes what was written. Its caller's context may have ended.
func (u *upload) abandon() error {
	if u.chunks == 0 {
		return nil
	}
	return u.tenant.discard(u.ctx, u.id)
}

// discard removes an upload that is marked as under way. ctx may have ended.
func (t *tenant) discard(ctx context.Context, id uploadID) error {
	if err := t.store.enter(context.WithoutCancel(ctx)); err != nil {
		return nil // closed: removed when the store is opened again
	}
	defer t.store.leave()
	return t.store.removeUpload(t.keys, id)
}

// sweep removes all uploads. It runs before anyone can begin one.
func (s *Store) sweep() error {
	for {
		var keys keyspace
		var id uploadID
		found := false
		err := s.db.View(func(txn *dgraph.Txn) error {
			return scan(txn, []byte{rowUpload}, nil, func(item *dgraph.Item) error {
				found = true
				copy(id[:], item.Key()[1:])
				err := item.Value(func(value []byte) error {
					copy(keys[:], value)
					return nil
				})
				if err == nil {
					err = errStop
				}
				return err
			})
		})
		if err != nil || !found {
			return err
		}
		if err := s.removeUpload(keys, id); err != nil {
			return err
		}
	}
}

// removeUpload deletes an upload's chunks and then its mark. It works on a disk
// that is nearly full: it is how room is made.
func (s *Store) removeUpload(keys keyspace, id uploadID) error {
	for more := true; more; {
		var rows [][]byte
		err := s.db.Update(func(txn *dgraph.Txn) error {
			err := scan(txn, keys.chunks(id), nil, func(item *dgraph.Item) error {
				if rows = append(rows, item.KeyCopy(nil)); len(rows) == sweepSize {
					return errStop
				}
				return nil
			})
			if more = len(rows) == sweepSize; !more {
				rows = append(rows, uploadKey(id))
			}
			for _, row := range rows {
				err = errors.Join(err, txn.Delete(row))
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("remove an unfinished upload: %w", err)
		}
	}
	return nil
}
