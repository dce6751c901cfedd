package summaries

import (
	"context"
	"runtime"
)

// maxBuilds is how many logs are read as a whole at the same time: half of the
// processors, at least one. A build keeps one busy for seconds per 10^6 messages and takes
// 48 bytes each besides what it makes, and the other half is for requests that have what
// they need. More at a time would end none of them sooner.
func maxBuilds() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// briefBatches is how many batches of the log are so few that a request reads them
// itself, some ten milliseconds, rather than wait until a long log has been read.
const briefBatches = 8

// cold reports that catching up to last loads much, reads the whole of a long log or
// may have to, in its turn.
func (v *kept) cold(last uint64) bool {
	switch {
	case last <= uint64(briefBatches*v.keeper.batch):
		return false
	case v.set == nil || v.broken:
		return true
	}
	behind := after(last, v.set.Position())
	return behind > last/2 || v.outgrown(behind)
}

// advanceCold is advance as the Keeper's own work: what it began in its turn goes on where
// ctx ends, until it is done or the Keeper is closed. Waiting to begin ends with ctx, so
// that there are never more who wait than there are requests. It gives the turn back.
func (v *kept) advanceCold(ctx context.Context) (*View, error) {
	k := v.keeper
	select {
	case k.builds <- struct{}{}:
	case <-ctx.Done():
		v.release()
		return nil, ctx.Err()
	}
	type result struct {
		view *View
		err  error
	}
	done := make(chan result, 1)
	k.work.Go(func() {
		view, err := v.advance(context.WithoutCancel(ctx)) // ends early by Keeper.stopped
		v.release()
		<-k.builds
		k.settle(v) // who waits may be gone
		done <- result{view, err}
	})
	select {
	case r := <-done:
		return r.view, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
