package refserver

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// viewLabel names what the secret of one view is derived for, and kept under. It is never
// empty, which would stand for the tenant's own.
func (r replica) viewLabel() []byte { return append([]byte("view "), summaries.Label(r.scope)...) }

// viewSecret returns the secret of one view, derived from the tenant's: whoever has it
// learns nothing of the tenant's own or of any other view's.
func viewSecret(own store.Secret, label []byte) (store.Secret, error) {
	derived, err := hkdf.Key(sha256.New, own.Key[:], own.ID[:], "dwnsync view secret 1 "+string(label), 48)
	if err != nil {
		return store.Secret{}, err
	}
	s := store.Secret{Generation: own.Generation}
	copy(s.Key[:], derived[copy(s.ID[:], derived):])
	return s, nil
}

// lentSecret returns the secret of the view that is lent to a requester, and notes that it was.
func (r replica) lentSecret(ctx context.Context) (s store.Secret, ok bool, err error) {
	own, ok, err := r.tenant.Secret(ctx, nil)
	if err != nil || !ok {
		return s, false, err
	}
	err = forbidden(r.tenant.Lend(ctx, r.lent.Grants))
	if errors.Is(err, auth.ErrForbidden) {
		if err = r.lent.renew(ctx); err == nil {
			err = forbidden(r.tenant.Lend(ctx, r.lent.Grants))
		}
	}
	if err != nil {
		return s, false, err
	}
	s, err = viewSecret(own, r.viewLabel())
	return s, err == nil, err
}

// lend returns the lent secret, and makes the tenant's first one where there is none. What a
// requester offers is not kept: it may not choose what the tenant's summaries go by.
func (r replica) lend(ctx context.Context) (engine.Secret, error) {
	s, ok, err := r.lentSecret(ctx)
	if err != nil || ok {
		return engineSecret(s), err
	}
	first := store.Secret{Generation: 1}
	rand.Read(first.ID[:])
	rand.Read(first.Key[:])
	if _, err := r.node.keepSecret(ctx, r.did, first); err != nil {
		return engine.Secret{}, err
	}
	s, _, err = r.lentSecret(ctx)
	return engineSecret(s), err
}

// secret returns the secret that the replica's summaries go by.
func (r replica) secret(ctx context.Context) (store.Secret, bool, error) {
	switch {
	case r.lent != nil:
		return r.lentSecret(ctx)
	case r.borrowed:
		return r.tenant.Secret(ctx, r.viewLabel())
	}
	return r.tenant.Secret(ctx, nil)
}
