package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// difference is what one reply told and brought.
type difference struct {
	onlyHere []Key  // keys of the snapshot that the responder certainly lacks
	here     Root   // of onlyHere
	received Root   // of the new items that were stored
	items    int    // payloads in the reply, whatever became of them
	named    int    // items newly refused here, which are not sent again
	unnamed  error  // why a payload was refused that did not even tell its key
	doubt    *doubt // the part that the second half is of, nil for all
	more     bool
	bisected bool // the reply has parts of ranges, and no items
	parts    []summary.Segment
}

// readDifference reads what follows ACK and SECRET: the second half, the items, the end.
func (i *Initiator) readDifference(ctx context.Context, s *wire.Stream, ack wire.Ack) (difference, error) {
	var d difference
	if i.round.since != nil && ack.Through != nil {
		d.here = i.round.since.offset
	}
	if ack.Plan != nil {
		if err := i.checkPlan(ack); err != nil {
			return d, err
		}
	}
	if ack.Summary != nil {
		if err := i.readSecondHalf(ctx, s, *ack.Summary, &d); err != nil {
			return d, err
		}
	}
	unread := ack.Through == nil && !ack.WantSegments && ack.Plan == nil && !d.bisected && ack.Root.Summary() != i.round.root
	if i.round.asked && unread {
		return d, fmt.Errorf("%w: ACK does not say what was let through", ErrProtocol)
	}
	if s.At(wire.TypeItems) && (!i.round.asked || !i.opt.Direction.Pulls() || ack.Plan != nil || d.bisected) {
		return d, fmt.Errorf("%w: items that were not asked for", ErrProtocol)
	}
	if err := i.receive(ctx, s, &d); err != nil {
		return d, err
	}
	return d, i.readEnd(s, &d)
}

// checkPlan refuses a plan that answers nothing that was asked, or together with an answer.
func (i *Initiator) checkPlan(ack wire.Ack) error {
	switch {
	case i.round.probed == nil && i.round.since == nil:
		return fmt.Errorf("%w: a plan in reply to neither a sketch nor a cursor", ErrProtocol)
	case ack.Through != nil || ack.Summary != nil:
		return fmt.Errorf("%w: a plan, and what was let through", ErrProtocol)
	}
	return nil
}

