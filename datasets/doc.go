// Package datasets gives signed DWN messages to demonstrate, test and measure
// with: a shipped set made with the reference SDK, and any number more by seed.
//
// [Corpus] is the shipped set. [Generate] makes messages that the reference SDK
// accepts, in the order given, each with its record data; the same options give
// the same bytes on every platform. All keys are throw-away test keys that anybody
// can read here: protect nothing with them.
//
// Nothing here reads a clock, disk or network.
package datasets

import (
	"errors"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

var (
	// ErrCorpus: the shipped set is not what it was made to be, such as a file
	// that was damaged or replaced before it was compiled in.
	ErrCorpus = errors.New("shipped set of messages is damaged")
	// ErrOptions: options of the generator that no set of messages fits.
	ErrOptions = errors.New("invalid generator options")
)

// Message is one message of a set, as its tenant's node received it.
type Message struct {
	// Tenant is the DID whose node the message belongs to.
	Tenant string
	// Message is immutable.
	Message *dwn.Message
	// Data is the record data that came with the message. Nil means that none came:
	// the message is no RecordsWrite, or it keeps the data of the write before it.
	// The receiver owns it.
	Data []byte
	// Retained reports whether a reference node that was given the whole set, in
	// its order, still holds the message at the end. Of a record it holds the
	// initial write, without its data once there is a later one, and the latest
	// write or delete; of a pruned record's descendants nothing.
	Retained bool
}
