package dwn

import (
	"crypto/sha256"
	"fmt"

	"github.com/ipfs/go-cid"
)

// digestPrefix is the multihash head of a SHA-256 digest: function, length.
const digestPrefix = "\x12\x20"

// CIDOf returns the CID that id is the digest of: version 1, dag-cbor, sha2-256.
func CIDOf(id ID) cid.Cid {
	return cid.NewCidV1(cid.DagCBOR, append([]byte(digestPrefix), id[:]...))
}

// IDOf returns the digest inside c. It returns ErrMalformed if c cannot be the
// CID of a message: another version, codec or hash function.
func IDOf(c cid.Cid) (ID, error) {
	if !c.Defined() {
		return ID{}, fmt.Errorf("%w: no CID", ErrMalformed)
	}
	hash := c.Hash()
	if c.Version() != 1 || c.Type() != cid.DagCBOR || len(hash) != len(digestPrefix)+len(ID{}) || string(hash[:2]) != digestPrefix {
		return ID{}, fmt.Errorf("%w: %s is not a version 1 dag-cbor sha2-256 CID", ErrMalformed, c)
	}
	return ID(hash[2:]), nil
}

// cidOf returns the CID of a part of a message.
func cidOf(value any) (cid.Cid, error) {
	raw, err := encodeCBOR(value)
	if err != nil {
		return cid.Undef, err
	}
	return CIDOf(sha256.Sum256(raw)), nil
}

// partCID returns the CID of a part that is an object, else cid.Undef. A part of
// a message that was decoded always encodes.
func partCID(value any) cid.Cid {
	if _, ok := value.(object); !ok {
		return cid.Undef
	}
	c, _ := cidOf(value)
	return c
}

// DescriptorCID returns the CID of the descriptor, which the signatures cover.
func (m *Message) DescriptorCID() cid.Cid { return partCID(m.descriptor) }

// AttestationCID returns the CID of the attestation, cid.Undef where there is none.
func (m *Message) AttestationCID() cid.Cid { return partCID(m.body["attestation"]) }

// EncryptionCID returns the CID of the encryption, cid.Undef where there is none.
func (m *Message) EncryptionCID() cid.Cid { return partCID(m.body["encryption"]) }
