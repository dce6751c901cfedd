package refserver

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// codeQuota tells that what was sent does not fit into the tenant's quota.
const codeQuota = "quota"

// putFitting stores those of a batch that fit into the tenant's quota, in one transaction, and
// returns their places in the batch with their outcomes, and the places of the others. Each
// attempt that fails makes the batch shorter, and where nobody else writes there is one. On a
// disk that is nearly full it stores what ends grants (see store.Quota) and returns, besides
// its outcomes, store.ErrFull if there was more.
func putFitting(ctx context.Context, tenant store.Tenant, batch []store.Entry, by basis) (fit []int, outcomes []store.Outcome, over []int, err error) {
	for i := range batch {
		fit = append(fit, i)
	}
	var full error
	for len(fit) > 0 {
		some := make([]store.Entry, len(fit))
		for i, at := range fit {
			some[i] = batch[at]
		}
		outcomes, err = tenant.PutUnder(ctx, some, by.grants)
		var out []int
		quota, isQuota := errors.AsType[*store.QuotaError](err)
		if isQuota {
			out = quota.Over
		} else if disk, ok := errors.AsType[*store.FullError](err); ok {
			out, full = disk.Over, err
		}
		if len(out) == 0 {
			return fit, outcomes, over, cmp.Or(err, full)
		}
		var gone []int
		if fit, gone = by.without(fit, out); isQuota {
			over = append(over, gone...)
		}
	}
	return nil, nil, over, full
}

// without returns fit without the places out of it, and those of a batch that it lost: with an
// entry goes what is allowed after it alone.
func (b basis) without(fit, out []int) (rest, gone []int) {
	lost := map[int]bool{}
	for i, at := range fit {
		if slices.Contains(out, i) || b.after != nil && lost[b.after[at]] {
			lost[at], gone = true, append(gone, at)
		} else {
			rest = append(rest, at)
		}
	}
	return rest, gone
}

// overQuota reports whether one side has no room for something that it was sent.
func overQuota(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return errors.Is(err, store.ErrQuota) || ok && p.Status == http.StatusInsufficientStorage && p.Code == codeQuota
}
