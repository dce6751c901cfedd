package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// The first probe of a sync, whatever the case: it is enough for a hundred differences,
// and an estimate and a spine say what is needed for more.
const (
	firstCells = 160
	spineSize  = 24
	maxPlans   = 4 // that one sketch of the ladder follows

	planCells = 1 << 20 // the largest sketch that is sent
)

// sketching is what an initiator knows between the rounds of a sketch.
type sketching struct {
	plan  wire.Plan        // of the next probe
	dense []summary.Bucket // of plan
	plans int              // that were followed
	first wire.Plan        // the first of them
	salt  [16]byte         // of the next probe, zero for the view's own summaries
}

// probed is what one probe was made from.
type probed struct {
	params   summary.Params
	cells    int
	sums     Summaries
	expander *summary.Expander
}

// probeDigest returns the digest of a probe of the round's view, as the last plan
// wants it. Without a secret there is none, but for an empty view, which needs none.
func (i *Initiator) probeDigest(ctx context.Context) (digest, error) {
	plan := i.sketching.plan
	if plan.Cells == 0 {
		plan.Cells = firstCells
	}
	p := summary.Probe{Params: i.sketchParams(plan), Salt: i.sketching.salt, Level: int(plan.Level)}
	if err := i.openProbed(ctx, p.Params); err != nil {
		return digest{}, err
	}
	if err := i.shape(ctx, &p); err != nil {
		return digest{}, err
	}
	probed := i.round.probed
	probed.cells = max(int(min(plan.Cells, uint64(mostCells(i.round.root.Count)))), summary.MinCells)
	if err := i.fill(ctx, &p, probed.cells); err != nil {
		return digest{}, err
	}
	head := wire.Summary{Form: wire.FormSketch}
	var err error
	if plan.Bits > 0 {
		head.Salt, err = i.addFilter(ctx, &p, plan)
	}
	return newDigest(head, p.AppendBinary(nil)), err
}

// sketchParams returns the widths of the next probe.
func (i *Initiator) sketchParams(plan wire.Plan) summary.Params {
	switch {
	case i.opt.params != summary.Params{}:
		return i.opt.params
	case plan.Wide:
		return summary.WideParams()
	}
	return summary.ParamsFor(i.round.root.Count)
}

// openProbed computes or fetches the summaries that this round's probe is made of.
func (i *Initiator) openProbed(ctx context.Context, params summary.Params) error {
	secret, view := *i.round.secret, i.round.view
	sums, err := view.summaries(ctx, secret, params, i.sketching.salt)
	if err != nil {
		return err
	}
	key := summariesKey(secret, view.Label(), i.sketching.salt)
	i.round.probed = &probed{params: params, sums: sums, expander: summary.NewExpander(key, params)}
	return nil
}

// shape sets spine and last key of a probe. What was refused here is in no bucket of the
// tree: the spine is then of one bucket, so that none of it is taken to be missing.
func (i *Initiator) shape(ctx context.Context, p *summary.Probe) error {
	if besides := len(i.round.besides); besides > 0 {
		p.Spine = []summary.Segment{{Root: summary.Root{Count: i.round.root.Count}}}
		p.Last = summary.Bucket{}.Last()
		return nil
	}
	sums := i.round.probed.sums
	if p.Spine = sums.Snapshot().Tree().Spine(spineSize); len(p.Spine) == 0 {
		return nil
	}
	newest := p.Spine[len(p.Spine)-1]
	keys, err := sums.KeysIn(ctx, newest.Bucket.First(), newest.Bucket.Last())
	if err != nil {
		return err
	}
	if n := len(keys); uint64(n) == newest.Root.Count {
		p.Last = keys[n-1]
		return nil
	}
	if _, all := sums.(computed); all {
		return fmt.Errorf("%w: %d keys in a bucket of %d", ErrReplica, len(keys), newest.Root.Count)
	}
	return nil // what is kept is not of the keys, and distrusted: the probe is made once more
}

// fill sets estimator and cells of a probe: those of the view, and of what was refused here.
func (i *Initiator) fill(ctx context.Context, p *summary.Probe, cells int) error {
	probed := i.round.probed
	estimators := probed.sums.Snapshot().Estimators()
	sketch, err := sketchOf(ctx, probed.sums, probed.expander, cells)
	if err != nil {
		return err
	}
	for _, k := range i.round.besides {
		e := probed.expander.Key(k)
		estimators.Insert(e.Slice)
		sketch.Insert(e.Short)
	}
	p.Estimator, _ = estimators.At(p.Level)
	p.Cells = sketch.AppendCells(nil, 0, sketch.Cells())
	return nil
}

// addFilter adds the filter that a plan asks for, under a fresh salt, which it returns.
func (i *Initiator) addFilter(ctx context.Context, p *summary.Probe, plan wire.Plan) (filters.Salt, error) {
	salt, err := newSalt(i.opt.Random)
	if err != nil {
		return salt, err
	}
	p.Dense = i.sketching.dense
	keys := slices.Clone(i.round.besides)
	for _, b := range p.Dense {
		in, err := i.round.probed.sums.KeysIn(ctx, b.First(), b.Last())
		if err != nil {
			return salt, err
		}
		keys = append(keys, in...)
	}
	f, err := filters.Build(wholeKind, saltedBy(i.opt.hash, salt).of(keys), filters.Options{Bits: int(plan.Bits), Distinct: true})
	if err != nil {
		return salt, err
	}
	p.Filter = f.AppendTo(nil)
	return salt, nil
}

