// Package engine is the sync state machine: "give me all the items that I don't
// already have", for two nodes that each hold a set of items.
//
// The engine is generic. It moves items, pairs of a Key and a payload that only
// the Replica of a caller understands, and knows no network, disk, clock or
// identity: frames go in, frames come out. A caller hands it a Replica that is
// already narrowed to what the other side may see.
//
// One round, as the data sees it:
//
//	initiator                                responder
//	View ─► keys ─► summary ─► INIT ───────► sieve "the initiator may have it"
//	                                         View ─► rejected: what the initiator lacks
//	Put  ◄─ payloads ◄──────── ITEMS ◄───────      ─► let through: summary, root
//	only-A ◄─ keys it rejects ◄ ACK ◄──────
//
// A filter has false positives, so a round may miss items on either side. The
// identity of roots tells: with X what the initiator's filter let through and
// only-A what the responder's summary of X rejects,
//
//	root(A) - root(only-A) == root(X)   and   root(received) == root(B) - root(X)
//
// hold exactly when nothing was missed. Until they do, the engine repeats with
// fresh salts, then with a list, then with all IDs, and reports success only
// when they do. See SPEC.md for the bytes.
//
// StrategySegmented saves bytes where two nodes sync again and again: its summary is
// a filter for each interval of time, under one salt for an epoch, of which a
// responder that kept the last one (SegmentCache) is sent the changed ones only by an
// initiator that remembers it (SegmentMemory). Its intervals tell by count and sum which
// of them hide something; the second half, and the rounds that the identity may
// still ask for, are about these alone. All of this is a hint that saves bytes: the
// identity of roots stays the only proof.
//
// StrategySketch and StrategyCursor need views that keep linear summaries (Linear) and a log
// (Logged); elsewhere the engine computes what they need from the keys. A cursor compares
// what both logs took in since the last sync. A sketch decodes to the difference itself, or
// the responder says what to send instead. Where neither leads to roots that prove the sync, the
// ladder goes on: a sketch under a fresh salt, then roots of ranges that are divided where they
// differ, down to lists of the IDs of some hundred items each, then lists of everything.
//
// # The engine as a library
//
// What a caller writes, in this order; each step works without the next one.
//
//  1. A [Replica]. View is a snapshot of the keys, which nothing written later changes; Put
//     decides what is stored, and derives the key from the payload. [SecretKeeper] and
//     [KeysView] are the rest of it where everything is in memory. n items cost O(n) in each
//     round on each side: all keys are read, sorted where Keys sorts them, and hashed, and for
//     StrategySketch the summaries of all are computed besides.
//  2. [Summarised] of its views: a root, kept up to date by [summary.Hasher] under the
//     replica's secret. Only what differs is hashed then; filters and lists still read all
//     keys, and StrategySketch still computes summaries of all.
//  3. [Linear]: a [summary.Set] that is caught up with a log of arrivals where a view is
//     taken. StrategySketch reads no keys but those that differ; O(n) is left to filters,
//     lists, and the later steps of the ladder.
//  4. [Logged], RespondOptions.Sealer at the responder ([NewSealer]) and Options.Cursor at
//     the initiator: StrategyCursor costs what came in since the last sync.
//  5. A [Transport] of frames, answered by [Respond]; or of bytes, a [ByteTransport], which
//     [Serve] answers. Signatures, rights and deadlines are around it, not in it.
//
// Package enginetest has a test that every Replica has to pass, and one in memory that has
// all of the above. The module in testdata/external implements it from outside.
//
// A sync that broke off is resumed by another call of [Sync]: the items of the rounds that
// were answered are stored, and a responder keeps nothing between rounds that a request needs.
// Worth saving with a replica are its secret, the CursorMemory of each peer
// ([CursorMemory.AppendBinary]), and what it keeps of summaries; losing them costs rounds, not
// items. The first sync of two replicas takes one round more by StrategySketch and
// StrategyCursor: they have no secret in common yet.
//
// Limits: a payload has at most wire.MaxItem bytes (1.06 MiB). A reply has 64 MiB of items
// and a request 32 MiB and 16384 items, unless [Limits] say otherwise: what is left goes in the
// next round. A summary has at most 64 MiB: the list of all IDs, the last step of the ladder,
// takes 32 bytes each, so beyond 2 097 152 items a sync that gets that far ends with ErrIncomplete.
// A summary.Set has positions below 2^32. A View is for one goroutine; a Replica that serves
// several syncs at once must be safe for that, and the engine starts no goroutine of its own.
package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// ID names an item: 32 bytes that are a digest of its payload.
type ID = summary.ID

