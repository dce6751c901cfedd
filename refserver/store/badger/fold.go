package badger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// KeepFold implements store.Folds. It writes chunks in transactions of 1 MiB, the
// last of which puts the new fold in the place of the old one.
func (t *tenant) KeepFold(ctx context.Context, name string, position uint64, data []byte) error {
	if err := store.CheckFoldName(name); err != nil {
		return err
	}
	up, err := t.newUpload(ctx, int64(len(data)))
	if err != nil {
		return err
	}
	if _, err := up.Write(data); err != nil {
		return errors.Join(fmt.Errorf("save fold %q: %w", name, err), up.abandon())
	}
	var row *foldRow
	if data != nil {
		row = &foldRow{position: position, size: int64(len(data)), upload: up.id, sum: foldSum(name, position, data)}
	}
	before, err := up.replaceFold(name, row)
	if err != nil {
		return fmt.Errorf("save fold %q: %w", name, err)
	}
	if before == (uploadID{}) {
		return nil
	}
	return t.discard(ctx, before)
}

// foldSum is the checksum of a fold: over its name, its position and its bytes.
func foldSum(name string, position uint64, data []byte) (sum digest) {
	named := nameDigest(name)
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(named[:], position))
	h.Write(data)
	h.Sum(sum[:0])
	return sum
}

// replaceFold puts row, whose bytes the upload has, or nothing, in the place of
// the fold of that name, and returns the upload that had the bytes of that, zero
// where there was none: it is marked as under way now. After an error of the disk it
// leaves the chunks alone: the transaction may be on it. What is not needed goes when
// the store is opened the next time.
func (u *upload) replaceFold(name string, row *foldRow) (before uploadID, err error) {
	t := u.tenant
	key := t.keys.fold(nameDigest(name))
	sent := false // to the disk
	run := t.write
	if row == nil {
		run = t.remove
	}
	err = run(u.ctx, func(txn *dgraph.Txn) error {
		old, found, err := readFold(txn, key)
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return err
		}
		if found {
			before = old.upload
			if err := txn.Set(uploadKey(before), t.keys[:]); err != nil {
				return err
			}
		}
		if row == nil {
			return txn.Delete(key)
		}
		if err := u.complete(txn); err != nil {
			return err
		}
		sent = true
		return txn.Set(key, row.append(nil))
	})
	if err != nil && !sent {
		err = errors.Join(err, u.abandon())
	}
	return before, err
}

// Fold implements store.Folds. It is one transaction, so that the chunks are
// those of the row.
func (t *tenant) Fold(ctx context.Context, name string) (position uint64, data []byte, ok bool, err error) {
	if err := store.CheckFoldName(name); err != nil {
		return 0, nil, false, err
	}
	var row foldRow
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		if row, ok, err = readFold(txn, t.keys.fold(nameDigest(name))); err == nil && ok {
			data, err = t.foldData(ctx, txn, row)
		}
		return err
	})
	if err == nil && ok && foldSum(name, row.position, data) != row.sum {
		err = corrupt("checksum of %d bytes", len(data))
	}
	switch {
	case errors.Is(err, store.ErrCorrupt):
		return 0, nil, false, fmt.Errorf("%w: %q: %w", store.ErrFoldDamaged, name, err)
	case err != nil || !ok:
		return 0, nil, false, err
	}
	return row.position, data, true, nil
}

// foldData puts a fold together from its chunks.
func (t *tenant) foldData(ctx context.Context, txn *dgraph.Txn, row foldRow) ([]byte, error) {
	const reserved = 64 << 20 // before chunks show that a size is true
	data := make([]byte, 0, min(row.size, reserved))
	for index := uint32(0); int64(len(data)) < row.size; index++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		chunk, err := read(txn, t.keys.chunk(row.upload, index))
		if err != nil {
			return nil, err
		}
		if int64(len(chunk)) != min(chunkSize, row.size-int64(len(data))) {
			return nil, corrupt("chunk %d has %d bytes", index, len(chunk))
		}
		data = append(data, chunk...)
	}
	return data, nil
}

// readFold returns the row at a key, and false without one.
func readFold(txn *dgraph.Txn, key []byte) (foldRow, bool, error) {
	value, err := read(txn, key)
	if err != nil || value == nil {
		return foldRow{}, false, err
	}
	row, err := parseFoldRow(value)
	return row, err == nil, err
}
