package summaries

import "math"

// maxFollowed is of how many tenants Wrote knows how much came since the last save, and
// how many may wait to be looked at: some hundred bytes each. Of any other the next Wrote
// has the store asked, which is three small reads.
const maxFollowed = 1 << 14

// followed is what Wrote was told, under the lock of the Keeper. A tenant without a secret
// is in it like any other: it is asked about again when it has one (Rotated), or as
// much came as makes a save.
type followed struct {
	behind  map[string]uint64   // messages since the last save, as far as known
	waiting map[string]struct{} // who is to be looked at, and who is being
	queue   []string            // waiting, in order, without who is being looked at
	working bool                // there is a worker
}

func newFollowed() followed {
	return followed{behind: make(map[string]uint64), waiting: make(map[string]struct{})}
}

// add counts messages of a tenant and returns how many came since the last save: of one
// that it knows nothing of, more than there can be.
func (f *followed) add(did string, messages uint64) uint64 {
	behind, known := f.behind[did]
	if _, waits := f.waiting[did]; !known && !waits {
		return math.MaxUint64
	}
	f.note(did, behind+messages)
	return behind + messages
}

// note takes note of how much of a tenant is not saved, in place of another's where there
// are too many.
func (f *followed) note(did string, behind uint64) {
	if _, known := f.behind[did]; !known && len(f.behind) >= maxFollowed {
		for other := range f.behind {
			delete(f.behind, other)
			break
		}
	}
	f.behind[did] = behind
}

// enqueue lets a tenant wait, and returns false where it does or too many do.
func (f *followed) enqueue(did string) bool {
	if _, waits := f.waiting[did]; waits {
		return false
	}
	if len(f.waiting) >= maxFollowed {
		delete(f.behind, did) // so that the next Wrote asks
		return false
	}
	f.waiting[did] = struct{}{}
	f.queue = append(f.queue, did)
	return true
}

// done takes note that so much of a tenant that was looked at is not saved, and what came
// meanwhile besides, though it may be counted already. It returns the sum.
func (f *followed) done(did string, before, behind uint64) uint64 {
	behind += after(f.behind[did], before)
	delete(f.waiting, did)
	f.note(did, behind)
	return behind
}
