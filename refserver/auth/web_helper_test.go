package auth

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// nameServer answers every DNS question with the addresses that addresses returns, and
// counts what it was asked. It reads and writes just enough of RFC 1035.
func nameServer(t testing.TB, addresses func(name string) []netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		packet := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(dnsReply(packet[:n], addresses), from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-ended })
	return namesBy(conn)
}

// namesBy returns a resolver that asks whoever reads from conn.
func namesBy(conn net.PacketConn) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// muteNames answers no DNS question.
func muteNames(t testing.TB) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return namesBy(conn)
}

func dnsReply(question []byte, addresses func(string) []netip.Addr) []byte {
	end := 12
	var labels []string
	for question[end] != 0 {
		labels = append(labels, string(question[end+1:end+1+int(question[end])]))
		end += 1 + int(question[end])
	}
	end += 5 // the root label, type and class
	typ := binary.BigEndian.Uint16(question[end-4:])
	reply := append([]byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[12:end]...)
	for _, addr := range addresses(strings.Join(labels, ".")) {
		if addr.Is4() != (typ == 1) || typ != 1 && typ != 28 {
			continue
		}
		reply[7]++
		raw := addr.AsSlice()
		reply = append(reply, 0xc0, 12, byte(typ>>8), byte(typ), 0, 1, 0, 0, 0, 0, 0, byte(len(raw)))
		reply = append(reply, raw...)
	}
	return reply
}

func addrs(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		if text != "" {
			list = append(list, netip.MustParseAddr(text))
		}
	}
	return list
}

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// webHostFixture is an HTTPS server for example.com on loopback, with its own authority.
type webHostFixture struct {
	server *httptest.Server
	opt    WebOptions
	did    string // of the host
	hits   atomic.Int64
}

func newWebHost(t testing.TB, handle http.HandlerFunc) *webHostFixture {
	t.Helper()
	f := new(webHostFixture)
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.hits.Add(1)
		handle(w, r)
	}))
	f.server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that refuse the certificate
	f.server.StartTLS()
	t.Cleanup(f.server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(f.server.Certificate())
	f.opt = WebOptions{
		Permitted: loopback(), RootCAs: roots,
		Names: nameServer(t, func(string) []netip.Addr { return addrs("127.0.0.1") }),
	}
	_, port, _ := strings.Cut(f.server.Listener.Addr().String(), ":")
	f.did = "did:web:example.com%3A" + port
	return f
}

// serveDocument answers with text as a DID document.
func serveDocument(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/did+json")
		fmt.Fprint(w, text)
	}
}

// jwkOf returns the public JWK of a signer.
func jwkOf(s *Signer) string {
	if s.public.curve == Ed25519 {
		return `{"kty":"OKP","crv":"Ed25519","x":"` + encode64([]byte(s.public.point)) + `"}`
	}
	point := s.public.k1
	if s.public.curve == P256 {
		raw, _ := s.public.p256.Bytes()
		return `{"kty":"EC","crv":"P-256","x":"` + encode64(raw[1:33]) + `","y":"` + encode64(raw[33:]) + `"}`
	}
	raw := point.SerializeUncompressed()
	return `{"kty":"EC","crv":"secp256k1","x":"` + encode64(raw[1:33]) + `","y":"` + encode64(raw[33:]) + `"}`
}

// methodText is a verification method with the key of s under the ID did#name.
func methodText(did, name string, s *Signer) string {
	return `{"id":"` + did + `#` + name + `","type":"JsonWebKey2020","controller":"` + did + `","publicKeyJwk":` + jwkOf(s) + `}`
}

// documentText is a document with the methods, of which those named may authenticate.
func documentText(did string, methods []string, authentication ...string) string {
	quoted := make([]string, len(authentication))
	for i, name := range authentication {
		quoted[i] = `"` + did + `#` + name + `"`
	}
	return `{"@context":["https://www.w3.org/ns/did/v1"],"id":"` + did + `","verificationMethod":[` + strings.Join(methods, ",") +
		`],"authentication":[` + strings.Join(quoted, ",") + `]}`
}

// signerFor returns the signer of a key under a did:web.
func signerFor(t testing.TB, s *Signer, did, name string) *Signer {
	t.Helper()
	named, err := s.named(did + "#" + name)
	if err != nil {
		t.Fatal(err)
	}
	return named
}
