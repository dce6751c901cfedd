package refserver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
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
// It is not safe for concurrent use.
type access struct {
	// Grants are the record IDs of the grants that were used so far, ascending, and Until is when
	// the first of them expires, microseconds since 1970.
	Grants []string
	Until  int64

	parts  []auth.Decision                              // of a sync one; of a call by CID one for every reading grant
	again  func(context.Context) (auth.Decision, error) // decides a sync anew, nil for a call by CID
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
	again := func(ctx context.Context) (auth.Decision, error) {
		r, err := s.request(ctx, c, scope, direction)
		if err != nil {
			return auth.Decision{}, err
		}
		return auth.Decide(r)
	}
	decision, err := again(ctx)
	if err != nil {
		return nil, err
	}
	a := &access{parts: []auth.Decision{decision}, again: again, signer: c.Signer, tenant: s.node.Store.Tenant(c.Tenant), clock: s.clock}
	a.use(decision)
	return a, nil
}

// decideByCID is decide for a call that names messages or data by CID: what any of the
// grants lets do may be done.
func (s *Server) decideByCID(ctx context.Context, c auth.Claims, direction auth.Direction) (*access, error) {
	if auth.Authorize(c.Signer, c.Tenant) == nil {
		return nil, nil
	}
	r, err := s.request(ctx, c, dwn.Scope{}, direction)
	if err != nil {
		return nil, err
	}
	parts, err := auth.DecideEach(r)
	if err != nil {
		return nil, err
	}
	return &access{parts: parts, signer: c.Signer, tenant: s.node.Store.Tenant(c.Tenant), clock: s.clock}, nil
}

// request returns what claims ask for, with the grants as they are now.
func (s *Server) request(ctx context.Context, c auth.Claims, scope dwn.Scope, direction auth.Direction) (auth.Request, error) {
	grants, err := namedGrants(ctx, s.node.Store.Tenant(c.Tenant), c.Grants)
	return auth.Request{
		Tenant: c.Tenant, Signer: c.Signer, Scope: scope, Direction: direction, Grants: grants, Now: s.clock().UnixMicro(),
	}, err
}

// use notes that the request rests on d from now on.
func (a *access) use(d auth.Decision) {
	if len(a.Grants) == 0 {
		a.Until = d.Until
	}
	a.Until = min(a.Until, d.Until)
	a.Grants = slices.Concat(a.Grants, d.Grants)
	slices.Sort(a.Grants)
	a.Grants = slices.Compact(a.Grants)
}

// renew decides a sync anew after one of its grants has ended: the others may do for what is left
// of it. It is auth.ErrForbidden if they do not let read the same, or nothing has changed.
func (a *access) renew(ctx context.Context) error {
	if a.again == nil {
		return auth.ErrForbidden
	}
	d, err := a.again(ctx)
	if err != nil {
		return err
	}
	if d.Read != a.parts[0].Read || slices.Equal(d.Grants, a.Grants) {
		return auth.ErrForbidden
	}
	a.parts[0], a.Grants, a.Until = d, d.Grants, d.Until
	return nil
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
	err := a.expired()
	if err == nil {
		_, err = a.tenant.PutUnder(ctx, nil, a.Grants)
	}
	if err = forbidden(err); errors.Is(err, auth.ErrForbidden) {
		return a.renew(ctx)
	}
	return err
}

func (a *access) expired() error {
	if a.clock().UnixMicro() >= a.Until {
		return auth.ErrForbidden
	}
	return nil
}

// forbidden tells of a revoked grant as of any other that is not good.
func forbidden(err error) error {
	if errors.Is(err, store.ErrRevoked) || errors.Is(err, auth.ErrForbidden) {
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

// mayPush sets the error of every entry without one that the requester may not push. What is
// stored tells where a record belongs, and what came before in the same batch: after[i] is the
// first write there that entries[i] is allowed by, -1 for none. Where the entries are claims,
// whose signatures nobody has verified yet, it lets pass what it may let pass afterwards.
func (a *access) mayPush(ctx context.Context, entries []store.Entry, results []Result, claims bool) (after []int, err error) {
	after = make([]int, len(entries))
	began := map[string][]int{}
	for i, e := range entries {
		after[i] = -1
		if results[i].Err != nil {
			continue
		}
		record := e.Message.RecordID()
		first, held, err := a.tenant.Initial(ctx, record)
		if err != nil {
			return nil, err
		}
		if held {
			results[i].Err = a.pushes(e.Message, &first)
			continue
		}
		results[i].Err = auth.ErrForbidden
		for _, at := range began[record] {
			if first := entries[at].Message.Attributes(); results[i].Err != nil && a.pushes(e.Message, &first) == nil {
				after[i], results[i].Err = at, nil
			}
		}
		if results[i].Err != nil && (claims || began[record] == nil) {
			results[i].Err = a.pushes(e.Message, nil)
		}
		if results[i].Err == nil && e.Message.IsInitialWrite() {
			began[record] = append(began[record], i)
		}
	}
	return after, nil
}

// pushes returns auth.ErrForbidden unless one of the parts lets push m, see auth.MayPush, and then
// rests on it.
func (a *access) pushes(m *dwn.Message, initial *dwn.Attributes) error {
	by, ok := a.pushing(m, initial)
	if !ok {
		return auth.ErrForbidden
	}
	a.use(by)
	return nil
}

// pushing returns what lets push m: of several parts that do the one that is good longest.
func (a *access) pushing(m *dwn.Message, initial *dwn.Attributes) (by auth.Decision, ok bool) {
	for _, part := range a.parts {
		if d, err := auth.PushedBy(part, m, initial); err == nil && (!ok || d.Until > by.Until) {
			by, ok = d, true
		}
	}
	return by, ok
}

// shown is e as the requester may see it: without the data of a message that it signed
// itself. Data is held by CID, so naming one in a message of one's own would otherwise be
// enough to read data, or to learn that it is here.
func (a *access) shown(e store.Entry) store.Entry {
	if a.own(e.Message) {
		e.Data, e.DataHeld = nil, false
	}
	return e
}

// own reports whether the requester signed m, or nobody knows who did: that is so of what versions
// of before took and this one would not.
func (a *access) own(m *dwn.Message) bool { return m.Signer() == a.signer || m.Signer() == "" }

// reads reports whether the requester may read m, and then rests on the part that is good longest.
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
	var by *auth.Decision
	for i, part := range a.parts {
		if part.Read.Matches(at) && (by == nil || part.Until > by.Until) {
			by = &a.parts[i]
		}
	}
	if by == nil {
		return false, nil
	}
	a.use(*by)
	return true, nil
}

// narrowerError says that the grants cover a part of what was asked for.
type narrowerError struct{ scope dwn.Scope }

func (e *narrowerError) Error() string {
	return fmt.Sprintf("the grants that the token names cover only the scope %s: ask for that", e.scope.AppendJSON(nil))
}
