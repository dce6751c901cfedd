package refserver

import (
	"context"
	"crypto/rand"
	"errors"
	"math"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// ErrLastSecret: the tenant's secret has the highest generation that there is, so none
// can replace it.
var ErrLastSecret = errors.New("secret is of the last generation")

// Rotate gives a tenant a new secret of the next generation and returns the one that is
// held in the end, which is another if a sync brought a better one meanwhile. Where the
// node has a Keeper, the summaries under the new secret are made first, while syncs go on
// under the old one: none of them waits, and one that is under way ends as it began or
// takes the new secret over, as peers do in their next sync. A tenant that has no secret
// gets its first. Making the summaries costs some seconds for 10^6 messages.
func (n Node) Rotate(ctx context.Context, did string) (store.Secret, error) {
	rows := n.Store.Tenant(did)
	held, _, err := rows.Secret(ctx)
	if err != nil {
		return store.Secret{}, err
	}
	if held.Generation == math.MaxUint64 {
		return store.Secret{}, ErrLastSecret
	}
	next := store.Secret{Generation: held.Generation + 1}
	rand.Read(next.ID[:])
	rand.Read(next.Key[:])
	if n.Keeper != nil {
		if err := n.Keeper.Prepare(ctx, did, next); err != nil {
			return store.Secret{}, err
		}
	}
	return rows.KeepSecret(ctx, next)
}
