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
	held, _, err := rows.Secret(ctx, nil)
	if err != nil {
		return store.Secret{}, err
	}
	if held.Generation == math.MaxUint64 {
		return store.Secret{}, ErrLastSecret
	}
	next := following(held)
	if err := n.prepare(ctx, did, next); err != nil {
		return store.Secret{}, err
	}
	return n.keepSecret(ctx, did, next)
}

// keepSecret keeps a tenant's secret and tells the Keeper, if there is one.
func (n Node) keepSecret(ctx context.Context, did string, next store.Secret) (store.Secret, error) {
	kept, err := n.Store.Tenant(did).KeepSecret(ctx, nil, next)
	if n.Keeper != nil && err == nil {
		n.Keeper.Rotated(did)
	}
	return kept, err
}

// following returns a fresh secret of the generation after held. The zero Secret is none.
func following(held store.Secret) store.Secret {
	next := store.Secret{Generation: held.Generation + 1}
	rand.Read(next.ID[:])
	rand.Read(next.Key[:])
	return next
}

// prepare makes a tenant's summaries under a secret that is to be its next, where the
// node keeps any. That they cannot be made is no reason not to change it.
func (n Node) prepare(ctx context.Context, did string, next store.Secret) error {
	if n.Keeper == nil {
		return nil
	}
	if err := n.Keeper.Prepare(ctx, did, next); !n.goesOn(ctx, err) {
		return err
	}
	return nil
}
