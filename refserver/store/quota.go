package store

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// ErrQuota: what is to be stored does not fit into the tenant's quota. Reading still works,
// and so does what Quota says is always taken. Its text has no numbers, because who reads it
// may be allowed to see only a part of what they would tell.
var ErrQuota = errors.New("the tenant's quota on this node is used up: reading still works; its operator can raise it")

// QuotaError says which entries of a batch do not fit into the tenant's quota. Nothing of
// the batch has been stored; the others would have fitted. It is an ErrQuota.
type QuotaError struct {
	Over []int // positions in the batch, ascending, at least one
}

func (e *QuotaError) Error() string { return fmt.Sprintf("%v: entries %v", ErrQuota, e.Over) }

// Unwrap returns ErrQuota.
func (e *QuotaError) Unwrap() error { return ErrQuota }

// Quota bounds what a store keeps of one tenant, whoever writes it. 0 is no limit. Folds and
// secrets do not count: they have bounds of their own.
//
// A tenant whose quota is used up can still end what it once allowed, and delete: if the tenant is
// the author and nobody brings it because of grants, the first revocation and the first delete of
// a permission grant that is stored are always taken, up to an Entry.Size of MaxAlways, and the
// first delete of any other record that is stored, up to MaxAlwaysDelete. They count, so a tenant
// has at most two such messages more for each record. What ends a grant is taken on a disk that is
// nearly full, too, for as long as there is room to open the store.
//
// Who writes because of grants sees only a part of the messages, and is to learn little of the
// others' volume from what fits. So what it writes has to fit when rounded up to whole
// sixteenths of the quota, and data counts as if it were not held yet. What it learns all the
// same is that the quota is used up but for so many sixteenths; and if it goes on until
// nothing of its own fits any more, how much that was.
type Quota struct {
	Messages int64
	Bytes    int64 // of messages in canonical form, and of record data that is held
}

// MaxAlwaysDelete is the longest delete of a record that is no grant that needs no room in the
// quota, in bytes. Common ones have 1 kB.
const MaxAlwaysDelete = 4 << 10

// MaxAlways is the longest end of a grant, with its data, that needs no room in the quota, in
// bytes. Common ones have 1 to 2 kB. Whoever made a grant must be able to revoke it: a
// revocation repeats the grant's protocol, which has 10 000 bytes at most as the grant's data
// has, and its author's key ID, which has 3072, in base64; IDs and timestamps add less than 1 kB.
const MaxAlways = 32 << 10

// Usage is what counts against a Quota.
type Usage struct {
	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes"`
}

// Quotas tells how much of its quota a tenant uses.
type Quotas interface {
	// Usage returns what is kept. Of a tenant that was last written to by a version without
	// quotas, bytes count from the next write on.
	Usage(ctx context.Context) (Usage, error)
	// Room returns nil if record data of so many bytes could be stored now: otherwise ErrQuota,
	// or ErrFull if the disk has not the room that writes need and size bytes besides. Lent is
	// for who writes because of grants. Who answers the same whether data is held or not asks
	// first.
	Room(ctx context.Context, size int64, lent bool) error
}

// Fits reports whether there is room for more in the quota of a tenant that has have. Lent is
// for who writes because of grants. What is 0 in more always fits.
func (q Quota) Fits(have, more Usage, lent bool) bool {
	return fits(q.Messages, have.Messages, more.Messages, lent) && fits(q.Bytes, have.Bytes, more.Bytes, lent)
}

// lentParts is in how many parts of a quota is counted for who writes because of grants.
const lentParts = 16

func fits(limit, have, more int64, lent bool) bool {
	if limit <= 0 || more == 0 {
		return true
	}
	if more > limit {
		return false
	}
	if part := limit / lentParts; lent && part > 0 {
		parts := (more-1)/part + 1
		if parts > limit/part {
			return false
		}
		more = parts * part
	}
	return have <= limit-more
}

// Left returns how many bytes of record data the tenant itself could still store.
func (q Quota) Left(have Usage) int64 {
	if q.Bytes <= 0 {
		return math.MaxInt64
	}
	return max(0, q.Bytes-have.Bytes)
}
