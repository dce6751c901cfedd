package badger

import (
	"context"
	"iter"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Last implements store.Arrivals.
func (t *tenant) Last(ctx context.Context) (last uint64, err error) {
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		row, err := t.row(txn)
		last = row.last
		return err
	})
	return last, err
}

// At implements store.Arrivals.
func (t *tenant) At(ctx context.Context, positions []uint64) iter.Seq2[store.LogEntry, error] {
	return func(yield func(store.LogEntry, error) bool) {
		r := t.reader(1)
		for rest := positions; len(rest) > 0; {
			page, err := r.acceptances(ctx, rest)
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
			}
			if err != nil {
				yield(store.LogEntry{}, err)
				return
			}
			rest = rest[len(page):]
		}
	}
}

// acceptances reads the entries at the first of positions, at least one, in one
// transaction. What it read before an error comes with the error.
func (r *logReader) acceptances(ctx context.Context, positions []uint64) (page []store.LogEntry, err error) {
	size := 0
	err = r.tenant.store.view(ctx, func(txn *dgraph.Txn) error {
		tenant, err := r.tenant.row(txn)
		if err != nil {
			return err
		}
		for _, position := range positions[:min(len(positions), pageSize)] {
			if position == 0 || position > tenant.last {
				return &store.PositionError{Position: position}
			}
			row, err := r.row(txn, position)
			if err != nil {
				return err
			}
			entry, err := r.entry(txn, position, row)
			if err != nil {
				return err
			}
			page = append(page, entry)
			if size += attributesSize(entry.Attributes); size >= pageBytes {
				return nil
			}
		}
		return nil
	})
	return page, err
}
