package dwn

import (
	"fmt"
	"maps"

	"github.com/ipfs/go-cid"
)

// Data says what record data belongs to a RecordsWrite.
type Data struct {
	CID  cid.Cid // UnixFS CID, see package datacid
	Size int64   // bytes
}

// Data returns what record data belongs to m. It is false if m is no RecordsWrite
// or its dataCid or dataSize is malformed.
func (m *Message) Data() (Data, bool) {
	if !m.is("Records", "Write") {
		return Data{}, false
	}
	data, err := m.data()
	return data, err == nil
}

func (m *Message) data() (Data, error) {
	text, err := m.descriptor.text("dataCid")
	if err != nil {
		return Data{}, err
	}
	c, err := cid.Decode(text)
	if err != nil {
		return Data{}, fmt.Errorf("%w: dataCid %.80q is not a CID: %v", ErrShape, text, err)
	}
	size, err := member[int64](m.descriptor, "dataSize", "an integer")
	if err != nil {
		return Data{}, err
	}
	if size < 0 {
		return Data{}, fmt.Errorf("%w: dataSize is %d", ErrShape, size)
	}
	return Data{CID: c, Size: size}, nil
}

// RecordID returns the record that m is about, "" if it is about none. A write
// names it beside the descriptor, a delete inside.
func (m *Message) RecordID() string {
	switch {
	case m.is("Records", "Write"):
		return m.body.textOrNone("recordId")
	case m.is("Records", "Delete"):
		return m.descriptor.textOrNone("recordId")
	}
	return ""
}

// ContextID returns the path of record IDs from the root record down to the
// record of m, joined by "/". It is "" outside protocols.
func (m *Message) ContextID() string {
	if !m.is("Records", "Write") {
		return ""
	}
	return m.body.textOrNone("contextId")
}

// EntryID returns the CID of the descriptor with the author added, which is the
// record ID that m gives to a record it begins. It returns ErrShape if m is no
// RecordsWrite or has no author.
func (m *Message) EntryID() (cid.Cid, error) {
	if !m.is("Records", "Write") {
		return cid.Undef, fmt.Errorf("%w: a %s%s has no entry ID", ErrShape, m.Interface(), m.Method())
	}
	author := m.Author()
	if author == "" {
		return cid.Undef, fmt.Errorf("%w: no author", ErrShape)
	}
	entry := maps.Clone(m.descriptor)
	entry["author"] = author
	return cidOf(entry)
}

// IsInitialWrite reports whether m is the RecordsWrite that begins its record.
func (m *Message) IsInitialWrite() bool {
	id := m.RecordID()
	if id == "" {
		return false
	}
	entry, err := m.EntryID()
	return err == nil && entry.String() == id
}
