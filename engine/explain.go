package engine

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

// Explanation is what Explain found out.
type Explanation struct {
	Here, There Root // of both sides, under one secret
	// OnlyHere and OnlyThere are the items that the other side lacks: counted if Exact, otherwise
	// an estimate with a standard error of 9 %, and all of one side where the counts alone explain it.
	OnlyHere, OnlyThere float64
	Exact               bool
	Cursor              bool // there is one of the last sync, and this side's log goes on from it
	Requests            int  // that it took to find out
	RoundPrice          int  // bytes that a round is taken to be worth
	Costs               []StrategyCost
	// Takes is what StrategyAuto would begin with, and Why says why, in one sentence.
	Takes Strategy
	Why   string
}

// StrategyCost is what a sync by a strategy is expected to cost, items not counted.
type StrategyCost struct {
	Strategy Strategy
	Cost
}

// Equal reports whether both sides hold the same set.
func (e Explanation) Equal() bool { return e.Here == e.There }

// maxExplains are the requests that Explain makes: the probe, and one before it for each side
// whose secret the other one lacks.
const maxExplains = 3

// Explain finds out what a sync of replica with the responder behind transport would cost by each
// strategy, and what StrategyAuto would take. It moves no items: it asks for what a push
// would move, with one probe, and leaves it at that. Neither side stores anything but, at
// first contact, the secret that a sync would have brought it.
//
// Of opt, Direction, RoundPrice, Limits, Random and Cursor count. After the reply the engine knows the
// difference, or what the responder plans for it, so it tells more than auto knows at first.
func Explain(ctx context.Context, replica Replica, transport Transport, opt Options) (Explanation, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return Explanation{}, err
	}
	asking := opt
	asking.Strategy, asking.Direction = StrategySketch, Push
	i, err := NewInitiator(replica, asking)
	if err != nil {
		return Explanation{}, err
	}
	for range maxExplains {
		ack, found, err := i.ask(ctx, transport)
		if err != nil {
			return Explanation{}, err
		}
		if found != nil {
			return i.explain(ctx, ack, *found, opt)
		}
	}
	return Explanation{}, fmt.Errorf("%w: no probe after %d requests", ErrProtocol, maxExplains)
}

// ask makes one request. found is nil where another one has to follow.
func (i *Initiator) ask(ctx context.Context, transport Transport) (ack wire.Ack, found *difference, err error) {
	head, _, err := i.Request(ctx)
	if err != nil {
		return ack, nil, err
	}
	frames, err := transport.Exchange(ctx, head, func(func(wire.Frame, error) bool) {})
	if err != nil {
		return ack, nil, err
	}
	return i.answer(ctx, frames)
}

func (i *Initiator) answer(ctx context.Context, frames iter.Seq2[wire.Frame, error]) (ack wire.Ack, found *difference, err error) {
	s := wire.NewStream(frames)
	defer s.Close()
	if err := takeBody(s, wire.TypeAck, &ack); err != nil {
		return ack, nil, err
	}
	if err := i.settlePushed(ack); err != nil {
		return ack, nil, err
	}
	if ack.WantSecret {
		return ack, nil, i.wantSecret(s)
	}
	before := i.round.secret
	if err := i.readSecret(ctx, s, ack.Secret); err != nil {
		return ack, nil, err
	}
	d, err := i.readDifference(ctx, s, ack)
	if err != nil || before == nil && i.round.root.Count > 0 || i.round.secret != before && ack.Plan != nil {
		return ack, nil, err // what was asked was under another secret, or nothing
	}
	return ack, &d, nil
}

