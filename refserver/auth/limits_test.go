package auth

import (
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// Lengths are looked at before anything is decoded, so the error has to be the limit's.
func TestLimitsComeFirst(t *testing.T) {
	long := func(n int) string { return strings.Repeat("!", n+1) }
	signature := strings.Repeat("A", signatureText)
	for name, check := range map[string]func() error{
		"DID":        func() error { return CheckDID(long(MaxDID)) },
		"did:key":    func() error { _, err := parseDIDKey(long(maxKey58)); return err },
		"JWK":        func() error { _, err := ParsePublicJWK([]byte(long(maxJWK))); return err },
		"signer":     func() error { _, err := ParseSigner([]byte(long(maxPrivateJWK))); return err },
		"key ID":     func() error { _, _, err := findKey(t.Context(), Offline{}, long(maxKeyID), false); return err },
		"init token": func() error { _, err := testVerifier(t).VerifyInit(t.Context(), long(MaxInitToken)); return err },
		"request token": func() error {
			_, err := testVerifier(t).VerifyRequest(t.Context(), long(MaxRequestToken), "POST", testURL)
			return err
		},
		"header": func() error {
			_, err := parseEnvelope(dwn.JWS{Protected: long(maxHeader), Signature: signature}, "")
			return err
		},
		"payload": func() error {
			_, err := parseEnvelope(dwn.JWS{Payload: long(maxPayload), Signature: signature}, "")
			return err
		},
		"origin": func() error { _, err := ParseOrigin(long(maxURL)); return err },
	} {
		if err := check(); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%s: got %v, want its limit", name, err)
		}
	}
}
