package summaries

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// saving is what is known of the saved form of a view.
type saving struct {
	tenant *tenant
	era    uint64        // under the lock of the Keeper: tenant.era when it was made from the log, or found
	at     atomic.Uint64 // the position of what was saved or loaded last, 0 if nothing
	tried  atomic.Uint64 // the position at which a save was last asked for, 0 after a remake
}

// newest is what a slot holds, as far as this Keeper knows. The zero value is nothing.
type newest struct {
	secret   store.Secret
	position uint64
}

// beats reports whether summaries under a secret to a position may not take the place
// of n. Those under another secret may: only those under the tenant's are saved.
func (n newest) beats(secret store.Secret, position uint64) bool {
	return n.secret == secret && n.position > position
}

// loaded takes note that the summaries to a position are saved.
func (v *kept) loaded(position uint64) {
	v.saving.at.Store(position)
	v.keeper.mu.Lock()
	defer v.keeper.mu.Unlock()
	slot := &v.saving.tenant.slots[v.secret.Generation%maxEpochs]
	if !slot.beats(v.secret, position) {
		*slot = newest{v.secret, position}
	}
}

// remade takes note that the summaries were made from the log alone: nothing of what
// was saved or removed before is in them.
func (v *kept) remade() {
	v.saving.at.Store(0)
	v.saving.tried.Store(0)
	v.keeper.mu.Lock()
	defer v.keeper.mu.Unlock()
	v.saving.era = v.saving.tenant.era
}

// unsaved returns how many entries of the log came since the last save, in its turn.
func (v *kept) unsaved() uint64 { return after(v.set.Position(), v.saving.at.Load()) }

// untried is unsaved since a save was last asked for: one that failed is not tried again
// for every message.
func (v *kept) untried() uint64 { return after(v.set.Position(), v.saving.tried.Load()) }

func after(position, earlier uint64) uint64 { return position - min(earlier, position) }

// begin gets the right to save v, in its turn, and false if v may not be saved. It
// lasts until end, so that whoever copies the summaries later also saves later, and no
// older ones take the place of newer ones. One save of a tenant is under way at a time: begin
// waits for it.
func (v *kept) begin() bool {
	k, t := v.keeper, v.saving.tenant
	t.writing.Lock()
	position := v.set.Position()
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.tenants[t.did] == t // else another of that DID has the right
	slot := t.slots[v.secret.Generation%maxEpochs]
	if !known || v.saving.era != t.era || slot.beats(v.secret, position) {
		t.writing.Unlock()
		return false
	}
	t.users++
	return true
}

// end gives back what begin got.
func (v *kept) end() {
	v.saving.tenant.writing.Unlock()
	v.keeper.leave(v.saving.tenant)
}

// saveSoon has a whole tenant's summaries saved if much came since the last time, in its
// turn.
func (v *kept) saveSoon() {
	k := v.keeper
	if !v.scope.All() || v.unsaved() < k.opt.saveFrom() || v.untried() < k.opt.retryFrom() {
		return
	}
	v.saving.tried.Store(v.set.Position())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lookAt(v.did)
}

// saveCopy saves a whole tenant's summaries. Others wait for a copy of them, not for the
// disk. What somebody gave up in the middle is not saved.
func (v *kept) saveCopy(ctx context.Context) error {
	if err := v.take(ctx); err != nil {
		return err
	}
	if v.set == nil || v.torn || v.broken || !v.begin() {
		v.release()
		return nil
	}
	defer v.end()
	frozen := v.set.Freeze()
	v.release()
	return v.save(ctx, frozen)
}

// saveNow saves a whole tenant's summaries, in its turn.
func (v *kept) saveNow(ctx context.Context) error {
	if !v.begin() {
		return nil
	}
	defer v.end()
	return v.save(ctx, v.set.Freeze())
}

// saveTail saves a whole tenant's summaries that are to be given up, if enough came
// since the last time that reading it again would be felt.
func (v *kept) saveTail(ctx context.Context) error {
	if err := v.take(ctx); err != nil {
		return err
	}
	defer v.release()
	if v.set == nil || v.torn || v.broken || v.unsaved() <= v.keeper.opt.SaveEvery/100 {
		return nil
	}
	return v.saveNow(ctx)
}

func (k *Keeper) warnUnsaved(err error) {
	if err != nil {
		k.opt.Logger.Warn("summaries were not saved", "error", err)
	}
}

// forgetSaved removes what is saved of a tenant, and keeps everybody from saving what
// was found until now.
func (k *Keeper) forgetSaved(ctx context.Context, t *tenant) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	var errs []error
	for _, name := range savedNames() {
		errs = append(errs, k.store.Tenant(t.did).KeepFold(ctx, name, 0, nil))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t.era++
	t.slots = [maxEpochs]newest{}
	return errors.Join(errs...)
}
