package badger

import (
	"encoding/binary"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// maxAttributes is the largest form of attributes that a log row carries, in
// bytes. Ordinary ones have some hundred; larger ones are read from the message,
// so that what a batch writes is bounded by what it brings.
const maxAttributes = 4 << 10

// logRow is one row of the arrival log:
//
//	version, event, state, flags   one byte each
//	time, ID                       the key: 8 and 32 bytes
//	initial                        position that a delete inherits from, 0 if none
//	attributes                     ten texts in the order of attributeTexts
//
// A delete's row refers to the initial write instead of repeating its attributes:
// it is smaller, and an adversary who deletes one record with huge attributes very often cannot
// multiply them. An initial write that comes after deletes of its record has
// flagRescopes; reading the log then yields those deletes again.
type logRow struct {
	event    store.Event
	state    store.State
	key      dwn.Key
	initial  uint64
	rescopes bool
	// inMessage says that the row has no attributes because they are too large.
	inMessage bool
	own       dwn.Attributes
}

const (
	flagRescopes byte = 1 << iota
	flagInMessage
	flagsKnown = flagRescopes | flagInMessage
)

// attributeTexts lists the texts of a in the order in which rows have them.
func attributeTexts(a *dwn.Attributes) [10]*string {
	return [10]*string{
		&a.Interface, &a.Method, &a.Schema, &a.Protocol, &a.ProtocolPath,
		&a.Recipient, &a.DataFormat, &a.Author, &a.RecordID, &a.ContextID,
	}
}

// firstUnshared is the index in attributeTexts of the first text that is rarely
// the same in two messages.
const firstUnshared = 8

func (r logRow) append(dst []byte) []byte {
	flags := byte(0)
	if r.rescopes {
		flags |= flagRescopes
	}
	if r.inMessage {
		flags |= flagInMessage
	}
	dst = append(dst, rowVersion, byte(r.event), byte(r.state), flags)
	dst = append(binary.BigEndian.AppendUint64(dst, uint64(r.key.Time)), r.key.ID[:]...)
	dst = binary.AppendUvarint(dst, r.initial)
	if r.inMessage {
		return dst
	}
	for _, text := range attributeTexts(&r.own) {
		dst = appendText(dst, *text)
	}
	return dst
}

// attributesSize returns how many bytes the texts of a take, lengths not counted.
func attributesSize(a dwn.Attributes) int {
	size := 0
	for _, text := range attributeTexts(&a) {
		size += len(*text)
	}
	return size
}

// interner returns one string for equal bytes, so that a scan of a million rows
// does not allocate a million times the same protocol. It holds at most
// maxInterned strings.
type interner map[string]string

const maxInterned = 4096

func (in interner) text(b []byte) string {
	if s, ok := in[string(b)]; ok {
		return s
	}
	s := string(b)
	if in != nil && len(in) < maxInterned {
		in[s] = s
	}
	return s
}

// parseLogRow reads a row. Shared texts come from in, which may be nil.
func parseLogRow(row []byte, in interner) (logRow, error) {
	f := versioned(row)
	r := logRow{event: store.Event(f.byte()), state: store.State(f.byte())}
	flags := f.byte()
	r.rescopes, r.inMessage = flags&flagRescopes != 0, flags&flagInMessage != 0
	r.key = dwn.Key{Time: int64(f.uint64()), ID: f.array32()}
	r.initial = f.number()
	f.bad = f.bad || r.event != store.EventAccepted || r.state != store.StateMember || flags&^flagsKnown != 0
	if !r.inMessage {
		for i, text := range attributeTexts(&r.own) {
			if b := f.text(); i < firstUnshared {
				*text = in.text(b)
			} else {
				*text = string(b)
			}
		}
		r.own.Time = r.key.Time
	}
	return r, f.end("log")
}
