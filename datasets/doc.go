// Package datasets gives sets to demonstrate, test and measure with. All that is
// made here is fixed by a seed: the same bytes on every platform and for ever, made
// as they are iterated over, in memory that does not grow with their number.
//
//   - [Workload] makes synthetic keys, up to 10^12, by how they lie in time
//     ([Shape]) and by who lacks which of them ([Divergence]). The names of both are
//     labels of benchmarks.
//   - [Generate] makes signed DWN messages that the reference SDK accepts, in the
//     order given, each with its record data.
//   - [Corpus] is a shipped set of DWN messages made with the reference SDK.
//   - [Git] loads the commits of any git repository.
//   - [JSONLines] loads any JSON lines that have a time, such as events of nostr.
//
// The last three are real sets; a [Source] is the label of one.
//
// All keys that sign are throw-away test keys that anybody can read here: protect
// nothing with them.
//
// Only Git reads the disk and starts processes, those of git; JSONLines reads what
// it is given. Nothing here reads a clock or the network.
package datasets

import (
	"errors"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

var (
	// ErrCorpus: the shipped set is not what it was made to be, such as a file
	// that was damaged or replaced before it was compiled in.
	ErrCorpus = errors.New("shipped set of messages is damaged")
	// ErrOptions: options that no set of messages or keys fits.
	ErrOptions = errors.New("invalid options of a data set")
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
