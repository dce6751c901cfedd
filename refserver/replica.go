package refserver

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// Replica returns one tenant's messages in scope as the engine sees them. Who
// calls it has decided that the other side may read and write them.
func (n Node) Replica(tenant string, scope dwn.Scope) engine.Replica {
	return replica{node: n, did: tenant, tenant: n.Store.Tenant(tenant), scope: scope}
}

// lendReplica is Replica for a requester; nil is the tenant itself.
func (n Node) lendReplica(tenant string, scope dwn.Scope, to *access) engine.Replica {
	return replica{node: n, did: tenant, tenant: n.Store.Tenant(tenant), scope: scope, lent: to}
}

// BorrowedReplica is Replica for the node of a grantee: tenant's messages in scope, for a
// sync with a node of the tenant's by a permission grant. It goes by the secret that it is given
// for this scope alone.
func (n Node) BorrowedReplica(tenant string, scope dwn.Scope) engine.Replica {
	return replica{node: n, did: tenant, tenant: n.Store.Tenant(tenant), scope: scope, borrowed: true}
}

type replica struct {
	node     Node
	did      string
	tenant   store.Tenant
	scope    dwn.Scope
	lent     *access // what the other side may do, nil for the tenant
	borrowed bool    // this side has a secret of the view only
}

// View returns a snapshot; the items are read when they are asked for. Where the node has
// a Keeper and the tenant a secret, so are the keys: the snapshot is a position of the
// arrival log, with the root at it.
func (r replica) View(ctx context.Context) (engine.View, error) {
	if r.lent != nil { // since the decision the whole request was read, at the other side's pace
		if err := r.lent.check(ctx); err != nil {
			return nil, err
		}
	}
	v := view{tenant: r.tenant, label: summaries.Label(r.scope), lent: r.lent}
	if r.node.Keeper != nil {
		kept, err := r.keptView(ctx, v)
		if kept != nil || err != nil {
			return kept, err
		}
	}
	var err error
	if v.keys, _, err = r.tenant.Keys(ctx, r.scope); err != nil {
		return nil, err
	}
	return v, nil
}

// keptView returns nil where there is no secret or, for now, no summaries to be had.
func (r replica) keptView(ctx context.Context, v view) (engine.View, error) {
	secret, ok, err := r.secret(ctx)
	if err != nil || !ok {
		return nil, err
	}
	kept, err := r.node.Keeper.View(ctx, r.did, r.scope, secret)
	if err == nil {
		err = kept.Drifted() // what goes by summaries alone would not find it out
	}
	if r.node.goesOn(ctx, err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &keptView{v, r, kept, engineSecret(secret)}, nil
}

// goesOn reports that a call goes on without summaries after err, which the Keeper logs:
// those that are known to be wrong cost time and never a sync. Wrong ones that nobody
// knows of can make a sync end as complete that is not (engine.Summarised), so whoever runs
// a Keeper has its Check look at them from time to time. Where the store itself is what
// fails, the call finds that out.
func (n Node) goesOn(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
		return false
	}
	n.Keeper.Passed(err)
	return true
}

// Put verifies and stores messages with their inline data.
func (r replica) Put(ctx context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	receipts := make([]engine.Receipt, len(payloads))
	var entries []store.Entry
	var index []int
	for i, p := range payloads {
		e, err := parsePayload(p)
		if err != nil {
			receipts[i].Err = err
			continue
		}
		entries, index = append(entries, e), append(index, i)
	}
	results, err := r.write(ctx, entries)
	if err != nil {
		return nil, err
	}
	for i, result := range results {
		receipts[index[i]] = engine.Receipt{Key: entries[i].Message.Key(), Err: result.Err}
	}
	return receipts, nil
}

// write verifies entries and stores those that are in order and in the scope.
func (r replica) write(ctx context.Context, entries []store.Entry) ([]Result, error) {
	if r.lent != nil {
		return r.node.writeFor(ctx, r.did, r.lent, entries) // outside of the scope is forbidden, as anything else
	}
	results, err := r.node.verify(ctx, entries)
	if err == nil {
		err = r.checkScope(ctx, entries, results)
	}
	if err != nil {
		return nil, err
	}
	return results, r.node.put(ctx, r.did, entries, results, basis{})
}

// checkScope sets the error of every verified entry that is outside the scope. A
// delete belongs to it when its record's initial write does, which is stored or
// came in the same batch; of several, the one with the lowest ID counts.
func (r replica) checkScope(ctx context.Context, entries []store.Entry, results []Result) error {
	if r.scope.All() {
		return nil
	}
	initial := map[string]*dwn.Message{}
	for i, e := range entries {
		m := e.Message
		if results[i].Err == nil && m.IsInitialWrite() {
			if other := initial[m.RecordID()]; other == nil || m.Key().Compare(other.Key()) < 0 {
				initial[m.RecordID()] = m
			}
		}
	}
	for i, e := range entries {
		if results[i].Err != nil {
			continue
		}
		a := e.Message.Attributes()
		if a.Interface == "Records" && a.Method == "Delete" {
			first, ok, err := r.tenant.Initial(ctx, a.RecordID)
			if err != nil {
				return err
			}
			if m := initial[a.RecordID]; m != nil && !ok {
				first, ok = m.Attributes(), true
			}
			if ok {
				a = a.Inherit(first)
			}
		}
		if !r.scope.Matches(a) {
			results[i].Err = fmt.Errorf("%w: %s", ErrScope, e.Message.CID())
		}
	}
	return nil
}

