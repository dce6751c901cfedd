package engine

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// KeySealer is a Sealer by AES-256-GCM. It is safe for concurrent use.
type KeySealer struct{ aead cipher.AEAD }

// NewSealer returns a Sealer under a key that is derived from key, a node's own secret, and
// bound: whose view it is of, what it is narrowed to, and who asks. What it seals opens
// under the same key and bound alone, in any process. Nonces are random, which is good for
// 2^32 tokens of one key and bound; a token is 28 bytes longer than what is sealed.
func NewSealer(key [32]byte, bound ...string) (KeySealer, error) {
	info := []byte("dwnsync cursor 1")
	for _, part := range bound {
		info = append(binary.BigEndian.AppendUint32(info, uint32(len(part))), part...)
	}
	derived, err := hkdf.Key(sha256.New, key[:], nil, string(info), 32)
	if err != nil {
		return KeySealer{}, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return KeySealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return KeySealer{aead}, err
}

// Seal returns a token, which nobody without the key can read, make or change.
func (s KeySealer) Seal(plain []byte) ([]byte, error) { return s.aead.Seal(nil, nil, plain, nil), nil }

// Open returns what was sealed.
func (s KeySealer) Open(token []byte) ([]byte, bool) {
	plain, err := s.aead.Open(nil, nil, token, nil)
	return plain, err == nil
}