// explain says what the reply to a probe tells.
func (i *Initiator) explain(ctx context.Context, ack wire.Ack, d difference, opt Options) (Explanation, error) {
	e := Explanation{Here: i.round.root, There: ack.Root.Summary(), Requests: i.report.Rounds, RoundPrice: opt.RoundPrice}
	e.differ(ack, d)
	p := Pair{
		Here: e.Here.Count, There: e.There.Count, OnlyHere: e.OnlyHere, OnlyThere: e.OnlyThere,
		Direction: opt.Direction, Token: len(ack.Cursor), decodes: ack.Plan == nil,
	}
	if ack.Plan != nil && ack.Plan.Level == 0 { // else it only asks for a better estimate
		p.plan = ack.Plan
		var err error
		if p.filtered, err = i.filtered(ctx, *ack.Plan); err != nil {
			return e, err
		}
	}
	since, err := i.resumes(ctx, opt)
	if err != nil {
		return e, err
	}
	if e.Cursor = since != nil; e.Cursor {
		p.Cursor, p.SinceBoth = true, max(0, float64(len(since.keys))-e.OnlyHere)
	}
	e.choose(p)
	return e, nil
}

// differ sets what differs: exactly where the reply says it and the identity of roots holds.
func (e *Explanation) differ(ack wire.Ack, d difference) {
	surplus := float64(e.There.Count) - float64(e.Here.Count)
	if ack.Plan != nil {
		differ := min(float64(ack.Plan.Estimate), float64(e.Here.Count)+float64(e.There.Count))
		if one := math.Abs(surplus); differ <= one || twoSided(differ, estimateError(0, differ), one) <= 0.5 {
			differ = one
		}
		e.OnlyHere, e.OnlyThere = (differ-surplus)/2, (differ+surplus)/2
		return
	}
	through := e.There
	if ack.Through != nil {
		through = ack.Through.Summary()
	}
	e.OnlyHere, e.OnlyThere = float64(len(d.onlyHere)), float64(e.There.Count)-float64(through.Count)
	e.Exact = e.Here.Sub(d.here) == through
}

// filtered returns how many items a plan's filter would be of.
func (i *Initiator) filtered(ctx context.Context, plan wire.Plan) (n float64, err error) {
	dense, ok := usable(plan)
	if !ok {
		return 0, nil
	}
	for _, b := range dense {
		keys, err := i.round.probed.sums.KeysIn(ctx, b.First(), b.Last())
		if err != nil {
			return 0, err
		}
		n += float64(len(keys))
	}
	return n, nil
}

// resumes returns what a cursor leaves to be compared, nil where there is none that is usable here.
func (i *Initiator) resumes(ctx context.Context, opt Options) (*sinceLast, error) {
	opt.Strategy = StrategyCursor
	j, err := NewInitiator(i.replica, opt)
	if err != nil {
		return nil, err
	}
	if err := j.open(ctx); err != nil {
		return nil, err
	}
	err = j.openCursor(ctx)
	return j.round.since, err
}

// choose sets what each strategy costs, and which one auto takes.
func (e *Explanation) choose(p Pair) {
	price := float64(e.RoundPrice)
	everything := p.first(p.everything())
	length := filterLen(wholeKind, float64(p.Here), wholeBits)
	var cost Cost
	switch {
	case p.Cursor:
		e.Takes = StrategyCursor
		e.Why = "a cursor of the last sync is there: only what came since has to be compared, in one round"
		cost, _ = p.Cost(StrategyCursor)
	case first(p.Here, false, price) == wholeKind:
		e.Takes, cost = StrategyRibbon, everything
		e.Why = fmt.Sprintf("a filter of %d bits over the %d items here takes %.0f bytes, at most a quarter of a round, and settles any difference in one", wholeBits, p.Here, length)
	default:
		e.Takes = StrategySketch
		e.Why = fmt.Sprintf("a filter that settles any difference in one round would take %.0f bytes, more than a quarter of a round, a first sketch takes %.0f",
			length, probeLen(p.Here, firstCells))
		cost, _ = p.Cost(StrategySketch)
	}
	for _, s := range Strategies() {
		if s == StrategyAuto {
			e.Costs = append(e.Costs, StrategyCost{s, cost})
		} else if c, ok := p.Cost(s); ok {
			e.Costs = append(e.Costs, StrategyCost{s, c})
		}
	}
}
