package badger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// pageSize and pageBytes bound what one read transaction collects before its
// rows are yielded outside of it.
const (
	pageSize  = 256
	pageBytes = 4 << 20
)

// Store is a store.Store in one folder. It is safe for concurrent use.
type Store struct {
	dir string
	opt Options
	db  *dgraph.DB
	// lock keeps other processes out. Zero where Badger does that itself.
	lock folderLock

	acknowledged acknowledged

	mu      sync.Mutex
	closed  bool
	users   sync.WaitGroup // calls between enter and leave
	closing sync.Once

	// writers serialise the writes of a tenant, so that positions are dense and
	// no two transactions conflict. Tenants share them by the first byte of their
	// digest; each holds one token at most.
	writers [256]chan struct{}
}

var _ store.Store = (*Store)(nil)

// enter keeps the store open until leave. It does not nest with Close waiting:
// a second enter then fails, and no one waits for it.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.users.Add(1)
	return nil
}

func (s *Store) leave() { s.users.Done() }

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.users.Wait()
	var err error
	s.closing.Do(func() {
		if err = errors.Join(s.db.Close(), s.acknowledged.close(), s.lock.release()); err != nil {
			err = fmt.Errorf("close store in %s: %w", s.dir, err)
		}
	})
	return err
}

// view runs f in a read transaction.
func (s *Store) view(ctx context.Context, f func(*dgraph.Txn) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	return s.db.View(f)
}

// update runs f in a transaction that is on disk when update returns, if least
// bytes are free on it. f returns errUnchanged if it wrote nothing.
func (s *Store) update(ctx context.Context, least int64, f func(*dgraph.Txn) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.room(least); err != nil {
		return err
	}
	txn := s.db.NewTransaction(true)
	defer txn.Discard()
	if err := f(txn); errors.Is(err, errUnchanged) {
		return nil
	} else if err != nil {
		return err
	}
	return s.acknowledged.commit(txn)
}

// errUnchanged ends an update that has nothing to write, without an error.
var errUnchanged = errors.New("unchanged")

// Tenant implements store.Store.
func (s *Store) Tenant(did string) store.Tenant {
	return &tenant{store: s, did: did, keys: newKeyspace(did)}
}

// Has implements store.Store.
func (s *Store) Has(ctx context.Context, did string) (found bool, err error) {
	t := &tenant{store: s, did: did, keys: newKeyspace(did)}
	err = s.view(ctx, func(txn *dgraph.Txn) error {
		row, err := t.row(txn)
		found = row.count > 0
		return err
	})
	return found, err
}

// Tenants implements store.Store.
func (s *Store) Tenants(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var dids []string
		err := s.view(ctx, func(txn *dgraph.Txn) error {
			return scan(txn, []byte{rowTenant}, nil, func(item *dgraph.Item) error {
				return item.Value(func(value []byte) error {
					row, err := parseTenantRow(value)
					dids = append(dids, row.did)
					return err
				})
			})
		})
		if err != nil {
			yield("", err)
			return
		}
		slices.Sort(dids)
		for _, did := range dids {
			if !yield(did, nil) {
				return
			}
		}
	}
}

// tenant is a store.Tenant.
type tenant struct {
	store *Store
	did   string
	keys  keyspace
}

// write runs f as update does, one at a time per tenant, if Options.MinFree bytes
// are free.
func (t *tenant) write(ctx context.Context, f func(*dgraph.Txn) error) error {
	return t.inTurn(ctx, t.store.opt.MinFree, f)
}

// writeLittle is write for what is little and has to work on a disk that is nearly full: it needs
// no more room than opening the store did.
func (t *tenant) writeLittle(ctx context.Context, f func(*dgraph.Txn) error) error {
	return t.inTurn(ctx, min(t.store.opt.MinFree, minFreeToOpen), f)
}

// remove is write for what makes room: it works on a disk that is nearly full.
func (t *tenant) remove(ctx context.Context, f func(*dgraph.Txn) error) error {
	return t.inTurn(ctx, 0, f)
}

func (t *tenant) inTurn(ctx context.Context, least int64, f func(*dgraph.Txn) error) error {
	turn := t.store.writers[t.keys[0]]
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
		return t.store.update(ctx, least, f)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// row returns the tenant row, all zero for a tenant without messages.
func (t *tenant) row(txn *dgraph.Txn) (tenantRow, error) {
	value, err := read(txn, t.keys.tenant())
	if err != nil || value == nil {
		return tenantRow{did: t.did}, err
	}
	return parseTenantRow(value)
}

// read returns a copy of a row, and nil without an error where there is none. No
// row is empty.
func read(txn *dgraph.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, dgraph.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

// has reports whether there is a row, an empty one included.
func has(txn *dgraph.Txn, key []byte) (bool, error) {
	_, err := txn.Get(key)
	if errors.Is(err, dgraph.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// errStop ends a scan early and without an error.
var errStop = errors.New("stop")

// scan calls f for the rows under prefix, in order, from the key from on, or all
// if from is nil. An item is valid during the call.
func scan(txn *dgraph.Txn, prefix, from []byte, f func(*dgraph.Item) error) error {
	it := txn.NewIterator(dgraph.IteratorOptions{Prefix: prefix})
	defer it.Close()
	if from == nil {
		from = prefix
	}
	for it.Seek(from); it.Valid(); it.Next() {
		if err := f(it.Item()); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}
