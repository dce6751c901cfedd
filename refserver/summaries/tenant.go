package summaries

import (
	"sync"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// tenant is what is kept for one DID, under the lock of the Keeper.
type tenant struct {
	did    string
	epochs []*epoch // the most recently used last
	users  int      // saves and others under way, who need to find it again

	// Of saves.
	writing sync.Mutex // from when the summaries are copied until the copy is written; after a view's turn, before the Keeper's lock
	era     uint64     // how often what is saved was removed: what is older is not saved any more
	slots   [maxEpochs]newest
}

// maxEpochs is how many secrets of a tenant have summaries: the one in use and the
// next, or the last.
const maxEpochs = 2

// epoch is what is kept under one secret.
type epoch struct {
	secret store.Secret
	views  map[dwn.Scope]*kept
}

// tenant returns what is kept for a DID, under the lock.
func (k *Keeper) tenant(did string) *tenant {
	t := k.tenants[did]
	if t == nil {
		t = &tenant{did: did}
		k.tenants[did] = t
	}
	return t
}

// find returns the summaries of a view, without content where there are none.
func (k *Keeper) find(did string, scope dwn.Scope, secret store.Secret) *kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.tenant(did)
	e := t.use(secret)
	if len(t.epochs) > maxEpochs {
		for _, v := range t.epochs[0].views {
			k.lruOf(v).drop(v)
		}
		t.epochs = t.epochs[1:]
	}
	v := e.views[scope]
	if v == nil {
		v = newKept(k, did, scope, secret)
		v.saving.tenant, v.saving.era = t, t.era
		e.views[scope] = v
	}
	return v
}

// use returns the epoch of a secret and makes it the most recently used.
func (t *tenant) use(secret store.Secret) *epoch {
	for i, e := range t.epochs {
		if e.secret == secret {
			t.epochs = append(append(t.epochs[:i:i], t.epochs[i+1:]...), e)
			return e
		}
	}
	e := &epoch{secret: secret, views: make(map[dwn.Scope]*kept)}
	t.epochs = append(t.epochs, e)
	return e
}

// view returns the summaries of a view that is kept under a secret, nil if none is.
func (t *tenant) view(scope dwn.Scope, secret store.Secret) *kept {
	for _, e := range t.epochs {
		if e.secret == secret {
			return e.views[scope]
		}
	}
	return nil
}

// forget removes a view from the tables, under the lock.
func (k *Keeper) forget(v *kept) {
	t := v.saving.tenant
	for _, e := range t.epochs {
		if e.views[v.scope] == v {
			delete(e.views, v.scope)
		}
	}
	for len(t.epochs) > 0 && len(t.epochs[0].views) == 0 {
		t.epochs = t.epochs[1:]
	}
	k.forgetTenant(t)
}

// forgetTenant removes a tenant of which nothing is kept, under the lock.
func (k *Keeper) forgetTenant(t *tenant) {
	if len(t.epochs) == 0 && t.users == 0 && k.tenants[t.did] == t {
		delete(k.tenants, t.did)
	}
}

// leave takes one of its users from a tenant.
func (k *Keeper) leave(t *tenant) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t.users--
	k.forgetTenant(t)
}

// background runs f as a user of a tenant, which Close waits for; under the lock.
func (k *Keeper) background(t *tenant, f func()) {
	t.users++
	k.work.Go(func() {
		defer k.leave(t)
		f()
	})
}
