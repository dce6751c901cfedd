package badger

import (
	"context"
	"errors"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// KeysIn implements store.Messages. Over everything it scans keys alone. A
// narrower scope costs two rows more for each key of the range, and two more still
// for a delete.
//
// Where Badger cannot read a block it leaves out the rest of that table and goes on
// with the next, without an error. So reaching a key beyond to would show nothing, and
// no row has the number of keys in a range: the caller has to know it.
func (t *tenant) KeysIn(ctx context.Context, scope dwn.Scope, from, to dwn.Key) ([]dwn.Key, uint64, error) {
	keys, last := []dwn.Key{}, uint64(0)
	log := t.reader(1)
	err := t.store.view(ctx, func(txn *dgraph.Txn) error {
		row, err := t.row(txn)
		if err != nil {
			return err
		}
		last = row.last
		visited := 0
		return scan(txn, t.keys.prefix(kindKey), t.keys.key(from), func(item *dgraph.Item) error {
			key, ok := t.keys.parseKey(item.Key())
			switch {
			case !ok:
				return corrupt("key row of unknown form")
			case key.Compare(to) > 0:
				return errStop
			}
			if visited++; visited%pageSize == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			in := scope.All()
			if !in {
				attributes, err := log.current(txn, key)
				if err != nil {
					return err
				}
				in = scope.Matches(attributes)
			}
			if in {
				keys = append(keys, key)
			}
			return nil
		})
	})
	if err != nil {
		return nil, 0, err
	}
	return keys, last, nil
}

// current returns what scopes compare of a stored message as of the transaction:
// for a delete, with what it inherits by then.
func (r *logReader) current(txn *dgraph.Txn, key dwn.Key) (dwn.Attributes, error) {
	position, err := r.position(txn, key.ID)
	if err != nil {
		return dwn.Attributes{}, err
	}
	row, err := r.row(txn, position)
	if err != nil {
		return dwn.Attributes{}, err
	}
	if row.key != key {
		return dwn.Attributes{}, corrupt("position %d is that of %s, not of %s", position, dwn.CIDOf(row.key.ID), dwn.CIDOf(key.ID))
	}
	own, err := r.own(txn, row)
	if err != nil || own.Interface != "Records" || own.Method != "Delete" {
		return own, err
	}
	record, err := readRecord(txn, r.tenant.keys, recordDigest(own.RecordID))
	if err != nil || record.position == 0 {
		return own, err
	}
	return r.inherit(txn, own, record.position)
}

// position returns where in the log a stored message was accepted. It copies
// nothing of the message.
func (r *logReader) position(txn *dgraph.Txn, id dwn.ID) (position uint64, err error) {
	item, err := txn.Get(r.tenant.keys.message(id, 0))
	if errors.Is(err, dgraph.ErrKeyNotFound) {
		return 0, corrupt("key without message %s", dwn.CIDOf(id))
	}
	if err != nil {
		return 0, err
	}
	err = item.Value(func(value []byte) error {
		row, err := parseMessageRow(value)
		position = row.position
		return err
	})
	return position, err
}
