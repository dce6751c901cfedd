package refserver

import (
	"context"
	"math"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

var (
	_ engine.Linear = (*keptView)(nil)
	_ engine.Logged = (*keptView)(nil)
)

// Summaries returns the summaries at the view's position, if secret was the tenant's when
// the view was taken.
func (v *keptView) Summaries(_ context.Context, secret engine.Secret) (engine.Summaries, bool, error) {
	if v.kept == nil || secret != v.secret {
		return nil, false, nil
	}
	return &linear{from: v, kept: v.kept}, true, nil
}

// Position returns the view's place in the arrival log. One whose keys are not those of its
// summaries has none that anything came after.
func (v *keptView) Position() uint64 {
	if v.kept == nil {
		return math.MaxUint64
	}
	return v.kept.Position
}

// Since tells what the arrival log brought since a position; false where reading it fails.
func (v *keptView) Since(ctx context.Context, position uint64) (added []engine.Key, removed int, ok bool, err error) {
	if v.kept == nil {
		return nil, 0, false, nil
	}
	since := v.kept.Since
	if v.lent != nil {
		since = v.kept.SinceEver
	}
	added, removed, ok, err = since(ctx, position)
	if v.replica.node.goesOn(ctx, err) {
		return nil, 0, false, nil
	}
	return added, removed, ok, err
}

// linear are the summaries of a view. What they cannot tell any more, because the tenant's
// have got other widths since or are not those of what is stored, they find out from all of
// the view's keys.
type linear struct {
	from    *keptView
	kept    *summaries.View
	byShort map[uint64][]engine.Key // of all keys, once they were needed
}

// Snapshot returns the summaries themselves.
func (l *linear) Snapshot() *summary.Snapshot { return l.kept.Snapshot }

// Resolve returns the keys of the items with these short IDs, and the short IDs that none has.
func (l *linear) Resolve(ctx context.Context, shorts []uint64) (keys []engine.Key, unknown []uint64, err error) {
	if l.byShort == nil {
		keys, unknown, err = l.kept.Resolve(ctx, shorts)
		if !l.from.replica.node.goesOn(ctx, err) {
			return keys, unknown, err
		}
		if err := l.readAll(ctx); err != nil {
			return nil, nil, err
		}
	}
	keys, unknown = nil, nil
	asked := make(map[uint64]bool, len(shorts))
	for _, short := range shorts {
		if asked[short] {
			continue
		}
		asked[short] = true
		if keys = append(keys, l.byShort[short]...); len(l.byShort[short]) == 0 {
			unknown = append(unknown, short)
		}
	}
	return keys, unknown, nil
}

func (l *linear) readAll(ctx context.Context) error {
	keys, err := l.from.Keys(ctx)
	if err != nil {
		return err
	}
	expander := summary.NewExpander(summary.Derive(l.from.secret.Key, l.from.label), l.kept.Params())
	l.byShort = make(map[uint64][]engine.Key, len(keys))
	for _, k := range keys {
		short := expander.Key(k).Short
		l.byShort[short] = append(l.byShort[short], k)
	}
	return nil
}

// KeysIn returns the keys from from to to, both included, ascending.
func (l *linear) KeysIn(ctx context.Context, from, to engine.Key) ([]engine.Key, error) {
	keys, err := l.kept.KeysIn(ctx, from, to)
	if !l.from.replica.node.goesOn(ctx, err) {
		return keys, err
	}
	keys, err = l.from.Keys(ctx)
	return summary.KeysBetween(keys, from, to), err
}
