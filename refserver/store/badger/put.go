package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Put implements store.Messages.
func (t *tenant) Put(ctx context.Context, batch []store.Entry) ([]store.Outcome, error) {
	return t.PutUnder(ctx, batch, nil)
}

// PutUnder implements store.Grants.
func (t *tenant) PutUnder(ctx context.Context, batch []store.Entry, grants []string) ([]store.Outcome, error) {
	if err := checkBatch(batch); err != nil {
		return nil, err
	}
	if err := t.indexFor(ctx, grants); err != nil {
		return nil, err
	}
	outcomes := make([]store.Outcome, len(batch))
	run := t.writeLittle
	if len(batch) == 0 {
		run = t.store.view
	}
	err := run(ctx, func(txn *dgraph.Txn) error {
		if err := t.checkGrants(txn, grants); err != nil || len(batch) == 0 {
			return err
		}
		full := t.store.room(t.store.opt.MinFree)
		if full != nil && len(grants) > 0 {
			return full // whatever the batch is: what fits could tell what else is held
		}
		return t.put(txn, batch, outcomes, len(grants) > 0, full)
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// put writes a batch, sets its outcomes, and returns errUnchanged if nothing was new. Lent
// says that it is written because of grants, full why nothing is that is not always taken, nil
// where there is room.
func (t *tenant) put(txn *dgraph.Txn, batch []store.Entry, outcomes []store.Outcome, lent bool, full error) error {
	row, err := t.row(txn)
	if err != nil {
		return err
	}
	w := &writer{txn: txn, keys: t.keys, row: row, tenant: t, quota: t.store.opt.Quota, lent: lent, full: full}
	var over, unwritten []int
	for i, entry := range batch {
		outcomes[i], err = w.put(entry)
		switch {
		case errors.Is(err, store.ErrQuota):
			over = append(over, i) // the others may fit without it
		case errors.Is(err, store.ErrFull):
			unwritten = append(unwritten, i)
		case err != nil:
			return err
		}
	}
	if len(unwritten) > 0 {
		return &store.FullError{Over: unwritten, Err: full}
	}
	if len(over) > 0 {
		return &store.QuotaError{Over: over}
	}
	if w.row == row && !slices.Contains(outcomes, store.DataAdded) {
		return errUnchanged // what a message wants was noted when it was accepted
	}
	if err := w.indexed(row.last); err != nil {
		return err
	}
	return txn.Set(t.keys.tenant(), w.row.append(nil))
}

// checkBatch checks what can be checked without looking into the store.
func checkBatch(batch []store.Entry) error {
	if len(batch) > store.MaxBatch {
		return fmt.Errorf("%w: %d entries, at most %d", store.ErrBatch, len(batch), store.MaxBatch)
	}
	size := 0
	for i, entry := range batch {
		if entry.Message == nil {
			return fmt.Errorf("%w: entry %d has no message", store.ErrBatch, i)
		}
		size += entry.Size()
	}
	if size > store.MaxBatchBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", store.ErrBatch, size, store.MaxBatchBytes)
	}
	for i, entry := range batch {
		if err := entry.Check(); err != nil {
			return &store.EntryError{Index: i, ID: entry.Message.ID(), Err: err}
		}
	}
	return nil
}

// writer writes the entries of one transaction.
type writer struct {
	txn  *dgraph.Txn
	keys keyspace
	row  tenantRow // as it will be at the end
	// Where entries are put: whose they are, what the tenant may have, and whether it is written
	// because of grants.
	tenant *tenant
	quota  store.Quota
	lent   bool
	full   error // why only little may be written, nil where there is room
}

func (w *writer) put(entry store.Entry) (store.Outcome, error) {
	known, err := has(w.txn, w.keys.message(entry.Message.ID(), 0))
	if err != nil {
		return 0, err
	}
	if err := w.checkFits(entry, known); err != nil {
		return 0, err
	}
	if !known {
		if err := w.accept(entry.Message); err != nil {
			return 0, err
		}
	}
	added, err := w.putData(entry, known)
	switch {
	case err != nil:
		return 0, err
	case !known:
		return store.Accepted, nil
	case added:
		return store.DataAdded, nil
	default:
		return store.Duplicate, nil
	}
}

// accept writes a message that is not stored yet, its key and its log entry.
func (w *writer) accept(m *dwn.Message) error {
	w.row.last++
	w.row.count++
	w.row.bytes += int64(len(m.CBOR()))
	if err := w.putBytes(m); err != nil {
		return err
	}
	if err := w.txn.Set(w.keys.key(m.Key()), nil); err != nil {
		return err
	}
	row := logRow{event: store.EventAccepted, state: store.StateMember, key: m.Key(), own: m.Attributes()}
	row.inMessage = attributesSize(row.own) > maxAttributes
	if err := w.link(m, &row); err != nil {
		return err
	}
	if err := w.noteGrant(m, row.own); err != nil {
		return err
	}
	return w.txn.Set(w.keys.log(w.row.last), row.append(nil))
}

// putBytes writes the message itself, in parts.
func (w *writer) putBytes(m *dwn.Message) error {
	rest := m.CBOR()
	head := messageRow{position: w.row.last, length: int64(len(rest)), first: rest[:min(len(rest), chunkSize)]}
	if err := w.txn.Set(w.keys.message(m.ID(), 0), head.append(nil)); err != nil {
		return err
	}
	for part := byte(1); ; part++ {
		rest = rest[min(len(rest), chunkSize):]
		if len(rest) == 0 {
			return nil
		}
		if err := w.txn.Set(w.keys.message(m.ID(), part), rest[:min(len(rest), chunkSize)]); err != nil {
			return err
		}
	}
}

// link ties a delete to its record's initial write, whichever comes first.
func (w *writer) link(m *dwn.Message, row *logRow) error {
	deletes := isDelete(m)
	if !deletes && !m.IsInitialWrite() {
		return nil
	}
	record := recordDigest(m.RecordID())
	known, err := readRecord(w.txn, w.keys, record)
	if err != nil {
		return err
	}
	switch id := m.ID(); {
	case deletes:
		row.initial = known.position
		known.deletes++
		if err := w.txn.Set(w.keys.delete(record, w.row.last), nil); err != nil {
			return err
		}
		if _, ends := store.Ends(m, w.row.did); ends {
			if err := w.endGrant(record); err != nil {
				return err
			}
		}
	case known.position == 0 || bytes.Compare(id[:], known.initial[:]) < 0:
		row.rescopes = known.deletes > 0
		known.position, known.initial = w.row.last, id
	default:
		return nil
	}
	return w.txn.Set(w.keys.record(record), known.append(nil))
}

func isDelete(m *dwn.Message) bool { return m.Interface() == "Records" && m.Method() == "Delete" }

// readRecord returns a record's row, all zero where there is none.
func readRecord(txn *dgraph.Txn, keys keyspace, record digest) (recordRow, error) {
	value, err := read(txn, keys.record(record))
	if err != nil || value == nil {
		return recordRow{}, err
	}
	return parseRecordRow(value)
}

// putData notes which data a new message names, and keeps what is given. It
// reports whether that was missing.
func (w *writer) putData(entry store.Entry, known bool) (bool, error) {
	named, ok := entry.Message.Data()
	if !ok {
		return false, nil
	}
	d := dataDigest(named.CID)
	if !known {
		if err := w.txn.Set(w.keys.name(d, named.Size, entry.Message.ID()), nil); err != nil {
			return false, err
		}
		if err := w.owe(entry.Message.Signer(), store.Wanted(named)); err != nil {
			return false, err
		}
	}
	held, err := has(w.txn, w.keys.data(d))
	if err != nil || held {
		return false, err
	}
	if entry.Data != nil {
		w.row.bytes += int64(len(entry.Data))
		return true, keepInline(w.txn, w.keys, d, entry.Data)
	}
	return false, w.want(d, store.Wanted(named))
}

// keepInline makes data of at most dwn.MaxInlineData bytes visible.
func keepInline(txn *dgraph.Txn, keys keyspace, d digest, data []byte) error {
	if data == nil {
		data = []byte{}
	}
	return showData(txn, keys, d, dataRow{size: int64(len(data)), inline: data})
}

// showData makes data visible and strikes it off what is wanted.
func showData(txn *dgraph.Txn, keys keyspace, d digest, row dataRow) error {
	if err := txn.Set(keys.data(d), row.append(nil)); err != nil {
		return err
	}
	if wanted, err := has(txn, keys.wanted(d)); err != nil || !wanted {
		return err
	}
	return txn.Delete(keys.wanted(d))
}

// want notes that data above the inline limit is missing.
func (w *writer) want(d digest, wanted store.Wanted) error {
	if wanted.Size <= dwn.MaxInlineData {
		return nil
	}
	return w.setWanted(w.keys.wanted(d), wanted)
}

// setWanted writes a row w or q. Of several sizes that messages state for the data, it has
// the largest.
func (w *writer) setWanted(key []byte, wanted store.Wanted) error {
	value, err := read(w.txn, key)
	if err != nil {
		return err
	}
	if value != nil {
		before, err := parseWanted(value)
		if err != nil || before.Size >= wanted.Size {
			return err
		}
	}
	return w.txn.Set(key, appendWanted(nil, wanted))
}
