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
	// loses nothing to the others. Not counted is what a View shares with its view no
	// more, because the view went on or was dropped. A sync holds one View at most, so
	// that is at most the summaries of one view per sync under way.
	MaxBytes int64
	// MaxWholeBytes bounds the memory of the summaries of whole tenants, counted
	// likewise; 0 means 1 GiB. The one in use stays, however large. What is dropped
	// is saved.
	MaxWholeBytes int64
	// SaveEvery is how many entries of the log come between two saves of the summaries
	// of a whole tenant, at most; 0 means 100000. So many are read again after a crash.
	// A save begins when three quarters came, and is tried again with every 32nd part that
	// came since it failed: the rest may come while it is made. One tenant is saved at a time. It
	// writes all summaries, 11.5 bytes per item. That is 150 bytes per message written in
	// a tenant of 10^6 messages, and 1.5 kB in one of 10^7.
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

// saveFrom is how many entries make a save begin. The rest is for those that come
// while the summaries are caught up and written.
func (o Options) saveFrom() uint64 { return o.SaveEvery - o.SaveEvery/4 }

// retryFrom is how many more make a save that failed be tried again.
func (o Options) retryFrom() uint64 { return max(1, o.SaveEvery/32) }

// Keeper keeps the summaries of all tenants of one store. It is safe for concurrent
// use. Close it before the store.
type Keeper struct {
	store  store.Store
	opt    Options
	batch  int           // entries of the log that are folded at a time
	builds chan struct{} // a token for each log that is read as a whole

	mu       sync.Mutex
	closed   bool
	tenants  map[string]*tenant
	wholes   *lru
	scoped   *lru
	followed followed
	work     sync.WaitGroup // calls, savers and the worker of Wrote
}

// Open returns a Keeper for s. It reads nothing yet.
func Open(s store.Store, opt Options) *Keeper {
	opt = opt.withDefaults()
	return &Keeper{
		store: s, opt: opt, batch: foldBatch, builds: make(chan struct{}, maxBuilds()), tenants: make(map[string]*tenant),
		wholes: newLRU(opt.MaxWholeBytes, false), scoped: newLRU(opt.MaxBytes, true),
		followed: newFollowed(),
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
// on serving, and they alone are saved, so a caller runs it in the background, changes the
// secret afterwards and then tells Rotated. Of more than two secrets, the least recently
// used is forgotten.
func (k *Keeper) Prepare(ctx context.Context, did string, next store.Secret) error {
	_, err := k.View(ctx, did, dwn.Scope{}, next)
	return err
}

// Close waits for calls and saves under way, except that reading a log ends early, and
// saves what is kept of whole tenants where more than a hundredth of SaveEvery came since
// they were last saved. It returns all errors in doing so. A second Close does nothing.
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
		errs = append(errs, v.saveTail(context.Background()))
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

func (k *Keeper) lruOf(v *kept) *lru {
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
	l := k.lruOf(v)
	l.use(v, size)
	for out := l.victim(); out != nil; out = l.victim() {
		l.drop(out)
		if out.scope.All() && !k.closed {
			k.background(out.saving.tenant, func() { k.warnUnsaved(out.saveTail(context.Background())) })
		}
		k.forget(out)
	}
}
