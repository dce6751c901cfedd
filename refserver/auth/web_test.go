package auth

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestWebURL(t *testing.T) {
	for did, want := range map[string]string{
		"did:web:w3c-ccg.github.io":                  "https://w3c-ccg.github.io/.well-known/did.json",
		"did:web:w3c-ccg.github.io:user:alice":       "https://w3c-ccg.github.io/user/alice/did.json",
		"did:web:example.com%3A3000":                 "https://example.com:3000/.well-known/did.json",
		"did:web:example.com%3a3000:user:alice":      "https://example.com:3000/user/alice/did.json",
		"did:web:xn--bcher-kva.example:a%20b":        "https://xn--bcher-kva.example/a%20b/did.json",
		"did:web:a.b.c.d1:..a:.a.:-":                 "https://a.b.c.d1/..a/.a./-/did.json",
		"did:web:localhost%3A8443":                   "https://localhost:8443/.well-known/did.json",
		"did:web:example.com:caf%C3%A9":              "https://example.com/caf%C3%A9/did.json",
		"did:web:example.com:a%40b%3A1":              "https://example.com/a@b:1/did.json",
		"did:web:" + strings.Repeat("a", 63) + ".b":  "https://" + strings.Repeat("a", 63) + ".b/.well-known/did.json",
		"did:web:" + strings.Repeat("a.", 126) + "a": "https://" + strings.Repeat("a.", 126) + "a/.well-known/did.json", // 253 characters
	} {
		if got, err := webURL(did); err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v, want %s", did, got, err, want)
		}
	}
}

// badWebDIDs are those that never lead to a connection.
func badWebDIDs() []string {
	hosts := []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0X7f.1", "017700000001", "0177.0.0.1", "127.0.0.0x1",
		"10.0.0.1", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "192.168.0.1", "100.64.0.1", "0.0.0.0", "0", "1",
		"8.8.8.8", "134744072", "1.1", "%5B::1%5D", "%5B%3A%3A1%5D", "%3A%3A1", "%3A%3Affff%3A127.0.0.1", "%5B%3A%3Affff%3A127.0.0.1%5D",
		"%5Bfe80%3A%3A1%2525lo%5D", "localhost.", "localhost..", "example.com.", ".example.com", "example..com", ".", "..",
		"LOCALHOST", "Example.com", "user%40example.com", "user%3Apw%40example.com", "example.com%2F..", "example.com%2f", "example.com%5C",
		"example.com%23", "example.com%3F", "example.com%00", "example.com%0D%0A", "example.com%20", "exa%6Dple.com", "%6Cocalhost", "%31%32%37.0.0.1",
		"-example.com", "example-.com", "exa_mple.com", "example.c-", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "a",
		"example.com%3A", "example.com%3A0", "example.com%3A00443", "example.com%3A65536", "example.com%3A-1", "example.com%3A443%3A443",
		"example.com%3A4a", "example.com%3A443%2Fx", "example.com%3B443", "example.com%3A%2B1", "example.com%", "example.com%3", "xn--0.1", "1.2.3.4.5", "a.0x",
	}
	var dids []string
	for _, host := range hosts {
		dids = append(dids, "did:web:"+host, "did:web:"+host+":user")
	}
	for _, path := range []string{
		".", "..", "a:..:b", "a::b", "%2E%2E", "%2e", "%2F", "a%2Fb", "%5C", "%252E%252E", "%25", "%00", "%0A", "%7F", "%3F", "%23", "%ff", "%C0%AF", "a%", "a%2", "a:",
	} {
		dids = append(dids, "did:web:example.com:"+path)
	}
	return append(dids, "did:web:", "did:web", "did:web:example.com/", "did:web:example.com#a", "did:web:example.com?a=b",
		"did:web:example.com;service=a", "did:web:exämple.com", "did:web:example.com:"+strings.Repeat("a", MaxDID))
}

