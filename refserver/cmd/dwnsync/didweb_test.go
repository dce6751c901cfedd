package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// Strangers send tokens: their lookups take no turn of those for messages.
func TestWebResolversAreApart(t *testing.T) {
	on := true
	messages, tokens := webFlags{on: &on, permitted: new(prefixesFlag)}.resolvers()
	for _, r := range []auth.Resolver{messages, tokens} {
		if _, ok := r.(auth.Methods)["web"].(*auth.Cache); !ok {
			t.Errorf("got %T, want a cache for did:web", r)
		}
	}
	if messages.(auth.Methods)["web"] == tokens.(auth.Methods)["web"] {
		t.Error("tokens and messages have one resolver")
	}
	on = false
	if messages, tokens = (webFlags{on: &on}).resolvers(); messages != (auth.Offline{}) || tokens != (auth.Offline{}) {
		t.Errorf("off: got %T and %T, want %T", messages, tokens, auth.Offline{})
	}
}

// webHost: webhost runs an HTTPS server for localhost with the document of $WEB, whose key
// is in web.json and three of whose messages are in web.jsonl. SSL_CERT_FILE names its
// certificate.
func webHost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: webhost")
	}
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	ts.Check(err)
	writeFile(ts, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
	ts.Setenv("SSL_CERT_FILE", ts.MkAbs("ca.pem"))
	var document string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/did+json")
		fmt.Fprint(w, document)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: secret}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	did := "did:web:localhost%3A" + port
	document = writeWebKey(ts, did)
	ts.Setenv("WEB", did)
	server.StartTLS()
	ts.Defer(server.Close)
}

// writeWebKey makes a key and messages of did and returns its document.
func writeWebKey(ts *testscript.TestScript, did string) string {
	key, err := auth.GenerateSigner(auth.Ed25519, rand.Reader)
	ts.Check(err)
	text, err := key.MarshalJWK()
	ts.Check(err)
	var jwk map[string]string
	ts.Check(json.Unmarshal(text, &jwk))
	jwk["kid"] = did + "#0"
	text, err = json.Marshal(jwk)
	ts.Check(err)
	writeFile(ts, "web.json", text)
	signer, err := auth.ParseSigner(text)
	ts.Check(err)
	lines, err := largeRecords(signer, 10, 20, 30)
	ts.Check(err)
	writeFile(ts, "web.jsonl", lines)
	return fmt.Sprintf(`{"id":%q,"verificationMethod":[{"id":"#0","type":"JsonWebKey2020","controller":%q,"publicKeyJwk":{"kty":"OKP","crv":"Ed25519","x":%q}}],"authentication":["#0"]}`,
		did, did, jwk["x"])
}

func writeFile(ts *testscript.TestScript, name string, text []byte) {
	ts.Check(os.WriteFile(ts.MkAbs(name), text, 0o600))
}
