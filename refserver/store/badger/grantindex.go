package badger

import (
	"context"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// noteGrant writes the row of a message, with these attributes, that is a grant or
// revokes one.
func (w *writer) noteGrant(m *dwn.Message, a dwn.Attributes) error {
	if !dwn.IsPermissions(a.Protocol) {
		return nil
	}
	if store.IsGrant(m) {
		return w.txn.Set(w.keys.grant(recordDigest(m.RecordID())), nil)
	}
	if recordID, ok := store.Revokes(m, w.row.did); ok {
		record := recordDigest(recordID)
		if err := w.txn.Set(w.keys.revoked(record), nil); err != nil {
			return err
		}
		return w.endGrant(record)
	}
	return nil
}

// indexed moves row i on to the end of the log if it was there when that was last. If
// not, it has to stay behind what the scan has yet to read.
func (w *writer) indexed(last uint64) error {
	if last == w.row.last {
		return nil
	}
	to, err := readIndexed(w.txn, w.keys)
	if err != nil || to != last {
		return err
	}
	return w.setIndexed(w.row.last)
}

func (w *writer) setIndexed(to uint64) error {
	return w.txn.Set(w.keys.indexed(), appendIndexed(nil, to))
}

// readIndexed returns the position to which the rows g and v go, 0 without row i.
func readIndexed(txn *dgraph.Txn, keys keyspace) (uint64, error) {
	value, err := read(txn, keys.indexed())
	if err != nil || value == nil {
		return 0, err
	}
	return parseIndexed(value)
}

// indexGrants makes the rows g and v of a log that a version of before wrote, or a part
// of it: of at most n entries in a transaction. Each moves row i on, so that a scan that ends
// early goes on where it was, and two at a time share the work. Once row i is at the end of
// the log it stays there (see writer.indexed), and nothing is to do any more.
func (t *tenant) indexGrants(ctx context.Context, n int) error {
	for {
		behind := false
		err := t.store.view(ctx, func(txn *dgraph.Txn) error {
			row, err := t.row(txn)
			if err != nil {
				return err
			}
			to, err := readIndexed(txn, t.keys)
			if err == nil && to > row.last {
				err = corrupt("grants are indexed to position %d of %d", to, row.last)
			}
			behind = to < row.last
			return err
		})
		if err != nil || !behind {
			return err
		}
		// What it writes is little, and reading depends on it.
		if err := t.writeLittle(ctx, func(txn *dgraph.Txn) error { return t.indexPage(txn, n) }); err != nil {
			return err
		}
	}
}

// indexPage makes the rows of the next n entries of the log, or fewer where many of
// them are permissions, which it has to read.
func (t *tenant) indexPage(txn *dgraph.Txn, n int) error {
	row, err := t.row(txn)
	if err != nil {
		return err
	}
	before, err := readIndexed(txn, t.keys)
	if err != nil {
		return err
	}
	if before >= row.last {
		return errUnchanged // another scan was here
	}
	w, r := &writer{txn: txn, keys: t.keys, row: row}, t.reader(before+1)
	permissions := 0
	err = scan(txn, t.keys.prefix(kindLog), t.keys.log(r.next), func(item *dgraph.Item) error {
		if n == 0 || permissions == pageSize || r.next > row.last {
			return errStop
		}
		if position := lastNumber(item.Key()); position != r.next {
			return corrupt("log has position %d after %d", position, r.next-1)
		}
		noted, err := w.index(r, item)
		if noted {
			permissions++
		}
		n--
		r.next++
		return err
	})
	if err != nil {
		return err
	}
	if r.next == before+1 {
		return corrupt("log ends at %d, want %d", before, row.last)
	}
	return w.setIndexed(r.next - 1)
}

// index makes the row of one entry of the log, and reports whether it had to read its
// message for that.
func (w *writer) index(r *logReader, item *dgraph.Item) (noted bool, err error) {
	var row logRow
	err = item.Value(func(value []byte) (err error) {
		row, err = parseLogRow(value, r.names)
		return err
	})
	if err != nil {
		return false, err
	}
	own, err := r.own(w.txn, row)
	if err != nil {
		return false, err
	}
	if own.Interface == "Records" && own.Method == "Delete" && own.Author == w.row.did {
		return false, w.endGrant(recordDigest(own.RecordID)) // as link does
	}
	if !dwn.IsPermissions(own.Protocol) {
		return false, nil
	}
	m, err := readMessage(w.txn, w.keys, row.key.ID)
	if err != nil {
		return false, corrupt("position %d of the log: %v", r.next, err)
	}
	return true, w.noteGrant(m, own)
}
