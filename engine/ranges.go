package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// Bounds of the bisection by ranges. A round divides a range by up to 16 on either side,
// and takes at least 15 bits off where items share more than that.
const (
	firstRanges    = 64  // in the first request
	rangeParts     = 16  // of one range
	smallRange     = 200 // items on both sides, of which the IDs are listed
	maxRangeRounds = 12  // enough for all 320 bits of a key
)

// ranging is what an initiator knows between the rounds of a bisection.
type ranging struct {
	open   []openRange // differ; nil before the first reply
	rounds int
	list   bool // open is not to be divided further: its IDs come next
}

// openRange is a bucket in which the two sides differ.
type openRange struct {
	bucket       summary.Bucket
	mine, theirs uint64
	whole        bool // no side divides it
}

func (o openRange) divisible() bool {
	return !o.whole && o.mine > 0 && o.theirs > 0 && o.mine+o.theirs > smallRange
}

// rangesAsked is what one request of a bisection was made of.
type rangesAsked struct {
	segments []summary.Segment
	// Of a list of IDs: the buckets that it is of, and what lies in those that are empty there.
	within *wire.Within
	keys   []Key
	given  []Key
}

// rangesDigest returns the digest of the next request of a bisection: roots of ranges, or
// the IDs in those that are left.
func (i *Initiator) rangesDigest(ctx context.Context) (digest, error) {
	s := &i.ranging
	view, err := i.openRanged(ctx)
	if err != nil {
		return digest{}, err
	}
	if s.open == nil && i.round.root.Count <= smallRange {
		// All IDs are short enough. How many the responder has may not be known yet.
		s.open, s.list = []openRange{{mine: i.round.root.Count, theirs: max(1, i.report.Remote.Count), whole: true}}, true
	}
	asked := &rangesAsked{}
	i.round.ranges = asked
	if s.list {
		return i.openIDs(ctx, view, asked)
	}
	if s.open == nil {
		asked.segments, err = view.parts(ctx, summary.Bucket{}, firstRanges)
	}
	divide := slices.DeleteFunc(slices.Clone(s.open), func(o openRange) bool { return !o.divisible() })
	for _, o := range divide {
		parts, err := view.parts(ctx, o.bucket, min(rangeParts, summary.MaxRanges/len(divide)))
		if err != nil {
			return digest{}, err
		}
		asked.segments = append(asked.segments, parts...)
	}
	return newDigest(wire.Summary{Form: wire.FormRanges}, summary.AppendRanges(nil, asked.segments)), err
}

// openIDs returns the digest of the IDs in the open ranges. Where the responder has nothing,
// everything here is missing there, and need not be listed.
func (i *Initiator) openIDs(ctx context.Context, view ranged, asked *rangesAsked) (digest, error) {
	var buckets []summary.Bucket
	for _, o := range i.ranging.open {
		keys, err := view.keys(ctx, o.bucket)
		if err != nil {
			return digest{}, err
		}
		if o.theirs == 0 {
			asked.given = append(asked.given, keys...)
			continue
		}
		buckets, asked.keys = append(buckets, o.bucket), append(asked.keys, keys...)
	}
	asked.within = &wire.Within{Buckets: summary.AppendBuckets(nil, buckets)}
	d := newDigest(wire.Summary{Form: wire.FormIDs}, idList(asked.keys))
	d.head.Within = asked.within
	return d, nil
}

// readRanges reads the parts of what differs in reply to a request of a bisection.
func (i *Initiator) readRanges(d digest, found *difference) error {
	if i.round.ranges == nil || i.round.ranges.within != nil {
		return fmt.Errorf("%w: ranges in reply to none", ErrProtocol)
	}
	var err error
	if found.parts, err = summary.DecodeRanges(d.data); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	found.bisected = true
	return nil
}

