// Package refserver is a thin reference server for DWN sync and the client that
// talks to it: HTTP around package engine, over a store.
//
// The server stores every well-formed, correctly signed message that comes under
// the tenant's authority. It evaluates no protocol rules: who may write under
// which role is a DWN's business. SPEC.md describes the calls.
//
// # What is kept between syncs
//
// A node with a Keeper takes part in engine.StrategySketch and StrategyCursor by what it
// keeps: it reads keys only where two nodes differ, or where its summaries are wrong. At the end of each sync it
// gives the initiator a cursor, a sealed place in its arrival log, with which the next sync
// takes one round and less than 512 bytes of metadata, whatever the responder got
// meanwhile. The cursor is of 45 bytes and good for one tenant, scope and requester; the
// initiator keeps it by Client.KeepCursor.
//
// # Who may do what
//
// A client signs as the tenant, or names permission grants of the tenant's by
// Client.UseGrants. Those bound all that a grantee can learn of the tenant's messages, but for
// what SPEC.md §10.3 lists: a sync is about exactly the part of its scope that one grant covers,
// and ends when the grant does. ServerOptions.Gate decides which tenants are served.
//
// # Quotas
//
// How much a tenant may have is a matter of the store, see store.Quota. What does not fit is refused
// message by message, and the rest of a sync goes on.
package refserver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// ErrScope reports a message outside the scope that a sync is about.
var ErrScope = errors.New("message is outside the scope")

// Node is one DWN as far as sync is concerned: a store, and how the signers of
// messages are resolved. It is safe for concurrent use if its fields are.
type Node struct {
	Store    store.Store
	Resolver auth.Resolver // nil is auth.Offline
	// Keeper, if set, keeps the summaries of Store, so that a round hashes what changed
	// and reads keys where it needs them. Without one it reads and hashes them all.
	Keeper *summaries.Keeper
}

func (n Node) resolver() auth.Resolver {
	if n.Resolver == nil {
		return auth.Offline{}
	}
	return n.Resolver
}

// Result is what became of one entry handed to Write. Err says why it was not
// stored; Outcome is valid where Err is nil.
type Result struct {
	Outcome store.Outcome
	Err     error
}

// Write verifies entries and stores those that are in order, in one transaction:
// the message's shape and signatures, that its data is the data it names, and that the
// tenant's quota has room for it. It
// takes what store.Messages.Put takes and returns a result for each, or an error
// where nothing was stored. On a disk that is nearly full, what ends a grant (see
// store.Quota) is stored all the same; where there was more, that is store.ErrFull.
func (n Node) Write(ctx context.Context, tenant string, entries []store.Entry) ([]Result, error) {
	results, err := n.verify(ctx, entries)
	if err != nil {
		return nil, err
	}
	return results, n.put(ctx, tenant, entries, results, basis{})
}

// writeFor is Write for a requester; nil is the tenant itself.
func (n Node) writeFor(ctx context.Context, tenant string, by *access, entries []store.Entry) ([]Result, error) {
	if by == nil {
		return n.Write(ctx, tenant, entries)
	}
	for {
		results, after, err := n.verifyFor(ctx, by, entries)
		if err == nil {
			err = n.put(ctx, tenant, entries, results, basis{by.Grants, after})
		}
		if !errors.Is(err, auth.ErrForbidden) {
			return results, err
		}
		if err := by.renew(ctx); err != nil { // nothing was stored
			return nil, err
		}
	}
}

// verifyFor is verify for a requester. What it may not push whatever the signatures say goes first:
// for that no documents are fetched. See access.mayPush for after.
func (n Node) verifyFor(ctx context.Context, by *access, entries []store.Entry) (results []Result, after []int, err error) {
	results = checked(entries)
	if _, err = by.mayPush(ctx, entries, results, true); err != nil {
		return nil, nil, err
	}
	if err = n.verifySignatures(ctx, entries, results); err != nil {
		return nil, nil, err
	}
	if after, err = by.mayPush(ctx, entries, results, false); err == nil && len(by.Grants) > 0 {
		err = by.expired() // whatever is revoked, PutUnder finds out
	}
	return results, after, err
}

// verify returns a result for each entry, with an error if it must not be stored.
func (n Node) verify(ctx context.Context, entries []store.Entry) ([]Result, error) {
	results := checked(entries)
	return results, n.verifySignatures(ctx, entries, results)
}

// checked returns a result for each entry, with an error if its form is not that of one.
func checked(entries []store.Entry) []Result {
	results := make([]Result, len(entries))
	for i, e := range entries {
		results[i].Err = e.Check()
	}
	return results
}

// verifySignatures sets the error of every entry without one whose signatures are not in order.
func (n Node) verifySignatures(ctx context.Context, entries []store.Entry, results []Result) error {
	var messages []*dwn.Message
	var index []int
	for i, e := range entries {
		if results[i].Err == nil {
			messages, index = append(messages, e.Message), append(index, i)
		}
	}
	for i, err := range auth.VerifyMessages(ctx, n.resolver(), messages) {
		results[index[i]].Err = err
	}
	return ctx.Err()
}

// basis is what entries are stored by, for a requester that is not the tenant: as long as none of
// grants is revoked, and entry i if entry after[i] is. The zero basis is the tenant's own.
type basis struct {
	grants []string
	after  []int
}

// of returns what is left of b for the entries of those indices, each once and ascending. An entry
// comes after one that is there too.
func (b basis) of(index []int) basis {
	if b.after == nil {
		return b
	}
	after := make([]int, len(index))
	for i, at := range index {
		after[i] = slices.Index(index, b.after[at]) // -1 stays
	}
	return basis{b.grants, after}
}

// put stores the entries that have no error and fit into the tenant's quota, by the basis there is.
func (n Node) put(ctx context.Context, tenant string, entries []store.Entry, results []Result, by basis) error {
	var batch []store.Entry
	var index []int
	for i, r := range results {
		if r.Err == nil {
			batch, index = append(batch, entries[i]), append(index, i)
		}
	}
	if len(batch) == 0 {
		return nil
	}
	fit, outcomes, over, err := putFitting(ctx, n.Store.Tenant(tenant), batch, by.of(index))
	for _, at := range over {
		results[index[at]].Err = store.ErrQuota
	}
	accepted := 0
	for i, o := range outcomes {
		results[index[fit[i]]].Outcome = o
		if o == store.Accepted {
			accepted++
		}
	}
	if n.Keeper != nil && accepted > 0 {
		n.Keeper.Wrote(tenant, accepted)
		if slices.ContainsFunc(batch, func(e store.Entry) bool { _, ends := store.Ends(e.Message, tenant); return ends }) {
			n.Keeper.Rotated(tenant) // if a secret was lent under the grant
		}
	}
	return forbidden(err)
}

// idOf returns the ID in the text of a message's CID.
func idOf(text string) (dwn.ID, error) {
	c, err := parseCID(text)
	if err != nil {
		return dwn.ID{}, err
	}
	id, err := dwn.IDOf(c)
	if err != nil {
		return dwn.ID{}, fmt.Errorf("%w: %w", errCID, err)
	}
	return id, nil
}
