package auth

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/ipfs/go-cid"
)

// CheckGrantIDs returns an error unless ids can be named by a token: at most
// MaxGrants record IDs in their canonical form, ascending, each once.
func CheckGrantIDs(ids []string) error {
	if len(ids) > MaxGrants {
		return fmt.Errorf("grants: %d of them, at most %d are allowed", len(ids), MaxGrants)
	}
	for i, id := range ids {
		if err := checkRecordID(id); err != nil {
			return fmt.Errorf("grants: number %d: %w", i+1, err)
		}
		if i > 0 && ids[i-1] >= id {
			return errors.New("grants: want each once, ascending")
		}
	}
	return nil
}

// checkRecordID returns an error unless text is the CID of a message as a record ID is
// written. The length comes first: base32 is decoded into memory.
func checkRecordID(text string) error {
	const length = 59 // of a CID of version 1 with SHA-256 in base32
	if len(text) != length {
		return fmt.Errorf("record ID of %d characters, want %d", len(text), length)
	}
	c, err := cid.Decode(text)
	if err != nil {
		return errors.New("no CID")
	}
	if _, err := dwn.IDOf(c); err != nil || c.String() != text {
		return errors.New("not the CID of a message in its canonical form")
	}
	return nil
}

// grants returns the optional claim of that name, of one record ID at least.
func (obj object) grants() ([]string, error) {
	raw, ok := obj["grants"]
	if !ok {
		return nil, nil
	}
	var ids []string
	if err := json.Unmarshal(raw, &ids); err != nil || len(ids) == 0 {
		return nil, errors.New("grants: want an array of record IDs, or no such member")
	}
	return ids, CheckGrantIDs(ids)
}