// Secret returns the secret of the tenant or, where a grant gives access, of the view.
func (r replica) Secret(ctx context.Context) (engine.Secret, bool, error) {
	s, ok, err := r.secret(ctx)
	return engineSecret(s), ok, err
}

// maxAhead is how many generations the secret that a peer offers may be above the one
// held. Who rotates goes on by one, so none that is honest is. Were there no bound, one
// offer of the last generation there is would end rotation for ever; with it that takes
// 2^32 offers that are kept.
const maxAhead = 1 << 32

// better returns what to hold instead of held, ok false being none, when next is offered:
// next itself, held, or a fresh secret where next is too far ahead and there is none.
func better(held store.Secret, ok bool, next store.Secret) store.Secret {
	switch tooFar := next.Generation > held.Generation && next.Generation-held.Generation > maxAhead; {
	case ok && (tooFar || !next.Beats(held)):
		return held
	case tooFar:
		return following(held)
	}
	return next
}

// KeepSecret keeps the secret of the tenant or, where a grant gives access, of the view. One
// that is too far ahead is not kept; the sync goes on under the node's own.
func (r replica) KeepSecret(ctx context.Context, offered engine.Secret) (engine.Secret, error) {
	if r.lent != nil {
		return r.lend(ctx)
	}
	held, ok, err := r.secret(ctx)
	if err != nil {
		return engine.Secret{}, err
	}
	next := better(held, ok, store.Secret{Generation: offered.Generation, ID: offered.ID, Key: offered.Key})
	switch {
	case ok && next == held:
	case r.borrowed:
		next, err = r.tenant.KeepSecret(ctx, r.viewLabel(), next)
	default:
		next, err = r.keepOwn(ctx, next)
	}
	return engineSecret(next), err
}

// keepOwn keeps the tenant's secret. Where the node has a Keeper, the summaries under it are
// made before it is the tenant's, and meanwhile all others go on under the one that is: only
// who brings it waits, and who gives up finds them made the next time.
func (r replica) keepOwn(ctx context.Context, next store.Secret) (store.Secret, error) {
	if err := r.node.prepare(ctx, r.did, next); err != nil {
		return store.Secret{}, err
	}
	return r.node.keepSecret(ctx, r.did, next)
}

func engineSecret(s store.Secret) engine.Secret {
	return engine.Secret{SecretName: wire.SecretName{Generation: s.Generation, ID: s.ID}, Key: s.Key}
}

type view struct {
	keys   []engine.Key
	tenant store.Tenant
	label  []byte
	lent   *access // who is shown the items, nil for the tenant
}

func (v view) Keys(context.Context) ([]engine.Key, error) { return v.keys, nil }
func (v view) Label() []byte                              { return v.label }

// Items yields deletes last: whether one is in a scope depends on its record's
// initial write, whenever its author says it was made.
func (v view) Items(ctx context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	items := v.items(ctx, keys)
	if v.lent != nil {
		return v.lent.guard(ctx, items)
	}
	return items
}

func (v view) items(ctx context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		var deletes []dwn.Key
		later := func(e store.Entry) bool {
			if e.Message.Method() == "Delete" {
				deletes = append(deletes, e.Message.Key())
				return true
			}
			return false
		}
		if v.each(ctx, keys, later, yield) {
			v.each(ctx, deletes, func(store.Entry) bool { return false }, yield)
		}
	}
}

// each yields the items of keys that are not to come later, and reports whether to go on.
func (v view) each(ctx context.Context, keys []dwn.Key, later func(store.Entry) bool, yield func(engine.Item, error) bool) bool {
	for e, err := range v.tenant.Get(ctx, idsOf(keys)) {
		if err != nil {
			yield(engine.Item{}, err)
			return false
		}
		if v.lent != nil {
			e = v.lent.shown(e)
		}
		if !later(e) && !yield(engine.Item{Key: e.Message.Key(), Payload: appendPayload(nil, e)}, nil) {
			return false
		}
	}
	return true
}

// keptView is a view whose summaries are kept: it reads keys when they are asked for, and
// none for its root.
type keptView struct {
	view
	replica replica
	kept    *summaries.View // nil once its keys are not those that the root is of
	secret  engine.Secret
}

// Keys returns the keys at the view's position. Where they are not those of the root,
// it returns what is stored, and the view keeps no root any more.
func (v *keptView) Keys(ctx context.Context) ([]engine.Key, error) {
	if v.kept != nil {
		keys, err := v.kept.Keys(ctx)
		if !v.replica.node.goesOn(ctx, err) {
			return keys, err
		}
		v.kept = nil
	}
	keys, _, err := v.tenant.Keys(ctx, v.replica.scope)
	return keys, err
}

// Root returns the root at the view's position, if secret was the tenant's when the view
// was taken.
func (v *keptView) Root(_ context.Context, secret engine.Secret) (engine.Root, bool, error) {
	if v.kept == nil || secret != v.secret {
		return engine.Root{}, false, nil
	}
	return v.kept.Root, true, nil
}

func idsOf(keys []dwn.Key) []dwn.ID {
	ids := make([]dwn.ID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	return ids
}