func TestWebURLRefuses(t *testing.T) {
	w := NewWeb(WebOptions{Names: nameServer(t, func(name string) []netip.Addr {
		t.Errorf("%s was looked up", name)
		return nil
	})})
	bad := badWebDIDs()
	if len(bad) < 160 {
		t.Fatalf("%d cases, want 160", len(bad))
	}
	for _, host := range []string{
		strings.Repeat("a.", 126) + "aa",                                                                                               // 254 characters
		"%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1", "127%E3%80%820.0.1", "%E2%93%9Bocalhost", "b%C3%BCcher.example", "xn--bcher-kva.example.", // what IDNA would make of them
		"%5B64%3Aff9b%3A%3A7f00%3A1%5D", "%5B2002%3A7f00%3A1%3A%3A%5D", "%5Bfc00%3A%3A1%5D", "fc00--1.0",
	} {
		bad = append(bad, "did:web:"+host)
	}
	for _, did := range bad {
		if got, err := webURL(did); !errors.Is(err, ErrDID) {
			t.Errorf("%s: got %s, %v, want %v", did, got, err, ErrDID)
		}
		if _, err := w.Resolve(t.Context(), did); !errors.Is(err, ErrDID) {
			t.Errorf("%s: got %v, want %v", did, err, ErrDID)
		}
	}
	if _, err := w.Resolve(t.Context(), "did:key:z6Mk"); !errors.Is(err, ErrUnsupportedMethod) {
		t.Errorf("another method: got %v, want %v", err, ErrUnsupportedMethod)
	}
}

// hostileAddresses are what a name must not lead to.
func hostileAddresses() []string {
	return []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.0.1", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255",
		"198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::2", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1",
		"100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1",
		"0.255.255.255", "192.0.2.255", "192.88.99.255", "198.51.100.255", "203.0.113.255", "2001:1ff:ffff::1", // the last of their blocks
		"3fff::1", "3fff:fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1",
	}
}

func TestGuard(t *testing.T) {
	for _, text := range hostileAddresses() {
		if isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s passes for public", text)
		}
	}
	for _, text := range []string{
		"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255",
		"172.32.0.0", "192.0.1.1", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00::1", "3ffe::1",
	} {
		if !isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s does not pass for public", text)
		}
	}
	for _, c := range [][2]string{{"tcp6", "[2606:4700::1111%eth0]:443"}, {"tcp4", "8.8.8.8"}, {"tcp4", "name:443"}, {"udp4", "8.8.8.8:443"}, {"unix", "/run/a"}, {"tcp4", ""}, {"tcp6", "[::ffff:8.8.8.8]:443"}} {
		if err := (guard{}).control(c[0], c[1], nil); !errors.Is(err, errGuarded) {
			t.Errorf("%s %s: got %v, want %v", c[0], c[1], err, errGuarded)
		}
	}
}

// dialerOf returns what a Web connects with.
func dialerOf(w *Web) func(ctx context.Context, network, address string) (net.Conn, error) {
	return w.client.Transport.(*http.Transport).DialContext
}

// A proxy would connect for us, to whatever it likes. Its environment is read once in a
// process, so a test cannot set it.
func TestWebHasNoProxy(t *testing.T) {
	if NewWeb(WebOptions{}).client.Transport.(*http.Transport).Proxy != nil {
		t.Error("there may be a proxy")
	}
}

// The address that a name leads to at the moment of connecting is what counts. That the
// error is the guard's, and not the network's, shows that nothing was sent.
func TestGuardIsInTheDialer(t *testing.T) {
	names := map[string]string{}
	for i, text := range hostileAddresses() {
		if isPublic(netip.MustParseAddr(text).Unmap()) {
			continue // the dialer takes a mapped address for that of IPv4, which is public
		}
		names[fmt.Sprintf("h%d.example.org", i)] = text
	}
	w := NewWeb(WebOptions{Names: nameServer(t, func(name string) []netip.Addr { return addrs(names[name]) })})
	for name, text := range names {
		if conn, err := dialerOf(w)(t.Context(), "tcp", name+":443"); !errors.Is(err, errGuarded) {
			t.Errorf("%s: got %v, %v, want %v", text, conn, err, errGuarded)
		}
		if _, err := w.Resolve(t.Context(), "did:web:"+name); !errors.Is(err, ErrUnresolved) {
			t.Errorf("%s: got %v, want %v", text, err, ErrUnresolved)
		}
	}
	for _, name := range []string{"localhost", "localhost.localdomain"} { // found without DNS, where they are
		if _, err := w.Resolve(t.Context(), "did:web:"+name); !errors.Is(err, ErrUnresolved) {
			t.Errorf("%s: got %v, want %v", name, err, ErrUnresolved)
		}
	}
}

