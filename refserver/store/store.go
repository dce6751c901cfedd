// Package store says what a node keeps and what it promises about it: the
// messages of many tenants, their arrival log, their record data and the secrets
// of their summaries. Package badger holds it on one machine's disk; package storetest
// tests any implementation of it.
//
// What a call has accepted is durable when the call returns: it survives the end
// of the process and a power cut. Every method is safe for concurrent use. After
// Close every method fails with [ErrClosed].
//
// The store trusts its caller that a message is correctly signed and that the
// requester may read or write it. Record data is kept by CID once per tenant, so
// who may read it has to be decided message by message, before OpenData.
package store

import (
	"context"
	"io"
	"iter"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/ipfs/go-cid"
)

// Limits of one call of Put, and of what one read transaction takes.
const (
	// MaxBatch is the largest number of entries that one Put takes.
	MaxBatch = 256
	// MaxBatchBytes is the largest sum of Entry.Size over one Put. A message of
	// the greatest size with inline data always fits.
	MaxBatchBytes = 3 << 20
)

// Store keeps the data of all tenants of a node.
type Store interface {
	// Tenants yields the DIDs that have messages here, sorted, as of one moment.
	Tenants(ctx context.Context) iter.Seq2[string, error]
	// Has reports whether the tenant of that DID has messages here.
	Has(ctx context.Context, did string) (bool, error)
	// Tenant returns what is kept for one DID. It does no I/O: a tenant exists
	// from its first accepted message on.
	Tenant(did string) Tenant
	Sealing
	// Close waits for calls under way, frees the store and returns the first
	// error in doing so. It must not be called from within an iteration. A second
	// Close does nothing.
	Close() error
}

// Tenant is one tenant's part of a Store. It sees no other tenant's rows.
type Tenant interface {
	Messages
	Records
	Data
	Owed
	Secrets
	Folds
	Grants
	Quotas
}

// Messages are a tenant's messages and the log of their arrival.
type Messages interface {
	// Put stores a batch in one durable transaction, all of it or nothing, and
	// returns an outcome for every entry, in order. The same message may come
	// more than once. A batch above MaxBatch or MaxBatchBytes is ErrBatch. A
	// message that is not stored by nodes, or data that does not fit its message
	// (ErrDataMismatch), is an *EntryError. Where entries do not fit into the tenant's quota
	// it is a *QuotaError; where the disk is nearly full, a *FullError, or any ErrFull if it
	// has not even the room for what ends a grant. After an error of the disk, or a cut
	// of the process, the outcome is unknown until Put is repeated, which does no
	// harm.
	Put(ctx context.Context, batch []Entry) ([]Outcome, error)
	// Keys returns the keys of all messages in scope as of one moment, ascending,
	// and the log position last of that moment: a fold over the log to last, its
	// entries included, has exactly these keys.
	// A RecordsDelete is in scope when its record's initial write is, whichever of
	// the two came first. Of several initial writes of one record (the same
	// descriptor signed again) the one with the lowest ID counts. The caller owns
	// the slice: 40 bytes per key.
	Keys(ctx context.Context, scope dwn.Scope) (keys []dwn.Key, last uint64, err error)
	// KeysIn is Keys narrowed to the keys between from and to, both included. It
	// is one transaction, so it is meant for ranges of some thousand keys. Of a store
	// that has been damaged since it was opened it may return too few and no error,
	// which Keys never does: who relies on them compares their number and their sum
	// with what is due.
	KeysIn(ctx context.Context, scope dwn.Scope, from, to dwn.Key) (keys []dwn.Key, last uint64, err error)
	// Get yields the entries of ids in the order asked. It reads them in
	// short transactions of at most 256, none of which is open while the loop's
	// body runs. An ID that is not stored is a *MissingError, and the iteration
	// stops. What is yielded may be kept.
	Get(ctx context.Context, ids []dwn.ID) iter.Seq2[Entry, error]
	Arrivals
}

// Records tells what deletes have to know of their record.
type Records interface {
	// Initial returns the attributes of the initial write of a record, false where
	// none is stored. Of several, it is the one that Keys goes by.
	Initial(ctx context.Context, recordID string) (dwn.Attributes, bool, error)
}

// Data is a tenant's record data.
type Data interface {
	// OpenData returns the data that c names, of any size, and its length in
	// bytes. It is ErrNotFound where the data is not held. The reader holds no
	// transaction between its calls; the caller closes it.
	OpenData(ctx context.Context, c cid.Cid) (io.ReadCloser, int64, error)
	// PutData stores the data that c names and r yields, in constant memory.
	// Nothing of it can be seen before all of it has been read and its CID and
	// size verified: ErrDataMismatch. ErrNotFound means that no message of this
	// tenant names c. ErrQuota means that it does not fit into the tenant's quota; where no size
	// that a message states for it would, nothing is read from r. Where the data is held
	// already, nothing is read from r either.
	PutData(ctx context.Context, c cid.Cid, r io.Reader) error
	// NamedBy yields the messages that name the data c, in no particular order. It reads
	// them in short transactions, as Get does.
	NamedBy(ctx context.Context, c cid.Cid) iter.Seq2[dwn.ID, error]
	// WantedData yields the data larger than dwn.MaxInlineData that messages here
	// name and that is not held, in no particular order.
	WantedData(ctx context.Context) iter.Seq2[Wanted, error]
}

// MaxSecrets is how many labels with a secret a tenant has at most, its own not counted.
const MaxSecrets = 1024

// Secrets holds the secrets of a tenant's summaries. The empty label is that of the
// tenant's own secret, which its nodes share. A node that was granted a part of the tenant's
// messages keeps, under a label for each part, the secret that it was given for that part.
// Labels are of any length; nothing of them is kept but a digest.
type Secrets interface {
	// Secret returns the secret of a label, and false where there is none yet.
	Secret(ctx context.Context, label []byte) (Secret, bool, error)
	// KeepSecret stores offered as the label's secret unless the one held already
	// beats it, and returns which of the two is held now. For a new label when the tenant
	// has MaxSecrets of them, the secret of some other label goes. Nothing but bytes is lost
	// with it: the next sync of its part is given one again, and compares more.
	KeepSecret(ctx context.Context, label []byte, offered Secret) (Secret, error)
}

// Entry is a message with the data that travels inline with it.
type Entry struct {
	Message *dwn.Message
	// Data is at most dwn.MaxInlineData bytes of record data. Nil means that none
	// is given (Put) or held (Get); data of no bytes is empty and not nil.
	Data []byte
	// DataHeld says, in what Get yields, that the message's data is held: inline
	// in Data or, where it is larger, for OpenData. Put ignores it.
	DataHeld bool
}

// Size returns what the entry counts against MaxBatchBytes: the bytes of its
// message in canonical form and of its data.
func (e Entry) Size() int { return len(e.Message.CBOR()) + len(e.Data) }

// Outcome is what became of one entry of a batch.
type Outcome uint8

// The outcomes of Put.
const (
	// Accepted: the message was not here and is now.
	Accepted Outcome = iota + 1
	// Duplicate: the message was here, and nothing changed.
	Duplicate
	// DataAdded: the message was here without its data, which is held now.
	DataAdded
)

// String returns the outcome's name in lower case.
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Duplicate:
		return "duplicate"
	case DataAdded:
		return "data added"
	default:
		return "unknown"
	}
}

// Wanted is data that some message names and that is not held.
type Wanted struct {
	CID cid.Cid
	// Size is the largest size that a message states for it, in bytes. A message
	// can lie; the CID cannot.
	Size int64
}
