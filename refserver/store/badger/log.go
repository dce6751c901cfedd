package badger

import (
	"context"
	"errors"
	"iter"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// scanSize is how many entries of the log one transaction of a fold visits: some
// ten milliseconds.
const scanSize = 8192

// Log implements store.Messages.
func (t *tenant) Log(ctx context.Context, from uint64) iter.Seq2[store.LogEntry, error] {
	return func(yield func(store.LogEntry, error) bool) {
		r := t.reader(from)
		for {
			var page []store.LogEntry
			err := r.page(ctx, pageSize, func(e store.LogEntry) error {
				page = append(page, e)
				return nil
			})
			for _, entry := range page {
				if !yield(entry, nil) {
					return
				}
			}
			if err != nil {
				yield(store.LogEntry{}, err)
				return
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// fold calls f for every entry of the log from position from to the one that is
// the newest when fold begins, whose position it returns. It calls f inside of
// transactions.
func (t *tenant) fold(ctx context.Context, from uint64, f func(store.LogEntry) error) (last uint64, err error) {
	r := t.reader(from)
	r.last, err = t.Last(ctx)
	for err == nil && !r.done() {
		err = r.page(ctx, scanSize, f)
	}
	return r.last, err
}

// logReader reads the log page by page: each page is a transaction, and the
// reader knows where to go on.
type logReader struct {
	tenant  *tenant
	next    uint64 // position to read next
	after   uint64 // with expands: the last delete of next that was reported
	expands bool   // next itself was reported, its deletes not all
	last    uint64 // where to stop; 0 = the newest, whatever that is
	names   interner
	initial initials
}

// initials remembers attributes of initial writes by position, for deletes that
// inherit them: many can be of one record, and attributes can be large.
type initials struct {
	known map[uint64]dwn.Attributes
	size  int
}

// maxInitials bounds what initials remembers, in bytes of attributes.
const maxInitials = 8 << 20

func (in *initials) add(position uint64, a dwn.Attributes) {
	const fixed = 512 // the structure itself, about
	in.size += attributesSize(a) + fixed
	if in.known == nil || in.size > maxInitials {
		in.known, in.size = make(map[uint64]dwn.Attributes), attributesSize(a)+fixed
	}
	in.known[position] = a
}

func (t *tenant) reader(from uint64) *logReader {
	return &logReader{tenant: t, next: max(from, 1), names: make(interner)}
}

func (r *logReader) done() bool { return !r.expands && r.next > r.last }

// errFull ends a page, whatever scan it is in.
var errFull = errors.New("page is full")

// page calls f for at most n entries.
func (r *logReader) page(ctx context.Context, n int, f func(store.LogEntry) error) error {
	count := func(e store.LogEntry) error {
		if err := f(e); err != nil {
			return err
		}
		if n--; n == 0 {
			return errFull
		}
		return nil
	}
	err := r.tenant.store.view(ctx, func(txn *dgraph.Txn) error {
		keys := r.tenant.keys
		err := scan(txn, keys.prefix(kindLog), keys.log(r.next), func(item *dgraph.Item) error {
			position := lastNumber(item.Key())
			if r.last != 0 && position > r.last {
				return errStop
			}
			if position != r.next {
				return corrupt("log has position %d after %d", position, r.next-1)
			}
			return item.Value(func(value []byte) error { return r.visit(txn, value, count) })
		})
		if err != nil {
			return err
		}
		return r.ended(txn)
	})
	if errors.Is(err, errFull) {
		return nil
	}
	return err
}

// ended checks that a scan that ended by itself reached the end: where Badger cannot
// read a block, a scan ends there without an error.
func (r *logReader) ended(txn *dgraph.Txn) error {
	last := r.last
	if last == 0 {
		row, err := r.tenant.row(txn)
		if err != nil {
			return err
		}
		last = row.last
	}
	if r.next <= last {
		return corrupt("log ends at %d, want %d", r.next-1, last)
	}
	return nil
}

// visit reports the entry at r.next and the deletes that it gives a new scope.
func (r *logReader) visit(txn *dgraph.Txn, value []byte, f func(store.LogEntry) error) error {
	row, err := parseLogRow(value, r.names)
	if err != nil {
		return err
	}
	entry, err := r.entry(txn, r.next, row)
	if err != nil {
		return err
	}
	if !row.rescopes {
		r.next++
		return f(entry)
	}
	if !r.expands {
		r.expands, r.after = true, 0
		if err := f(entry); err != nil {
			return err
		}
	}
	if err := r.rescope(txn, entry.Attributes, f); err != nil {
		return err
	}
	r.expands = false
	r.next++
	return nil
}

// entry returns the acceptance that the row at a position tells of.
func (r *logReader) entry(txn *dgraph.Txn, position uint64, row logRow) (store.LogEntry, error) {
	attributes, err := r.attributes(txn, row)
	return store.LogEntry{
		Position: position, Accepted: position, Event: row.event, State: row.state, Key: row.key, Attributes: attributes,
	}, err
}

// rescope reports the deletes, stored before r.next, of the record whose initial
// write has these attributes.
func (r *logReader) rescope(txn *dgraph.Txn, initial dwn.Attributes, f func(store.LogEntry) error) error {
	record := recordDigest(initial.RecordID)
	keys := r.tenant.keys
	return scan(txn, keys.deletes(record), keys.delete(record, r.after+1), func(item *dgraph.Item) error {
		position := lastNumber(item.Key())
		if position >= r.next {
			return errStop
		}
		row, err := r.row(txn, position)
		if err != nil {
			return err
		}
		own, err := r.own(txn, row)
		if err != nil {
			return err
		}
		r.after = position
		return f(store.LogEntry{
			Position: r.next, Accepted: position, Event: store.EventRescoped, State: row.state, Key: row.key,
			Attributes: own.Inherit(initial),
		})
	})
}

// row reads the log row at a position that has to be there.
func (r *logReader) row(txn *dgraph.Txn, position uint64) (logRow, error) {
	value, err := read(txn, r.tenant.keys.log(position))
	if err != nil {
		return logRow{}, err
	}
	if value == nil {
		return logRow{}, corrupt("log has no position %d", position)
	}
	return parseLogRow(value, r.names)
}

// own returns the attributes of a row's message itself.
func (r *logReader) own(txn *dgraph.Txn, row logRow) (dwn.Attributes, error) {
	if !row.inMessage {
		return row.own, nil
	}
	m, err := readMessage(txn, r.tenant.keys, row.key.ID)
	if err != nil {
		return dwn.Attributes{}, err
	}
	return m.Attributes(), nil
}

// attributes returns what scopes compare: for a delete that came after its
// record's initial write, with what it inherits.
func (r *logReader) attributes(txn *dgraph.Txn, row logRow) (dwn.Attributes, error) {
	own, err := r.own(txn, row)
	if err != nil || row.initial == 0 {
		return own, err
	}
	return r.inherit(txn, own, row.initial)
}

// inherit completes the attributes of a delete by those of the initial write that
// was accepted at a position.
func (r *logReader) inherit(txn *dgraph.Txn, own dwn.Attributes, position uint64) (dwn.Attributes, error) {
	from, known := r.initial.known[position]
	if !known {
		initial, err := r.row(txn, position)
		if err != nil {
			return dwn.Attributes{}, err
		}
		if from, err = r.own(txn, initial); err != nil {
			return dwn.Attributes{}, err
		}
		r.initial.add(position, from)
	}
	return own.Inherit(from), nil
}
