package auth

import (
	"cmp"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// MaxGrants is how many grants one request may name.
const MaxGrants = 8

// NamedGrant is a grant that a request names and the tenant's node holds.
type NamedGrant struct {
	Grant
	Revoked bool // the node holds a revocation of it, or its record was deleted
}

// Request is what somebody asks to do, and what is known about it.
type Request struct {
	Tenant    string // DID whose data it is about
	Signer    string // DID who asks
	Scope     dwn.Scope
	Direction Direction
	Grants    []NamedGrant // those that were named and found, at most MaxGrants, in any order
	Now       int64        // by the server's clock, microseconds since 1970
}

// Decision is what a request may do. The zero Decision allows nothing. Immutable,
// safe for concurrent use.
type Decision struct {
	// Read is what may be read: all of the request's scope, or the part of it that
	// a grant covers.
	Read dwn.Scope
	// Exact says that Read is the request's scope. A sync goes on only then;
	// otherwise Read is what to ask for instead.
	Exact bool
	// Push holds what the signer may push that it signed itself, each scope inside
	// Read. It is empty where Direction is Pull.
	Push []dwn.Scope
	// Grants are the record IDs of the grants that this rests on, ascending. If one
	// of them ends or is revoked, decide again. It is empty for the tenant.
	Grants []string
	// Until is when the first of Grants expires, microseconds since 1970; 0 for the tenant.
	Until int64

	tenant, signer string
	push           bool
	reading        Grant   // gives Read
	rights         []Grant // rights[i] gives Push[i]
}

// Decide says what a request may do, from the request and its grants alone. The
// tenant may do everything and needs no grants. Anybody else may
//
//   - read what the request and one live Messages.Read grant have in common;
//   - push, inside that, what MayPush says.
//
// A grant counts if the tenant gave it, to the signer, Granted <= Now < Expires and
// it is not revoked. All others are passed over, so naming one more never takes
// anything away. Of several Messages.Read grants one is taken, never their union,
// which is no scope: of those whose part of the request no other's exceeds, the one
// with the lowest record ID. So a grant that covers the whole request is found.
//
// Where nothing is left the error is ErrForbidden, the same for every reason.
func Decide(r Request) (Decision, error) {
	each, err := DecideEach(r)
	if err != nil {
		return Decision{}, err
	}
	for _, d := range each {
		exceeds := func(other Decision) bool { return other.Read != d.Read && other.Read.Covers(d.Read) }
		if !slices.ContainsFunc(each, exceeds) {
			return d, nil
		}
	}
	return Decision{}, ErrForbidden
}

// DecideEach is Decide for calls that name a message or data by CID, which one grant has to cover
// and not the whole request: a Decision for every live Messages.Read grant that has a part in
// common with it, by ascending record ID of that grant. What one of them allows may be done, resting
// on its Grants. There is one at least if the error is nil.
func DecideEach(r Request) ([]Decision, error) {
	whole := Decision{Read: r.Scope, tenant: r.Tenant, signer: r.Signer, push: r.Direction == Push || r.Direction == Both}
	if Authorize(r.Signer, r.Tenant) == nil {
		whole.Exact = true
		if whole.push {
			whole.Push = []dwn.Scope{r.Scope}
		}
		return []Decision{whole}, nil
	}
	grants := r.live()
	var each []Decision
	for _, g := range grants {
		if part, ok := g.within(r.Scope); ok && g.is("Messages", "Read") {
			d := whole
			d.Read, d.Exact = part, part == r.Scope
			d.reading = g
			if d.push {
				d.pushes(grants)
			}
			d.on(d.rights...)
			each = append(each, d)
		}
	}
	if len(each) == 0 {
		return nil, ErrForbidden
	}
	return each, nil
}

// on makes the decision rest on the grant that lets read, and these.
func (d *Decision) on(rights ...Grant) {
	d.Grants, d.Until = []string{d.reading.ID}, d.reading.Expires
	for _, g := range rights {
		d.Grants, d.Until = append(d.Grants, g.ID), min(d.Until, g.Expires)
	}
	slices.Sort(d.Grants)
}

// live returns the grants that count, by ascending record ID.
func (r Request) live() []Grant {
	var live []Grant
	for _, g := range r.Grants {
		if !g.Revoked && g.Grantor == r.Tenant && g.Grantee == r.Signer && g.Live(r.Now) && r.Tenant != "" && r.Signer != "" {
			live = append(live, g.Grant)
		}
	}
	slices.SortStableFunc(live, func(a, b Grant) int { return cmp.Compare(a.ID, b.ID) })
	return live
}

// within returns the part of a scope that lies in the grant's place, false if
// there is none or it could not be asked for, being too long.
func (g Grant) within(scope dwn.Scope) (dwn.Scope, bool) {
	place, err := g.Place()
	if err != nil {
		return dwn.Scope{}, false
	}
	part, ok := scope.Intersect(place)
	return part, ok && len(part.AppendJSON(nil)) <= dwn.MaxScopeSize
}

// pushes adds what the grants let the signer push.
func (d *Decision) pushes(grants []Grant) {
	for _, g := range grants {
		if !g.is("Records", "Write") && !g.is("Records", "Delete") {
			continue
		}
		method, err := dwn.ParseScope([]byte(`{"interface":"Records","method":"` + g.Method + `"}`))
		part, ok := g.within(d.Read)
		if ok && err == nil {
			part, ok = part.Intersect(method)
		}
		if ok && err == nil {
			d.Push, d.rights = append(d.Push, part), append(d.rights, g)
		}
	}
}
