package summaries

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Options configure a Keeper. The zero value works.
type Options struct {
	// MaxBytes bounds the memory of the summaries of scoped views, in bytes; 0 means
	// 256 MiB, below 0 keeps none. A tenant that is within its even share of it
	// loses nothing to the others.
	MaxBytes int64
	// MaxWholeBytes bounds the memory of the summaries of whole tenants; 0 means
	// 1 GiB. The one in use stays, however large. What is dropped is saved.
	MaxWholeBytes int64
	// SaveEvery is how many entries of the log may come before the summaries of a
	// whole tenant are saved again; 0 means 100000.
	SaveEvery uint64
	// Set are the widths and leaves of all summaries. Zero Params mean those that
	// summary.ParamsFor gives for the number of items.
	Set summary.SetOptions
	// Logger is told what was thrown away and which saves failed; nil: nobody.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 20
	}
	if o.MaxWholeBytes == 0 {
		o.MaxWholeBytes = 1 << 30
	}
	if o.SaveEvery == 0 {
		o.SaveEvery = 100_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Keeper keeps the summaries of all tenants of one store. It is safe for concurrent
// use. Close it before the store.
type Keeper struct {
	store store.Store
	opt   Options
	batch int // entries of the log that are folded at a time

	mu      sync.Mutex
	closed  bool
	tenants map[string]*tenant
	wholes  *shelf
	scoped  *shelf
	work    sync.WaitGroup // calls and savers under way
}

// tenant is what is kept for one DID, under the lock of the Keeper.
type tenant struct {
	epochs []*epoch // the most recently used last
	behind uint64   // messages since a background catch-up was last begun
}

// maxEpochs is how many secrets of a tenant have summaries: the one in use and the
// next, or the last.
const maxEpochs = 2

// epoch is what is kept under one secret.
type epoch struct {
	secret store.Secret
	views  map[dwn.Scope]*kept
}

// Open returns a Keeper for s. It reads nothing yet.
func Open(s store.Store, opt Options) *Keeper {
	opt = opt.withDefaults()
	return &Keeper{
		store: s, opt: opt, batch: foldBatch, tenants: make(map[string]*tenant),
		wholes: newShelf(opt.MaxWholeBytes, false), scoped: newShelf(opt.MaxBytes, true),
	}
}

// View returns the summaries of a tenant's messages in scope, all those included
// that were stored before the call. It costs what the log brought since the last
// call; where nothing is kept, loading what is saved or reading the whole log. One
// call catches a view up at a time; others wait for it, or for ctx. What was done when
// ctx ended is kept. After Close it is store.ErrClosed.
func (k *Keeper) View(ctx context.Context, did string, scope dwn.Scope, secret store.Secret) (*View, error) {
	if err := k.enter(); err != nil {
		return nil, err
	}
	defer k.work.Done()
	v := k.find(did, scope, secret)
	view, err := v.current(ctx)
	k.settle(v)
	return view, err
}

// Prepare makes the summaries of all of a tenant's messages under a secret that is
// to be used next, and returns when they are there. Those under the secret in use go
// on serving, so a caller runs it in the background and changes the secret
// afterwards. Of more than two secrets, the least recently used is forgotten.
func (k *Keeper) Prepare(ctx context.Context, did string, next store.Secret) error {
	_, err := k.View(ctx, did, dwn.Scope{}, next)
	return err
}

// Wrote tells that so many messages of a tenant were stored. It does no I/O. Where
// enough came since the last save, it catches the tenant's summaries up and saves
// them in the background, so that opening stays quick for who writes and never syncs.
func (k *Keeper) Wrote(did string, messages int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.tenant(did)
	if t.behind += uint64(max(messages, 0)); k.closed || t.behind < (k.opt.SaveEvery+1)/2 {
		return
	}
	t.behind = 0
	k.work.Go(func() {
		if err := k.follow(did); err != nil && !errors.Is(err, store.ErrClosed) {
			k.opt.Logger.Warn("summaries were not caught up", "error", err)
		}
	})
}

// follow catches up the summaries of a whole tenant under its secret, if it has one.
func (k *Keeper) follow(did string) error {
	ctx := context.Background()
	secret, ok, err := k.store.Tenant(did).Secret(ctx)
	if err != nil || !ok {
		return err
	}
	_, err = k.View(ctx, did, dwn.Scope{}, secret)
	return err
}

// Close waits for calls and saves under way, saves what is kept of whole tenants,
// and returns the first error in doing so. A second Close does nothing.
func (k *Keeper) Close() error {
	k.mu.Lock()
	done := k.closed
	k.closed = true
	k.mu.Unlock()
	k.work.Wait()
	if done {
		return nil
	}
	var errs []error
	for _, v := range k.wholes.all() {
		if v.set != nil && !v.torn && v.unsaved() > k.opt.SaveEvery/100 {
			errs = append(errs, v.save(context.Background(), v.set.Freeze()))
		}
	}
	return errors.Join(errs...)
}

func (k *Keeper) enter() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return store.ErrClosed
	}
	k.work.Add(1)
	return nil
}

// stopped returns store.ErrClosed once Close was called: long folds end then.
func (k *Keeper) stopped() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return store.ErrClosed
	}
	return nil
}

// tenant returns what is kept for a DID, under the lock.
func (k *Keeper) tenant(did string) *tenant {
	t := k.tenants[did]
	if t == nil {
		t = &tenant{}
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
			k.shelf(v).drop(v)
		}
		t.epochs = t.epochs[1:]
	}
	v := e.views[scope]
	if v == nil {
		v = newKept(k, did, scope, secret)
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

func (k *Keeper) shelf(v *kept) *shelf {
	if v.scope.All() {
		return k.wholes
	}
	return k.scoped
}

// settle accounts for the memory of v after a use and drops what is too much.
func (k *Keeper) settle(v *kept) {
	size := v.size()
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shelf(v)
	s.use(v, size)
	for out := s.victim(); out != nil; out = s.victim() {
		s.drop(out)
		k.forget(out)
		if out.scope.All() && !k.closed {
			k.work.Go(out.saveDropped)
		}
	}
}

// forget removes a view from the tables, under the lock.
func (k *Keeper) forget(v *kept) {
	t := k.tenants[v.did]
	if t == nil {
		return
	}
	for _, e := range t.epochs {
		if e.views[v.scope] == v {
			delete(e.views, v.scope)
		}
	}
	for len(t.epochs) > 0 && len(t.epochs[0].views) == 0 {
		t.epochs = t.epochs[1:]
	}
	if len(t.epochs) == 0 && t.behind == 0 {
		delete(k.tenants, v.did)
	}
}
