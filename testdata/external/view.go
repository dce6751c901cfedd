package notebook

import (
	"context"
	"iter"
	"slices"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// view is a Book as it was at one moment.
type view struct {
	book     *Book
	log      []engine.Key
	kept     *summary.Set // of the book, which may be ahead of log
	snapshot *summary.Snapshot
	under    engine.Secret
}

var (
	_ engine.Summarised = view{}
	_ engine.Linear     = view{}
	_ engine.Summaries  = view{}
	_ engine.Logged     = view{}
)

func (v view) Label() []byte { return nil }

func (v view) Keys(context.Context) ([]engine.Key, error) {
	v.book.mu.Lock()
	v.book.readings++
	v.book.mu.Unlock()
	return slices.SortedFunc(slices.Values(v.log), engine.Key.Compare), nil
}

func (v view) Items(_ context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		for _, key := range keys {
			if !yield(engine.Item{Key: key, Payload: v.book.note(key)}, nil) {
				return
			}
		}
	}
}

func (b *Book) note(key engine.Key) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.notes[key]
}

func (v view) Root(_ context.Context, secret engine.Secret) (engine.Root, bool, error) {
	if v.snapshot == nil || secret != v.under {
		return engine.Root{}, false, nil
	}
	return v.snapshot.Root(), true, nil
}

func (v view) Summaries(_ context.Context, secret engine.Secret) (engine.Summaries, bool, error) {
	return v, v.snapshot != nil && secret == v.under, nil
}

func (v view) Snapshot() *summary.Snapshot { return v.snapshot }

// Resolve asks the summaries of now, without what came after the view.
func (v view) Resolve(_ context.Context, shorts []uint64) (keys []engine.Key, unknown []uint64, err error) {
	v.book.mu.Lock()
	defer v.book.mu.Unlock()
	var positions []uint32
	for _, short := range shorts {
		found := slices.DeleteFunc(v.kept.Resolve(nil, short), func(p uint32) bool { return int(p) >= len(v.log) })
		if positions = append(positions, found...); len(found) == 0 {
			unknown = append(unknown, short)
		}
	}
	slices.Sort(positions)
	for _, p := range slices.Compact(positions) {
		keys = append(keys, v.log[p])
	}
	return keys, unknown, nil
}

func (v view) KeysIn(_ context.Context, from, to engine.Key) ([]engine.Key, error) {
	return between(v.log, from, to), nil
}

// between returns those of keys from from to to, both included, ascending.
func between(keys []engine.Key, from, to engine.Key) []engine.Key {
	var inside []engine.Key
	for _, key := range keys {
		if from.Compare(key) <= 0 && key.Compare(to) <= 0 {
			inside = append(inside, key)
		}
	}
	slices.SortFunc(inside, engine.Key.Compare)
	return inside
}

func (v view) Position() uint64 { return uint64(len(v.log)) }

func (v view) Since(_ context.Context, position uint64) (added []engine.Key, removed int, ok bool, err error) {
	if position > uint64(len(v.log)) {
		return nil, 0, false, nil
	}
	return slices.SortedFunc(slices.Values(v.log[position:]), engine.Key.Compare), 0, true, nil
}
