package baseline

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// fanOut is the number of parts that a range is split into; leafSize is the number of
// keys from which on it is, and below which its IDs are listed. The specification
// leaves both open; these are the figures of the original.
const (
	fanOut   = 16
	leafSize = 2 * fanOut
)

// maxRounds ends a reconciliation that gets nowhere. Each message divides a range that
// is open by fanOut on the side that writes it, so 2^64 keys on both sides would take 17.
const maxRounds = 32

// ErrTimestamp means that a side holds a key with a negative time, which the protocol
// cannot express.
var ErrTimestamp = errors.New("negentropy: negative time")

// errNoEnd is an error of this package, not of its user.
var errNoEnd = errors.New("negentropy: no end after the greatest number of rounds")

// Negentropy is range-based set reconciliation in the form of the negentropy protocol,
// version 1 (docs/negentropy-protocol-v1.md of github.com/hoytech/negentropy), without a
// limit on the size of messages. The time of a key is its timestamp, whatever its unit.
// Times must not be negative.
//
// A prepared side keeps the running sum of its IDs, so a fingerprint costs one
// subtraction and one hash, whatever the range. That is the best that a user of the
// original gets, and more: its vector adds up all IDs in every sync, and its tree
// descends for each range. In exchange an insertion here costs O(n), which no benchmark
// counts.
type Negentropy struct{}

// Name returns "negentropy".
func (Negentropy) Name() string { return "negentropy" }

// Prepare returns a side over keys, which it keeps. It takes 32 bytes a key beside them.
func (Negentropy) Prepare(keys []summary.Key) Side {
	sums := make([]summary.Fingerprint, len(keys)+1)
	for i, k := range keys {
		sums[i+1] = sums[i].Add(summary.Fingerprint(k.ID))
	}
	return &rangeSide{keys: keys, sums: sums}
}

// rangeSide is a prepared set. It is read only, so several reconciliations may use it
// at once.
type rangeSide struct {
	keys []summary.Key
	sums []summary.Fingerprint // sums[i] is the sum of the IDs of keys[:i]
}

// Reconcile implements [Side]. The responder must be a side of Negentropy.
func (s *rangeSide) Reconcile(responder Side) (Outcome, error) {
	there, ok := responder.(*rangeSide)
	if !ok {
		return Outcome{}, fmt.Errorf("negentropy: the responder is a %T", responder)
	}
	if s.beforeZero() || there.beforeZero() {
		return Outcome{}, ErrTimestamp
	}
	var out Outcome
	start := cputime.Now()
	query := s.initiate()
	out.Here = cputime.Now() - start
	for len(query) > emptyMessage {
		if out.Rounds++; out.Rounds > maxRounds {
			return Outcome{}, errNoEnd
		}
		out.Up += int64(len(query))

		start = cputime.Now()
		reply, err := there.answer(query)
		out.There += cputime.Now() - start
		if err != nil {
			return Outcome{}, err
		}
		out.Down += int64(len(reply))

		start = cputime.Now()
		query, err = s.advance(reply, &out)
		out.Here += cputime.Now() - start
		if err != nil {
			return Outcome{}, err
		}
	}
	return out, nil
}

func (s *rangeSide) beforeZero() bool { return len(s.keys) > 0 && s.keys[0].Time < 0 }

// initiate returns the first query: everything, split.
func (s *rangeSide) initiate() []byte {
	w := newMessageWriter()
	s.split(&w, 0, len(s.keys), infinity())
	return w.buf
}

// answer returns the responder's reply to a query. Where the initiator lists its IDs,
// the responder lists its own, for only the initiator is to learn the difference.
func (s *rangeSide) answer(query []byte) ([]byte, error) {
	return s.walk(query, func(w *messageWriter, r wireRange, lo, hi int) error {
		w.list(r.upper, s.keys[lo:hi])
		return nil
	})
}

// advance adds what a reply shows to out and returns the next query, which is of the
// length emptyMessage when nothing is open any more.
func (s *rangeSide) advance(reply []byte, out *Outcome) ([]byte, error) {
	theirs := make(map[summary.ID]struct{}, leafSize)
	return s.walk(reply, func(w *messageWriter, r wireRange, lo, hi int) error {
		clear(theirs)
		for id := range r.ids() {
			theirs[id] = struct{}{}
		}
		if len(theirs) != r.count() {
			return fmt.Errorf("%w: an ID twice in one list", ErrMessage)
		}
		for _, k := range s.keys[lo:hi] {
			if _, both := theirs[k.ID]; both {
				delete(theirs, k.ID)
			} else {
				out.Have = append(out.Have, k.ID)
			}
		}
		for id := range r.ids() {
			if _, ok := theirs[id]; ok {
				out.Need = append(out.Need, id)
			}
		}
		w.skip(r.upper)
		return nil
	})
}

// walk goes through the ranges of a message and returns the message that answers it:
// nothing where fingerprints agree, a finer division where they do not, and what listed
// does where the other side lists the IDs of its keys, those of ours being keys[lo:hi].
func (s *rangeSide) walk(msg []byte, listed func(w *messageWriter, r wireRange, lo, hi int) error) ([]byte, error) {
	reader, err := newMessageReader(msg)
	if err != nil {
		return nil, err
	}
	w := newMessageWriter()
	for lo := 0; reader.more(); {
		r, err := reader.next()
		if err != nil {
			return nil, err
		}
		below, _ := slices.BinarySearchFunc(s.keys[lo:], r.upper, compareKey)
		hi := lo + below
		switch r.mode {
		case modeSkip:
			w.skip(r.upper)
		case modeFingerprint:
			if ours := s.fingerprint(lo, hi); bytes.Equal(ours[:], r.payload) {
				w.skip(r.upper)
			} else {
				s.split(&w, lo, hi, r.upper)
			}
		case modeIDs:
			if err := listed(&w, r, lo, hi); err != nil {
				return nil, err
			}
		}
		lo = hi
	}
	return w.buf, nil
}

// split writes keys[lo:hi], which end below upper: their IDs if they are few, otherwise
// fingerprints of fanOut parts of equal size, give or take one, the larger ones first.
func (s *rangeSide) split(w *messageWriter, lo, hi int, upper bound) {
	n := hi - lo
	if n < leafSize {
		w.list(upper, s.keys[lo:hi])
		return
	}
	for part := range fanOut {
		end := lo + n/fanOut
		if part < n%fanOut {
			end++
		}
		next := upper
		if part < fanOut-1 {
			next = between(s.keys[end-1], s.keys[end])
		}
		w.fingerprint(next, s.fingerprint(lo, end))
		lo = end
	}
}

// fingerprint returns that of keys[lo:hi].
func (s *rangeSide) fingerprint(lo, hi int) [fingerprintSize]byte {
	sum := s.sums[hi].Sub(s.sums[lo])
	digest := sha256.Sum256(appendVarint(sum[:], uint64(hi-lo)))
	return [fingerprintSize]byte(digest[:])
}