// followRanges keeps what still differs, and decides whether to divide it further or to list
// the IDs in it.
func (i *Initiator) followRanges(ctx context.Context, d difference) error {
	open, err := i.stillOpen(ctx, d.parts)
	if err != nil {
		return err
	}
	s := &i.ranging
	for _, o := range s.open { // those that were too small to be divided
		if !o.divisible() {
			open = append(open, o)
		}
	}
	slices.SortFunc(open, func(a, b openRange) int { return a.bucket.Compare(b.bucket) })
	s.open, s.rounds = open, s.rounds+1
	i.noteOpen(open)
	divisible, ids := 0, uint64(0)
	for _, o := range open {
		if o.divisible() {
			divisible++
		}
		if o.theirs > 0 {
			ids += o.mine
		}
	}
	s.list = divisible == 0 || divisible > summary.MaxRanges/2 || s.rounds == maxRangeRounds
	switch {
	case len(open) == 0:
		return i.nextStep(0, d) // roots differ, but no range does
	case !s.list:
		return nil
	case len(open) > summary.MaxRanges || ids > uint64(i.opt.Limits.SummaryBytes)/uint64(len(ID{})):
		i.leave(rangesKind) // a list of everything is shorter
	}
	return nil
}

// stillOpen returns those of a reply's parts that differ here.
func (i *Initiator) stillOpen(ctx context.Context, parts []summary.Segment) ([]openRange, error) {
	view, err := i.openRanged(ctx) // under the secret of the reply
	if err != nil {
		return nil, err
	}
	open := []openRange{}
	asked := i.round.ranges.segments
	for _, part := range parts {
		for len(asked) > 0 && asked[0].Bucket.Last().Compare(part.Bucket.First()) < 0 {
			asked = asked[1:]
		}
		if len(asked) == 0 || !asked[0].Bucket.Covers(part.Bucket) {
			return nil, fmt.Errorf("%w: bucket %v was not asked about", ErrProtocol, part.Bucket)
		}
		mine, err := view.root(ctx, part.Bucket)
		if err != nil {
			return nil, err
		}
		if mine == part.Root {
			continue
		}
		o := openRange{bucket: part.Bucket, mine: mine.Count, theirs: part.Root.Count}
		o.whole = asked[0].Bucket == part.Bucket && !view.divides(part.Bucket)
		open = append(open, o)
	}
	return open, nil
}

// openRanged returns the round's view, with what was refused here, by ranges.
func (i *Initiator) openRanged(ctx context.Context) (ranged, error) {
	sums, err := i.round.view.summaries(ctx, *i.round.secret, summary.Params{}, [16]byte{})
	return ranged{sums: sums, hasher: i.hasher(), besides: i.round.besides}, err
}

// ranged is a set by ranges. The summaries answer, and the keys where a range cuts a leaf.
type ranged struct {
	sums    Summaries
	hasher  keyHasher
	besides []Key // belong to the set too, and are not in sums; ascending
}

func (r ranged) root(ctx context.Context, b summary.Bucket) (Root, error) {
	root, known := r.sums.Snapshot().Tree().Sum(b)
	if !known {
		keys, err := r.sums.KeysIn(ctx, b.First(), b.Last())
		if err != nil {
			return Root{}, err
		}
		root = r.hasher.Root(keys)
	}
	return root.Add(r.more(b)), nil
}

// more returns the root of what besides has in b.
func (r ranged) more(b summary.Bucket) Root { return r.hasher.Root(r.inBesides(b)) }

func (r ranged) inBesides(b summary.Bucket) []Key {
	return summary.KeysBetween(r.besides, b.First(), b.Last())
}

// divides reports whether there is more than one part of b.
func (r ranged) divides(b summary.Bucket) bool {
	parts, ok := r.sums.Snapshot().Tree().CutWithin(b, 2)
	return ok && len(parts) > 1
}

// parts returns at most so many segments, at least one, that cover b.
func (r ranged) parts(ctx context.Context, b summary.Bucket, most int) ([]summary.Segment, error) {
	parts, known := r.sums.Snapshot().Tree().CutWithin(b, most)
	if !known {
		root, err := r.root(ctx, b)
		return []summary.Segment{{Bucket: b, Root: root}}, err
	}
	for n := range parts {
		parts[n].Root = parts[n].Root.Add(r.more(parts[n].Bucket))
	}
	return parts, nil
}

// keys returns the keys in b, ascending.
func (r ranged) keys(ctx context.Context, b summary.Bucket) ([]Key, error) {
	keys, err := r.sums.KeysIn(ctx, b.First(), b.Last())
	if more := r.inBesides(b); err == nil && len(more) > 0 {
		keys = append(slices.Clone(keys), more...)
		slices.SortFunc(keys, Key.Compare)
	}
	return keys, err
}
