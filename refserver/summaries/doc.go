// Package summaries keeps the linear summaries of the views of a store's tenants
// up to date: what package summary computes, as folds over the arrival log.
//
// A write costs nothing here. Whoever asks for a view has its summaries caught up
// with the tail of the log first, so what a View says is exactly the set of the
// entries that were committed, after any crash and however many processes write.
// Summaries of everything a tenant has are saved with the store, now and then and
// in the background; opening loads them and replays the tail. Those of narrower
// scopes are made from the log on first use, and the least recently used are dropped
// where memory ends.
//
// Reading a whole log is the Keeper's own work, not that of the request that began it:
// it goes on where the request gives up, and the next one finds it done. At most half
// as many as there are processors are made at a time.
//
// What is saved is never trusted: damaged, of another secret, of another version or
// ahead of the log, it is thrown away and made again. That it is of other messages, though
// well formed, nobody can tell but Keeper.Check, which compares with everything that is
// stored: syncs can end wrongly where nobody calls it from time to time.
package summaries

import (
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

var (
	// ErrDrift: summaries that are not those of the messages. A *DriftError says
	// which part. Keeper.Rebuild mends it.
	ErrDrift = errors.New("summaries differ from the messages")
	// ErrStale: a View whose short IDs cannot be resolved any more, because the view has
	// got so large, or small, that they have another width now. Keeper.View returns the
	// one of now.
	ErrStale = errors.New("view is of other short IDs than those of now")
	// ErrTooLong: a log of more entries than the index of short IDs has positions
	// for, 2^32-1.
	ErrTooLong = errors.New("arrival log is too long for summaries")
)

// PartMessages is the part of a DriftError that is no summary: the keys that are
// stored and the arrival log are not of the same messages.
const PartMessages summary.Part = "messages"

// PartSaved is the part of a DriftError that is what is saved of all summaries together:
// its bytes are not those that were saved.
const PartSaved summary.Part = "saved form"

// DriftError says which part of a view's summaries is wrong. It is an ErrDrift.
type DriftError struct {
	Scope dwn.Scope
	Part  summary.Part
}

// Error does not tell the scope, which may name people.
func (e *DriftError) Error() string {
	view := "everything"
	if !e.Scope.All() {
		view = "a scope"
	}
	return fmt.Sprintf("%v: %s of the view of %s", ErrDrift, e.Part, view)
}

// Unwrap returns ErrDrift.
func (e *DriftError) Unwrap() error { return ErrDrift }

// Label names the view that a scope narrows a tenant to: the canonical JSON of the
// scope, and nothing for everything. A view's secret is summary.Derive of it.
func Label(scope dwn.Scope) []byte {
	if scope.All() {
		return nil
	}
	return scope.AppendJSON(nil)
}
