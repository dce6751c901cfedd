package refserver

import (
	"context"
	"fmt"
	"iter"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Replica returns one tenant's messages in scope as the engine sees them. Who
// calls it has decided that the other side may read and write them.
func (n Node) Replica(tenant string, scope dwn.Scope) engine.Replica {
	return replica{node: n, did: tenant, tenant: n.Store.Tenant(tenant), scope: scope}
}

type replica struct {
	node   Node
	did    string
	tenant store.Tenant
	scope  dwn.Scope
}

// View returns a snapshot of the keys; the items are read when they are asked for.
func (r replica) View(ctx context.Context) (engine.View, error) {
	keys, err := r.tenant.Keys(ctx, r.scope)
	if err != nil {
		return nil, err
	}
	return view{keys: keys, tenant: r.tenant, label: label(r.scope)}, nil
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
	inScope, err := r.inScope(ctx, entries)
	if err != nil {
		return nil, err
	}
	kept := entries[:0]
	keptIndex := index[:0]
	for i, e := range entries {
		if !inScope[i] {
			receipts[index[i]].Err = fmt.Errorf("%w: %s", ErrScope, e.Message.CID())
			continue
		}
		kept, keptIndex = append(kept, e), append(keptIndex, index[i])
	}
	results, err := r.node.Write(ctx, r.did, kept)
	if err != nil {
		return nil, err
	}
	for i, res := range results {
		receipts[keptIndex[i]] = engine.Receipt{Key: kept[i].Message.Key(), Err: res.Err}
	}
	return receipts, nil
}

// inScope tells of each entry whether it belongs to the replica's scope. A delete
// does when its record's initial write does, which is stored or in the same batch.
func (r replica) inScope(ctx context.Context, entries []store.Entry) ([]bool, error) {
	in := make([]bool, len(entries))
	initial := map[string]dwn.Attributes{}
	for _, e := range entries {
		if !r.scope.All() && e.Message.IsInitialWrite() {
			initial[e.Message.RecordID()] = e.Message.Attributes()
		}
	}
	for i, e := range entries {
		if r.scope.All() {
			in[i] = true
			continue
		}
		a := e.Message.Attributes()
		if a.Interface == "Records" && a.Method == "Delete" {
			first, ok := initial[a.RecordID]
			if !ok {
				var err error
				if first, ok, err = r.tenant.Initial(ctx, a.RecordID); err != nil {
					return nil, err
				}
			}
			if ok {
				a = a.Inherit(first)
			}
		}
		in[i] = r.scope.Matches(a)
	}
	return in, nil
}

// Secret returns the tenant's secret.
func (r replica) Secret(ctx context.Context) (engine.Secret, bool, error) {
	s, ok, err := r.tenant.Secret(ctx)
	return engineSecret(s), ok, err
}

// KeepSecret keeps the tenant's secret.
func (r replica) KeepSecret(ctx context.Context, offered engine.Secret) (engine.Secret, error) {
	s, err := r.tenant.KeepSecret(ctx, store.Secret{Generation: offered.Generation, ID: offered.ID, Key: offered.Key})
	return engineSecret(s), err
}

func engineSecret(s store.Secret) engine.Secret {
	return engine.Secret{SecretName: wire.SecretName{Generation: s.Generation, ID: s.ID}, Key: s.Key}
}

// label is the canonical JSON of a scope, and nothing for everything.
func label(scope dwn.Scope) []byte {
	if scope.All() {
		return nil
	}
	return scope.AppendJSON(nil)
}

type view struct {
	keys   []engine.Key
	tenant store.Tenant
	label  []byte
}

func (v view) Keys() []engine.Key { return v.keys }
func (v view) Label() []byte      { return v.label }

func (v view) Items(ctx context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		i := 0
		for e, err := range v.tenant.Get(ctx, idsOf(keys)) {
			if err != nil {
				yield(engine.Item{}, err)
				return
			}
			if !yield(engine.Item{Key: keys[i], Payload: appendPayload(nil, e)}, nil) {
				return
			}
			i++
		}
	}
}

func idsOf(keys []dwn.Key) []dwn.ID {
	ids := make([]dwn.ID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	return ids
}
