package refserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// ErrServer reports an answer that is not as SPEC.md says: not a server of this
// protocol, or something between.
var ErrServer = errors.New("unexpected answer")

// How many bytes of an error answer, and of a JSON answer, are read.
const (
	maxProblem = 64 << 10
	maxAnswer  = 16 << 20
)

// Client calls one server for one tenant. It is safe for concurrent use.
type Client struct {
	origin string // also the audience of tokens
	tenant string
	signer *auth.Signer
	grants []string
	clock  func() time.Time
	http   *http.Client
	nonces nonces
}

// NewClient returns a client of the server at origin, a URL without path, that
// signs as signer for tenant. A nil httpClient is one with sensible timeouts.
func NewClient(origin, tenant string, signer *auth.Signer, httpClient *http.Client) (*Client, error) {
	normal, err := auth.ParseOrigin(origin)
	if err != nil {
		return nil, fmt.Errorf("server URL: %w", err)
	}
	if err := auth.CheckDID(tenant); err != nil {
		return nil, fmt.Errorf("tenant: %w", err)
	}
	if httpClient == nil {
		httpClient = defaultHTTP()
	}
	return &Client{origin: normal, tenant: tenant, signer: signer, clock: time.Now, http: httpClient}, nil
}

// UseGrants makes the client name these permission grants, by their record IDs, in all of
// its calls: for a signer that is not the tenant. It comes before the first call. The error
// says what is wrong with the IDs, see auth.CheckGrantIDs; they need not be ascending.
func (c *Client) UseGrants(ids ...string) error {
	ids = slices.Sorted(slices.Values(ids))
	if err := auth.CheckGrantIDs(ids); err != nil {
		return err
	}
	c.grants = ids
	return nil
}

// replica returns node's part in a sync: the tenant's own node, or that of a grantee.
func (c *Client) replica(node Node, scope dwn.Scope) engine.Replica {
	if c.signer.DID() == c.tenant {
		return node.Replica(c.tenant, scope)
	}
	return node.BorrowedReplica(c.tenant, scope)
}

// defaultHTTP follows no redirects: a token is good for one origin only.
func defaultHTTP() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: answerTime,
			IdleConnTimeout:       10 * time.Second, // shorter than servers': a stale one costs a sync
			DisableCompression:    true,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// transport carries the rounds of one sync and counts their bytes.
type transport struct {
	client    *Client
	scope     dwn.Scope
	direction auth.Direction
	authBytes atomic.Int64 // of AUTH frames and refused requests, which the engine does not see
}

// Exchange signs and posts one request, and once more where the server asks for its
// nonce. So that it can, it keeps the items until an answer begins: no more than one request
// may have, see engine.Limits.RequestBytes.
func (t *transport) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	again := newRepeatable(items)
	defer again.close()
	var reply io.ReadCloser
	err := t.client.nonces.do(func(nonce string) (err error) {
		reply, err = t.post(ctx, nonce, head, again)
		return err
	})
	if err != nil {
		return nil, err
	}
	return func(yield func(wire.Frame, error) bool) {
		defer reply.Close()
		wire.Decode(reply)(yield)
	}, nil
}

func (t *transport) post(ctx context.Context, nonce string, head []wire.Frame, items *repeatable) (io.ReadCloser, error) {
	token, err := t.sign(nonce, head)
	if err != nil {
		return nil, err
	}
	first := wire.Frame{Type: wire.TypeAuth, Body: []byte(token)}
	var handed int64
	body := wire.NewReader(sized(wire.Join(append([]wire.Frame{first}, head...), items.frames()), &handed))
	reply, err := t.client.post(ctx, body)
	_ = body.Close() // it has no error, and from here on nobody reads
	if _, stale := errors.AsType[*nonceError](err); !stale {
		handed = int64(first.Size()) // the engine counts the others
	}
	t.authBytes.Add(handed)
	return reply, err
}

// sized passes frames on and adds their sizes to n.
func sized(frames iter.Seq2[wire.Frame, error], n *int64) iter.Seq2[wire.Frame, error] {
	return func(yield func(wire.Frame, error) bool) {
		for f, err := range frames {
			if *n += int64(f.Size()); !yield(f, err) {
				return
			}
		}
	}
}

// post sends the frames of a request and returns those of the reply.
func (c *Client) post(ctx context.Context, body io.Reader) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodPost, "/v1/sync", body, -1, "Content-Type", MediaType)
	if err != nil {
		return nil, err
	}
	if got := resp.Header.Get("Content-Type"); got != MediaType {
		resp.Body.Close()
		return nil, fmt.Errorf("%w: Content-Type %q, want %s", ErrServer, got, MediaType)
	}
	return resp.Body, nil
}

