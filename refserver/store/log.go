package store

import (
	"context"
	"iter"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// Arrivals is a tenant's arrival log.
type Arrivals interface {
	// Log yields the arrival log from position from on (0 and 1 both mean all of
	// it) to the entry that is the newest when the iteration gets there. What was
	// read once never changes. What is yielded may be kept.
	Log(ctx context.Context, from uint64) iter.Seq2[LogEntry, error]
	// At yields the acceptance at each of positions, in the order asked, as Log
	// yields it. It reads them in short transactions of at most 256, none of which
	// is open while the loop's body runs. A position that the log does not have is
	// a *PositionError, and the iteration stops. What is yielded may be kept.
	At(ctx context.Context, positions []uint64) iter.Seq2[LogEntry, error]
	// Last returns the log's newest position, 0 before the first.
	Last(ctx context.Context) (uint64, error)
}

// LogEntry is one entry of a tenant's arrival log, which everything derived from
// the messages is a fold over.
type LogEntry struct {
	// Position counts the tenant's acceptances from 1 without gaps. Entries come
	// in ascending order; Rescoped entries follow, at the same position, the
	// acceptance of the initial write that caused them.
	Position uint64
	// Accepted is the position at which this entry's own message was accepted:
	// Position itself, or of a Rescoped entry the earlier one of the delete.
	Accepted uint64
	Event    Event
	State    State
	Key      dwn.Key
	// Attributes are what scopes compare, as of this entry. Those of a
	// RecordsDelete include what it inherits from its record's initial write, if
	// that is at or before Position.
	Attributes dwn.Attributes
}

// Event is what an entry of the arrival log tells.
type Event uint8

// The events of the arrival log.
const (
	// EventAccepted: the message was stored at this position.
	EventAccepted Event = iota + 1
	// EventRescoped: the RecordsDelete, stored earlier, has other attributes from
	// this position on, because its record's initial write came.
	EventRescoped
)

// State is what the message is to the tenant's views from this entry on.
type State uint8

// StateMember: the message is retained, a member of the views it is in scope of.
const StateMember State = 1
