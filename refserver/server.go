package refserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

const (
	// MediaType is the Content-Type of a sequence of frames.
	MediaType = "application/vnd.dwnsync.v1+cbor-seq"

	authScheme   = "DWN"
	maxRecord    = 2*dwn.MaxMessageSize + 64<<10 // JSON of a message with inline data
	defaultSyncs = 32
)

// ServerOptions configure a Server. Origins has no default.
type ServerOptions struct {
	// Origins are the URLs under which clients call this server, without path. A
	// token for any other is refused.
	Origins []string
	// Gate decides which tenants are served. The default serves those that the
	// node has messages of.
	Gate   auth.Gate
	Limits engine.Limits
	// MaxSyncs bounds the syncs at work at the same time; default 32, of which one
	// tenant has at most an eighth, and two at least. More are answered with 503. Of calls that
	// write a message or data there are four times as many, shared in the same way, and as many
	// of calls of grantees that look something up.
	MaxSyncs int
	// SegmentBytes bounds the segmented filters that are kept in memory for the next
	// sync of whoever sent them; default engine.DefaultSegmentBytes, none if negative.
	SegmentBytes int64
	// TokenResolver finds the keys of those who sign tokens, which strangers may send; default
	// that of the node, which then is for both. See auth.Cache.Beside.
	TokenResolver auth.Resolver
	// Replay remembers tokens; default one of its own. Servers of one origin share one.
	Replay  *auth.ReplayCache
	Clock   func() time.Time // default time.Now
	Logger  *slog.Logger     // default none
	Version string           // of the program, for GET /v1/info
}

// Server is the HTTP handler of a node. It is safe for concurrent use.
type Server struct {
	node     Node
	verifier *auth.Verifier
	gate     auth.Gate
	limits   engine.Limits
	places   *places // of syncs
	writes   *places // of other calls that write
	lookups  *places // of grantees' other calls that read
	segments *engine.SegmentCache
	clock    func() time.Time
	random   io.Reader // nil but in tests
	log      *slog.Logger
	version  string
	mux      *http.ServeMux
}

// NewServer returns the handler of node.
func NewServer(node Node, opt ServerOptions) (*Server, error) {
	if opt.Gate == nil {
		gate, err := auth.NewGate(auth.GateOptions{Present: node.Store.Has})
		if err != nil {
			return nil, err
		}
		opt.Gate = gate
	}
	if opt.MaxSyncs <= 0 {
		opt.MaxSyncs = defaultSyncs
	}
	if opt.SegmentBytes == 0 {
		opt.SegmentBytes = engine.DefaultSegmentBytes
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.TokenResolver == nil {
		opt.TokenResolver = node.Resolver
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		node: node, gate: opt.Gate, limits: opt.Limits.WithDefaults(),
		places: newPlaces(opt.MaxSyncs), writes: newPlaces(callsPerSync * opt.MaxSyncs), lookups: newPlaces(callsPerSync * opt.MaxSyncs), segments: engine.NewSegmentCache(opt.SegmentBytes),
		clock: opt.Clock, log: opt.Logger, version: opt.Version,
	}
	var err error
	s.verifier, err = auth.NewVerifier(auth.VerifierOptions{
		Audience: opt.Origins, Resolver: opt.TokenResolver, Clock: opt.Clock, Admit: s.admit, Replay: opt.Replay,
	})
	if err != nil {
		return nil, err
	}
	s.mux = s.routes()
	return s, nil
}

// admit decides whether claims may be used on this node at all. The tenant itself is told
// whether it is served; anybody else is told the same, whether the tenant is, whether it
// has messages here, and whatever is wrong with the grants.
func (s *Server) admit(ctx context.Context, c auth.Claims) error {
	err := s.gate.Admit(ctx, c.Tenant)
	if auth.Authorize(c.Signer, c.Tenant) == nil {
		return err
	}
	if err == nil {
		_, err = s.decide(ctx, c, dwn.Scope{}, auth.Pull)
	}
	if errors.Is(err, auth.ErrNotAdmitted) {
		return auth.ErrForbidden
	}
	return err
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength != 0 {
				// Whoever it is has this long to send a body, until it is read from someone
				// known. Without one nothing is read, and a deadline would end the call.
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(tokenTime)) // not every connection has deadlines
			}
			if err := h(w, r); err != nil {
				s.tellNonce(w)
				s.writeProblem(w, r, err)
			}
		})
	}
	handle("POST /v1/sync", s.sync)
	handle("GET /v1/messages/{cid}", s.getMessage)
	handle("POST /v1/messages", s.postMessage)
	handle("GET /v1/data", s.wantedData)
	handle("GET /v1/data/{cid}", s.getData)
	handle("PUT /v1/data/{cid}", s.putData)
	handle("GET /v1/grants", s.getGrants)
	handle("GET /v1/grants/{recordId}", s.getGrant)
	handle("GET /v1/info", s.info)
	handle("/", func(http.ResponseWriter, *http.Request) error { return errRoute })
	return mux
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.tellNonce(w)
	s.mux.ServeHTTP(w, r)
}

// tellNonce sets the header of an answer that has not begun. It is in all of them, and
// set anew where the request may have taken long enough for it to change.
func (s *Server) tellNonce(w http.ResponseWriter) { w.Header().Set(NonceHeader, s.verifier.Nonce()) }

// Info is what GET /v1/info tells anybody.
type Info struct {
	Server     string            `json:"server"`
	Version    string            `json:"version"`
	Wire       int               `json:"wire"` // version of the wire format
	Strategies []engine.Strategy `json:"strategies"`
	MaxMessage int               `json:"maxMessage"` // bytes of canonical DAG-CBOR
	MaxInline  int               `json:"maxInline"`  // bytes of data inside a message's item
	MaxReply   int64             `json:"maxReply"`   // bytes of items in one reply
	MaxRequest int64             `json:"maxRequest"` // bytes of items in one request
}

func (s *Server) info(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, Info{
		Server: "dwnsync", Version: s.version, Wire: wire.Version, Strategies: engine.Strategies(),
		MaxMessage: dwn.MaxMessageSize, MaxInline: dwn.MaxInlineData,
		MaxReply: s.limits.ReplyBytes, MaxRequest: s.limits.RequestBytes,
	})
}

// authorize checks the header of a call that is no sync. The caller compares the
// body with claims.Body.
func (s *Server) authorize(r *http.Request) (auth.RequestClaims, error) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, authScheme) {
		return auth.RequestClaims{}, fmt.Errorf("%w: this call needs the header \"Authorization: %s <token>\"", errNoToken, authScheme)
	}
	claims, err := s.verifier.VerifyRequest(r.Context(), token, r.Method, r.URL.RequestURI())
	if err == nil && r.Method == http.MethodGet && !claims.Body.Equal(auth.DigestOf(nil)) {
		err = fmt.Errorf("%w: a GET has no body", errHash)
	}
	return claims, err
}

// readBody reads a body of at most limit bytes that the token was signed for.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, want auth.Digest) ([]byte, error) {
	body, err := io.ReadAll(newPatientReader(w, http.MaxBytesReader(w, r.Body, limit)))
	if err != nil {
		return nil, err
	}
	if !auth.DigestOf(body).Equal(want) {
		return nil, fmt.Errorf("%w: the body", errHash)
	}
	return body, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the connection is gone: nobody is left to tell
	return nil
}
