package store

import (
	"context"
	"io"
	"iter"

	"github.com/ipfs/go-cid"
)

// Owed is the record data that signers other than the tenant are asked for: what messages of
// theirs name. It goes by what a signer did and not by what is held, so that nobody learns
// from what it is asked for, or is not, whether data is here.
type Owed interface {
	// WantedOf yields the data larger than dwn.MaxInlineData that messages which signer signed
	// name here and that SentBy has not noted for it, in no particular order: held or not. For
	// the tenant itself it yields nothing. Messages that a version stored which had no Owed
	// count for nothing.
	WantedOf(ctx context.Context, signer string) iter.Seq2[Wanted, error]
	// SentBy notes that signer has sent the data c, all of it and verified: WantedOf never
	// yields it again, whatever messages come. It writes once for a signer and c. The grants
	// are as in PutDataUnder.
	SentBy(ctx context.Context, signer string, c cid.Cid, grants []string) error
	// PutDataUnder is PutData for who may send data because of grants, which are named by their
	// record IDs. Where the tenant has revoked one of them it is ErrRevoked, and nothing becomes
	// visible: it counts when r has been read and verified, as Grants.PutUnder says of messages.
	// It is ErrRevoked for data that is held already, too; without grants it is PutData.
	PutDataUnder(ctx context.Context, c cid.Cid, r io.Reader, grants []string) error
}
