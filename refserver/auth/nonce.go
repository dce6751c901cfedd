package auth

import (
	"crypto/rand"
	"fmt"
)

// MaxNonce is how many characters the nonce of a server has at most.
const MaxNonce = 64

// CheckNonce returns an error unless text has the form of a server's nonce: 1 to
// MaxNonce characters of base64url. What it means only its server knows.
func CheckNonce(text string) error {
	if len(text) > MaxNonce || !allOf(text, isBase64URL) {
		return fmt.Errorf("nonce: want 1 to %d characters of base64url", MaxNonce)
	}
	return nil
}

func isBase64URL(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || isDigit(c) || c == '-' || c == '_'
}

// newNonce returns 16 random bytes, as 22 characters. Who could guess the next nonce
// could sign today what a server takes tomorrow.
func newNonce() string {
	var raw [16]byte
	rand.Read(raw[:])
	return encode64(raw[:])
}

// nonce returns the optional claim of that name.
func (obj object) nonce() (string, error) {
	text, ok, err := obj.text("nonce")
	if !ok || err != nil {
		return "", err
	}
	return text, CheckNonce(text)
}
