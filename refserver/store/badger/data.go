package badger

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/ipfs/go-cid"
)

// OpenData implements store.Data.
func (t *tenant) OpenData(ctx context.Context, c cid.Cid) (io.ReadCloser, int64, error) {
	var row dataRow
	err := t.store.view(ctx, func(txn *dgraph.Txn) error {
		var found bool
		var err error
		if row, found, err = readData(txn, t.keys, dataDigest(c)); err == nil && !found {
			err = fmt.Errorf("data %s: %w", c, store.ErrNotFound)
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	if row.inline != nil {
		return io.NopCloser(bytes.NewReader(row.inline)), row.size, nil
	}
	return &chunkReader{tenant: t, row: row}, row.size, nil
}

// chunkReader reads large data, a chunk to a transaction. It is not safe for
// concurrent use.
type chunkReader struct {
	tenant *tenant
	row    dataRow
	read   int64 // bytes of chunks fetched so far
	index  uint32
	chunk  []byte // what is left of the chunk before index
	closed bool
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, store.ErrClosed
	}
	if len(r.chunk) == 0 {
		if r.read == r.row.size {
			return 0, io.EOF
		}
		if err := r.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	return n, nil
}

func (r *chunkReader) fetch() error {
	// A Reader has no context: one chunk is read from the local disk at once.
	err := r.tenant.store.view(context.Background(), func(txn *dgraph.Txn) (err error) {
		r.chunk, err = read(txn, r.tenant.keys.chunk(r.row.upload, r.index))
		return err
	})
	if err != nil {
		return err
	}
	if int64(len(r.chunk)) != min(chunkSize, r.row.size-r.read) {
		return corrupt("chunk %d of data has %d bytes", r.index, len(r.chunk))
	}
	r.index++
	r.read += int64(len(r.chunk))
	return nil
}

func (r *chunkReader) Close() error {
	r.closed = true
	return nil
}

// NamedBy implements store.Data.
func (t *tenant) NamedBy(ctx context.Context, c cid.Cid) iter.Seq2[dwn.ID, error] {
	return func(yield func(dwn.ID, error) bool) {
		prefix := t.keys.names(dataDigest(c))
		for from := prefix; from != nil; {
			var page []dwn.ID
			next := []byte(nil)
			err := t.store.view(ctx, func(txn *dgraph.Txn) error {
				return scan(txn, prefix, from, func(item *dgraph.Item) error {
					if len(page) == pageSize {
						next = item.KeyCopy(nil)
						return errStop
					}
					var id dwn.ID
					if key := item.Key()[len(prefix):]; len(key) != 8+copy(id[:], key[min(8, len(key)):]) || len(key) != 8+len(id) {
						return corrupt("key of a name of data with %d bytes", len(key))
					}
					page = append(page, id)
					return nil
				})
			})
			for _, id := range page {
				if !yield(id, nil) {
					return
				}
			}
			if err != nil {
				yield(dwn.ID{}, err)
				return
			}
			from = next
		}
	}
}

// WantedData implements store.Data.
func (t *tenant) WantedData(ctx context.Context) iter.Seq2[store.Wanted, error] {
	return t.wanted(ctx, t.keys.prefix(kindWanted))
}

// wanted yields the rows w or q under prefix.
func (t *tenant) wanted(ctx context.Context, prefix []byte) iter.Seq2[store.Wanted, error] {
	return func(yield func(store.Wanted, error) bool) {
		var from []byte
		for {
			page, next, err := t.wantedPage(ctx, prefix, from)
			for _, wanted := range page {
				if !yield(wanted, nil) {
					return
				}
			}
			if err != nil {
				yield(store.Wanted{}, err)
				return
			}
			if next == nil {
				return
			}
			from = next
		}
	}
}

// wantedPage reads a page of what is wanted from the key from on, and returns
// the key where the next one begins, nil after the last.
func (t *tenant) wantedPage(ctx context.Context, prefix, from []byte) (page []store.Wanted, next []byte, err error) {
	err = t.store.view(ctx, func(txn *dgraph.Txn) error {
		return scan(txn, prefix, from, func(item *dgraph.Item) error {
			if len(page) == pageSize {
				next = item.KeyCopy(nil)
				return errStop
			}
			return item.Value(func(value []byte) error {
				wanted, err := parseWanted(value)
				if err == nil {
					page = append(page, wanted)
				}
				return err
			})
		})
	})
	return page, next, err
}