// Key orders items: by time in microseconds, then by ID.
type Key = summary.Key

// Root is the count and keyed fingerprint of a view.
type Root = summary.Root

// Secret is what fingerprints are keyed with. All nodes of one owner come to
// share one; of two, the one whose name Beats the other's is kept.
type Secret = wire.Secret

// Direction says which way items move, seen from the initiator.
type Direction = wire.Direction

// The directions of a sync.
const (
	Pull = wire.Pull
	Push = wire.Push
	Both = wire.Both
)

var (
	// ErrIncomplete reports a sync that ended without the proof that nothing is
	// missing. Its text says what is open; the items that arrived are stored.
	ErrIncomplete = errors.New("sync incomplete")
	// ErrProtocol reports an other side that broke the rules of SPEC.md.
	ErrProtocol = errors.New("protocol violation")
	// ErrUnsupported reports a summary of a form, or a filter of a kind, that a
	// responder does not read. A Transport returns it for a reply that says so; the
	// initiator then goes on with another summary.
	ErrUnsupported = errors.New("summary not supported")
	// ErrReplica reports a Replica or View that breaks its contract.
	ErrReplica = errors.New("replica breaks its contract")
	// ErrOptions reports options or an argument that cannot be used.
	ErrOptions = errors.New("invalid option")
)

// Item is what the engine moves: a key, and the bytes it was derived from.
type Item struct {
	Key     Key
	Payload []byte
}

// Receipt tells what became of one payload. Err is nil where the item is stored,
// now or before. Key is set then and, if the payload tells it, also where the item
// was refused: a refused item without a key is sent again in every round.
type Receipt struct {
	Key Key
	Err error
}

// Replica is one node's copy of a set. The engine trusts what it stores: Put must
// check that a payload is authentic and belongs to the view, and derive the key
// from it.
type Replica interface {
	// View returns a snapshot of the set as it is now.
	View(ctx context.Context) (View, error)
	// Put verifies and durably stores a batch of payloads, at most BatchItems and,
	// but for a single larger one, BatchBytes. It returns a receipt for each, or an
	// error where none of the batch is stored. Storing twice is no error. Put may keep
	// each payload, which nobody changes from then on, but not the slice of them.
	Put(ctx context.Context, payloads [][]byte) ([]Receipt, error)
	// Secret returns the secret that this node keeps, false where it has none yet.
	Secret(ctx context.Context) (Secret, bool, error)
	// KeepSecret durably stores offered unless the one kept beats it, and returns
	// the one that is kept then.
	KeepSecret(ctx context.Context, offered Secret) (Secret, error)
}

// The largest batch that Replica.Put is handed.
const (
	BatchItems = 256
	BatchBytes = 2 << 20
)

// Limits bound what one round may cost. The zero value gives the defaults.
type Limits struct {
	ReplyBytes   int64 // wire.ItemSize of all items in one reply; default 64 MiB
	RequestBytes int64 // the same of one request; default 32 MiB
	SummaryBytes int64 // one summary; default 64 MiB
}

// WithDefaults returns l with the default in place of every value that is not positive.
func (l Limits) WithDefaults() Limits {
	fill := func(v *int64, def int64) {
		if *v <= 0 {
			*v = def
		}
	}
	fill(&l.ReplyBytes, 64<<20)
	fill(&l.RequestBytes, 32<<20)
	fill(&l.SummaryBytes, 64<<20)
	return l
}

// hashFunc maps an ID to the key that filters hold. It is Salt.Key but in tests,
// which sabotage it.
type hashFunc func(salt filters.Salt, id ID) uint64

func saltedKey(salt filters.Salt, id ID) uint64 { return salt.Key(id) }

// stage gathers payloads into batches and stores each; done is handed every
// receipt in order.
func stage(ctx context.Context, replica Replica, payloads iter.Seq2[[]byte, error], done func(Receipt) error) error {
	var batch [][]byte
	size := 0
	flush := func() error {
		receipts, err := replica.Put(ctx, batch)
		if err == nil && len(receipts) != len(batch) {
			err = fmt.Errorf("%w: %d receipts for %d payloads", ErrReplica, len(receipts), len(batch))
		}
		for _, r := range receipts {
			if err == nil {
				err = done(r)
			}
		}
		batch, size = batch[:0], 0
		return err
	}
	for payload, err := range payloads {
		if err != nil {
			return err
		}
		if len(batch) > 0 && (len(batch) == BatchItems || size+len(payload) > BatchBytes) {
			if err := flush(); err != nil {
				return err
			}
		}
		batch, size = append(batch, payload), size+len(payload)
	}
	if len(batch) == 0 {
		return nil
	}
	return flush()
}
