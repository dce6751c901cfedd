package badger

import (
	"context"
	"slices"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Keys implements store.Messages. Over everything it is one transaction that
// scans keys without values, about a second per million. A narrower scope folds
// the arrival log up to its newest position, in short transactions.
func (t *tenant) Keys(ctx context.Context, scope dwn.Scope) ([]dwn.Key, uint64, error) {
	if !scope.All() {
		return t.keysInScope(ctx, scope)
	}
	var keys []dwn.Key
	var last uint64
	err := t.store.view(ctx, func(txn *dgraph.Txn) error {
		row, err := t.row(txn)
		if err != nil {
			return err
		}
		last = row.last
		keys = make([]dwn.Key, 0, row.count)
		err = scan(txn, t.keys.prefix(kindKey), nil, func(item *dgraph.Item) error {
			key, ok := t.keys.parseKey(item.Key())
			if !ok {
				return corrupt("key row of unknown form")
			}
			if len(keys)%4096 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			keys = append(keys, key)
			return nil
		})
		if err == nil && uint64(len(keys)) != row.count {
			err = corrupt("%d keys, the tenant has %d messages", len(keys), row.count)
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return keys, last, nil
}

// keysInScope is Keys for a scope that leaves something out.
func (t *tenant) keysInScope(ctx context.Context, scope dwn.Scope) ([]dwn.Key, uint64, error) {
	keys := []dwn.Key{}
	rescoped := make(map[dwn.Key]bool) // deletes that changed, and whether they are in scope now
	last, err := t.fold(ctx, 1, func(e store.LogEntry) error {
		matches := scope.Matches(e.Attributes)
		switch {
		case e.Event == store.EventRescoped:
			rescoped[e.Key] = matches
		case matches:
			keys = append(keys, e.Key)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if len(rescoped) > 0 {
		keys = slices.DeleteFunc(keys, func(k dwn.Key) bool { _, changed := rescoped[k]; return changed })
		for key, matches := range rescoped {
			if matches {
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, dwn.Key.Compare)
	return keys, last, nil
}
