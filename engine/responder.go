package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"iter"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// RespondOptions configure a responder. The zero value works.
type RespondOptions struct {
	Limits Limits
	Random io.Reader // default crypto/rand
	// Segments, if set, keeps the segmented filters of initiators between requests, so
	// that these send only what has changed. Owner names whose view the replica has:
	// what is kept for one owner is used for no other.
	Segments *SegmentCache
	Owner    string
	// Sealer, if set, seals the cursor that each reply ends with, for a view that is Logged.
	Sealer Sealer

	hash   hashFunc
	hashed *int
	params summary.Params // of sketches that are read besides the usual ones
}

func (o RespondOptions) withDefaults() RespondOptions {
	o.Limits = o.Limits.WithDefaults()
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.hash == nil {
		o.hash = saltedKey
	}
	return o
}

// maxReason is the length in bytes to which the reason of a refusal is cut, and
// maxReasons the number of refusals in one ACK that have one: so an ACK stays
// within its frame even where all items of a request are refused.
const (
	maxReason  = 200
	maxReasons = 1024
)

// Respond answers one request, given as its frames from INIT on. It reads the
// request to its end and stores its items before it returns; an error then means
// that nothing was said yet. The frames of the reply are produced as they are
// iterated over, once. The responder keeps nothing between two requests but, to save
// bytes, what opt.Segments holds.
func Respond(ctx context.Context, replica Replica, request iter.Seq2[wire.Frame, error], opt RespondOptions) (iter.Seq2[wire.Frame, error], error) {
	r := responder{replica: replica, opt: opt.withDefaults()}
	if err := r.read(ctx, request); err != nil {
		return nil, err
	}
	if err := r.settleSecret(ctx); err != nil {
		return nil, err
	}
	if err := r.plan(ctx); err != nil {
		return nil, err
	}
	return r.reply(ctx), nil
}

// responder is one request in work. Each stage fills the fields that the next reads.
type responder struct {
	replica Replica
	opt     RespondOptions

	// read
	init     wire.Init
	offer    *Secret
	sieve    sieve         // nothing is asked of it where the initiator sent no summary
	segments *segmentAsked // where the summary is a segmented filter: the same
	probe    *probeAsked   // where it is a sketch
	bisect   bool          // where it is a list of ranges
	ranges   []summary.Segment
	ack      wire.Ack

	// settleSecret
	secret Secret

	// plan
	view   *snapshot
	hasher keyHasher
	send   []Key // what the initiator lacks, where it pulls
	digest digest
}

func (r *responder) read(ctx context.Context, request iter.Seq2[wire.Frame, error]) error {
	s := wire.NewStream(request)
	defer s.Close()
	if err := r.readHead(s); err != nil {
		return err
	}
	if err := r.readItems(ctx, s); err != nil {
		return err
	}
	return s.End()
}

func (r *responder) readHead(s *wire.Stream) error {
	if err := takeBody(s, wire.TypeInit, &r.init); err != nil {
		return err
	}
	if r.init.Version != wire.Version {
		return fmt.Errorf("%w: wire version %d; this node speaks %d", ErrProtocol, r.init.Version, wire.Version)
	}
	if !r.init.Direction.Valid() {
		return fmt.Errorf("%w: direction %q", ErrProtocol, r.init.Direction)
	}
	if s.At(wire.TypeSecret) {
		r.offer = new(Secret)
		if err := takeBody(s, wire.TypeSecret, r.offer); err != nil {
			return err
		}
		if r.init.Secret == nil || *r.init.Secret != r.offer.SecretName {
			return fmt.Errorf("%w: SECRET is not the one that INIT names", ErrProtocol)
		}
	}
	if err := r.checkCursor(); err != nil || r.init.Summary == nil {
		return err
	}
	d, err := readDigest(s, *r.init.Summary, r.opt.Limits.SummaryBytes)
	if err != nil {
		return err
	}
	switch d.head.Form {
	case wire.FormSegments:
		return r.readSegments(d)
	case wire.FormSketch:
		return r.readProbe(d)
	case wire.FormRanges:
		return r.readRanges(d)
	}
	r.sieve, err = d.sieve(r.opt.Limits.SummaryBytes, r.opt.hash)
	return err
}

