package auth_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// A client signs a request for its tenant, and the server checks it.
func Example() {
	signer, err := auth.GenerateSigner(auth.Ed25519, rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(`{"descriptor":{}}`)
	claims, err := auth.NewClaims("http://127.0.0.1:8055", signer.DID(), time.Now(), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := auth.NewVerifier(auth.VerifierOptions{Audience: []string{"http://127.0.0.1:8055"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	claims.Nonce = verifier.Nonce() // a server that has just started asks for it
	token, err := signer.SignRequest(auth.RequestClaims{
		Claims: claims, Method: "POST", URL: "http://127.0.0.1:8055/v1/messages", Body: auth.DigestOf(body),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := verifier.VerifyRequest(context.Background(), token, "POST", "/v1/messages")
	fmt.Println(err, got.Body.Equal(auth.DigestOf(body)), auth.Authorize(got.Signer, got.Tenant))
	_, err = verifier.VerifyRequest(context.Background(), token, "POST", "/v1/messages")
	fmt.Println(err)
	// Output:
	// <nil> true <nil>
	// token was used before; sign a new one for every request
}
