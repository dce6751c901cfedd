package store

import "github.com/dwn-sync/dwnsync/engine/dwn"

// LogEntry is one entry of a tenant's arrival log, which everything derived from
// the messages is a fold over.
type LogEntry struct {
	// Position counts the tenant's acceptances from 1 without gaps. Entries come
	// in ascending order; Rescoped entries follow, at the same position, the
	// acceptance of the initial write that caused them.
	Position uint64
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
