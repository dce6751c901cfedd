package datasets

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/mr-tron/base58"
)

// GeneratedKey returns the tenant of the messages that [Generate] makes from seed:
// a did:key of an Ed25519 key, and its private JWK as JSON text that the caller
// owns. Its member kid is the DID URL of the key. It is a throw-away test key:
// whoever knows the seed knows it.
func GeneratedKey(seed uint64) (did string, jwk []byte) {
	k := generatedKey(seed, 0)
	jwk = fmt.Appendf(nil, `{"kty":"OKP","crv":"Ed25519","x":%q,"d":%q,"alg":"EdDSA","kid":%q}`,
		base64.RawURLEncoding.EncodeToString(k.secret.Public().(ed25519.PublicKey)),
		base64.RawURLEncoding.EncodeToString(k.secret.Seed()), k.id)
	return k.did, jwk
}

// key is an Ed25519 key with its did:key names.
type key struct {
	did    string
	id     string // DID URL
	secret ed25519.PrivateKey
}

// generatedKey returns a key of a seed: number 0 is the tenant's, the others are
// of recipients, who never sign.
func generatedKey(seed, number uint64) key {
	text := []byte("dwnsync generated throw-away key")
	text = binary.BigEndian.AppendUint64(text, seed)
	text = binary.BigEndian.AppendUint64(text, number)
	digest := sha256.Sum256(text)
	secret := ed25519.NewKeyFromSeed(digest[:])
	// Multicodec ed25519-pub, multibase base58btc.
	public := append([]byte{0xed, 0x01}, secret.Public().(ed25519.PublicKey)...)
	name := "z" + base58.Encode(public)
	did := "did:key:" + name
	return key{did: did, id: did + "#" + name, secret: secret}
}

// header returns the protected header of signatures with k.
func (k key) header() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"kid":%q,"alg":"EdDSA"}`, k.id))
}
