// Package notebook is a user of the engine from outside its module: a set of notes in
// memory that keeps its summaries, and a transport of its own over HTTP.
package notebook

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// ErrNote reports bytes that are no note: shorter than the time that it begins with.
var ErrNote = errors.New("no note")

// Note returns a note: 8 bytes of time in microseconds, big-endian, then the text.
func Note(time int64, text string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(time)), text...)
}

func keyOf(note []byte) (engine.Key, error) {
	if len(note) < 8 {
		return engine.Key{}, ErrNote
	}
	return engine.Key{Time: int64(binary.BigEndian.Uint64(note)), ID: sha256.Sum256(note)}, nil
}

// Book is a set of notes, to which notes only come. It is an engine.Replica and safe for
// concurrent use.
type Book struct {
	engine.SecretKeeper

	mu       sync.Mutex
	notes    map[engine.Key][]byte
	log      []engine.Key  // in the order of arrival: the position of log[i] is i
	kept     *summary.Set  // of log up to its position; nil where there is no secret yet
	under    engine.Secret // the secret of kept
	readings int           // how often all keys were read
}

// New returns an empty book.
func New() *Book { return &Book{notes: map[engine.Key][]byte{}} }

// Put stores notes. It refuses what is none.
func (b *Book) Put(_ context.Context, notes [][]byte) ([]engine.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	receipts := make([]engine.Receipt, len(notes))
	for i, note := range notes {
		key, err := keyOf(note)
		receipts[i] = engine.Receipt{Key: key, Err: err}
		if _, held := b.notes[key]; err == nil && !held {
			b.notes[key] = note
			b.log = append(b.log, key)
		}
	}
	return receipts, nil
}

// View returns the book as it is now, with its summaries if there is a secret.
func (b *Book) View(ctx context.Context) (engine.View, error) {
	secret, ok, err := b.Secret(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		err = b.catchUp(secret)
	}
	v := view{book: b, log: b.log[:len(b.log):len(b.log)]}
	if b.kept != nil && err == nil {
		v.kept, v.snapshot, v.under = b.kept, b.kept.Snapshot(), b.under
	}
	return v, err
}

// catchUp makes the summaries those of the whole log under secret.
func (b *Book) catchUp(secret engine.Secret) error {
	if b.kept == nil || secret != b.under {
		kept, err := summary.NewSet(summary.Derive(secret.Key, nil), summary.SetOptions{})
		if err != nil {
			return err
		}
		b.kept, b.under = kept, secret
	}
	for at := b.kept.Position(); at < uint64(len(b.log)); at++ {
		key := b.log[at]
		same := func(position uint32) (bool, error) { return b.log[position] == key, nil }
		if err := b.kept.Insert(key, uint32(at), same); err != nil {
			return err
		}
		b.kept.SetPosition(at + 1)
	}
	for {
		overfull := b.kept.Overfull(1)
		if len(overfull) == 0 {
			return nil
		}
		if err := b.kept.Refine(overfull[0], between(b.log, overfull[0].First(), overfull[0].Last())); err != nil {
			return err
		}
	}
}