// readShorts reads which of the probe's items the responder lacks.
func (i *Initiator) readShorts(ctx context.Context, d digest, found *difference) error {
	probed := i.round.probed
	if probed == nil {
		return fmt.Errorf("%w: short IDs in reply to no sketch", ErrProtocol)
	}
	shorts, err := summary.DecodeShorts(d.data, probed.params)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if len(shorts) > probed.cells {
		return fmt.Errorf("%w: %d short IDs from a sketch of %d cells", ErrProtocol, len(shorts), probed.cells)
	}
	keys, _, err := probed.sums.Resolve(ctx, shorts)
	if err != nil {
		return err
	}
	found.onlyHere = append(keys, i.refusedOf(shorts)...)
	slices.SortFunc(found.onlyHere, Key.Compare)
	found.here = i.hasher().Root(found.onlyHere)
	return nil
}

// refusedOf returns the items that were refused here and have one of these short IDs.
func (i *Initiator) refusedOf(shorts []uint64) (keys []Key) {
	for _, k := range i.round.besides {
		if _, is := slices.BinarySearch(shorts, i.round.probed.expander.Key(k).Short); is {
			keys = append(keys, k)
		}
	}
	return keys
}

// follow takes a plan up. Where it says that no sketch does, filters of everything come
// next; where it is none, or one too many, the next step of the ladder.
func (i *Initiator) follow(plan wire.Plan) error {
	if i.steps[0].kind == cursorKind {
		i.leave(cursorKind)
		return nil
	}
	s := &i.sketching
	s.plans++
	dense, ok := usable(plan)
	switch {
	case plan.Cells == 0:
		i.leave(sketchKind)
		i.widen(plan)
		*s = sketching{}
		return nil
	case !ok || s.plans > maxPlans:
		return i.nextSketch()
	}
	if s.plans == 1 {
		s.first = plan
	}
	// A plan that did not help was too small by as much.
	before, sent := s.plan, i.round.probed
	if before.Cells == 0 && plan.Estimate > 0 { // else the same again, under another secret
		before.Cells = uint64(sent.cells) // of the first probe
	}
	if before.Level == plan.Level && before.Bits == plan.Bits && before.Wide == plan.Wide {
		plan.Cells = max(plan.Cells, before.Cells+before.Cells/2)
		if before.Cells > uint64(sent.cells) {
			return i.nextSketch() // there are no more cells
		}
	}
	s.plan, s.dense = plan, dense
	return nil
}

// usable returns the dense buckets of a plan, and false for one that no responder makes.
func usable(plan wire.Plan) ([]summary.Bucket, bool) {
	if plan.Cells > planCells || plan.Bits > maxPlanBits || plan.Level >= summary.EstimatorLevels {
		return nil, false
	}
	if plan.Bits == 0 {
		return nil, len(plan.Dense) == 0
	}
	dense, err := summary.DecodeBuckets(plan.Dense, summary.MaxDense)
	return dense, err == nil && len(dense) > 0
}

// nextSketch goes on after a sketch that never decoded, or said what was not so.
func (i *Initiator) nextSketch() error {
	i.nextMethod()
	return i.saltSketch()
}

// saltSketch makes the next sketch of the ladder one under a salt of its own: the last
// one did not decode, or to what cannot be, so items may have short IDs in common. The first
// plan was made from an estimate, and not from a failure.
func (i *Initiator) saltSketch() error {
	if i.steps[0].kind != sketchKind {
		return nil
	}
	salt, err := newSalt(i.opt.Random)
	s := sketching{salt: salt, plan: i.sketching.first}
	s.dense, _ = usable(s.plan)
	i.sketching = s
	return err
}

// blind goes on after a request that asked for nothing but the secret.
func (i *Initiator) blind() error {
	if i.asksBlind++; i.asksBlind > 1 {
		return fmt.Errorf("%w: it kept no secret", ErrReplica)
	}
	return nil
}

// holder returns what tells whether the round's snapshot, or what was refused here, has an item.
func (i *Initiator) holder(ctx context.Context) (func(Key) (bool, error), error) {
	if i.steps[0].keyless() {
		sums, ok, err := i.round.view.keptSummaries(ctx, *i.round.secret)
		if err != nil {
			return nil, err
		}
		if ok {
			return i.keylessHolder(ctx, sums), nil
		}
	}
	keys, err := i.heldKeys(ctx)
	return func(k Key) (bool, error) {
		_, held := slices.BinarySearchFunc(keys, k, Key.Compare)
		return held, nil
	}, err
}

// keylessHolder is holder by the short IDs of summaries.
func (i *Initiator) keylessHolder(ctx context.Context, sums Summaries) func(Key) (bool, error) {
	key := summariesKey(*i.round.secret, i.round.view.Label(), [16]byte{})
	expander := summary.NewExpander(key, sums.Snapshot().Params())
	return func(k Key) (bool, error) {
		keys, _, err := sums.Resolve(ctx, []uint64{expander.Key(k).Short})
		return slices.Contains(keys, k) || slices.Contains(i.round.besides, k), err
	}
}
