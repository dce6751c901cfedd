package store

import (
	"context"
	"iter"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// Grants finds the permission grants among a tenant's messages, and whether they
// are revoked, and lets nothing be written under one that is. Apart from that it decides
// nothing: who made a grant, for whom, for what and until when is for the caller to look
// at. A revocation counts for ever, whatever becomes of its record, and so does the tenant's
// own delete of the grant's record; both are meant where it says revoked (see Ends). What
// others delete ends no grant.
//
// Where a store was written by a version that had no grants, or last by such a one, the
// first question about a tenant's grants reads the part of its log that was not looked
// through yet, once: some seconds for 10^6 messages. That first question alone can be
// ErrFull.
type Grants interface {
	// Grant returns the initial write of the grant that recordID names, with its inline
	// data, and whether the tenant has revoked it. Of several initial writes,
	// it is the one that Keys goes by. A record that is not stored, or no grant, is
	// ErrNotFound.
	Grant(ctx context.Context, recordID string) (entry Entry, revoked bool, err error)
	// Grants yields all grants as Grant returns them, in no particular order. It reads
	// them in short transactions, none of which is open while the loop's body runs: of what is
	// stored meanwhile it may yield some. What is yielded may be kept.
	Grants(ctx context.Context) iter.Seq2[Grant, error]
	// PutUnder is Put for who may write because of grants, which are named by their record
	// IDs. Where the tenant has revoked one of them it is ErrRevoked, and nothing is stored.
	// Of a PutUnder and the Put of a revocation at the same time, either may be the first:
	// but when that Put has returned, nothing is stored under the grant any more. A revocation
	// in the batch itself counts from the next call on. Without grants it is Put; without
	// entries it only tells whether a grant is revoked, and needs no room. A grant that is not
	// stored is not revoked.
	PutUnder(ctx context.Context, batch []Entry, grants []string) ([]Outcome, error)
	// Lend notes that something derived from the tenant's secret is handed out under these
	// grants: the transaction that stores what ends one of them then also makes the
	// secret the next generation. ErrRevoked where one is revoked. It writes once for a grant.
	Lend(ctx context.Context, grants []string) error
}

// Grant is a permission grant that is stored.
type Grant struct {
	Entry
	Revoked bool
}

// Where protocols of permissions have grants and what revokes them.
const (
	pathGrant      = "grant"
	pathRevocation = "grant/revocation"
)

// IsGrant reports whether m is the initial write of a permission grant.
func IsGrant(m *dwn.Message) bool { return IsGrantPlace(m.Attributes()) && m.IsInitialWrite() }

// IsGrantPlace reports whether a record is a permission grant by the attributes of its initial write.
func IsGrantPlace(first dwn.Attributes) bool { return isPermission(first, pathGrant) }

// Revokes returns the record ID of the grant that m revokes for the tenant, false if
// it revokes none. A revocation is a child of the grant's record, under either of the
// protocols of permissions, whose author is the tenant: others can revoke nothing.
func Revokes(m *dwn.Message, tenant string) (recordID string, ok bool) {
	if !isPermission(m.Attributes(), pathRevocation) || m.Author() != tenant {
		return "", false
	}
	recordID = m.ParentID()
	return recordID, recordID != ""
}

// Ends returns the record ID of the grant that m ends for the tenant, if a grant is what
// that record is, and false if m can end none: a revocation ends one, and so does a
// Records.Delete of its record whose author is the tenant.
func Ends(m *dwn.Message, tenant string) (recordID string, ok bool) {
	if m.Interface() == "Records" && m.Method() == "Delete" && m.Author() == tenant {
		return m.RecordID(), true
	}
	return Revokes(m, tenant)
}

func isPermission(a dwn.Attributes, path string) bool {
	return a.ProtocolPath == path && dwn.IsPermissions(a.Protocol)
}
