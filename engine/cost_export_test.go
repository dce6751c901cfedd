package engine

import "context"

// SyncByIDs is Sync by the last step of every ladder alone, for tests outside the package.
func SyncByIDs(ctx context.Context, replica Replica, transport Transport, opt Options) (Report, error) {
	i, err := NewInitiator(replica, opt)
	if err != nil {
		return Report{}, err
	}
	i.steps = i.steps[len(i.steps)-1:]
	for {
		if done, err := i.exchange(ctx, transport); done || err != nil {
			return i.Report(), err
		}
	}
}
