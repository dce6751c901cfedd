package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// readProbe reads a request's probe and the filter in it.
func (r *responder) readProbe(d digest) error {
	if d.head.Base != 0 || d.head.Within != nil {
		return fmt.Errorf("%w: a summary of the form %q is no delta and no part", wire.ErrMalformed, d.head.Form)
	}
	probe, err := summary.DecodeProbe(d.data)
	if err != nil {
		return fmt.Errorf("%w: %w", wire.ErrMalformed, err)
	}
	if p := probe.Params; p != summary.ParamsFor(0) && p != summary.WideParams() && p != r.opt.params {
		return fmt.Errorf("%w: a sketch with short IDs of %d bits and checks of %d", ErrUnsupported, p.ShortBits, p.CheckBits)
	}
	asked := &probeAsked{Probe: probe}
	if len(probe.Dense) > 0 {
		f := digest{head: wire.Summary{Form: wire.FormFilter, Salt: d.head.Salt}, data: probe.Filter}
		if asked.filter, err = f.filter(r.opt.Limits.SummaryBytes, r.opt.hash); err != nil {
			return err
		}
	}
	r.probe = asked
	return nil
}

// probeAsked is a probe as its reader uses it.
type probeAsked struct {
	*summary.Probe
	filter sieve // over what the initiator has in Dense
}

func (p *probeAsked) cells() int { return len(p.Cells) / p.Params.CellSize() }

// theirs returns how many items the initiator says that it has.
func (p *probeAsked) theirs() (n uint64) {
	for _, s := range p.Spine {
		n += s.Root.Count
	}
	return n
}

// planProbe finds what the initiator lacks and what only it has, or says what it needs
// for that.
func (r *responder) planProbe(ctx context.Context) error {
	root, err := r.view.root(ctx, r.secret, r.hasher)
	if err == nil && root.Count == 0 {
		root, err = r.emptyRoot(ctx)
	}
	if err != nil {
		return err
	}
	if r.ack.Root = wire.RootOf(root); r.isTheirs(r.ack.Root) {
		return nil
	}
	switch {
	case r.theirRoot() == nil:
		r.ack.Plan = &wire.Plan{Cells: uint64(r.probe.cells())} // the same again, under this secret
		return nil
	case root.Count == 0:
		r.answerProbe(Root{}, nil, newDigest(wire.Summary{Form: wire.FormIDs}, nil))
		return nil
	case len(r.probe.Spine) == 0:
		return r.planEverything(ctx)
	}
	return r.planSketch(ctx, root)
}

// planSketch answers the probe of a set that is not empty. Of summaries that are kept it folds the
// table, of at most 2^20 cells, and decodes as many cells as were sent, with one lookup for
// each item found. It reads and expands the keys that lie outside of the initiator's
// spine, reads and asks the filter for those in its dense buckets, and expands what that
// rejects: at most all. A salt, widths that are not kept, or more cells than the table has cost
// reading and expanding all keys.
func (r *responder) planSketch(ctx context.Context, root Root) error {
	sums, err := r.view.summaries(ctx, r.secret, r.probe.Params, r.probe.Salt)
	if err != nil {
		return err
	}
	m := newMatch(r.probe, sums, summariesKey(r.secret, r.view.Label(), r.probe.Salt))
	lacked, surplus, ok, err := m.find(ctx)
	switch {
	case err != nil:
		return err
	case !ok:
		plan := m.plan(root.Count)
		r.ack.Plan = &plan
		return nil
	}
	var second digest
	if len(surplus) > 0 {
		second = newDigest(wire.Summary{Form: wire.FormShorts}, summary.AppendShorts(nil, surplus, r.probe.Params))
	}
	r.answerProbe(root.Sub(r.hasher.Root(lacked)), lacked, second)
	return nil
}

// emptyRoot returns the root of a view whose kept root says that it is empty. To read no
// keys costs nothing, and if there are some, that root is not used.
func (r *responder) emptyRoot(ctx context.Context) (Root, error) {
	if _, err := r.view.Keys(ctx); err != nil {
		return Root{}, err
	}
	return r.view.root(ctx, r.secret, r.hasher)
}

// answerProbe sets the answer to a probe: through is the root of what the initiator has of this
// view, and lacked what it has not.
func (r *responder) answerProbe(through Root, lacked []Key, second digest) {
	r.letThrough(through, lacked)
	if r.digest = second; second.head.Form != "" {
		r.ack.Summary = &r.digest.head
	}
}

// planEverything answers an initiator that has nothing.
func (r *responder) planEverything(ctx context.Context) error {
	var lacked []Key
	if r.init.Direction.Pulls() {
		var err error
		if lacked, err = r.view.Keys(ctx); err != nil {
			return err
		}
	}
	r.answerProbe(Root{}, lacked, digest{})
	return nil
}

// match compares a probe with the responder's view.
type match struct {
	probe    *probeAsked
	sums     Summaries
	snapshot *summary.Snapshot
	expander *summary.Expander
	// What the initiator lacks for certain, and no longer belongs to what is compared:
	// keys, the first of them outside of its spine, and short IDs.
	lacked     []Key
	outside    int
	shorts     []uint64
	estimators summary.Estimators // of the rest
}

func newMatch(p *probeAsked, sums Summaries, key [32]byte) *match {
	m := &match{probe: p, sums: sums, snapshot: sums.Snapshot(), expander: summary.NewExpander(key, p.Params)}
	m.estimators = m.snapshot.Estimators()
	return m
}

