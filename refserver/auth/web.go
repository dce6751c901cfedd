package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits on what Web does.
const (
	MaxDocument      = 64 << 10        // bytes of a DID document
	maxWebLookups    = 8               // at the same time
	maxDomainLookups = 2               // of those
	maxWebWaiting    = 256             // for their turn
	maxDomainWaiting = 32              // of those
	webTimeout       = 3 * time.Second // for one document: name, connection, TLS and body
	maxWebHeaders    = 16 << 10        // bytes of a reply
	maxHostName      = 253             // RFC 1035 §2.3.4
	maxHostLabel     = 63
)

// WebOptions is how a Web is made. The zero value is for DIDs on the public Internet.
type WebOptions struct {
	// Permitted are addresses that may be connected to although they are not public.
	Permitted []netip.Prefix
	// RootCAs sign the certificates of hosts; nil is the system's.
	RootCAs *x509.CertPool
	// Names finds the addresses of hosts; nil is net.DefaultResolver.
	Names *net.Resolver
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
}

// Web resolves did:web (W3C CCG, "did:web Method Specification") over HTTPS. Whoever
// writes a DID chooses with it where this process connects to. So it connects only to
// public addresses and looks at the one it is connecting to, after the name was resolved;
// it follows no redirect, uses no proxy, takes at most MaxDocument bytes and 3 seconds for
// a document, and tells every failure in the same words. It works on 8 of them at a time,
// 2 of one domain (the last two labels of a host's name); 256 more wait, 32 of one domain,
// and who comes then is told at once. So it takes four domains that do not answer to keep
// others waiting: use another Web for what strangers name. Safe for concurrent use. Put it
// behind a [Cache].
type Web struct {
	client *http.Client
	clock  func() time.Time
	turns  *turns
}

// NewWeb returns a Web.
func NewWeb(opt WebOptions) *Web {
	dialer := &net.Dialer{Control: guard{slices.Clone(opt.Permitted)}.control, Resolver: opt.Names, KeepAlive: -1, Timeout: webTimeout}
	transport := &http.Transport{
		Proxy:           nil, // not even from the environment
		DialContext:     dialer.DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: opt.RootCAs},
		// A connection is made to its end even when its request is over. So it ends in time.
		TLSHandshakeTimeout: webTimeout,
		// Nothing is unpacked here, so nothing grows.
		DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: maxWebHeaders,
	}
	w := &Web{clock: opt.Clock, turns: newTurns()}
	w.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if w.clock == nil {
		w.clock = time.Now
	}
	return w
}

// Resolve implements Resolver. It returns ErrDID for what is no did:web,
// ErrUnsupportedMethod for other methods, ErrUnresolved if the document could not be
// fetched, ErrKey if it is malformed or has no usable key, and the error of ctx.
func (w *Web) Resolve(ctx context.Context, did string) (Document, error) {
	address, err := webURL(did)
	if err != nil {
		return Document{}, err
	}
	domain := webDomain(address.Hostname())
	if err := w.turns.enter(ctx, domain); errors.Is(err, errBusy) {
		return Document{}, busy(did)
	} else if err != nil {
		return Document{}, err
	}
	defer w.turns.leave(domain)
	text, err := w.fetch(ctx, address.String())
	if ctx.Err() != nil {
		return Document{}, ctx.Err()
	}
	if err != nil {
		return Document{}, unresolved(did)
	}
	return parseDocument(did, text, w.clock())
}

// errBusy says that this node, not the host, is why there is no document. A [Cache] does
// not keep it. Its words are those of the other failures.
var errBusy = errors.New("too many lookups")

// busyError is unresolved for errBusy.
type busyError struct{ told error }

// Error returns the words of ErrUnresolved.
func (e busyError) Error() string { return e.told.Error() }

// Unwrap returns what it is: ErrUnresolved and errBusy.
func (e busyError) Unwrap() []error { return []error{e.told, errBusy} }

func busy(did string) error { return busyError{unresolved(did)} }

// unresolved drops the cause: that a host refused is not to be told from that this node
// may not connect to it.
func unresolved(did string) error { return fmt.Errorf("%s: %w", clip(did), ErrUnresolved) }

// errReply says that a reply is not one with a document. It does not leave this package.
var errReply = errors.New("reply is not a DID document")

func (w *Web) fetch(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, webTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/did+json, application/did+ld+json, application/json")
	request.Header.Set("User-Agent", "dwnsync")
	reply, err := w.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK || reply.Header.Get("Content-Encoding") != "" || !isDocumentType(reply.Header.Get("Content-Type")) {
		return nil, errReply
	}
	text, err := io.ReadAll(io.LimitReader(reply.Body, MaxDocument+1))
	if err == nil && len(text) > MaxDocument {
		err = errReply
	}
	return text, err
}

func isDocumentType(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/did+json" || media == "application/did+ld+json" || media == "application/json")
}

// webURL returns where the document of a did:web is kept. A host is a name in lower case
// whose last label begins with a letter, since a number there is how addresses are
// spelled; every other spelling is another DID and none is an address.
func webURL(did string) (*url.URL, error) {
	if err := CheckDID(did); err != nil {
		return nil, err
	}
	id, ok := strings.CutPrefix(did, "did:web:")
	if !ok {
		return nil, unsupported(did)
	}
	host, rest, deep := strings.Cut(id, ":")
	host, err := webHost(host)
	if err != nil {
		return nil, fmt.Errorf("%w: did:web: %w", ErrDID, err)
	}
	path := "/.well-known/did.json"
	if deep {
		if path, err = webPath(rest); err != nil {
			return nil, fmt.Errorf("%w: did:web: %w", ErrDID, err)
		}
	}
	return &url.URL{Scheme: "https", Host: host, Path: path}, nil
}

// webHost returns the host and, if there is one, the port of a did:web.
func webHost(text string) (string, error) {
	name, encoded, hasPort := strings.Cut(text, "%")
	if !isHostName(name) {
		return "", errors.New("want the name of a host in lower case, not an address")
	}
	if !hasPort {
		return name, nil
	}
	port := encoded[min(2, len(encoded)):]
	n, err := strconv.ParseUint(port, 10, 16)
	if !strings.EqualFold(encoded[:len(encoded)-len(port)], "3a") || err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "", errors.New("want a port as %3A and a number from 1 to 65535")
	}
	return name + ":" + port, nil
}

// isHostName reports whether name is a host name (RFC 1123 §2.1), in lower case and
// without a dot at its end.
func isHostName(name string) bool {
	if len(name) > maxHostName {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > maxHostLabel || !allOf(label, isHostChar) || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		last = label
	}
	return !isDigit(last[0])
}

func isHostChar(c byte) bool { return 'a' <= c && c <= 'z' || isDigit(c) || c == '-' }

// webPath returns the path of a document outside /.well-known. No segment may become two,
// or a step upwards, however often it is decoded.
func webPath(text string) (string, error) {
	path := ""
	for encoded := range strings.SplitSeq(text, ":") {
		segment, err := url.PathUnescape(encoded)
		if err != nil || segment == "" || segment == "." || segment == ".." || !utf8.ValidString(segment) ||
			strings.ContainsFunc(segment, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`/\%?#`, r) }) {
			return "", errors.New("a path segment is empty, a dot or two, or has a character that is not allowed")
		}
		path += "/" + segment
	}
	return path + "/did.json", nil
}