func (r *responder) readItems(ctx context.Context, s *wire.Stream) error {
	if s.At(wire.TypeItems) && !r.init.Direction.Pushes() {
		return fmt.Errorf("%w: items in a request that only pulls", ErrProtocol)
	}
	payloads := wire.DecodeItems(s, r.opt.Limits.RequestBytes+wire.MaxItem)
	return stage(ctx, r.replica, payloads, func(receipt Receipt) error {
		if r.ack.Received == wire.MaxRequestItems {
			return fmt.Errorf("%w: more than %d items in a request", wire.ErrTooLarge, wire.MaxRequestItems)
		}
		if receipt.Err != nil {
			refusal := wire.Refusal{Index: r.ack.Received}
			if len(r.ack.Refused) < maxReasons {
				refusal.Reason = wire.Printable(receipt.Err.Error(), maxReason)
			}
			r.ack.Refused = append(r.ack.Refused, refusal)
		}
		r.ack.Received++
		return nil
	})
}

// settleSecret decides under which secret roots are compared: an offered one is
// kept if it wins, one that the initiator names and that would win is asked for,
// and a node without any makes the first.
func (r *responder) settleSecret(ctx context.Context) error {
	if r.offer != nil {
		kept, err := r.replica.KeepSecret(ctx, *r.offer)
		r.secret = kept
		return err
	}
	mine, ok, err := r.replica.Secret(ctx)
	if err != nil {
		return err
	}
	if theirs := r.init.Secret; theirs != nil && (!ok || theirs.Beats(mine.SecretName)) {
		r.ack.WantSecret = true
		return nil
	}
	if !ok {
		if mine, err = r.firstSecret(ctx); err != nil {
			return err
		}
	}
	r.secret = mine
	return nil
}

func (r *responder) firstSecret(ctx context.Context) (Secret, error) {
	first := Secret{SecretName: wire.SecretName{Generation: 1}}
	for _, field := range [][]byte{first.ID[:], first.Key[:]} {
		if _, err := io.ReadFull(r.opt.Random, field); err != nil {
			return Secret{}, fmt.Errorf("no randomness for a secret: %w", err)
		}
	}
	return r.replica.KeepSecret(ctx, first)
}

// plan compares roots and, where they differ, splits the view by what the
// initiator's summary lets through.
func (r *responder) plan(ctx context.Context) error {
	r.ack.Version = wire.Version
	r.ack.Budget = uint64(r.opt.Limits.RequestBytes)
	r.ack.Secret = r.secret.SecretName
	r.keepSegments()
	if r.ack.WantSecret {
		return nil
	}
	view, err := r.replica.View(ctx)
	if err != nil {
		return err
	}
	asked := r.sieve.asked != nil
	// The list of all IDs is the last step of the ladder: it proves, whatever is kept. That of
	// nothing at first contact is no step of it.
	proves := asked && r.sieve.kind == plainIDs && !r.sieve.part && (r.sieve.size > 0 || r.init.Root != nil)
	r.view = &snapshot{View: view, distrust: proves}
	r.hasher = newKeyHasher(r.secret, view, r.opt.hashed)
	if err := r.compare(ctx, asked); err != nil {
		return err
	}
	r.ack.Cursor, err = r.cursorAt(r.ack.Root.Summary())
	return err
}

// compare answers what the request asked, if it asked anything.
func (r *responder) compare(ctx context.Context, asked bool) error {
	switch {
	case r.init.Cursor != nil:
		return r.planCursor(ctx)
	case r.sieve.part:
		return r.planWithin(ctx)
	case asked:
		return r.planSplit(ctx)
	case r.probe != nil:
		return r.planProbe(ctx)
	case r.bisect:
		return r.planRanges(ctx)
	}
	_, equal, err := r.compareRoots(ctx)
	r.ack.WantSegments = r.ack.WantSegments && !equal
	return err
}