// A name may have one address for who asks first and another for who connects, or several.
func TestRebinding(t *testing.T) {
	var asked atomic.Int64
	host := newWebHost(t, serveDocument("{}"))
	host.opt.Permitted = []netip.Prefix{netip.MustParsePrefix("127.9.9.9/32")}
	host.opt.Names = nameServer(t, func(string) []netip.Addr {
		if asked.Add(1) <= 2 { // A and AAAA of the first
			return addrs("127.9.9.9")
		}
		return addrs("127.0.0.1", "::1", "10.0.0.1")
	})
	w := NewWeb(host.opt)
	for range 3 {
		if _, err := w.Resolve(t.Context(), host.did); !errors.Is(err, ErrUnresolved) {
			t.Fatalf("got %v, want %v", err, ErrUnresolved)
		}
	}
	if host.hits.Load() != 0 || asked.Load() < 6 {
		t.Fatalf("%d requests arrived, %d questions were asked, want 0 and 6", host.hits.Load(), asked.Load())
	}
}

// badReplies are what a host may answer instead of a document.
func badReplies(good string) map[string]http.HandlerFunc {
	typed := func(w http.ResponseWriter) http.ResponseWriter {
		w.Header().Set("Content-Type", "application/did+json")
		return w
	}
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			typed(w).WriteHeader(code)
			_, _ = io.WriteString(w, good)
		}
	}
	replies := map[string]http.HandlerFunc{
		"endless body": func(w http.ResponseWriter, _ *http.Request) {
			block := bytes.Repeat([]byte(" "), 1<<16)
			for n := 0; n < 1<<30; n += len(block) {
				if _, err := typed(w).Write(block); err != nil {
					return
				}
			}
		},
		"1 GiB announced": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1073741824")
			_, _ = io.WriteString(typed(w), good)
		},
		"one byte too long": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(typed(w), good+strings.Repeat(" ", MaxDocument+1-len(good)))
		},
		"gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(typed(w))
			_, _ = z.Write([]byte(good))
			_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20))
			_ = z.Close()
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(typed(w), good)
			panic(http.ErrAbortHandler)
		},
		"long headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("a", 32<<10))
			_, _ = io.WriteString(typed(w), good)
		},
		"no body": func(w http.ResponseWriter, _ *http.Request) { typed(w).WriteHeader(http.StatusNoContent) },
	}
	for _, code := range []int{201, 203, 206, 304, 400, 401, 403, 404, 410, 429, 500, 503} {
		replies[fmt.Sprint("status ", code)] = status(code)
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		replies[fmt.Sprint("redirect ", code)] = status(code, "Location", "/other/did.json")
	}
	for _, typ := range []string{"", "text/plain", "text/html; charset=utf-8", "application/jsonp", "application/ld+json", "application/did", ";", "application/json;;", "application/octet-stream"} {
		replies["type "+typ] = func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{typ}
			_, _ = io.WriteString(w, good)
		}
	}
	return replies
}

func TestWebRefusesReplies(t *testing.T) {
	s := testSigner(t, Ed25519, "web")
	for name, handle := range badReplies("") {
		t.Run(name, func(t *testing.T) {
			var host *webHostFixture
			host = newWebHost(t, func(w http.ResponseWriter, r *http.Request) {
				good := documentText(host.did, []string{methodText(host.did, "0", s)}, "0")
				if r.URL.Path != "/.well-known/did.json" {
					serveDocument(good)(w, r) // where a redirect would lead
					return
				}
				handle = badReplies(good)[name]
				handle(w, r)
			})
			began := time.Now()
			_, err := NewWeb(host.opt).Resolve(t.Context(), host.did)
			if !errors.Is(err, ErrUnresolved) || isContext(err) {
				t.Errorf("got %v, want %v", err, ErrUnresolved)
			}
			if want := unresolved(host.did); err == nil || err.Error() != want.Error() {
				t.Errorf("got %q, want the words %q", err, want)
			}
			if hits := host.hits.Load(); hits != 1 || time.Since(began) > webTimeout+2*time.Second {
				t.Errorf("%d requests in %v, want 1", hits, time.Since(began))
			}
		})
	}
}

