package auth

import (
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// Revocation takes a grant back, for ever.
type Revocation struct {
	ID     string // of the record
	Grant  string // the record ID of what is revoked
	Author string // DID; only the grantor's counts, see Revokes
	Time   int64  // when its author dated it, microseconds since 1970
}

// ParseRevocation reads a revocation from the first write of its record, under
// either permissions protocol. Its parentId has to name the grant, and its
// contextId the grant and then itself. The record data say nothing that matters and
// are not asked for: what is missing or malformed there must not keep a grant alive.
//
// The caller has verified the signatures, see VerifyMessage. The error is ErrGrant.
func ParseRevocation(m *dwn.Message) (Revocation, error) {
	r, err := revocationRecord(m)
	if err != nil {
		return Revocation{}, fmt.Errorf("%w: revocation: %w", ErrGrant, err)
	}
	return r, nil
}

func revocationRecord(m *dwn.Message) (Revocation, error) {
	descriptor, err := permissionDescriptor(m, revocationPath)
	if err != nil {
		return Revocation{}, err
	}
	r := Revocation{ID: m.RecordID(), Author: m.Author(), Time: m.Key().Time}
	if r.Grant, err = descriptor.must("parentId"); err != nil {
		return Revocation{}, err
	}
	if m.ContextID() != r.Grant+"/"+r.ID {
		return Revocation{}, errors.New("contextId is not the parentId and the recordId")
	}
	return r, CheckDID(r.Author)
}

// Revokes reports whether r takes g back: it names g, and g's grantor is its author.
func (r Revocation) Revokes(g Grant) bool {
	return r.Grant != "" && r.Grant == g.ID && r.Author == g.Grantor
}
