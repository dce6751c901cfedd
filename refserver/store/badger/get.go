package badger

import (
	"context"
	"iter"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Get implements store.Messages.
func (t *tenant) Get(ctx context.Context, ids []dwn.ID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for rest := ids; len(rest) > 0; {
			page, err := t.page(ctx, rest)
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
			}
			if err != nil {
				yield(store.Entry{}, err)
				return
			}
			rest = rest[len(page):]
		}
	}
}

// page reads the first of ids, at least one, in one transaction. What it read
// before an error comes with the error.
func (t *tenant) page(ctx context.Context, ids []dwn.ID) (page []store.Entry, err error) {
	size := 0
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		for _, id := range ids[:min(len(ids), pageSize)] {
			entry, err := t.entry(txn, id)
			if err != nil {
				return err
			}
			page = append(page, entry)
			if size += entry.Size(); size >= pageBytes {
				return nil
			}
		}
		return nil
	})
	return page, err
}

// entry reads one message and its inline data.
func (t *tenant) entry(txn *dgraph.Txn, id dwn.ID) (store.Entry, error) {
	m, err := readMessage(txn, t.keys, id)
	if err != nil {
		return store.Entry{}, err
	}
	entry := store.Entry{Message: m}
	named, ok := m.Data()
	if !ok {
		return entry, nil
	}
	row, found, err := readData(txn, t.keys, dataDigest(named.CID))
	if err != nil {
		return store.Entry{}, err
	}
	// Data of another size than the message states cannot be this message's.
	entry.DataHeld = found && row.size == named.Size
	if entry.DataHeld {
		entry.Data = row.inline
	}
	return entry, nil
}

// readMessage puts a message together from its parts and checks that it is the
// one asked for.
func readMessage(txn *dgraph.Txn, keys keyspace, id dwn.ID) (*dwn.Message, error) {
	value, err := read(txn, keys.message(id, 0))
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, &store.MissingError{ID: id}
	}
	head, err := parseMessageRow(value)
	if err != nil {
		return nil, err
	}
	raw := head.first
	for part := byte(1); int64(len(raw)) < head.length; part++ {
		more, err := read(txn, keys.message(id, part))
		if err != nil {
			return nil, err
		}
		if len(more) == 0 || int64(len(raw)+len(more)) > head.length {
			return nil, corrupt("part %d of message %s", part, dwn.CIDOf(id))
		}
		raw = append(raw, more...)
	}
	m, err := dwn.ParseCBOR(raw)
	if err != nil || m.ID() != id {
		return nil, corrupt("bytes of message %s", dwn.CIDOf(id))
	}
	return m, nil
}

// readData returns the row that makes data visible, and false without one.
func readData(txn *dgraph.Txn, keys keyspace, d digest) (dataRow, bool, error) {
	value, err := read(txn, keys.data(d))
	if err != nil || value == nil {
		return dataRow{}, false, err
	}
	row, err := parseDataRow(value)
	return row, err == nil, err
}
