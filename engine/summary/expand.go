package summary

import (
	"encoding/binary"

	"github.com/dwn-sync/dwnsync/filters"
)

// Expansion is what every summary needs to know of a key. Each part is an
// independent pseudo-random function of the key under the secret of the view.
type Expansion struct {
	Fingerprint Fingerprint // as Hasher computes it
	Short       uint64      // the short ID, in its low ShortBits bits
	Slice       uint64      // what the estimator counts by
}

// Expander expands keys under one secret. It is reused between keys to keep its
// state, so it is not safe for concurrent use.
type Expander struct {
	prints, slices *Hasher
	cells          Coder
}

// NewExpander returns an Expander for the secret of one view. It panics unless
// p.Validate() is nil.
//
// Fingerprints come from the secret itself, short IDs and slices from a second
// secret that is derived from it, checks and cells from a third. So nobody learns
// a part of a fingerprint from a sketch.
func NewExpander(secret [32]byte, p Params) *Expander {
	if err := p.Validate(); err != nil {
		panic(err)
	}
	salts := derive(secret, "dwnsync cells v1\x00", nil)
	return &Expander{
		prints: NewHasher(secret),
		slices: NewHasher(derive(secret, "dwnsync slices v1\x00", nil)),
		cells:  newCoder([2]filters.Salt{filters.Salt(salts[:16]), filters.Salt(salts[16:])}, p.filled()),
	}
}

// Key expands k. The first eight bytes of the second HMAC, little-endian, are the
// short ID, the next eight the slice.
func (e *Expander) Key(k Key) Expansion {
	second := e.slices.Key(k).Fingerprint
	return Expansion{
		Fingerprint: e.prints.Key(k).Fingerprint,
		Short:       binary.LittleEndian.Uint64(second[:]) & e.cells.shortMask,
		Slice:       binary.LittleEndian.Uint64(second[8:]),
	}
}

// Fingerprint returns the fingerprint of k alone, in half the time of Key.
func (e *Expander) Fingerprint(k Key) Fingerprint { return e.prints.Key(k).Fingerprint }

// Cells returns what maps short IDs to cells under the same secret.
func (e *Expander) Cells() Coder { return e.cells }
