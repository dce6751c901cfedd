package engine

import (
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// Report says what a sync did. It is filled as the sync goes on and whole when
// it ends, also where it ends with an error.
type Report struct {
	Strategy  Strategy
	Direction Direction
	Rounds    int // requests made
	Received  int // items stored here that were new to this side's view
	Sent      int // items that the responder stored
	// Delivered counts Received and Sent by the strategy that found them: a filter
	// that could not finish leaves the rest to the list.
	Delivered map[Strategy]int
	// Refused are the items that one side would not store, at most MaxRefused of
	// them; RefusedItems is their number.
	Refused      []Refusal
	RefusedItems int
	Complete     bool // the identity of roots proved that the direction's promise is kept
	// RootsEqual reports whether both sides hold the same set at the end.
	RootsEqual    bool
	Local, Remote Root // at the end, under the secret of the last round
	// Open are ranges in which the two sides are known to differ still, at most MaxOpen of
	// them, where a sync is incomplete after a bisection; OpenRanges is their number.
	Open       []OpenRange
	OpenRanges int
	Up, Down   Traffic
}

// Refusal is an item that one side would not store. The other items are not
// affected, but the sync is incomplete.
type Refusal struct {
	Here   bool // refused by the initiator, otherwise by the responder
	Key    Key  // zero where the initiator could not tell it
	Reason string
}

// OpenRange is a range of keys in which the two sides differ, with how many items each has.
type OpenRange struct {
	Bucket      summary.Bucket
	Here, There uint64
}

// MaxOpen is the number of open ranges that a report lists.
const MaxOpen = 256

// MaxRefused is the number of refusals that a report lists.
const MaxRefused = 2048

func (r *Report) refused(one Refusal) {
	if r.RefusedItems++; len(r.Refused) < MaxRefused {
		r.Refused = append(r.Refused, one)
	}
}

// Traffic counts bytes of frames in one direction, without AUTH frames.
type Traffic struct {
	Metadata  int64 // all frames but ITEMS
	Summaries int64 // of these, SUMMARY frames
	Items     int64 // ITEMS frames: compressed payloads
}

func (t *Traffic) count(f wire.Frame) {
	if f.Type == wire.TypeItems {
		t.Items += int64(f.Size())
		return
	}
	t.Metadata += int64(f.Size())
	if f.Type == wire.TypeSummary {
		t.Summaries += int64(f.Size())
	}
}

func (r *Report) delivered(by Strategy, received, sent int) {
	if received+sent == 0 {
		return
	}
	r.Received += received
	r.Sent += sent
	r.Delivered[by] += received + sent
}
