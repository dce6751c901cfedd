package refserver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// While a reply streams, it is asked again whether its grants are still good: after so
// many items, and after so much time.
const (
	recheckItems = engine.BatchItems
	recheckTime  = time.Second
)

// access is what a requester that is not the tenant may do, for as long as one request lasts.
type access struct {
	auth.Decision
	signer string
	tenant store.Tenant
	clock  func() time.Time
}

// decide says what claims may do with a tenant's messages in scope. Nil is the tenant, who
// may do everything. It is auth.ErrForbidden, in the same words, whatever is in the way.
func (s *Server) decide(ctx context.Context, c auth.Claims, scope dwn.Scope, direction auth.Direction) (*access, error) {
	if auth.Authorize(c.Signer, c.Tenant) == nil {
		return nil, nil
	}
	rows := s.node.Store.Tenant(c.Tenant)
	grants, err := namedGrants(ctx, rows, c.Grants)
	if err != nil {
		return nil, err
	}
	decision, err := auth.Decide(auth.Request{
		Tenant: c.Tenant, Signer: c.Signer, Scope: scope, Direction: direction, Grants: grants, Now: s.clock().UnixMicro(),
	})
	if err != nil {
		return nil, err
	}
	return &access{Decision: decision, signer: c.Signer, tenant: rows, clock: s.clock}, nil
}

// namedGrants reads the grants that a token names. One that is not there, or is not a
// grant, is left out: whoever named it is told what it would be told of a revoked one.
func namedGrants(ctx context.Context, rows store.Tenant, ids []string) ([]auth.NamedGrant, error) {
	var grants []auth.NamedGrant
	for _, id := range ids {
		e, revoked, err := rows.Grant(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if g, err := auth.ParseGrant(e.Message, e.Data); err == nil {
			grants = append(grants, auth.NamedGrant{Grant: g, Revoked: revoked})
		}
	}
	return grants, nil
}

// check returns auth.ErrForbidden if the grants have ended since the decision.
func (a *access) check(ctx context.Context) error {
	if a.clock().UnixMicro() >= a.Until {
		return auth.ErrForbidden
	}
	_, err := a.tenant.PutUnder(ctx, nil, a.Grants)
	return forbidden(err)
}

// forbidden tells of a revoked grant as of any other that is not good.
func forbidden(err error) error {
	if errors.Is(err, store.ErrRevoked) {
		return auth.ErrForbidden
	}
	return err
}

// guard passes items on for as long as the grants are good.
func (a *access) guard(ctx context.Context, items iter.Seq2[engine.Item, error]) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		n, checked := 0, time.Time{} // a request may take long before its reply begins
		for item, err := range items {
			if n++; err == nil && (n%recheckItems == 0 || time.Since(checked) > recheckTime) {
				checked, err = time.Now(), a.check(ctx)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// mayPush sets the error of every verified entry that the requester may not push. What is
// stored tells where a record belongs, and what came before in the same batch. It is
// auth.ErrForbidden if a grant has expired since the decision.
func (a *access) mayPush(ctx context.Context, entries []store.Entry, results []Result) error {
	if a.clock().UnixMicro() >= a.Until { // whatever is revoked, PutUnder finds out
		return auth.ErrForbidden
	}
	began := map[string]dwn.Attributes{}
	for i, e := range entries {
		if results[i].Err != nil {
			continue
		}
		record := e.Message.RecordID()
		first, ok, err := a.tenant.Initial(ctx, record)
		if err != nil {
			return err
		}
		if !ok {
			first, ok = began[record]
		}
		initial := &first
		if !ok {
			initial = nil
		}
		results[i].Err = auth.MayPush(a.Decision, e.Message, initial)
		if results[i].Err == nil && !ok && e.Message.IsInitialWrite() {
			began[record] = e.Message.Attributes()
		}
	}
	return nil
}

// shown is e as the requester may see it: without the data of a message that it signed
// itself. Data is held by CID, so naming one in a message of one's own would otherwise be
// enough to read data, or to learn that it is here.
func (a *access) shown(e store.Entry) store.Entry {
	if e.Message.Signer() == a.signer {
		e.Data, e.DataHeld = nil, false
	}
	return e
}

// reads reports whether the requester may read m.
func (a *access) reads(ctx context.Context, m *dwn.Message) (bool, error) {
	at := m.Attributes()
	if at.Interface == "Records" && at.Method == "Delete" {
		first, ok, err := a.tenant.Initial(ctx, at.RecordID)
		if err != nil {
			return false, err
		}
		if ok {
			at = at.Inherit(first)
		}
	}
	return a.Read.Matches(at), nil
}

// narrowerError says that the grants cover a part of what was asked for.
type narrowerError struct{ scope dwn.Scope }

func (e *narrowerError) Error() string {
	return fmt.Sprintf("the grants that the token names cover only the scope %s: ask for that", e.scope.AppendJSON(nil))
}
