package refserver

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

var (
	// ErrRecord reports a JSON record that is not as SPEC.md says.
	ErrRecord = errors.New("malformed record")
	errCID    = errors.New("not a CID")
)

// Record is a message with its record data as one JSON object: a line of what
// import and export read and write, and the body of the calls about messages.
type Record struct {
	CID     string          `json:"cid,omitempty"` // checked if present
	Tenant  string          `json:"tenant,omitempty"`
	Message json.RawMessage `json:"message"`
	// Data is standard base64. Nil means that no data is given; data of no bytes is "".
	Data *string `json:"dataBase64,omitempty"`
}

// NewRecord returns the record of e, a message of tenant, with data if it is not nil.
func NewRecord(tenant string, m *dwn.Message, data []byte) Record {
	r := Record{CID: m.CID().String(), Tenant: tenant, Message: m.AppendJSON(nil)}
	if data != nil {
		text := base64.StdEncoding.EncodeToString(data)
		r.Data = &text
	}
	return r
}

// ParseRecord reads a record and returns it with its message and data, which is
// of any length. Other fields of the object are ignored.
func ParseRecord(text []byte) (Record, store.Entry, error) {
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return r, store.Entry{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if r.Message == nil {
		return r, store.Entry{}, fmt.Errorf("%w: no field \"message\"", ErrRecord)
	}
	m, err := dwn.ParseJSON(r.Message)
	if err != nil {
		return r, store.Entry{}, err
	}
	if got := m.CID().String(); r.CID != "" && r.CID != got {
		return r, store.Entry{}, fmt.Errorf("%w: the record says its CID is %s, its message has %s", ErrRecord, r.CID, got)
	}
	e := store.Entry{Message: m}
	if r.Data != nil {
		if e.Data, err = base64.StdEncoding.Strict().DecodeString(*r.Data); err != nil {
			return r, store.Entry{}, fmt.Errorf("%w: dataBase64: %w", ErrRecord, err)
		}
		if e.Data == nil {
			e.Data = []byte{}
		}
	}
	return r, e, nil
}

func parseCID(text string) (cid.Cid, error) {
	c, err := cid.Decode(text)
	if err != nil {
		return cid.Undef, fmt.Errorf("%w: %w", errCID, err)
	}
	if c.String() != text {
		return cid.Undef, fmt.Errorf("%w: write it as %s", errCID, c)
	}
	return c, nil
}
