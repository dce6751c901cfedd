package badger

import (
	"context"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// Initial implements store.Records.
func (t *tenant) Initial(ctx context.Context, recordID string) (attributes dwn.Attributes, found bool, err error) {
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		value, err := read(txn, t.keys.record(recordDigest(recordID)))
		if err != nil || value == nil {
			return err
		}
		row, err := parseRecordRow(value)
		if err != nil || row.position == 0 {
			return err
		}
		m, err := readMessage(txn, t.keys, row.initial)
		if err != nil {
			return err
		}
		attributes, found = m.Attributes(), true
		return nil
	})
	return attributes, found, err
}
