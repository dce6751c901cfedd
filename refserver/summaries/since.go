package summaries

import (
	"context"
	"math"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// sinceReach is how many entries of the log Since reads at most to find out what a message
// was before it changed: some ten milliseconds. It reads as many again as came since, if
// that is more.
const sinceReach = 8192

// Since returns the keys that the view has at Position and had not at an earlier position
// of the log, ascending, and how many it had then and has no longer. It reads what the log
// brought in between. It is false for a position that is later than Position, and, of a
// scoped view, if a message that was accepted long before position changed its scope after
// it: telling whether it was a member then would cost more than what came since.
func (v *View) Since(ctx context.Context, position uint64) (added []dwn.Key, removed int, ok bool, err error) {
	return v.since(ctx, position, max(sinceReach, v.Position-min(position, v.Position)))
}

// SinceEver is Since without the second case in which that is false, which depends on how many
// messages there are outside of the scope: for who may not learn of them.
func (v *View) SinceEver(ctx context.Context, position uint64) (added []dwn.Key, removed int, ok bool, err error) {
	return v.since(ctx, position, math.MaxUint64)
}

func (v *View) since(ctx context.Context, position, reach uint64) (added []dwn.Key, removed int, ok bool, err error) {
	if position > v.Position {
		return nil, 0, false, nil
	}
	changes, rescoped := make(map[dwn.Key]bool), make(map[uint64]bool)
	err = v.kept.entries(ctx, position+1, v.Position, func(batch []store.LogEntry) error {
		for _, e := range batch {
			if e.Accepted <= position {
				if v.kept.scope.All() {
					continue
				}
				rescoped[e.Accepted] = true
			}
			changes[e.Key] = v.kept.member(e)
		}
		return nil
	})
	if err != nil || position-earliest(rescoped, position) > reach {
		return nil, 0, false, err
	}
	before, err := v.kept.before(ctx, rescoped, position)
	if err != nil {
		return nil, 0, false, err
	}
	for key, is := range changes {
		switch was := before[key]; {
		case is && !was:
			added = append(added, key)
		case was && !is:
			removed++
		}
	}
	slices.SortFunc(added, dwn.Key.Compare)
	return added, removed, true, nil
}

// before returns which messages, given by where in the log they were accepted, were members
// of the view at a position that is not before. It reads the log from the first of them on.
func (v *kept) before(ctx context.Context, accepted map[uint64]bool, position uint64) (map[dwn.Key]bool, error) {
	if len(accepted) == 0 {
		return nil, nil
	}
	members := make(map[dwn.Key]bool, len(accepted))
	return members, v.entries(ctx, earliest(accepted, position), position, func(batch []store.LogEntry) error {
		for _, e := range batch {
			if accepted[e.Accepted] {
				members[e.Key] = v.member(e)
			}
		}
		return nil
	})
}

// earliest returns the smallest of positions, none of them above most; most if there are none.
func earliest(positions map[uint64]bool, most uint64) uint64 {
	for position := range positions {
		most = min(most, position)
	}
	return most
}