// compareRoots sets ACK's root to that of the view, and reports whether the initiator has the
// same: then there is nothing else to say.
func (r *responder) compareRoots(ctx context.Context) (root Root, equal bool, err error) {
	root, err = r.view.root(ctx, r.secret, r.hasher)
	r.ack.Root = wire.RootOf(root)
	return root, err == nil && r.isTheirs(r.ack.Root), err
}

// letThrough sets what ACK says was let through, and what the initiator lacks of the view. It
// reports whether the initiator has exactly what was let through: then it needs no second half.
func (r *responder) letThrough(through Root, lacked []Key) (exact bool) {
	said := wire.RootOf(through)
	r.ack.Through = &said
	if r.init.Direction.Pulls() {
		r.send = lacked
	}
	return r.isTheirs(said)
}

// planSplit answers a summary. Where a root is kept and is the initiator's, no keys are
// read: nothing depends on how many there are.
func (r *responder) planSplit(ctx context.Context) error {
	root, kept, err := r.view.kept(ctx, r.secret)
	if err != nil {
		return err
	}
	if r.ack.Root = wire.RootOf(root); kept && r.isTheirs(r.ack.Root) {
		return nil
	}
	parts, err := r.split(ctx)
	if err != nil {
		return err
	}
	if r.ack.Root = wire.RootOf(parts.root); r.isTheirs(r.ack.Root) {
		return nil
	}
	if r.letThrough(parts.throughRoot, parts.rejected) {
		return nil
	}
	return r.secondHalf(parts.through)
}

// parts are a view's keys as a summary divides them, and roots.
type parts struct {
	through, rejected []Key
	throughRoot, root Root // of through, and of all
}

// split divides the view's keys by the initiator's summary. Where the view keeps its
// root, the smaller part is hashed: with the usual filter, what the initiator lacks.
func (r *responder) split(ctx context.Context) (parts, error) {
	keys, err := r.view.Keys(ctx)
	if err != nil {
		return parts{}, err
	}
	root, kept, err := r.view.kept(ctx, r.secret) // again: now there are keys to check it by
	if err != nil {
		return parts{}, err
	}
	var p parts
	p.rejected, p.through = r.sieve.divide(keys)
	switch {
	case !kept:
		p.throughRoot = r.hasher.Root(p.through)
		p.root = p.throughRoot.Add(r.hasher.Root(p.rejected))
	case len(p.rejected) <= len(p.through):
		p.root, p.throughRoot = root, root.Sub(r.hasher.Root(p.rejected))
	default:
		p.root, p.throughRoot = root, r.hasher.Root(p.through)
	}
	return p, nil
}

// theirRoot returns the initiator's root where it is under the secret in use.
func (r *responder) theirRoot() *wire.Root {
	if r.init.Secret == nil || *r.init.Secret != r.secret.SecretName {
		return nil
	}
	return r.init.Root
}

// isTheirs reports whether root is known to be the initiator's.
func (r *responder) isTheirs(root wire.Root) bool {
	theirs := r.theirRoot()
	return theirs != nil && *theirs == root
}

// secondHalf summarises what was let through, or of that what is in doubt, by the
// method that the initiator used.
func (r *responder) secondHalf(through []Key) error {
	kind, part := r.sieve.kind, r.sieve.within
	if r.segments != nil {
		kind, part = wholeKind, r.segmentsDoubt()
	}
	inside := part.within(through)
	draft := drafter{random: r.opt.Random, hash: r.opt.hash}
	switch {
	case r.segments != nil:
		draft.bits = bitsFor(r.sieve.size - len(r.segments.passed))
	case kind == wholeKind:
		draft.bits = bitsFor(r.sieve.size - len(inside))
	}
	d, err := draft.summarise(kind, inside)
	if err != nil {
		return err
	}
	d.head.Within = part.wire()
	r.digest = d
	r.ack.Summary = &d.head
	return nil
}

func takeBody(s *wire.Stream, t wire.Type, v any) error {
	f, err := s.Take(t)
	if err != nil {
		return err
	}
	return wire.DecodeBody(f, v)
}