func (i *Initiator) readSecondHalf(ctx context.Context, s *wire.Stream, head wire.Summary, d *difference) error {
	second, err := readDigest(s, head, i.opt.Limits.SummaryBytes)
	if err != nil {
		return err
	}
	if head.Form == wire.FormShorts || head.Form == wire.FormRanges {
		if err := undivided(head); err != nil {
			return fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		if head.Form == wire.FormShorts {
			return i.readShorts(ctx, second, d)
		}
		return i.readRanges(second, d)
	}
	if err := i.checkSecondHalf(head); err != nil {
		return err
	}
	has, err := second.sieve(i.opt.Limits.SummaryBytes, i.opt.hash)
	if err != nil {
		return err
	}
	keys, err := i.comparedKeys(ctx)
	if err != nil {
		return err
	}
	d.onlyHere, d.doubt = has.rejected(keys), has.within
	if asked := i.round.ranges; asked != nil {
		d.onlyHere = append(d.onlyHere, asked.given...)
		slices.SortFunc(d.onlyHere, Key.Compare)
	}
	d.here = d.here.Add(i.hasher().Root(d.onlyHere))
	return nil
}

// checkSecondHalf refuses a filter or a list of IDs that is of something else than what the
// request's summary was of.
func (i *Initiator) checkSecondHalf(head wire.Summary) error {
	var buckets []byte
	if head.Within != nil {
		buckets = head.Within.Buckets
	}
	ok := buckets == nil
	switch asked := i.round.ranges; {
	case i.round.probed != nil:
		ok = head.Form == wire.FormIDs && head.Size == 0 && head.Within == nil // it has nothing
	case asked != nil:
		ok = asked.within != nil && head.Form == wire.FormIDs && bytes.Equal(buckets, asked.within.Buckets)
	}
	if !ok {
		return fmt.Errorf("%w: a second half of the form %q is not of what was asked", ErrProtocol, head.Form)
	}
	return nil
}

// receive stores the items of the reply. What the snapshot already holds, or what
// comes twice, counts for nothing.
func (i *Initiator) receive(ctx context.Context, s *wire.Stream, d *difference) error {
	if !s.At(wire.TypeItems) {
		return nil
	}
	held, err := i.holder(ctx)
	if err != nil {
		return err
	}
	hasher := i.hasher()
	by := i.steps[0].strategy
	seen := map[Key]bool{}
	payloads := wire.DecodeItems(s, i.opt.Limits.ReplyBytes+wire.MaxItem)
	return stage(ctx, i.replica, payloads, func(r Receipt) error {
		d.items++
		if r.Err != nil {
			return i.bookRefused(r, d)
		}
		here, err := held(r.Key)
		if here {
			i.distrustSegments()
		}
		if err != nil || here || seen[r.Key] {
			return err
		}
		seen[r.Key] = true
		d.received = d.received.Add(hasher.Key(r.Key))
		i.report.delivered(by, 1, 0)
		if d.items%BatchItems == 0 {
			i.opt.Progress(&i.report)
		}
		return nil
	})
}

func (i *Initiator) bookRefused(r Receipt, d *difference) error {
	first, err := i.refuseHere(r)
	if first {
		d.named++
	}
	if r.Key == (Key{}) {
		d.unnamed = r.Err
	}
	return err
}

func (i *Initiator) readEnd(s *wire.Stream, d *difference) error {
	t := wire.TypeDone
	if s.At(wire.TypeMore) {
		t, d.more = wire.TypeMore, true
	}
	var end wire.End
	if err := takeBody(s, t, &end); err != nil {
		return err
	}
	if end.Items != uint64(d.items) {
		return fmt.Errorf("%w: %d items arrived, %v speaks of %d", ErrProtocol, d.items, t, end.Items)
	}
	return s.End()
}

// conclude decides by the identity of roots what comes next.
func (i *Initiator) conclude(ctx context.Context, ack wire.Ack, d difference) (bool, error) {
	remote := ack.Root.Summary()
	i.report.Local = i.round.root.Add(d.received)
	i.report.Remote = remote
	i.seen, i.seenUnder = i.round.own.Add(d.received), *i.round.secret
	switch {
	case ack.WantSegments:
		return false, nil // ask again, with what the responder keeps or the whole
	case ack.Plan != nil:
		return false, i.follow(*ack.Plan)
	case d.bisected:
		return false, i.followRanges(ctx, d)
	case !i.round.asked && !i.known:
		return false, i.blind()
	case !i.round.asked:
		return i.concludePush(ctx, remote)
	}
	through := remote
	if ack.Through != nil {
		through = ack.Through.Summary()
	}
	exact := i.round.root.Sub(d.here) == through
	whole := !i.opt.Direction.Pulls() || d.received == remote.Sub(through)
	if i.opt.Direction.Pushes() {
		i.pending, i.pendingBy = i.refused.pushable(d.onlyHere), i.steps[0].strategy
	}
	if !exact {
		i.seenUnder = Secret{} // what is to be pushed may be no items of the view
	}
	switch {
	case d.more:
		return false, i.more(d)
	case exact && whole:
		return i.differenceKnown(ctx, remote)
	case exact && d.named > 0:
		return false, nil // ask again, for what is missing but these
	case exact && d.unnamed != nil:
		return false, i.incomplete("items were refused here, the last because: %v", d.unnamed)
	default:
		return false, i.nextStep(remote.Count-through.Count, d)
	}
}

func (i *Initiator) more(d difference) error {
	i.mores++
	switch {
	case i.mores > maxMores:
		return i.incomplete("after %d replies there are still more items", i.mores)
	case d.received.Count > 0 || d.named > 0:
		return nil
	case d.unnamed != nil:
		return i.incomplete("a reply brought only items that were refused here, the last because: %v", d.unnamed)
	default:
		return fmt.Errorf("%w: MORE after a reply that brought nothing new", ErrProtocol)
	}
}

// differenceKnown is reached once nothing is missing here. What is left is to push.
func (i *Initiator) differenceKnown(ctx context.Context, remote Root) (bool, error) {
	i.noteOpen(nil)
	i.known, i.expected, i.settled, i.under = true, remote, i.report.Local, *i.round.secret
	if len(i.pending) > 0 {
		return false, nil
	}
	return i.complete(ctx)
}

// concludePush compares the responder's root with the one that it must have
// after all that was pushed. Where its set changed meanwhile, the sync starts over.
func (i *Initiator) concludePush(ctx context.Context, remote Root) (bool, error) {
	if len(i.pending) > 0 {
		return false, nil
	}
	if remote == i.expected && i.under == *i.round.secret {
		return i.complete(ctx)
	}
	heldSome := remote.Count < i.expected.Count // of what it was said to lack
	if heldSome {
		i.distrustSegments()
	}
	if i.restart() {
		if heldSome && i.steps[0].keyless() {
			return false, i.nextSketch() // the same again would say the same again
		}
		return false, nil
	}
	return false, i.incomplete("the responder's set changed during each of %d attempts", i.restarts)
}

// restart makes the next round ask again, unless that was done too often.
func (i *Initiator) restart() bool {
	i.known, i.doubt, i.sketching, i.ranging = false, nil, sketching{}, ranging{}
	i.restarts++
	// Sets seldom change so often. What is kept of this one and wrong would look the same.
	i.distrust = i.distrust || i.restarts > trustedRestarts
	return i.restarts <= maxRestarts
}

// nextStep goes down the ladder after a round whose identity failed. rejected is
// how many of its items the responder knows to be missing here.
//
// What was found and moves is out of the way of the next filter, which then has few
// items to be wrong about. What does not move, because the sync only pulls or only
// pushes, stays: each new filter is wrong about some of it again, and where that is
// likely it would only bring the list later.
func (i *Initiator) nextStep(rejected uint64, d difference) error {
	if len(i.steps) == 1 {
		return i.incomplete("roots still differ after a list of all IDs")
	}
	left := i.steps[0].kind
	i.nextMethod()
	i.distrust = i.distrust || i.steps[0].kind == plainIDs // it proves, whatever is kept
	i.failed++
	staysHere, staysThere := uint64(len(d.onlyHere)), rejected
	if i.opt.Direction.Pushes() {
		staysHere = 0
	}
	if i.opt.Direction.Pulls() {
		staysThere = 0
	}
	i.settleDoubt(d.doubt, staysThere > 0)
	if left != wholeKind { // a filter says nothing against the short IDs
		if err := i.saltSketch(); err != nil {
			return err
		}
	}
	if i.doubt == nil && staysHere+staysThere > hopeless && i.failed > 1 {
		for i.steps[0].approximate() {
			i.steps = i.steps[1:]
		}
	}
	return nil
}

// complete ends the sync: the identity of roots has proved that nothing is missing,
// but for items that one side refused.
func (i *Initiator) complete(ctx context.Context) (bool, error) {
	again, err := i.grown(ctx)
	switch {
	case err != nil:
		return false, err
	case again && i.restart():
		return false, nil
	case again:
		return false, i.incomplete("this side's set grew during each of %d attempts", i.restarts)
	case i.refused.any():
		return false, i.incomplete("%d items were refused, the first because: %s", i.report.RefusedItems, i.report.Refused[0].Reason)
	}
	i.report.RootsEqual = i.report.Local == i.report.Remote
	i.report.Complete = true
	return true, i.remember(ctx)
}

// grown reports whether there is more to push than when the difference was known: an
// item that arrived can bring others, held here before, into the view.
func (i *Initiator) grown(ctx context.Context) (bool, error) {
	if !i.opt.Direction.Pushes() || i.report.Received == i.checked {
		return false, nil
	}
	i.checked = i.report.Received
	view, err := i.replica.View(ctx)
	if err != nil {
		return false, err
	}
	_, root, err := i.roots(ctx, &snapshot{View: view, distrust: i.distrust})
	return root != i.settled, err
}

// noteOpen puts what a bisection found to differ into the report, until the sync is complete.
func (i *Initiator) noteOpen(open []openRange) {
	i.report.Open, i.report.OpenRanges = nil, len(open)
	for _, o := range open[:min(len(open), MaxOpen)] {
		i.report.Open = append(i.report.Open, OpenRange{o.bucket, o.mine, o.theirs})
	}
}

// incomplete returns an ErrIncomplete that names the first of the ranges that are open.
func (i *Initiator) incomplete(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if r := i.report; r.OpenRanges > 0 {
		o := r.Open[0]
		text += fmt.Sprintf("; %d ranges are open, the first %v with %d items here and %d there", r.OpenRanges, o.Bucket, o.Here, o.There)
	}
	return fmt.Errorf("%w: %s", ErrIncomplete, text)
}