// find returns what the initiator lacks and the short IDs of what only it has; false if the
// sketch does not tell.
func (m *match) find(ctx context.Context) (lacked []Key, surplus []uint64, ok bool, err error) {
	if err := m.takeOutside(ctx); err != nil {
		return nil, nil, false, err
	}
	if err := m.takeRejected(ctx); err != nil {
		return nil, nil, false, err
	}
	difference, ok, err := m.decode(ctx)
	if err != nil || !ok {
		return nil, nil, false, err
	}
	keys, unknown, err := m.sums.Resolve(ctx, difference.Minus)
	// An item that was taken can have the short ID of one that was not.
	lacked = slices.Concat(m.lacked, keys)
	slices.SortFunc(lacked, Key.Compare)
	// A short ID that nothing has was never put into the sketch: it decoded to what is not there.
	return slices.Compact(lacked), difference.Plus, len(unknown) == 0, err
}

// takeOutside takes what lies outside of the initiator's spine, or beyond its last item: all
// of it is missing there.
func (m *match) takeOutside(ctx context.Context) error {
	all := summary.Bucket{}
	from, more := all.First(), true
	for i, s := range m.probe.Spine {
		if to, some := s.Bucket.First().Previous(); some {
			if err := m.takeBetween(ctx, from, to); err != nil {
				return err
			}
		}
		last := s.Bucket.Last()
		if i == len(m.probe.Spine)-1 {
			last = m.probe.Last
		}
		from, more = last.Next()
	}
	var err error
	if more {
		err = m.takeBetween(ctx, from, all.Last())
	}
	m.outside = len(m.lacked)
	return err
}

// takeBetween takes all from from to to. Where the tree knows that there is nothing, it
// costs no reading.
func (m *match) takeBetween(ctx context.Context, from, to Key) error {
	if root, known := m.snapshot.Tree().Between(from, to); known && root.Count == 0 {
		return nil
	}
	keys, err := m.sums.KeysIn(ctx, from, to)
	m.take(keys)
	return err
}

// takeRejected takes what the initiator's filter rejects of what was not taken yet.
func (m *match) takeRejected(ctx context.Context) error {
	for _, b := range m.probe.Dense {
		to := b.Last()
		if m.probe.Last.Compare(to) < 0 {
			to = m.probe.Last
		}
		keys, err := m.sums.KeysIn(ctx, b.First(), to)
		if err != nil {
			return err
		}
		m.take(slices.DeleteFunc(m.probe.filter.rejected(keys), m.taken))
	}
	return nil
}

// taken reports whether k lies outside of the initiator's spine.
func (m *match) taken(k Key) bool {
	spine := m.probe.Spine
	at, found := slices.BinarySearchFunc(spine, k, func(s summary.Segment, k Key) int { return s.Bucket.First().Compare(k) })
	return !found && (at == 0 || !spine[at-1].Bucket.Contains(k))
}

func (m *match) take(keys []Key) {
	for _, k := range keys {
		e := m.expander.Key(k)
		m.estimators.Remove(e.Slice)
		m.lacked, m.shorts = append(m.lacked, k), append(m.shorts, e.Short)
	}
}

// decode returns what the initiator's sketch and this side's differ by, without what was
// taken; false if there are too few cells, or it is certain enough that they are.
func (m *match) decode(ctx context.Context) (summary.Difference, bool, error) {
	cells := m.probe.cells()
	if estimate, saturated := m.estimate(); !saturated && estimate > float64(cells) || cells > mostCells(max(m.probe.theirs(), m.snapshot.Root().Count)) {
		return summary.Difference{}, false, nil
	}
	mine, err := sketchOf(ctx, m.sums, m.expander, cells)
	if err != nil {
		return summary.Difference{}, false, err
	}
	for _, short := range m.shorts {
		mine.Remove(short)
	}
	theirs, err := summary.DecodeSketch(m.snapshot.Coder(), m.probe.Cells)
	if err != nil {
		return summary.Difference{}, false, fmt.Errorf("%w: %w", wire.ErrMalformed, err)
	}
	if err := theirs.Subtract(mine); err != nil {
		return summary.Difference{}, false, err
	}
	difference, err := theirs.Decode()
	if errors.Is(err, summary.ErrUndecodable) {
		return summary.Difference{}, false, nil
	}
	return difference, err == nil, err
}

func (m *match) estimate() (d float64, saturated bool) {
	mine, _ := m.estimators.At(m.probe.Level)
	return summary.Estimate(m.probe.Level, m.probe.Estimator.Subtract(mine))
}

// maxCount is what a count that an initiator claims is taken for at most: a plan for 2^53 items
// and one for more are the same, and conversions of larger floats differ between processors.
const maxCount = 1 << 53

// plan returns what the initiator should send next; n is the number of items here.
func (m *match) plan(n uint64) wire.Plan {
	c := sketchCase{
		level: m.probe.Level, mine: float64(n) - float64(m.outside), theirs: float64(min(m.probe.theirs(), maxCount)),
		cellSize: m.probe.Params.CellSize(), certain: float64(len(m.lacked) - m.outside), ranges: m.ranges(),
		maxCells: mostCells(m.probe.theirs()),
	}
	c.estimate, c.saturated = m.estimate()
	c.estimate += c.certain
	plan, _ := planSketch(c)
	plan.Estimate += uint64(m.outside)
	plan.Wide = summary.ParamsFor(n) == summary.WideParams()
	return plan
}

// ranges returns how many items each side has in the buckets of the spine, without what
// lies outside of it.
func (m *match) ranges() (ranges []rangeCase) {
	for _, s := range m.probe.Spine {
		root, known := m.snapshot.Tree().Sum(s.Bucket)
		if !known {
			continue // fewer than a leaf's
		}
		here := root.Count - uint64(len(summary.KeysBetween(m.lacked[:m.outside], s.Bucket.First(), s.Bucket.Last())))
		ranges = append(ranges, rangeCase{s.Bucket, float64(here), float64(min(s.Root.Count, maxCount))})
	}
	return ranges
}
