package engine

import (
	"context"
	"iter"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// View is one immutable snapshot of a set of items. It may be used by one
// goroutine at a time. A View that keeps its root implements [Summarised] too.
type View interface {
	// Keys returns the keys in ascending order without duplicates, those of the moment
	// that the view was taken, whenever it is called. The engine calls it only where it
	// needs them, so a view need not read any before. The engine does not modify them,
	// and may keep them: nor must anybody else modify them later.
	Keys(ctx context.Context) ([]Key, error)
	// Items yields the items of keys, a subset of Keys, all of them, in the order in
	// which the view wants them sent. An item that is gone meanwhile is an error, and
	// the iteration stops after one. The engine keeps no payload.
	Items(ctx context.Context, keys []Key) iter.Seq2[Item, error]
	// Label names what the view is narrowed to: equal labels on two nodes mean
	// comparable views. Fingerprints are keyed per label.
	Label() []byte
}

// Summarised is what a View may implement besides: it keeps its root up to date, so
// that the engine need not hash every key in every round.
//
// A kept root stands for the keys in the proof that a sync is complete, so a wrong one
// can spoil it. What the engine finds out, and what it then does:
//   - A count that is not that of the keys shows wherever the keys are read. The root is
//     then computed from them.
//   - Another wrong fingerprint makes the identity of roots fail, unless what it is wrong
//     by is what the other side differs by. The last step of the ladder, the list of all
//     IDs, uses no kept root on either side: the sync ends proved by keys, or ErrIncomplete.
//   - A responder's root that equals the initiator's is taken at its word, in whichever
//     round, since nothing else is read then. So an item stays unnoticed that is all that
//     the two sides differ by, and that the responder counts but does not hold, or holds
//     but does not count. So does what both roots are wrong by in the same way. Whoever
//     keeps roots has to compare them with the keys from time to time; the engine cannot
//     do it for them.
type Summarised interface {
	// Root returns the root of the view's keys: under secret, derived for the view's
	// label ([summary.Derive]). It is false where no root is kept under that secret: the
	// engine then computes it from the keys.
	Root(ctx context.Context, secret Secret) (Root, bool, error)
}

// snapshot is a View as the engine uses it: its keys are read once, when they are first
// asked for.
type snapshot struct {
	View
	keys []Key
	read bool
	// distrust is set where the root that the view keeps is not to be used: it is not
	// that of its keys, or nothing but the keys is to count.
	distrust bool
	computed *computed // the last summaries that were computed of keys
}

func (s *snapshot) Keys(ctx context.Context) ([]Key, error) {
	if s.read {
		return s.keys, nil
	}
	keys, err := s.View.Keys(ctx)
	if err != nil {
		return nil, err
	}
	s.keys, s.read = keys, true
	return keys, nil
}

// kept returns the root that the view keeps, if it does and nothing speaks against it.
func (s *snapshot) kept(ctx context.Context, secret Secret) (Root, bool, error) {
	keeper, ok := s.View.(Summarised)
	if !ok || s.distrust {
		return Root{}, false, nil
	}
	root, ok, err := keeper.Root(ctx, secret)
	if err != nil || !ok {
		return Root{}, false, err
	}
	if s.read && root.Count != uint64(len(s.keys)) {
		s.distrust = true
		return Root{}, false, nil
	}
	return root, true, nil
}

// root returns the root that is kept or else the one of the keys.
func (s *snapshot) root(ctx context.Context, secret Secret, hasher keyHasher) (Root, error) {
	root, ok, err := s.kept(ctx, secret)
	if err != nil || ok {
		return root, err
	}
	keys, err := s.Keys(ctx)
	if err != nil {
		return Root{}, err
	}
	return hasher.Root(keys), nil
}

// keyHasher is a summary.Hasher that tells tests how many keys it was given.
type keyHasher struct {
	hasher *summary.Hasher
	hashed *int // nil but in tests
}

func newKeyHasher(secret Secret, view View, hashed *int) keyHasher {
	return keyHasher{summary.NewHasher(summary.Derive(secret.Key, view.Label())), hashed}
}

// Key returns the root of the set that holds k alone.
func (h keyHasher) Key(k Key) Root {
	if h.hashed != nil {
		*h.hashed++
	}
	return h.hasher.Key(k)
}

// Root returns the root of a set given as keys without duplicates.
func (h keyHasher) Root(keys []Key) Root {
	var root Root
	for _, k := range keys {
		root = root.Add(h.Key(k))
	}
	return root
}
