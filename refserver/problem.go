package refserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

var (
	errBusy      = errors.New("too many calls at once; try again in a few seconds")
	errMediaType = errors.New("unexpected Content-Type")
	errHash      = errors.New("the token was signed for other bytes")
	errNoToken   = errors.New("no token")
	errRoute     = errors.New("no such call; SPEC.md §10 has those there are")
)

// Problem is an error as it travels (RFC 9457), and the error that the client
// returns for one.
type Problem struct {
	Type   string `json:"type"`   // "about:blank"
	Title  string `json:"title"`  // of the status
	Status int    `json:"status"` // of HTTP
	Detail string `json:"detail"` // what a person can act on
	Code   string `json:"code"`   // what a program can act on, see SPEC.md
	// Scope is what to ask for instead, where the code is "narrower".
	Scope json.RawMessage `json:"scope,omitempty"`
}

// Error returns the detail and the status, fit for a terminal.
func (p *Problem) Error() string {
	return fmt.Sprintf("the server refused: %s (%d %s)", wire.Printable(p.Detail, 1000), p.Status, wire.Printable(p.Code, 100))
}

// codeUnsupported tells a summary that the server does not read, though it may be a good one.
const codeUnsupported = "unsupported"

// codeNarrower tells that grants cover a part of the scope, which the problem then has.
const codeNarrower = "narrower"

// Is makes a refused summary engine.ErrUnsupported.
func (p *Problem) Is(target error) bool {
	return target == engine.ErrUnsupported && p.Code == codeUnsupported
}

// kind is how one kind of error is told.
type kind struct {
	err    error
	status int
	code   string
}

// kinds is the one place that maps errors to HTTP. The first match counts.
func kinds() []kind {
	return []kind{
		{context.Canceled, http.StatusServiceUnavailable, "canceled"},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "timeout"},
		{errBusy, http.StatusServiceUnavailable, "busy"},
		{errRoute, http.StatusNotFound, "route"},
		{errMediaType, http.StatusUnsupportedMediaType, "media-type"},
		{store.ErrFull, http.StatusInsufficientStorage, "full"},
		{store.ErrQuota, http.StatusInsufficientStorage, codeQuota},
		{store.ErrClosed, http.StatusServiceUnavailable, "closed"},
		{store.ErrNotFound, http.StatusNotFound, "not-found"},
		{store.ErrDataMismatch, http.StatusUnprocessableEntity, "data-mismatch"},
		{auth.ErrMessage, http.StatusUnprocessableEntity, "message-signature"},
		{auth.ErrForbidden, http.StatusForbidden, "forbidden"},
		{auth.ErrNotAdmitted, http.StatusForbidden, "not-admitted"},
		{auth.ErrNonce, http.StatusUnauthorized, codeNonce},
		{auth.ErrReplay, http.StatusUnauthorized, "replay"},
		{auth.ErrExpired, http.StatusUnauthorized, "expired"},
		{auth.ErrAudience, http.StatusUnauthorized, "audience"},
		{auth.ErrSignature, http.StatusUnauthorized, "signature"},
		{auth.ErrUnsupportedMethod, http.StatusUnauthorized, "did-method"},
		{auth.ErrUnresolved, http.StatusUnauthorized, "did-unresolved"},
		{auth.ErrDID, http.StatusUnauthorized, "did"},
		{auth.ErrKey, http.StatusUnauthorized, "key"},
		{auth.ErrToken, http.StatusUnauthorized, "token"},
		{errNoToken, http.StatusUnauthorized, "token"},
		{errHash, http.StatusUnauthorized, "hash"},
		{wire.ErrTooLarge, http.StatusRequestEntityTooLarge, "too-large"},
		{filters.ErrTooLarge, http.StatusRequestEntityTooLarge, "too-large"},
		{wire.ErrMalformed, http.StatusBadRequest, "frame"},
		{wire.ErrSequence, http.StatusBadRequest, "frame-order"},
		{io.ErrUnexpectedEOF, http.StatusBadRequest, "truncated"},
		{engine.ErrProtocol, http.StatusBadRequest, "protocol"},
		{engine.ErrUnsupported, http.StatusBadRequest, codeUnsupported},
		{filters.ErrMalformed, http.StatusBadRequest, "filter"},
		{errCID, http.StatusBadRequest, "cid"},
		{dwn.ErrNotStored, http.StatusUnprocessableEntity, "not-stored"},
		{dwn.ErrShape, http.StatusUnprocessableEntity, "shape"},
		{dwn.ErrScope, http.StatusBadRequest, "scope"},
		{dwn.ErrNotCanonical, http.StatusBadRequest, "not-canonical"},
		{dwn.ErrMalformed, http.StatusBadRequest, "malformed"},
		{ErrRecord, http.StatusBadRequest, "record"},
		{errInline, http.StatusRequestEntityTooLarge, "inline"},
	}
}

// problemOf returns how err is told to the other side, and whether it is a fault
// of this server, whose text stays in its log.
func problemOf(err error) (p Problem, internal bool) {
	p = Problem{Type: "about:blank", Status: http.StatusInternalServerError, Code: "internal", Detail: "the server failed; its log says why"}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		p.Status, p.Code = http.StatusRequestEntityTooLarge, "too-large"
		p.Detail = fmt.Sprintf("the request is longer than %d bytes", tooLarge.Limit)
	}
	var broke *wire.Error
	if errors.As(err, &broke) {
		p.Status, p.Code, p.Detail = http.StatusBadRequest, "protocol", "a request has no ERROR frame"
	}
	for _, k := range kinds() {
		if p.Code == "internal" && errors.Is(err, k.err) {
			p.Status, p.Code, p.Detail = k.status, k.code, err.Error()
		}
	}
	if p.Code == "full" {
		p.Detail = "the disk of the node is nearly full: reading still works" // err names its folder
	}
	var narrower *narrowerError
	if errors.As(err, &narrower) {
		p.Status, p.Code, p.Detail = http.StatusForbidden, codeNarrower, err.Error()
		p.Scope = narrower.scope.AppendJSON(nil)
	}
	p.Title = http.StatusText(p.Status)
	return p, p.Code == "internal"
}

// writeProblem answers a request with err.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p, internal := problemOf(err)
	if internal {
		s.log.Error("request failed", "method", r.Method, "route", r.Pattern, "error", err)
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", authScheme)
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the connection is gone: nobody is left to tell
}
