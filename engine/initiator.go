package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// Options configure an initiator. The zero value works.
type Options struct {
	Strategy  Strategy  // default DefaultStrategy
	Direction Direction // default Both
	Limits    Limits
	Random    io.Reader // default crypto/rand
	// RoundPrice is how many bytes StrategyAuto takes a round to be worth: the round-trip
	// time times the bandwidth. Default DefaultRoundPrice.
	RoundPrice int
	// Segments is what StrategySegmented remembers between syncs of the replica with
	// this peer. Without one, each sync sends a whole filter.
	Segments *SegmentMemory
	// Cursor, if set, is what StrategyCursor remembers between syncs of the replica with this
	// peer. A sync that completes sets it anew.
	Cursor *CursorMemory
	// Progress, if set, is called after each stored batch. It must not keep the
	// report's slices and maps.
	Progress func(*Report)

	hash   hashFunc
	hashed *int
	params summary.Params // of sketches, zero for those that suit the view
	begin  filters.Kind   // of the step to begin the ladder with, zero for the first
}

func (o Options) withDefaults() (Options, error) {
	var err error
	if o.Strategy, err = ParseStrategy(string(o.Strategy)); err != nil {
		return o, err
	}
	if o.Direction == "" {
		o.Direction = Both
	}
	if !o.Direction.Valid() {
		return o, fmt.Errorf("%w: direction %q; there are pull, push and both", ErrOptions, o.Direction)
	}
	o.Limits = o.Limits.WithDefaults()
	if o.RoundPrice <= 0 {
		o.RoundPrice = DefaultRoundPrice
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Progress == nil {
		o.Progress = func(*Report) {}
	}
	if o.hash == nil {
		o.hash = saltedKey
	}
	if o.Segments == nil {
		o.Segments = new(SegmentMemory)
	}
	return o, nil
}

// Bounds on rounds beyond those of the ladder.
const (
	maxRestarts = 8 // one side's set changed during a sync that pushes
	// trustedRestarts are those after which what views keep is still used.
	trustedRestarts = 1
	maxMores        = 1 << 16 // replies that ended with MORE; each brought something new
)

// Initiator is the side that asks. Request and Reply are called in turn, by one
// goroutine, until Reply reports that the sync is done.
type Initiator struct {
	replica Replica
	opt     Options
	steps   []method // what remains of the ladder; the first is in use
	report  Report

	offer     bool // the next request carries the secret
	restarts  int
	mores     int
	asksBlind int
	cursor    []byte // that the last reply gave
	failed    int    // rounds whose identity failed
	unkept    int    // rounds whose delta started from what the responder did not keep
	doubt     *doubt // what a segmented filter has not settled, for the next round
	checked   int    // report.Received when the view was last compared with what it should be
	refused   refused
	sketching sketching
	ranging   ranging
	budget    int64 // of the items of the next request

	// What the rounds so far have found out.
	pending   []Key    // held here, certainly not by the responder, and to be pushed
	pendingBy Strategy // the strategy that found them
	known     bool     // the difference is known: only pending is left to do
	expected  Root     // where known: the responder's root once the pushed items are stored
	settled   Root     // where known: this side's root at that time, with what it received
	under     Secret   // the secret of both
	seen      Root     // of a view that had all of pending, without what was refused
	seenUnder Secret   // the secret of seen
	distrust  bool     // roots that views keep are not to be used

	round round
}

// NewInitiator returns an initiator for one sync of replica.
func NewInitiator(replica Replica, opt Options) (*Initiator, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	steps := ladder(opt.Strategy)
	if opt.Segments.never && opt.Strategy == StrategySegmented {
		steps = ladder(StrategyRibbon)
	}
	for opt.begin != plainIDs && steps[0].kind != opt.begin {
		steps = steps[1:]
	}
	return &Initiator{
		replica: replica, opt: opt, steps: steps,
		report:  Report{Strategy: opt.Strategy, Direction: opt.Direction, Delivered: map[Strategy]int{}},
		refused: refused{here: map[Key]bool{}, there: map[Key]bool{}},
		budget:  opt.Limits.RequestBytes,
	}, nil
}

// Report returns what was done so far. Its slices and maps are the initiator's
// until the sync is over.
func (i *Initiator) Report() Report { return i.report }

// Request returns the next request: the frames before the items, and the frames
// of the items, which are produced as they are iterated over, once, and not after
// Reply was called. After an error of either the sync is over.
func (i *Initiator) Request(ctx context.Context) ([]wire.Frame, iter.Seq2[wire.Frame, error], error) {
	if err := i.open(ctx); err != nil {
		return nil, nil, err
	}
	i.report.Rounds++
	head, err := i.head(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range head {
		i.report.Up.count(f)
	}
	items := i.round.view.Items(ctx, i.pending)
	payloads := payloadsWithin(items, i.budget, wire.MaxRequestItems, func(item Item) {
		i.round.pushed = append(i.round.pushed, item.Key)
	})
	return head, counted(wire.EncodeItems(payloads), &i.report.Up), nil
}

// head returns INIT, SECRET where it is asked for, and the summary unless the
// difference is known.
func (i *Initiator) head(ctx context.Context) ([]wire.Frame, error) {
	init := wire.Init{Version: wire.Version, Direction: i.opt.Direction, Budget: uint64(i.opt.Limits.ReplyBytes)}
	var d digest
	if !i.known {
		var err error
		if d, err = i.summarise(ctx); err != nil {
			return nil, err
		}
		if d.head.Form != "" {
			init.Summary, i.round.asked = &d.head, true
		}
		if i.round.since != nil {
			init.Cursor, i.round.asked = i.opt.Cursor.token, true
		}
	}
	if s := i.round.secret; s != nil { // after the summary: it can show that a kept root is wrong
		root := wire.RootOf(i.round.root)
		init.Secret, init.Root = &s.SecretName, &root
	}
	first, err := wire.EncodeBody(wire.TypeInit, init)
	if err != nil {
		return nil, err
	}
	frames := []wire.Frame{first}
	if i.offer && i.round.secret != nil {
		secret, err := wire.EncodeBody(wire.TypeSecret, i.round.secret)
		if err != nil {
			return nil, err
		}
		frames = append(frames, secret)
	}
	return append(frames, d.frames()...), nil
}

// summarise returns the summary of the round. Where what the view keeps contradicts itself while
// it is made of that, it is made once more, of the keys.
func (i *Initiator) summarise(ctx context.Context) (digest, error) {
	d, err := i.digest(ctx)
	if err == nil && i.round.view.distrust && !i.distrust {
		i.round.probed, i.round.ranges, i.round.since = nil, nil, nil
		if i.round.own, i.round.root, err = i.roots(ctx, i.round.view); err == nil {
			d, err = i.digest(ctx)
		}
	}
	if err == nil && int64(len(d.data)) > i.opt.Limits.SummaryBytes {
		err = i.incomplete("a summary of %d bytes, at most %d are allowed", len(d.data), i.opt.Limits.SummaryBytes)
	}
	return d, err
}

func (i *Initiator) digest(ctx context.Context) (digest, error) {
	if i.steps[0].kind == cursorKind {
		if err := i.openCursor(ctx); err != nil {
			return digest{}, err
		}
		if i.round.since != nil {
			return i.cursorDigest()
		}
		i.leave(cursorKind)
	}
	if err := i.choose(ctx); err != nil {
		return digest{}, err
	}
	switch kind := i.steps[0].kind; {
	case kind == sketchKind && i.round.secret != nil:
		return i.probeDigest(ctx)
	case kind == rangesKind && i.round.secret != nil:
		return i.rangesDigest(ctx)
	}
	keys, err := i.heldKeys(ctx)
	if err != nil {
		return digest{}, err
	}
	draft := drafter{random: i.opt.Random, hash: i.opt.hash, bits: i.steps[0].bits}
	switch kind := i.steps[0].kind; {
	case i.steps[0].keyless() && len(keys) > 0:
		return digest{}, nil // first the secret
	case i.steps[0].keyless():
		return draft.summarise(plainIDs, nil)
	case kind != filters.Segmented:
		return draft.summarise(kind, keys)
	case i.doubt != nil:
		d, err := draft.summarise(wholeKind, i.doubt.within(keys))
		d.head.Within = i.doubt.wire()
		return d, err
	default:
		return i.segmentsDigest(keys)
	}
}

// Reply reads the reply to the last request, stores its items, and reports
// whether the sync is done. ErrIncomplete means that it is over, but not proved.
func (i *Initiator) Reply(ctx context.Context, frames iter.Seq2[wire.Frame, error]) (bool, error) {
	s := wire.NewStream(counted(frames, &i.report.Down))
	defer s.Close()
	var ack wire.Ack
	if err := takeBody(s, wire.TypeAck, &ack); err != nil {
		return false, err
	}
	if err := i.settlePushed(ack); err != nil {
		return false, err
	}
	if err := i.settleSegments(ack); err != nil {
		return false, err
	}
	i.cursor = ack.Cursor
	if ack.WantSecret {
		return false, i.wantSecret(s)
	}
	if err := i.readSecret(ctx, s, ack.Secret); err != nil {
		return false, err
	}
	got, err := i.readDifference(ctx, s, ack)
	if err != nil {
		return false, err
	}
	return i.conclude(ctx, ack, got)
}

// settlePushed books the items of the request: stored there, or refused.
func (i *Initiator) settlePushed(ack wire.Ack) error {
	if ack.Version != wire.Version {
		return fmt.Errorf("%w: wire version %d; this node speaks %d", ErrProtocol, ack.Version, wire.Version)
	}
	pushed := i.round.pushed
	if ack.Received != uint64(len(pushed)) {
		return fmt.Errorf("%w: %d items sent, %d acknowledged", ErrProtocol, len(pushed), ack.Received)
	}
	if len(pushed) == 0 && len(i.pending) > 0 {
		if i.distrust {
			return fmt.Errorf("%w: the view yields none of %d items that it holds", ErrReplica, len(i.pending))
		}
		i.distrust = true // only what it keeps says that it holds them, perhaps
	}
	next := uint64(0)
	for _, r := range ack.Refused {
		if r.Index < next || r.Index >= uint64(len(pushed)) {
			return fmt.Errorf("%w: refusal of item %d of %d", ErrProtocol, r.Index, len(pushed))
		}
		next = r.Index + 1
		i.refuseThere(pushed[r.Index], r.Reason)
	}
	i.report.delivered(i.pendingBy, 0, len(pushed)-len(ack.Refused))
	i.opt.Progress(&i.report)
	i.settleExpected(pushed)
	if !ack.WantSecret {
		i.budget = min(i.opt.Limits.RequestBytes, int64(min(ack.Budget, math.MaxInt64)))
	}
	return nil
}

// settleExpected takes pushed out of pending and adds what was stored to the
// root that the responder is expected to have.
func (i *Initiator) settleExpected(pushed []Key) {
	done := make(map[Key]bool, len(pushed))
	for _, k := range pushed {
		done[k] = true
	}
	i.pending = slices.DeleteFunc(i.pending, func(k Key) bool { return done[k] })
	if !i.known || i.round.secret == nil {
		return
	}
	hasher := i.hasher()
	for _, k := range pushed {
		if !i.refused.there[k] {
			i.expected = i.expected.Add(hasher.Key(k))
		}
	}
}

func (i *Initiator) wantSecret(s *wire.Stream) error {
	if i.round.secret == nil || i.offer {
		return fmt.Errorf("%w: the responder asks for a secret that it has or that does not exist", ErrProtocol)
	}
	i.offer = true
	return s.End()
}

// readSecret brings this round under the responder's secret.
func (i *Initiator) readSecret(ctx context.Context, s *wire.Stream, name wire.SecretName) error {
	i.offer = false
	if mine := i.round.secret; mine != nil && mine.SecretName == name {
		return nil
	}
	var secret Secret
	if err := takeBody(s, wire.TypeSecret, &secret); err != nil {
		return err
	}
	if secret.SecretName != name {
		return fmt.Errorf("%w: SECRET is not the one that ACK names", ErrProtocol)
	}
	if _, err := i.replica.KeepSecret(ctx, secret); err != nil {
		return err
	}
	return i.useSecret(ctx, secret)
}

// counted passes frames on and adds their sizes to t.
func counted(frames iter.Seq2[wire.Frame, error], t *Traffic) iter.Seq2[wire.Frame, error] {
	return func(yield func(wire.Frame, error) bool) {
		for f, err := range frames {
			if err == nil {
				t.count(f)
			}
			if !yield(f, err) {
				return
			}
		}
	}
}
