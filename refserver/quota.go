package refserver

import (
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
// attempt that fails makes the batch shorter, and where nobody else writes there is one.
func putFitting(ctx context.Context, tenant store.Tenant, batch []store.Entry, grants []string) (fit []int, outcomes []store.Outcome, over []int, err error) {
	for i := range batch {
		fit = append(fit, i)
	}
	for len(fit) > 0 {
		some := make([]store.Entry, len(fit))
		for i, at := range fit {
			some[i] = batch[at]
		}
		outcomes, err = tenant.PutUnder(ctx, some, grants)
		full, ok := errors.AsType[*store.QuotaError](err)
		if !ok || len(full.Over) == 0 {
			return fit, outcomes, over, err
		}
		for _, i := range slices.Backward(full.Over) {
			over = append(over, fit[i])
			fit = slices.Delete(fit, i, i+1)
		}
	}
	return nil, nil, over, nil
}

// overQuota reports whether one side has no room for something that it was sent.
func overQuota(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return errors.Is(err, store.ErrQuota) || ok && p.Status == http.StatusInsufficientStorage && p.Code == codeQuota
}
