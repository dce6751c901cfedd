package refserver

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// sealer seals cursors by AES-256-GCM. Its key is derived from that of the store for one
// tenant, scope and requester, so what it seals is worth nothing for any other; and its
// nonces are random, which is good for 2^32 tokens of one key.
type sealer struct{ aead cipher.AEAD }

// sealOverhead is how many bytes a token is longer than what it seals: nonce and tag.
const sealOverhead = 12 + 16

// newSealer returns the sealer of one view, named by tenant and label, for one requester.
func newSealer(key store.SealKey, tenant string, label []byte, requester string) (sealer, error) {
	info := []byte("dwnsync cursor 1")
	for _, part := range []string{tenant, string(label), requester} {
		info = append(binary.BigEndian.AppendUint32(info, uint32(len(part))), part...)
	}
	derived, err := hkdf.Key(sha256.New, key[:], nil, string(info), 32)
	if err != nil {
		return sealer{}, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

// Seal returns a token of sealOverhead bytes more than plain.
func (s sealer) Seal(plain []byte) ([]byte, error) { return s.aead.Seal(nil, nil, plain, nil), nil }

// Open returns what was sealed.
func (s sealer) Open(token []byte) ([]byte, bool) {
	plain, err := s.aead.Open(nil, nil, token, nil)
	return plain, err == nil
}

// sealer returns what seals the cursors of a sync, nil where there can be none: without
// them the next sync costs more bytes.
func (s *Server) sealer(ctx context.Context, claims auth.InitClaims) engine.Sealer {
	if s.node.Keeper == nil {
		return nil
	}
	key, err := s.node.Store.SealKey(ctx)
	var sealing sealer
	if err == nil {
		sealing, err = newSealer(key, claims.Tenant, summaries.Label(claims.Scope), claims.Signer)
	}
	if err != nil {
		s.log.Warn("no cursor: the next sync costs more", "error", err)
		return nil
	}
	return sealing
}