func TestWebTakesTypes(t *testing.T) {
	s := testSigner(t, P256, "web")
	for _, typ := range []string{"application/did+json", "application/did+ld+json", "application/json", "Application/JSON; charset=utf-8"} {
		var host *webHostFixture
		host = newWebHost(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", typ)
			text := documentText(host.did, []string{methodText(host.did, "0", s)}, "0")
			_, _ = io.WriteString(w, text+strings.Repeat(" ", MaxDocument-len(text)))
			if r.Header.Get("Accept-Encoding") != "" && r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("asked for %s", r.Header.Get("Accept-Encoding"))
			}
		})
		doc, err := NewWeb(host.opt).Resolve(t.Context(), host.did)
		if err != nil || !doc.Keys[host.did+"#0"].Equal(s.public) || !doc.Authentication[host.did+"#0"] {
			t.Errorf("%s: %v, want the key", typ, err)
		}
	}
}

// Hosts that fail in one way or another are told in the same words, and within the time.
func TestWebFailures(t *testing.T) {
	s := testSigner(t, Ed25519, "web")
	var host *webHostFixture
	stop := make(chan struct{})
	defer close(stop)
	wait := func(r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}
	host = newWebHost(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/silent/did.json":
			wait(r)
		case "/stalls/did.json":
			_, _ = io.WriteString(w, `{"id":`)
			_ = http.NewResponseController(w).Flush()
			wait(r)
		default:
			_, _ = io.WriteString(w, documentText(host.did, []string{methodText(host.did, "0", s)}, "0"))
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // it says nothing: TLS never begins
	_, mute, _ := strings.Cut(listener.Addr().String(), ":")
	other := host.opt
	other.RootCAs = nil
	misnamed := host.opt
	if _, err := NewWeb(host.opt).Resolve(t.Context(), host.did); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for name, c := range map[string]struct {
		opt WebOptions
		did string
	}{
		"silent":           {host.opt, host.did + ":silent"},
		"stalls":           {host.opt, host.did + ":stalls"},
		"no TLS":           {host.opt, "did:web:example.com%3A" + mute},
		"unknown CA":       {other, host.did},
		"wrong name":       {misnamed, strings.Replace(host.did, "example.com", "example.net", 1)},
		"nothing listens":  {host.opt, "did:web:example.com%3A1"},
		"may not connect":  {WebOptions{RootCAs: host.opt.RootCAs, Names: host.opt.Names}, host.did},
		"no such name":     {WebOptions{Names: nameServer(t, func(string) []netip.Addr { return nil })}, host.did},
		"another document": {host.opt, host.did + ":user"},
	} {
		all.Go(func() {
			began := time.Now()
			_, err := NewWeb(c.opt).Resolve(t.Context(), c.did)
			want := ErrUnresolved
			if name == "another document" {
				want = ErrKey
			} else if err != nil && err.Error() != unresolved(c.did).Error() {
				t.Errorf("%s: got %v, want the words %v", name, err, unresolved(c.did))
			}
			if !errors.Is(err, want) || isContext(err) {
				t.Errorf("%s: got %v, want %v", name, err, want)
			}
			if d := time.Since(began); d > webTimeout+2*time.Second {
				t.Errorf("%s: took %v", name, d)
			}
		})
	}
	all.Go(func() { // a dial that goes on without its request
		began := time.Now()
		_, err := dialerOf(NewWeb(WebOptions{Names: muteNames(t)}))(context.WithoutCancel(t.Context()), "tcp", "example.com:443")
		if d := time.Since(began); err == nil || d > webTimeout+time.Second {
			t.Errorf("no answer from DNS: %v after %v, want an error after %v", err, d, webTimeout)
		}
	})
	all.Wait()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(webTimeout))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("no TLS: the connection outlives the lookup")
	}
}