// send makes a request with one header, its body of size bytes (-1: as many as
// there are), and returns the answer, whose body is read with patience and closed
// by the caller.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader, size int64, header, value string) (*http.Response, error) {
	patience := newPatience(ctx)
	req, err := http.NewRequestWithContext(patience.ctx, method, c.origin+path, patience.request(body))
	if err != nil {
		patience.stop()
		return nil, err
	}
	req.ContentLength = size
	req.Header.Set(header, value)
	resp, err := c.do(req)
	if err != nil {
		err = patience.explain(err)
		patience.stop()
		return nil, err
	}
	resp.Body = patience.answer(resp.Body)
	return resp, nil
}

// claims returns the claims of the next token.
func (c *Client) claims(nonce string) (auth.Claims, error) {
	claims, err := auth.NewClaims(c.origin, c.tenant, c.clock(), rand.Reader)
	claims.Nonce, claims.Grants = nonce, c.grants
	return claims, err
}

func (t *transport) sign(nonce string, head []wire.Frame) (string, error) {
	claims, err := t.client.claims(nonce)
	if err != nil {
		return "", err
	}
	return t.client.signer.SignInit(auth.InitClaims{
		Claims: claims, Scope: t.scope, Direction: t.direction, Frames: auth.Digest(wire.Hash(head)),
	})
}

// do sends req and returns the response if it is a success, and the error that it
// tells otherwise.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	nonce := c.nonces.hear(resp.Header)
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil {
		return nil, err
	}
	p := new(Problem)
	if json.Unmarshal(text, p) != nil || p.Status != resp.StatusCode {
		return nil, fmt.Errorf("%w: %s %s: status %s", ErrServer, req.Method, req.URL.Path, resp.Status)
	}
	if p.Status == http.StatusUnauthorized && p.Code == codeNonce && nonce != "" {
		return nil, &nonceError{p, nonce}
	}
	return nil, p
}

// upload is the body of a call; open is nil where there is none.
type upload struct {
	open   func() (io.ReadCloser, error) // from its beginning, at every call
	size   int64
	digest auth.Digest
}

func uploadOf(text []byte) upload {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	return upload{open, int64(len(text)), auth.DigestOf(text)}
}

// call makes a signed request that is no sync, and once more where the server asks for
// its nonce. It returns the body of the answer.
func (c *Client) call(ctx context.Context, method, path string, body upload) (answer io.ReadCloser, err error) {
	err = c.nonces.do(func(nonce string) (err error) {
		answer, err = c.callOnce(ctx, nonce, method, path, body)
		return err
	})
	return answer, err
}

func (c *Client) callOnce(ctx context.Context, nonce, method, path string, body upload) (io.ReadCloser, error) {
	claims, err := c.claims(nonce)
	if err != nil {
		return nil, err
	}
	token, err := c.signer.SignRequest(auth.RequestClaims{Claims: claims, Method: method, URL: c.origin + path, Body: body.digest})
	if err != nil {
		return nil, err
	}
	var data io.Reader
	if body.open != nil {
		opened, err := body.open()
		if err != nil {
			return nil, err
		}
		reader := &uploadReader{data: opened}
		defer reader.Close()
		data = reader
	}
	resp, err := c.send(ctx, method, path, data, body.size, "Authorization", authScheme+" "+token)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Message returns the message of that CID, with inline data if the server has it.
func (c *Client) Message(ctx context.Context, cid string) (Record, error) {
	var r Record
	err := c.callJSON(ctx, http.MethodGet, "/v1/messages/"+url.PathEscape(cid), nil, &r)
	return r, err
}

// PostMessage stores a message on the server. Data above dwn.MaxInlineData does
// not travel with it: use PutData after.
func (c *Client) PostMessage(ctx context.Context, r Record) (Written, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return Written{}, err
	}
	var w Written
	err = c.callJSON(ctx, http.MethodPost, "/v1/messages", text, &w)
	return w, err
}

func (c *Client) callJSON(ctx context.Context, method, path string, body []byte, v any) error {
	resp, err := c.call(ctx, method, path, uploadOf(body))
	if err != nil {
		return err
	}
	defer resp.Close()
	text, err := io.ReadAll(io.LimitReader(resp, maxAnswer))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return fmt.Errorf("%w: %s %s: %w", ErrServer, method, strings.SplitN(path, "?", 2)[0], err)
	}
	return nil
}
