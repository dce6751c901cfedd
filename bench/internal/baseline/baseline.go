// Package baseline has three ways to reconcile two sets that dwnsync is compared with,
// written from their published descriptions alone: a rateless IBLT, range-based
// reconciliation (negentropy protocol v1) and a Merkle search tree. They are for
// measuring side by side in one run: small, exact about the bytes that the originals
// would send, and not hardened against hostile peers.
package baseline

import (
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// System is one way to reconcile.
type System interface {
	// Name is the label of the system in benchmarks.
	Name() string
	// Prepare returns a side that holds keys, ascending and distinct, with all that the
	// system keeps up to date between syncs.
	Prepare(keys []summary.Key) Side
}

// Side is one prepared set. Sides of one System reconcile with each other only.
type Side interface {
	// Reconcile finds the difference to the responder's set, as the initiator. Neither
	// side is changed. It runs both sides in this goroutine.
	Reconcile(responder Side) (Outcome, error)
}

// Outcome is what one reconciliation found and what crossed the wire for it.
type Outcome struct {
	// Have are the IDs that only the initiator holds, Need those that only the
	// responder holds, in no order. A system that learns short IDs only resolves them.
	Have, Need []summary.ID
	Up, Down   int64 // bytes of messages from and to the initiator
	Rounds     int   // requests with their replies
	// Here and There are nanoseconds of CPU time that the two sides took.
	Here, There int64
}
